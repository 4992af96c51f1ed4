/// check.c: recounts a load vector from its keys (for tests and the core's invariants).
///
/// Called after mutations in tests. Invariant: reads only; in particular it does not repair the
/// minima, so that a check between two calls cannot hide a repair that was forgotten.
#include <stdlib.h>

#include "vector.h"

static bool check_slot(const loads *vector, uint32_t slot)
{
    int64_t key = vector->levels[0][slot];
    bool available = loads_bit(vector->available, slot);
    if (!loads_bit(vector->present, slot)) {
        return key == LOADS_KEY_ABSENT && !available;
    }
    uint32_t load = loads_key_load(vector, key), stamp = loads_key_stamp(vector, key);
    if (key != loads_key_make(vector, load, stamp) || available != loads_key_is_available(key) ||
        stamp < vector->stamp_low || stamp > vector->stamp_high) {
        return false;
    }
    if (vector->weights != NULL && vector->weights[slot] != 1.0 / (1e-6 + load)) {
        return false;
    }
    if (vector->dense == NULL || !available) {
        return true;
    }
    uint32_t place = vector->dense_place[slot];
    return place < vector->available_count && vector->dense[place] == slot;
}

static bool check_tree(const loads *vector)
{
    for (uint32_t level = 1; level <= vector->depth; level++) {
        uint64_t nodes = loads_tree_nodes(vector->allocated, level);
        for (uint64_t node = 0; node < nodes; node++) {
            // Only the block of the pending slot may disagree; what it is known by is in step.
            uint64_t pending_block = vector->pending_slot >> LOADS_BLOCK_SHIFT;
            if (level == 1 && vector->pending_slot != LOADS_NONE && node == pending_block) {
                continue;
            }
            const int64_t *block = vector->levels[level - 1] + node * LOADS_BLOCK;
            int64_t smallest = loads_kernel_scalar.minimum(block, LOADS_BLOCK);
            if (vector->levels[level][node] != smallest) {
                return false;
            }
        }
    }
    return true;
}

static bool check_stamps_distinct(const loads *vector)
{
    uint32_t *slots = loads_allocate(((size_t)vector->count + 1) * sizeof *slots);
    uint32_t count = loads_lru_order(vector, slots, vector->count);
    bool distinct = true;
    for (uint32_t index = 1; index < count && distinct; index++) {
        uint32_t before = loads_key_stamp(vector, vector->levels[0][slots[index - 1]]);
        distinct = before < loads_key_stamp(vector, vector->levels[0][slots[index]]);
    }
    free(slots);
    return distinct;
}

bool loads_check(const loads *vector)
{
    uint32_t count = 0, available_count = 0;
    for (uint64_t slot = 0; slot < vector->allocated; slot++) {
        bool present = loads_bit(vector->present, (uint32_t)slot);
        count += present;
        available_count += loads_bit(vector->available, (uint32_t)slot);
        if (!check_slot(vector, (uint32_t)slot) || (present && slot >= vector->capacity)) {
            return false;
        }
    }
    // Counted before the stamps: their list has room for `count` slots.
    return count == vector->count && available_count == vector->available_count &&
           check_tree(vector) && check_stamps_distinct(vector);
}
