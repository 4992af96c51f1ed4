/// kernel_sse42.c: two keys at a time on x86-64 with SSE4.2.
///
/// Called through loads_kernel (kernels.h), only where CPUID says SSE4.2 and POPCNT. Invariant:
/// every function that uses a vector carries TARGET; the file needs no build flag.
#if defined(__x86_64__)
#include <nmmintrin.h>

#include "kernels.h"

#define TARGET __attribute__((target("sse4.2,popcnt")))
/// Bits of a mask word that are walked one by one.
#define SPARSE_BITS 20

static bool is_supported(void)
{
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
}

/// Keys read as doubles, which have the same order (kernels.h).
static TARGET inline __m128d load(const int64_t *keys)
{
    return _mm_load_pd((const double *)(const void *)keys);
}

static TARGET inline __m128d broadcast(int64_t key)
{
    return _mm_castsi128_pd(_mm_set1_epi64x(key));
}

/// All ones in lane 0 or 1 where the bit 2 * pair or 2 * pair + 1 of `all` is set.
static TARGET inline __m128i lanes_of(__m128i all, int pair)
{
    __m128i bit = _mm_set_epi64x((int64_t)(2ull << (2 * pair)), (int64_t)(1ull << (2 * pair)));
    return _mm_cmpeq_epi64(_mm_and_si128(all, bit), bit);
}

/// Two lanes that hold, in one of them, the smallest of the keys; `count` is a multiple of 8.
static TARGET inline __m128d minimum_lanes(const int64_t *keys, uint32_t count)
{
    // Eight chains, because a minimum takes four cycles and two can start in each.
    __m128d best[8];
    for (int chain = 0; chain < 8; chain++) {
        best[chain] = broadcast(LOADS_KEY_ABSENT);
    }
    uint32_t index = 0;
    for (; index + 16 <= count; index += 16) {
        for (int chain = 0; chain < 8; chain++) {
            best[chain] = _mm_min_pd(best[chain], load(keys + index + 2 * chain));
        }
    }
    if (index < count) {
        for (int chain = 0; chain < 4; chain++) {
            best[chain] = _mm_min_pd(best[chain], load(keys + index + 2 * chain));
        }
    }
    for (int half = 4; half > 0; half /= 2) {
        for (int chain = 0; chain < half; chain++) {
            best[chain] = _mm_min_pd(best[chain], best[chain + half]);
        }
    }
    return best[0];
}

/// What makes an absent key of each lane whose bit is not set.
#define LANES(bits) {(bits) & 1 ? 0 : LOADS_KEY_ABSENT, (bits) & 2 ? 0 : LOADS_KEY_ABSENT}
static const int64_t ABSENT_WHERE_CLEAR[4][2] __attribute__((aligned(16))) = {
    LANES(0),
    LANES(1),
    LANES(2),
    LANES(3),
};

/// As `minimum_lanes` of a block, but of the keys alone whose bit is set.
static TARGET inline __m128d some_minimum_lanes(const int64_t *keys, uint64_t bits)
{
    __m128d best[4];
    for (int chain = 0; chain < 4; chain++) {
        best[chain] = broadcast(LOADS_KEY_ABSENT);
    }
    for (uint32_t index = 0; index < LOADS_BLOCK; index += 8, bits >>= 8) {
        for (int chain = 0; chain < 4; chain++) {
            __m128d clear = load(ABSENT_WHERE_CLEAR[bits >> (2 * chain) & 3]);
            __m128d some = _mm_or_pd(load(keys + index + 2 * chain), clear);
            best[chain] = _mm_min_pd(best[chain], some);
        }
    }
    return _mm_min_pd(_mm_min_pd(best[0], best[1]), _mm_min_pd(best[2], best[3]));
}

static TARGET int64_t minimum(const int64_t *keys, uint32_t count)
{
    __m128d best = minimum_lanes(keys, count);
    best = _mm_min_pd(best, _mm_shuffle_pd(best, best, 1));
    return _mm_cvtsi128_si64(_mm_castpd_si128(best));
}

static TARGET uint32_t find(const int64_t *keys, uint32_t count, int64_t key)
{
    __m128i wanted = _mm_set1_epi64x(key);
    for (uint32_t index = 0; index < count; index += 4) {
        __m128i low = _mm_cmpeq_epi64(wanted, _mm_castpd_si128(load(keys + index)));
        __m128i high = _mm_cmpeq_epi64(wanted, _mm_castpd_si128(load(keys + index + 2)));
        uint32_t hits = (uint32_t)_mm_movemask_pd(_mm_castsi128_pd(low)) |
                        (uint32_t)_mm_movemask_pd(_mm_castsi128_pd(high)) << 2;
        if (hits != 0) {
            return index + (uint32_t)__builtin_ctz(hits);
        }
    }
    return count;
}

static TARGET inline __m128d word_minimum_lanes(const int64_t *keys, uint64_t bits)
{
    if (bits == UINT64_MAX) {
        return minimum_lanes(keys, LOADS_BLOCK);
    }
    if (loads_is_sparse(bits, SPARSE_BITS)) {
        return broadcast(loads_sparse_minimum(keys, bits));
    }
    return some_minimum_lanes(keys, bits);
}

/// True when no eligible bit is set in the two words at `word`.
static TARGET inline bool two_are_zero(const uint64_t *mask, const uint64_t *available,
                                       uint32_t word)
{
    return _mm_testz_si128(_mm_loadu_si128((const __m128i *)(const void *)(mask + word)),
                           _mm_loadu_si128((const __m128i *)(const void *)(available + word)));
}

static TARGET uint32_t masked_minimum(const int64_t *keys, const uint64_t *mask,
                                      const uint64_t *available, uint32_t first, uint32_t last)
{
    // Each lane remembers its smallest key and the word where it saw it.
    __m128d best = broadcast(LOADS_KEY_ABSENT);
    __m128d best_word = _mm_setzero_pd();
    for (uint32_t word = first; word < last;) {
        uint32_t end = word + 2 <= last ? word + 2 : last;
        if (end - word == 2 && two_are_zero(mask, available, word)) {
            word = end;
            continue;
        }
        for (; word < end; word++) {
            uint64_t bits = mask[word] & available[word];
            if (bits == 0) {
                continue;
            }
            __m128d lanes = word_minimum_lanes(keys + (uint64_t)word * LOADS_BLOCK, bits);
            __m128d better = _mm_cmplt_pd(lanes, best);
            best = _mm_min_pd(best, lanes);
            best_word = _mm_blendv_pd(best_word, broadcast(word), better);
        }
    }
    int64_t lane_keys[2], lane_words[2];
    _mm_storeu_pd((double *)(void *)lane_keys, best);
    _mm_storeu_pd((double *)(void *)lane_words, best_word);
    int chosen = lane_keys[1] < lane_keys[0] ? 1 : 0;
    if (lane_keys[chosen] >= LOADS_KEY_FULL) {
        return LOADS_NONE;
    }
    uint32_t start = (uint32_t)lane_words[chosen] * LOADS_BLOCK;
    return start + find(keys + start, LOADS_BLOCK, lane_keys[chosen]);
}

static TARGET uint64_t count_bits(const uint64_t *mask, const uint64_t *available, uint32_t first,
                                  uint32_t last)
{
    uint64_t count = 0;
    for (uint32_t word = first; word < last; word++) {
        count += (uint64_t)__builtin_popcountll(mask[word] & available[word]);
    }
    return count;
}

static TARGET double word_sum(const double *weights, uint64_t bits)
{
    __m128d sums[4];
    for (int chain = 0; chain < 4; chain++) {
        sums[chain] = _mm_setzero_pd();
    }
    for (uint32_t index = 0; index < LOADS_BLOCK; index += 8, bits >>= 8) {
        __m128i all = _mm_set1_epi64x((int64_t)bits);
        for (int chain = 0; chain < 4; chain++) {
            __m128d weight = _mm_load_pd(weights + index + 2 * chain);
            weight = _mm_and_pd(weight, _mm_castsi128_pd(lanes_of(all, chain)));
            sums[chain] = _mm_add_pd(sums[chain], weight);
        }
    }
    double lanes[8];
    for (int chain = 0; chain < 4; chain++) {
        _mm_storeu_pd(lanes + 2 * chain, sums[chain]);
    }
    return loads_join_lanes(lanes);
}

static TARGET double sum_weights(const double *weights, const uint64_t *mask,
                                 const uint64_t *available, uint32_t first, uint32_t last)
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

const loads_kernel loads_kernel_sse42 = {
    .name = "sse4.2",
    .supported = is_supported,
    .minimum = minimum,
    .find = find,
    .masked_minimum = masked_minimum,
    .count_bits = count_bits,
    .sum_weights = sum_weights,
};
#else
typedef int loads_kernel_sse42_is_for_x86_64;
#endif
