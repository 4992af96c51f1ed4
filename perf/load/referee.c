/*
 * load: the referee. Remembers every task in 32 bytes and says what broke a rule.
 * Called by engine.c (runs), client.c (replies), hub.c (monitor) and main.c (the end).
 * Invariant: a violation is counted each time and printed for the first LOAD_PRINTED_MAX.
 */
#include "load.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LOAD_PRINTED_MAX = 20 };

const char *load_bad_name(load_bad_kind kind)
{
    static const char *const names[LOAD_BAD_KINDS] = {
        "unknown_reply", "duplicate_reply", "lost",    "unknown_task", "ran_again",
        "dependency",    "follow",          "targets", "retry_engine", "status",
        "signature",     "payload",         "monitor", "hwm",          "protocol",
        "connection"};
    return names[kind];
}

void load_violation(load_run *run, load_bad_kind kind, const char *format, ...)
{
    run->violations[kind]++;
    if (run->violation_total++ >= LOAD_PRINTED_MAX)
        return;
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "yard-load: violation (%s): ", load_bad_name(kind));
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

static void load_judge_dependencies(load_run *run, uint64_t task, uint32_t engine,
                                    const load_plan *plan)
{
    uint32_t clients = run->options.clients, client = (uint32_t)(task % clients);
    for (uint32_t i = 0; i < plan->after_count; i++) {
        uint64_t other = (uint64_t)plan->after[i] * clients + client;
        if (load_remembers(run, other) && !(load_record(run, other)->flags & LOAD_FLAG_EXECUTED)) {
            load_violation(run, LOAD_BAD_DEPENDENCY, "task %llu ran before task %llu finished",
                           (unsigned long long)task, (unsigned long long)other);
        }
    }
    for (uint32_t i = 0; i < plan->follow_count; i++) {
        uint64_t other = (uint64_t)plan->follow[i] * clients + client;
        const load_task *leader = load_record(run, other);
        if (!load_remembers(run, other))
            continue;
        if (!(leader->flags & LOAD_FLAG_EXECUTED) || leader->engines[leader->runs - 1] != engine) {
            load_violation(run, LOAD_BAD_FOLLOW, "task %llu did not follow task %llu on engine %u",
                           (unsigned long long)task, (unsigned long long)other, engine);
        }
    }
}

void load_judge_run(load_run *run, uint64_t task, uint32_t engine, const load_plan *plan)
{
    load_task *record = load_record(run, task);
    run->runs++;
    record->balance += (engine + 1) * 2654435761u;
    if (record->runs > plan->fails) {
        load_violation(run, LOAD_BAD_RAN_AGAIN, "task %llu ran again on engine %u",
                       (unsigned long long)task, engine);
        return;
    }
    for (uint32_t i = 0; i < record->runs; i++) {
        if (record->engines[i] != engine)
            continue;
        load_violation(run, LOAD_BAD_RETRY_ENGINE,
                       "task %llu was retried on engine %u, which had "
                       "refused it",
                       (unsigned long long)task, engine);
    }
    record->engines[record->runs++] = engine;
    bool allowed = plan->target_count == 0;
    for (uint32_t i = 0; i < plan->target_count; i++)
        allowed |= plan->targets[i] == engine;
    if (!allowed) {
        load_violation(run, LOAD_BAD_TARGETS, "task %llu ran on engine %u, not among its targets",
                       (unsigned long long)task, engine);
    }
    if (plan->after_count + plan->follow_count > 0) {
        load_judge_dependencies(run, task, engine, plan);
    }
}

void load_judge_reply(load_run *run, uint64_t task, bool ok, const uint8_t *engine_id,
                      size_t engine_id_size)
{
    load_task *record = load_record(run, task);
    load_plan plan;
    if (record->flags & LOAD_FLAG_ANSWERED) {
        load_violation(run, LOAD_BAD_DUPLICATE_REPLY, "task %llu was answered twice",
                       (unsigned long long)task);
        return;
    }
    record->flags |= LOAD_FLAG_ANSWERED;
    run->answered++;
    if (ok)
        run->finished_ok++;
    else
        run->finished_error++;
    if (record->start_ns >= run->window_begin_ns && record->start_ns < run->window_end_ns) {
        uint64_t now_ns = run->now_ns;
        load_histogram_add(run->latency, now_ns > record->start_ns ? now_ns - record->start_ns : 0);
    }
    load_plan_make(&run->options, (uint32_t)(task / run->options.clients), &plan);
    if (ok == plan.ends_badly) {
        load_violation(run, LOAD_BAD_STATUS, "task %llu ended with status %s",
                       (unsigned long long)task, ok ? "ok" : "error");
    }
    if (!(record->flags & LOAD_FLAG_EXECUTED)) {
        load_violation(run, LOAD_BAD_UNKNOWN_REPLY, "task %llu was answered before it had run",
                       (unsigned long long)task);
        return;
    }
    const char *expected = run->engines[record->engines[record->runs - 1]].session.session;
    if (engine_id != NULL && (engine_id_size != LOAD_SESSION_SIZE ||
                              memcmp(engine_id, expected, LOAD_SESSION_SIZE) != 0)) {
        load_violation(run, LOAD_BAD_PROTOCOL, "the reply to task %llu names another engine",
                       (unsigned long long)task);
    }
}

static void load_judge_totals(load_run *run)
{
    bool tracked = run->options.monitor_check == LOAD_MONITOR_FULL;
    if (run->options.monitor_check == LOAD_MONITOR_NONE)
        return;
    if (run->intasks != run->submitted || run->outtasks != run->answered ||
        (tracked && run->tracktasks != run->runs)) {
        load_violation(run, LOAD_BAD_MONITOR,
                       "%llu intask for %llu submitted, %llu tracktask for %llu runs, "
                       "%llu outtask for %llu answered",
                       (unsigned long long)run->intasks, (unsigned long long)run->submitted,
                       (unsigned long long)run->tracktasks, (unsigned long long)run->runs,
                       (unsigned long long)run->outtasks, (unsigned long long)run->answered);
    }
}

static void load_judge_task(load_run *run, uint64_t task)
{
    const load_task *record = load_record(run, task);
    if (!(record->flags & LOAD_FLAG_ANSWERED)) {
        load_violation(run, LOAD_BAD_LOST, "task %llu was never answered (%s)",
                       (unsigned long long)task,
                       record->flags & LOAD_FLAG_EXECUTED ? "its engine replied"
                       : record->runs                     ? "it ran"
                                                          : "it never ran");
    }
    bool full = run->options.monitor_check == LOAD_MONITOR_FULL;
    if (full && (record->balance != 0 || record->tracks != record->runs)) {
        load_violation(run, LOAD_BAD_MONITOR, "task %llu: the tracktasks differ from its runs",
                       (unsigned long long)task);
    }
}

/* What comes for it from now on names no task of ours: that is a violation, too. */
void load_judge_forgotten(load_run *run, uint64_t task)
{
    load_task *record = load_record(run, task);
    uint8_t told =
        run->options.monitor_check == LOAD_MONITOR_NONE ? 0 : LOAD_FLAG_INTASK | LOAD_FLAG_OUTTASK;
    load_judge_task(run, task);
    if ((record->flags & told) != told) {
        load_violation(run, LOAD_BAD_MONITOR, "task %llu: the hub did not hear of its end in time",
                       (unsigned long long)task);
    }
    *record = (load_task){0};
}

void load_judge_end(load_run *run)
{
    uint64_t first = run->submitted > run->remembered ? run->submitted - run->remembered : 0;
    for (uint64_t task = first; task < run->submitted; task++)
        load_judge_task(run, task);
    load_judge_totals(run);
}
