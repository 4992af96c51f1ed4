/*
 * load: reading percentiles from a latency histogram.
 * Called by report.c. Invariant: the answer never exceeds the largest value recorded.
 */
#include "histogram.h"

#include <math.h>

static uint64_t load_histogram_edge(uint32_t slot)
{
    uint32_t octave = slot >> HISTOGRAM_STEP_BITS;
    uint64_t step = slot & ((1u << HISTOGRAM_STEP_BITS) - 1);
    if (octave == 0)
        return step;
    return ((step + (1u << HISTOGRAM_STEP_BITS) + 1) << (octave - 1)) - 1;
}

uint64_t load_histogram_at(const load_histogram *histogram, double percent)
{
    uint64_t wanted = (uint64_t)ceil((double)histogram->total * percent / 100.0), seen = 0;
    if (histogram->total == 0)
        return 0;
    if (wanted < 1)
        wanted = 1;
    for (uint32_t slot = 0; slot < HISTOGRAM_SLOTS; slot++) {
        seen += histogram->counts[slot];
        if (seen >= wanted) {
            uint64_t edge = load_histogram_edge(slot);
            return edge < histogram->max_ns ? edge : histogram->max_ns;
        }
    }
    return histogram->max_ns;
}
