/// stamps.c: the LRU order as 32-bit stamps: a smaller stamp is less recently used.
///
/// Called by vector.c for every place in the order, and by whoever wants the order listed.
/// Invariant: stamps of present slots are distinct and lie in [stamp_low, stamp_high]; when either
/// end of [0, LOADS_STAMP_MAX] is reached all are dealt anew around the middle, in the same order.
#include <stdlib.h>

#include "loads_testing.h"
#include "vector.h"

static int compare_entries(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/// The present slots as `stamp << 32 | slot`, sorted; the caller frees it.
static uint64_t *sorted_entries(const loads *vector)
{
    uint64_t *entries = loads_allocate(((size_t)vector->count + 1) * sizeof *entries);
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < vector->capacity; slot++) {
        if (loads_bit(vector->present, slot)) {
            uint64_t stamp = loads_key_stamp(vector, vector->levels[0][slot]);
            entries[count++] = stamp << 32 | slot;
        }
    }
    qsort(entries, count, sizeof *entries, compare_entries);
    return entries;
}

/// O(n log n), once in some two thousand million assignments.
static void renumber(loads *vector)
{
    uint64_t *entries = sorted_entries(vector);
    uint32_t stamp = LOADS_STAMP_MIDDLE - vector->count / 2;
    vector->stamp_low = stamp;
    for (uint32_t index = 0; index < vector->count; index++) {
        uint32_t slot = (uint32_t)entries[index];
        uint32_t load = loads_key_load(vector, vector->levels[0][slot]);
        vector->levels[0][slot] = loads_key_make(vector, load, stamp++);
    }
    vector->stamp_high = stamp - 1;
    free(entries);
    loads_tree_rebuild(vector);
}

uint32_t loads_stamp_back(loads *vector)
{
    if (vector->stamp_high == LOADS_STAMP_MAX) {
        renumber(vector);
    }
    return ++vector->stamp_high;
}

uint32_t loads_stamp_front(loads *vector)
{
    if (vector->stamp_low == 0) {
        renumber(vector);
    }
    return --vector->stamp_low;
}

uint32_t loads_lru_order(const loads *vector, uint32_t *slots, uint32_t capacity)
{
    uint64_t *entries = sorted_entries(vector);
    uint32_t count = vector->count < capacity ? vector->count : capacity;
    for (uint32_t index = 0; index < count; index++) {
        slots[index] = (uint32_t)entries[index];
    }
    free(entries);
    return count;
}

void loads_force_stamps(loads *vector, uint32_t left)
{
    if (vector->stamp_low > left) {
        vector->stamp_low = left;
    }
    if (vector->stamp_high < LOADS_STAMP_MAX - left) {
        vector->stamp_high = LOADS_STAMP_MAX - left;
    }
}
