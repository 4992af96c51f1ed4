/// kernel_neon.c: two keys at a time on arm64.
///
/// Called through loads_kernel (kernels.h), only where the system's hardware bits say ASIMD.
/// Invariant: the same answers as kernel_scalar.c, bit for bit.
#if defined(__aarch64__)
#include <arm_neon.h>
#if defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include "kernels.h"

/// Bits of a mask word that are walked one by one.
#define SPARSE_BITS 16

static bool is_supported(void)
{
#if defined(__linux__)
    return (getauxval(AT_HWCAP) & HWCAP_ASIMD) != 0;
#else
    return true;
#endif
}

/// Keys read as doubles have the same order (kernels.h).
static inline int64x2_t smaller(int64x2_t a, int64x2_t b)
{
    return vreinterpretq_s64_f64(vminq_f64(vreinterpretq_f64_s64(a), vreinterpretq_f64_s64(b)));
}

/// As `smaller`, but takes only the lanes of b that are all ones in `lanes`.
static inline int64x2_t smaller_where(int64x2_t a, int64x2_t b, uint64x2_t lanes)
{
    return smaller(a, vbslq_s64(lanes, b, vdupq_n_s64(LOADS_KEY_ABSENT)));
}

/// All ones in lane 0 or 1 where the bit 2 * pair or 2 * pair + 1 of `all` is set.
static inline uint64x2_t lanes_of(uint64x2_t all, int pair)
{
    uint64x2_t bit = vcombine_u64(vcreate_u64(1ull << (2 * pair)), vcreate_u64(2ull << (2 * pair)));
    return vtstq_u64(all, bit);
}

/// Two lanes that hold, in one of them, the smallest of the keys; `count` is a multiple of 8.
static inline int64x2_t minimum_lanes(const int64_t *keys, uint32_t count)
{
    // Four chains, because a minimum waits for the one before it within a chain.
    int64x2_t best[4];
    for (int chain = 0; chain < 4; chain++) {
        best[chain] = vdupq_n_s64(LOADS_KEY_ABSENT);
    }
    for (uint32_t index = 0; index < count; index += 8) {
        for (int chain = 0; chain < 4; chain++) {
            best[chain] = smaller(best[chain], vld1q_s64(keys + index + 2 * chain));
        }
    }
    return smaller(smaller(best[0], best[1]), smaller(best[2], best[3]));
}

static inline int64x2_t some_minimum_lanes(const int64_t *keys, uint64_t bits)
{
    int64x2_t best[4];
    for (int chain = 0; chain < 4; chain++) {
        best[chain] = vdupq_n_s64(LOADS_KEY_ABSENT);
    }
    for (uint32_t index = 0; index < LOADS_BLOCK; index += 8, bits >>= 8) {
        uint64x2_t all = vdupq_n_u64(bits);
        for (int chain = 0; chain < 4; chain++) {
            best[chain] = smaller_where(best[chain], vld1q_s64(keys + index + 2 * chain),
                                        lanes_of(all, chain));
        }
    }
    return smaller(smaller(best[0], best[1]), smaller(best[2], best[3]));
}

static int64_t minimum(const int64_t *keys, uint32_t count)
{
    int64x2_t best = minimum_lanes(keys, count);
    int64_t low = vgetq_lane_s64(best, 0), high = vgetq_lane_s64(best, 1);
    return low < high ? low : high;
}

static uint32_t find(const int64_t *keys, uint32_t count, int64_t key)
{
    int64x2_t wanted = vdupq_n_s64(key);
    for (uint32_t index = 0; index < count; index += 2) {
        uint64x2_t hits = vceqq_s64(wanted, vld1q_s64(keys + index));
        if (vgetq_lane_u64(hits, 0) != 0) {
            return index;
        }
        if (vgetq_lane_u64(hits, 1) != 0) {
            return index + 1;
        }
    }
    return count;
}

static inline int64x2_t word_minimum_lanes(const int64_t *keys, uint64_t bits)
{
    if (bits == UINT64_MAX) {
        return minimum_lanes(keys, LOADS_BLOCK);
    }
    if (loads_is_sparse(bits, SPARSE_BITS)) {
        return vdupq_n_s64(loads_sparse_minimum(keys, bits));
    }
    return some_minimum_lanes(keys, bits);
}

static uint32_t masked_minimum(const int64_t *keys, const uint64_t *mask, const uint64_t *available,
                               uint32_t first, uint32_t last)
{
    // Each lane remembers its smallest key and the word where it saw it.
    int64x2_t best = vdupq_n_s64(LOADS_KEY_ABSENT);
    int64x2_t best_word = vdupq_n_s64(0);
    for (uint32_t word = first; word < last; word++) {
        uint64_t bits = mask[word] & available[word];
        if (bits == 0) {
            continue;
        }
        int64x2_t lanes = word_minimum_lanes(keys + (uint64_t)word * LOADS_BLOCK, bits);
        uint64x2_t better = vcgtq_s64(best, lanes);
        best = vbslq_s64(better, lanes, best);
        best_word = vbslq_s64(better, vdupq_n_s64(word), best_word);
    }
    int64_t lane_keys[2], lane_words[2];
    vst1q_s64(lane_keys, best);
    vst1q_s64(lane_words, best_word);
    int chosen = lane_keys[1] < lane_keys[0] ? 1 : 0;
    if (lane_keys[chosen] >= LOADS_KEY_FULL) {
        return LOADS_NONE;
    }
    uint32_t start = (uint32_t)lane_words[chosen] * LOADS_BLOCK;
    return start + find(keys + start, LOADS_BLOCK, lane_keys[chosen]);
}

static uint64_t count_bits(const uint64_t *mask, const uint64_t *available, uint32_t first,
                           uint32_t last)
{
    uint64_t count = 0;
    uint32_t word = first;
    for (; word + 2 <= last; word += 2) {
        uint64x2_t both = vandq_u64(vld1q_u64(mask + word), vld1q_u64(available + word));
        count += vaddvq_u8(vcntq_u8(vreinterpretq_u8_u64(both)));
    }
    if (word < last) {
        count += (uint64_t)__builtin_popcountll(mask[word] & available[word]);
    }
    return count;
}

static double word_sum(const double *weights, uint64_t bits)
{
    float64x2_t sums[4];
    for (int chain = 0; chain < 4; chain++) {
        sums[chain] = vdupq_n_f64(0);
    }
    for (uint32_t index = 0; index < LOADS_BLOCK; index += 8, bits >>= 8) {
        uint64x2_t all = vdupq_n_u64(bits);
        for (int chain = 0; chain < 4; chain++) {
            uint64x2_t weight = vreinterpretq_u64_f64(vld1q_f64(weights + index + 2 * chain));
            weight = vandq_u64(weight, lanes_of(all, chain));
            sums[chain] = vaddq_f64(sums[chain], vreinterpretq_f64_u64(weight));
        }
    }
    double lanes[8];
    for (int chain = 0; chain < 4; chain++) {
        vst1q_f64(lanes + 2 * chain, sums[chain]);
    }
    return loads_join_lanes(lanes);
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
        sum += loads_is_sparse(bits, SPARSE_BITS) ? loads_sparse_sum(block, bits)
                                                  : word_sum(block, bits);
    }
    return sum;
}

const loads_kernel loads_kernel_neon = {
    .name = "neon",
    .supported = is_supported,
    .minimum = minimum,
    .find = find,
    .masked_minimum = masked_minimum,
    .count_bits = count_bits,
    .sum_weights = sum_weights,
};
#else
typedef int loads_kernel_neon_is_for_arm64;
#endif
