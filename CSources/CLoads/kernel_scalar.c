/// kernel_scalar.c: the kernel for any CPU and the yardstick that the others are tested against.
///
/// Called through loads_kernel (kernels.h). Invariant: plain C, one key at a time.
#include "kernels.h"

// Without SSE4.2 there is no 64-bit compare: compilers that make one out of 32-bit ones gain
// nothing here (measured: twice as slow as the plain loop).
#if defined(__clang__)
#define ONE_AT_A_TIME _Pragma("clang loop vectorize(disable) interleave(disable)")
#else
#define ONE_AT_A_TIME
#endif

static bool is_supported(void)
{
    return true;
}

static int64_t minimum(const int64_t *keys, uint32_t count)
{
    int64_t best = LOADS_KEY_ABSENT;
    ONE_AT_A_TIME
    for (uint32_t index = 0; index < count; index++) {
        best = keys[index] < best ? keys[index] : best;
    }
    return best;
}

static uint32_t find(const int64_t *keys, uint32_t count, int64_t key)
{
    for (uint32_t index = 0; index < count; index++) {
        if (keys[index] == key) {
            return index;
        }
    }
    return count;
}

static uint32_t masked_minimum(const int64_t *keys, const uint64_t *mask, const uint64_t *available,
                               uint32_t first, uint32_t last)
{
    int64_t best = LOADS_KEY_ABSENT;
    uint32_t best_word = 0;
    for (uint32_t word = first; word < last; word++) {
        uint64_t bits = mask[word] & available[word];
        const int64_t *block = keys + (uint64_t)word * LOADS_BLOCK;
        if (bits == 0) {
            continue;
        }
        int64_t word_best =
            bits == UINT64_MAX ? minimum(block, LOADS_BLOCK) : loads_sparse_minimum(block, bits);
        if (word_best < best) {
            best = word_best;
            best_word = word;
        }
    }
    if (best >= LOADS_KEY_FULL) {
        return LOADS_NONE;
    }
    const int64_t *block = keys + (uint64_t)best_word * LOADS_BLOCK;
    return best_word * LOADS_BLOCK + find(block, LOADS_BLOCK, best);
}

static uint64_t count_bits(const uint64_t *mask, const uint64_t *available, uint32_t first,
                           uint32_t last)
{
    uint64_t count = 0;
    for (uint32_t word = first; word < last; word++) {
        count += (uint64_t)__builtin_popcountll(mask[word] & available[word]);
    }
    return count;
}

static double sum_weights(const double *weights, const uint64_t *mask, const uint64_t *available,
                          uint32_t first, uint32_t last)
{
    double sum = 0;
    for (uint32_t word = first; word < last; word++) {
        uint64_t bits = mask[word] & available[word];
        const double *block = weights + (uint64_t)word * LOADS_BLOCK;
        if (bits == 0) {
            continue;
        }
        if (bits != UINT64_MAX) {
            sum += loads_sparse_sum(block, bits);
            continue;
        }
        double lanes[8] = {0};
        for (uint32_t index = 0; index < LOADS_BLOCK; index++) {
            lanes[index % 8] += block[index];
        }
        sum += loads_join_lanes(lanes);
    }
    return sum;
}

const loads_kernel loads_kernel_scalar = {
    .name = "scalar",
    .supported = is_supported,
    .minimum = minimum,
    .find = find,
    .masked_minimum = masked_minimum,
    .count_bits = count_bits,
    .sum_weights = sum_weights,
};
