/// vector.h: the insides of a load vector, shared by vector.c, stamps.c, tree.c, choosers.c and
/// check.c; nobody else includes it.
///
///     levels[0]  keys, one a slot        |........ 64 ........|........ 64 ........|...
///     levels[1]  minima of those blocks            *                    *           ...
///     levels[k]  minima of the blocks of level k - 1, up to levels[depth], at most one block
///
/// Invariant: levels[0], the bit sets, counts, dense list and weights are exact after every call;
/// the minima are exact except on the path above `pending_slot` (tree.c).
#pragma once
#include "kernels.h"

/// 64^6 > 2^32 slots: six levels are enough for every index. A seventh would never be reached.
#define LOADS_LEVELS_MAX 6
/// The first stamp: half of the 32-bit range on either side.
#define LOADS_STAMP_MIDDLE 0x80000000u
#define LOADS_LOAD_BITS    0x1fffffffu

struct loads {
    const loads_kernel *kernel;
    loads_scheme scheme;
    uint32_t hwm;
    /// One past the highest slot ever used; present slots; available slots.
    uint32_t capacity;
    uint32_t count;
    uint32_t available_count;
    /// The stamps given out so far lie in [stamp_low, stamp_high].
    uint32_t stamp_low;
    uint32_t stamp_high;
    /// The slot whose change has not reached the minima yet, and the key that they know of it.
    uint32_t pending_slot;
    int64_t pending_key;
    /// Slots that the arrays have room for: a power of two, at least one block.
    uint64_t allocated;
    /// Levels above the keys; 0 also for the schemes that need no minima.
    uint32_t depth;
    int64_t *levels[LOADS_LEVELS_MAX];
    /// Bit sets over the slots.
    uint64_t *present;
    uint64_t *available;
    /// twobin, plainrandom: the available slots in no order, and where each stands in that list.
    uint32_t *dense;
    uint32_t *dense_place;
    /// weighted: 1 / (1e-6 + load) of every present slot.
    double *weights;
};

static inline bool loads_key_is_available(int64_t key)
{
    return (key & LOADS_KEY_FULL) == 0; // of the other states both have this bit
}

static inline bool loads_bit(const uint64_t *bits, uint32_t slot)
{
    return (bits[slot >> LOADS_BLOCK_SHIFT] >> (slot % LOADS_BLOCK) & 1) != 0;
}

/// LRU vectors order by stamp alone, so there the stamp stands above the load.
static inline int64_t loads_key_make(const loads *vector, uint32_t load, uint32_t stamp)
{
    int64_t key =
        vector->scheme == LOADS_LRU ? (int64_t)stamp << 29 | load : (int64_t)load << 32 | stamp;
    bool available = vector->hwm == 0 || load < vector->hwm;
    return key | (int64_t)(2 - available) << 61; // LOADS_KEY_AVAILABLE or LOADS_KEY_FULL
}

static inline uint32_t loads_key_load(const loads *vector, int64_t key)
{
    uint64_t bits = (uint64_t)key;
    return (uint32_t)(vector->scheme == LOADS_LRU ? bits : bits >> 32) & LOADS_LOAD_BITS;
}

static inline uint32_t loads_key_stamp(const loads *vector, int64_t key)
{
    uint64_t bits = (uint64_t)key;
    return (uint32_t)(vector->scheme == LOADS_LRU ? bits >> 29 : bits);
}

/// Zeroed nowhere, aligned to 64 bytes; ends the process with one line when memory is out.
void *loads_allocate(size_t size);

/// tree.c: the number of levels above the keys that `allocated` slots need; how many nodes of
/// `level` are in use; all minima anew; one key is about to change; the slot of the smallest key.
uint32_t loads_tree_depth(loads_scheme scheme, uint64_t allocated);
uint64_t loads_tree_nodes(uint64_t slots, uint32_t level);
void loads_tree_rebuild(loads *vector);
void loads_tree_changing(loads *vector, uint32_t slot);
uint32_t loads_tree_minimum(loads *vector);

/// stamps.c: a stamp for the back or the front of the LRU order.
uint32_t loads_stamp_back(loads *vector);
uint32_t loads_stamp_front(loads *vector);
