/*
 * load: what each task asks for, as a function of its number alone, so that nothing is stored.
 * Called by client.c when submitting, by engine.c and referee.c when judging.
 * Invariant: dependencies name lower numbers of the same client.
 */
#ifndef PERF_LOAD_WORKLOAD_H
#define PERF_LOAD_WORKLOAD_H

#include "options.h"

typedef struct {
    uint32_t after_count, follow_count, target_count;
    uint32_t retries; /* asked for */
    uint32_t fails;   /* runs that the engines refuse before one succeeds */
    bool unmet;       /* refused as dependencies_met: false, not as an error */
    bool ends_badly;  /* the only run fails and the client is told so */
    uint32_t after[LOAD_DEPENDENCIES_MAX], follow[1];
    uint32_t targets[LOAD_TARGETS_MAX]; /* engine indices */
} load_plan;

void load_plan_make(const load_options *options, uint32_t number, load_plan *plan);

#endif
