/// vector.c: the load vector: slots that come and go, their loads and their places in LRU order.
///
/// Called by the scheduler's one owner thread through loads.h. Invariant: every change of a slot
/// goes through `store`, which keeps bit sets, counts, dense list and minima in step with the keys.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loads_testing.h"
#include "vector.h"

/// What keeps an idle engine's weight finite: an idle one counts a million times one with a task.
#define WEIGHT_EPSILON 1e-6

void *loads_allocate(size_t size)
{
    size_t rounded = (size + 63) / 64 * 64;
    void *memory = aligned_alloc(64, rounded);
    if (memory == NULL) {
        fprintf(stderr, "yardmaster: out of memory: the load vector needs %zu bytes\n", rounded);
        abort();
    }
    return memory;
}

/// A larger copy of `old` (which is freed): `used` bytes kept, the rest of `size` set to `fill`.
static void *enlarge(void *old, size_t used, size_t size, int fill)
{
    char *memory = loads_allocate(size);
    if (used > 0) {
        memcpy(memory, old, used);
    }
    memset(memory + used, fill, size - used);
    free(old);
    return memory;
}

/// Makes room for `slots` slots.
static void grow(loads *vector, uint64_t slots)
{
    uint64_t old = vector->allocated;
    uint64_t allocated = old == 0 ? LOADS_BLOCK : old;
    while (allocated < slots) {
        allocated *= 2;
    }
    if (allocated == old) {
        return;
    }
    vector->allocated = allocated;
    vector->levels[0] = enlarge(vector->levels[0], old * 8, allocated * 8, 0);
    for (uint64_t slot = old; slot < allocated; slot++) {
        vector->levels[0][slot] = LOADS_KEY_ABSENT;
    }
    vector->present = enlarge(vector->present, old / 8, allocated / 8, 0);
    vector->available = enlarge(vector->available, old / 8, allocated / 8, 0);
    if (vector->scheme == LOADS_TWOBIN || vector->scheme == LOADS_PLAINRANDOM) {
        vector->dense = enlarge(vector->dense, old * 4, allocated * 4, 0);
        vector->dense_place = enlarge(vector->dense_place, old * 4, allocated * 4, 0);
    }
    if (vector->scheme == LOADS_WEIGHTED) {
        vector->weights = enlarge(vector->weights, old * 8, allocated * 8, 0);
    }
    vector->depth = loads_tree_depth(vector->scheme, allocated);
    for (uint32_t level = 1; level <= vector->depth; level++) {
        uint64_t blocks = loads_tree_nodes(allocated, level + 1);
        free(vector->levels[level]);
        vector->levels[level] = loads_allocate(blocks * LOADS_BLOCK * sizeof(int64_t));
    }
    loads_tree_rebuild(vector);
}

loads *loads_create(loads_scheme scheme, uint32_t hwm)
{
    loads *vector = loads_allocate(sizeof *vector);
    memset(vector, 0, sizeof *vector);
    vector->kernel = loads_kernel_current();
    vector->scheme = scheme;
    vector->hwm = hwm;
    vector->stamp_low = LOADS_STAMP_MIDDLE;
    vector->stamp_high = LOADS_STAMP_MIDDLE - 1;
    vector->pending_slot = LOADS_NONE;
    grow(vector, LOADS_BLOCK);
    return vector;
}

void loads_destroy(loads *vector)
{
    if (vector == NULL) {
        return;
    }
    for (uint32_t level = 0; level < LOADS_LEVELS_MAX; level++) {
        free(vector->levels[level]);
    }
    free(vector->present);
    free(vector->available);
    free(vector->dense);
    free(vector->dense_place);
    free(vector->weights);
    free(vector);
}

/// Enters or leaves the set of available slots.
static void set_available(loads *vector, uint32_t slot, bool available)
{
    vector->available[slot >> LOADS_BLOCK_SHIFT] ^= 1ull << (slot % LOADS_BLOCK);
    uint32_t place = available ? vector->available_count++ : --vector->available_count;
    if (vector->dense == NULL) {
        return;
    }
    if (!available) {
        // The last of the list moves into the gap.
        uint32_t last = vector->dense[place];
        place = vector->dense_place[slot];
        slot = last;
    }
    vector->dense[place] = slot;
    vector->dense_place[slot] = place;
}

/// The one way to change a slot.
static inline void store(loads *vector, uint32_t slot, int64_t key)
{
    int64_t old_key = vector->levels[0][slot];
    loads_tree_changing(vector, slot);
    vector->levels[0][slot] = key;
    if (((old_key ^ key) & LOADS_KEY_FULL) != 0) {
        set_available(vector, slot, loads_key_is_available(key));
    }
}

static inline void set_weight(loads *vector, uint32_t slot, uint32_t load)
{
    if (vector->weights != NULL) {
        vector->weights[slot] = 1.0 / (WEIGHT_EPSILON + load);
    }
}

bool loads_contains(const loads *vector, uint32_t slot)
{
    return slot < vector->capacity && loads_bit(vector->present, slot);
}

void loads_insert(loads *vector, uint32_t slot)
{
    if (slot == LOADS_NONE || loads_contains(vector, slot)) {
        return;
    }
    grow(vector, (uint64_t)slot + 1);
    // The stamp first: renumbering deals with the slots that are present.
    uint32_t stamp = loads_stamp_front(vector);
    if (slot >= vector->capacity) {
        vector->capacity = slot + 1;
    }
    vector->present[slot >> LOADS_BLOCK_SHIFT] |= 1ull << (slot % LOADS_BLOCK);
    vector->count++;
    set_weight(vector, slot, 0);
    store(vector, slot, loads_key_make(vector, 0, stamp));
}

void loads_remove(loads *vector, uint32_t slot)
{
    if (!loads_contains(vector, slot)) {
        return;
    }
    vector->present[slot >> LOADS_BLOCK_SHIFT] &= ~(1ull << (slot % LOADS_BLOCK));
    vector->count--;
    store(vector, slot, LOADS_KEY_ABSENT);
}

uint32_t loads_get(const loads *vector, uint32_t slot)
{
    return loads_contains(vector, slot) ? loads_key_load(vector, vector->levels[0][slot]) : 0;
}

void loads_set(loads *vector, uint32_t slot, uint32_t load)
{
    if (!loads_contains(vector, slot)) {
        return;
    }
    load = load < LOADS_MAX ? load : LOADS_MAX;
    set_weight(vector, slot, load);
    uint32_t stamp = loads_key_stamp(vector, vector->levels[0][slot]);
    store(vector, slot, loads_key_make(vector, load, stamp));
}

void loads_to_back(loads *vector, uint32_t slot)
{
    if (!loads_contains(vector, slot)) {
        return;
    }
    uint32_t stamp = loads_stamp_back(vector);
    uint32_t load = loads_key_load(vector, vector->levels[0][slot]);
    store(vector, slot, loads_key_make(vector, load, stamp));
}

void loads_to_front(loads *vector, uint32_t slot)
{
    if (!loads_contains(vector, slot)) {
        return;
    }
    uint32_t stamp = loads_stamp_front(vector);
    uint32_t load = loads_key_load(vector, vector->levels[0][slot]);
    store(vector, slot, loads_key_make(vector, load, stamp));
}

uint32_t loads_count(const loads *vector)
{
    return vector->count;
}

uint32_t loads_available(const loads *vector)
{
    return vector->available_count;
}

uint32_t loads_capacity(const loads *vector)
{
    return vector->capacity;
}

bool loads_is_available(const loads *vector, uint32_t slot)
{
    return slot < vector->capacity && loads_bit(vector->available, slot);
}

bool loads_use_kernel(loads *vector, const char *name)
{
    const loads_kernel *kernel = loads_kernel_named(name);
    if (kernel == NULL) {
        return false;
    }
    vector->kernel = kernel;
    return true;
}
