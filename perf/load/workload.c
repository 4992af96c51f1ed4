/*
 * load: the workloads. A task's number decides its place in a block, the place what it asks for.
 * Called for each submission, run and reply. Invariant: same number, same plan.
 */
#include "workload.h"

enum { LOAD_MIXED_BLOCK = 40 };

static void load_plan_fan(uint32_t number, uint32_t place, uint32_t fan, load_plan *plan)
{
    if (place == 0)
        return;
    if (place <= fan) {
        plan->after_count = 1;
        plan->after[0] = number - place;
        return;
    }
    plan->after_count = fan;
    for (uint32_t i = 0; i < fan; i++)
        plan->after[i] = number - 1 - i;
}

static void load_plan_targets(const load_options *options, uint32_t number, load_plan *plan)
{
    /* A stride coprime to most engine counts spreads the targets without randomness. */
    uint32_t first = (uint32_t)((uint64_t)number * 7919 % options->engines);
    plan->target_count = options->targets;
    for (uint32_t i = 0; i < options->targets; i++) {
        plan->targets[i] = (first + i) % options->engines;
    }
}

static void load_plan_chain(uint32_t number, uint32_t place, uint32_t step, load_plan *plan)
{
    if (place < step)
        return;
    plan->after_count = 1;
    plan->after[0] = number - step;
}

static void load_plan_follow(uint32_t number, uint32_t place, load_plan *plan)
{
    if (place == 0)
        return;
    plan->follow_count = 1;
    plan->follow[0] = number - place;
}

static void load_plan_mixed(const load_options *options, uint32_t number, load_plan *plan)
{
    uint32_t place = number % LOAD_MIXED_BLOCK, part = place / 8;
    if (part == 1)
        load_plan_chain(number, place - 8, 1, plan);
    if (part == 2)
        load_plan_fan(number, place - 16, 6, plan);
    if (part == 3)
        load_plan_follow(number, place - 24, plan);
    if (place >= 32 && place < 36)
        load_plan_targets(options, number, plan);
    if (place >= 36 && place < 39)
        plan->retries = plan->fails = options->fail_times;
    if (place == 38)
        plan->unmet = true, plan->retries = 0;
    if (place == 39)
        plan->ends_badly = true;
}

void load_plan_make(const load_options *options, uint32_t number, load_plan *plan)
{
    plan->after_count = plan->follow_count = plan->target_count = 0;
    plan->retries = plan->fails = 0;
    plan->unmet = plan->ends_badly = false;
    uint32_t block;
    switch (options->workload) {
    case LOAD_CHAINS:
        block = options->chains * options->chain_length;
        load_plan_chain(number, number % block, options->chains, plan);
        break;
    case LOAD_FANS:
        load_plan_fan(number, number % (options->fan + 2), options->fan, plan);
        break;
    case LOAD_FOLLOW:
        load_plan_follow(number, number % options->chain_length, plan);
        break;
    case LOAD_TARGETS:
        load_plan_targets(options, number, plan);
        break;
    case LOAD_RETRIES:
    case LOAD_UNMET:
        if (number % options->fail_every != 0)
            break;
        plan->fails = options->fail_times;
        plan->unmet = options->workload == LOAD_UNMET;
        plan->retries = plan->unmet ? 0 : plan->fails;
        break;
    case LOAD_FAILURES:
        plan->ends_badly = number % options->fail_every == 0;
        break;
    case LOAD_MIXED:
        load_plan_mixed(options, number, plan);
        break;
    case LOAD_PLAIN:
    case LOAD_WORKLOADS:
        break;
    }
}
