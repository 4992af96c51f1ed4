/// kernels.h: the face that every SIMD kernel of the load vector fills (scalar, sse4.2, avx2,
/// avx512, neon: one file each, of one shape).
///
/// Called by tree.c and choosers.c through `loads->kernel`; chosen by dispatch.c.
///
/// An entry key is a 64-bit word; LRU vectors swap load and stamp:
///
///      63  62..61  60 ........ 32  31 ......... 0
///     +---+-------+---------------+--------------+    state 1: available, 2: has its fill,
///     | 0 | state |  load (29)    |  stamp (32)  |    3: absent, and the rest is 0
///     +---+-------+---------------+--------------+
///
/// Invariant: one minimum finds the chosen engine and passes over the others; LOADS_KEY_FULL or
/// more means that nothing can be chosen. Read as doubles the keys have the same order, and none
/// is denormal, infinite or no number, whatever its state bits (LOADS_MAX, LOADS_STAMP_MAX): where
/// a minimum of 64-bit integers is a compare and a blend, one of doubles is one instruction. Every
/// kernel gives the very same answers, sums of doubles included: the order of additions is part of
/// the face.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "loads.h"

#define LOADS_KEY_AVAILABLE (1ll << 61)
#define LOADS_KEY_FULL      (1ll << 62)
#define LOADS_KEY_ABSENT    (LOADS_KEY_AVAILABLE | LOADS_KEY_FULL)
/// LRU vectors have the stamp above: the nine bits below the state are never all set.
#define LOADS_STAMP_MAX 0xff7fffffu
/// Slots to a mask word and to a tree node: fixed, a word of the mask is one block of the tree.
#define LOADS_BLOCK       64u
#define LOADS_BLOCK_SHIFT 6u
/// Key arrays are read in steps of this many; a count handed to a kernel is a multiple of it.
#define LOADS_STEP 8u

typedef struct loads_kernel {
    const char *name;
    bool (*supported)(void);
    /// The smallest of `count` keys; LOADS_KEY_ABSENT for none. `keys` is aligned to 64 bytes.
    int64_t (*minimum)(const int64_t *keys, uint32_t count);
    /// The first index that holds `key`; `count` when none does.
    uint32_t (*find)(const int64_t *keys, uint32_t count, int64_t key);
    /// The slot of the smallest available key whose bit is set in mask[w] & available[w] for a w
    /// of [first, last), or LOADS_NONE. `available`: exactly the slots with available keys, which
    /// are distinct.
    uint32_t (*masked_minimum)(const int64_t *keys, const uint64_t *mask, const uint64_t *available,
                               uint32_t first, uint32_t last);
    /// How many bits of mask & available are set in the words [first, last).
    uint64_t (*count_bits)(const uint64_t *mask, const uint64_t *available, uint32_t first,
                           uint32_t last);
    /// The sum of the weights whose bit is set: words are added in order; inside a word lane
    /// j = 0...7 adds the indices j, j + 8, ..., and the lanes are joined as loads_join_lanes does.
    double (*sum_weights)(const double *weights, const uint64_t *mask, const uint64_t *available,
                          uint32_t first, uint32_t last);
} loads_kernel;

extern const loads_kernel loads_kernel_scalar;
#if defined(__x86_64__)
extern const loads_kernel loads_kernel_sse42;
extern const loads_kernel loads_kernel_avx2;
extern const loads_kernel loads_kernel_avx512;
#elif defined(__aarch64__)
extern const loads_kernel loads_kernel_neon;
#endif

/// The kernel picked for this process (dispatch.c).
const loads_kernel *loads_kernel_current(void);
/// A kernel that this CPU supports, by name; NULL for any other name.
const loads_kernel *loads_kernel_named(const char *name);

static inline double loads_join_lanes(const double lanes[8])
{
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
           ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

/// True when so few bits are set that walking them is cheaper than reading the whole block: a mask
/// that names single engines touches one cache line for each, not eight. Each kernel names its own
/// `most`, where both cost the same at 4,096 engines.
static inline bool loads_is_sparse(uint64_t bits, int most)
{
    return __builtin_popcountll(bits) <= most;
}

static inline int64_t loads_sparse_minimum(const int64_t *keys, uint64_t bits)
{
    int64_t best = LOADS_KEY_ABSENT;
    for (; bits != 0; bits &= bits - 1) {
        int64_t key = keys[__builtin_ctzll(bits)];
        best = key < best ? key : best;
    }
    return best;
}

static inline double loads_sparse_sum(const double *weights, uint64_t bits)
{
    double lanes[8] = {0};
    for (; bits != 0; bits &= bits - 1) {
        uint32_t index = (uint32_t)__builtin_ctzll(bits);
        lanes[index % 8] += weights[index];
    }
    return loads_join_lanes(lanes);
}
