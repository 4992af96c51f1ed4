/*
 * load: latency histogram, logarithmic with 1024 linear steps an octave (0.1 %).
 * Written by the referee, read by report.c. Invariant: total equals the sum of counts.
 */
#ifndef PERF_LOAD_HISTOGRAM_H
#define PERF_LOAD_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_STEP_BITS = 10, HISTOGRAM_TOP_BIT = 42 /* 73 minutes in ns */ };
enum { HISTOGRAM_SLOTS = (HISTOGRAM_TOP_BIT - HISTOGRAM_STEP_BITS + 2) << HISTOGRAM_STEP_BITS };

typedef struct {
    uint64_t total, max_ns, min_ns;
    double sum_ns;
    uint64_t counts[HISTOGRAM_SLOTS];
} load_histogram;

static inline uint32_t load_histogram_slot(uint64_t value_ns)
{
    if (value_ns >> HISTOGRAM_TOP_BIT)
        value_ns = (1ull << HISTOGRAM_TOP_BIT) - 1;
    if (value_ns < (1u << HISTOGRAM_STEP_BITS))
        return (uint32_t)value_ns;
    uint32_t shift = 63u - (uint32_t)__builtin_clzll(value_ns) - HISTOGRAM_STEP_BITS;
    return ((shift + 1) << HISTOGRAM_STEP_BITS) +
           (uint32_t)((value_ns >> shift) - (1u << HISTOGRAM_STEP_BITS));
}

static inline void load_histogram_add(load_histogram *histogram, uint64_t value_ns)
{
    histogram->counts[load_histogram_slot(value_ns)]++;
    if (histogram->total++ == 0 || value_ns < histogram->min_ns)
        histogram->min_ns = value_ns;
    if (value_ns > histogram->max_ns)
        histogram->max_ns = value_ns;
    histogram->sum_ns += (double)value_ns;
}

/* Value in ns below which PERCENT of the samples lie (upper edge of the slot); 0 when empty. */
uint64_t load_histogram_at(const load_histogram *histogram, double percent);

#endif
