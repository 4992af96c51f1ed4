/// tree.c: minima of the keys in blocks of 64, so that lru and leastload find their engine in
/// O(log n) with fan-out 64: one level up to 64 slots, two up to 4,096, three up to 262,144.
///
/// Called by vector.c before a key changes and by choosers.c to choose. Invariant: a node is the
/// minimum of its block, except on the path above `pending_slot`. An assignment changes the same
/// key twice (load + 1, then to the back), so the path is repaired once, when another slot
/// changes or somebody chooses.
#include <stdlib.h>

#include "vector.h"

uint32_t loads_tree_depth(loads_scheme scheme, uint64_t allocated)
{
    uint32_t depth = 0;
    if (scheme == LOADS_LEASTLOAD || scheme == LOADS_LRU) {
        while (loads_tree_nodes(allocated, depth) > LOADS_BLOCK) {
            depth++;
        }
    }
    return depth;
}

uint64_t loads_tree_nodes(uint64_t slots, uint32_t level)
{
    uint32_t shift = LOADS_BLOCK_SHIFT * level;
    return (slots + ((1ull << shift) - 1)) >> shift;
}

static int64_t block_minimum(const loads *vector, uint32_t level, uint64_t block)
{
    const int64_t *keys = vector->levels[level] + block * LOADS_BLOCK;
    return vector->kernel->minimum(keys, LOADS_BLOCK);
}

void loads_tree_rebuild(loads *vector)
{
    vector->pending_slot = LOADS_NONE;
    for (uint32_t level = 1; level <= vector->depth; level++) {
        uint64_t nodes = loads_tree_nodes(vector->allocated, level);
        for (uint64_t node = 0; node < nodes; node++) {
            vector->levels[level][node] = block_minimum(vector, level - 1, node);
        }
        // The rest of the last block exists, so that a whole block can be read.
        for (; nodes % LOADS_BLOCK != 0; nodes++) {
            vector->levels[level][nodes] = LOADS_KEY_ABSENT;
        }
    }
}

/// Brings the path above the pending slot up to date.
static void repair(loads *vector)
{
    if (vector->pending_slot == LOADS_NONE) {
        return;
    }
    uint64_t index = vector->pending_slot;
    int64_t old_key = vector->pending_key;
    int64_t new_key = vector->levels[0][index];
    vector->pending_slot = LOADS_NONE;
    for (uint32_t level = 1; level <= vector->depth; level++) {
        index >>= LOADS_BLOCK_SHIFT;
        int64_t *node = &vector->levels[level][index];
        int64_t known = *node;
        if (new_key > known) {
            // Larger than the minimum: the block matters only when the old key was that minimum.
            if (old_key != known) {
                return;
            }
            new_key = block_minimum(vector, level - 1, index);
        }
        if (new_key == known) {
            return;
        }
        *node = new_key;
        old_key = known;
    }
}

void loads_tree_changing(loads *vector, uint32_t slot)
{
    if (vector->depth == 0 || vector->pending_slot == slot) {
        return;
    }
    // The repair must not see the new key: it may read this slot's block, and the minima would know
    // of a key that pending_key does not name.
    repair(vector);
    vector->pending_slot = slot;
    vector->pending_key = vector->levels[0][slot];
}

uint32_t loads_tree_minimum(loads *vector)
{
    const loads_kernel *kernel = vector->kernel;
    repair(vector);
    uint32_t level = vector->depth;
    uint32_t nodes = (uint32_t)loads_tree_nodes(vector->capacity, level);
    nodes = (nodes + LOADS_STEP - 1) / LOADS_STEP * LOADS_STEP;
    int64_t key = kernel->minimum(vector->levels[level], nodes);
    if (!loads_key_is_available(key)) {
        return LOADS_NONE;
    }
    uint32_t index = kernel->find(vector->levels[level], nodes, key);
    while (level > 0) {
        level--;
        index *= LOADS_BLOCK;
        index += kernel->find(vector->levels[level] + index, LOADS_BLOCK, key);
    }
    return index;
}
