/// kernel_avx2.c: four keys at a time on x86-64 with AVX2.
///
/// Called through loads_kernel (kernels.h), only where CPUID says AVX2 and POPCNT. Invariant: every
/// function that uses a vector carries TARGET; the file needs no build flag.
#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels.h"

#define TARGET __attribute__((target("avx2,popcnt")))
/// Bits of a mask word that are walked one by one.
#define SPARSE_BITS 12

static bool is_supported(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt");
}

/// Keys read as doubles, which have the same order (kernels.h).
static TARGET inline __m256d load(const int64_t *keys)
{
    return _mm256_load_pd((const double *)(const void *)keys);
}

static TARGET inline __m256d broadcast(int64_t key)
{
    return _mm256_castsi256_pd(_mm256_set1_epi64x(key));
}

/// Four lanes that hold, in one of them, the smallest of the keys; `count` is a multiple of 32.
static TARGET inline __m256d minimum_lanes(const int64_t *keys, uint32_t count)
{
    // Eight chains, because a minimum takes four cycles and two can start in each.
    __m256d best[8];
    for (int chain = 0; chain < 8; chain++) {
        best[chain] = load(keys + 4 * chain);
    }
    for (uint32_t index = 32; index < count; index += 32) {
        for (int chain = 0; chain < 8; chain++) {
            best[chain] = _mm256_min_pd(best[chain], load(keys + index + 4 * chain));
        }
    }
    for (int half = 4; half > 0; half /= 2) {
        for (int chain = 0; chain < half; chain++) {
            best[chain] = _mm256_min_pd(best[chain], best[chain + half]);
        }
    }
    return best[0];
}

/// What makes an absent key of each lane whose bit is not set.
#define LANE(bits, lane) ((bits) >> (lane) & 1 ? 0 : LOADS_KEY_ABSENT)
#define LANES(bits)      {LANE(bits, 0), LANE(bits, 1), LANE(bits, 2), LANE(bits, 3)}
static const int64_t ABSENT_WHERE_CLEAR[16][4] __attribute__((aligned(32))) = {
    LANES(0), LANES(1), LANES(2),  LANES(3),  LANES(4),  LANES(5),  LANES(6),  LANES(7),
    LANES(8), LANES(9), LANES(10), LANES(11), LANES(12), LANES(13), LANES(14), LANES(15),
};

/// As `minimum_lanes` of a block, but of the keys alone whose bit is set.
static TARGET inline __m256d some_minimum_lanes(const int64_t *keys, uint64_t bits)
{
    __m256d best[4];
    for (int chain = 0; chain < 4; chain++) {
        best[chain] = broadcast(LOADS_KEY_ABSENT);
    }
    for (uint32_t index = 0; index < LOADS_BLOCK; index += 16, bits >>= 16) {
        for (int chain = 0; chain < 4; chain++) {
            __m256d clear = load(ABSENT_WHERE_CLEAR[bits >> (4 * chain) & 15]);
            __m256d some = _mm256_or_pd(load(keys + index + 4 * chain), clear);
            best[chain] = _mm256_min_pd(best[chain], some);
        }
    }
    return _mm256_min_pd(_mm256_min_pd(best[0], best[1]), _mm256_min_pd(best[2], best[3]));
}

static TARGET int64_t minimum(const int64_t *keys, uint32_t count)
{
    __m256d best;
    if (count > 0 && count % 32 == 0) {
        best = minimum_lanes(keys, count);
    } else {
        __m256d even = broadcast(LOADS_KEY_ABSENT), odd = even;
        for (uint32_t index = 0; index < count; index += 8) {
            even = _mm256_min_pd(even, load(keys + index));
            odd = _mm256_min_pd(odd, load(keys + index + 4));
        }
        best = _mm256_min_pd(even, odd);
    }
    best = _mm256_min_pd(best, _mm256_permute2f128_pd(best, best, 1));
    best = _mm256_min_pd(best, _mm256_permute_pd(best, 5));
    return _mm256_extract_epi64(_mm256_castpd_si256(best), 0);
}

static TARGET uint32_t find(const int64_t *keys, uint32_t count, int64_t key)
{
    __m256i wanted = _mm256_set1_epi64x(key);
    for (uint32_t index = 0; index < count; index += 8) {
        __m256i low = _mm256_cmpeq_epi64(wanted, _mm256_castpd_si256(load(keys + index)));
        __m256i high = _mm256_cmpeq_epi64(wanted, _mm256_castpd_si256(load(keys + index + 4)));
        uint32_t hits = (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(low)) |
                        (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(high)) << 4;
        if (hits != 0) {
            return index + (uint32_t)__builtin_ctz(hits);
        }
    }
    return count;
}

static TARGET inline __m256d word_minimum_lanes(const int64_t *keys, uint64_t bits)
{
    if (bits == UINT64_MAX) {
        return minimum_lanes(keys, LOADS_BLOCK);
    }
    if (loads_is_sparse(bits, SPARSE_BITS)) {
        return broadcast(loads_sparse_minimum(keys, bits));
    }
    return some_minimum_lanes(keys, bits);
}

/// Each lane remembers its smallest key and the first word of where it saw it.
typedef struct lowest {
    __m256d keys;
    __m256d words;
} lowest;

static TARGET inline void note(lowest *self, __m256d keys, uint32_t word)
{
    __m256d better = _mm256_cmp_pd(keys, self->keys, _CMP_LT_OQ);
    self->keys = _mm256_min_pd(self->keys, keys);
    self->words = _mm256_blendv_pd(self->words, broadcast(word), better);
}

/// The slot of the smallest key in four words from where it was seen, or in as many as there are.
static TARGET uint32_t slot_of(const lowest *self, const int64_t *keys, uint32_t last)
{
    int64_t lane_keys[4], lane_words[4];
    _mm256_storeu_pd((double *)(void *)lane_keys, self->keys);
    _mm256_storeu_pd((double *)(void *)lane_words, self->words);
    int chosen = 0;
    for (int lane = 1; lane < 4; lane++) {
        chosen = lane_keys[lane] < lane_keys[chosen] ? lane : chosen;
    }
    if (lane_keys[chosen] >= LOADS_KEY_FULL) {
        return LOADS_NONE;
    }
    uint32_t word = (uint32_t)lane_words[chosen], words = last - word < 4 ? last - word : 4;
    return word * LOADS_BLOCK +
           find(keys + (uint64_t)word * LOADS_BLOCK, words * LOADS_BLOCK, lane_keys[chosen]);
}

static TARGET inline __m256i four_words(const uint64_t *words)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)words);
}

static TARGET uint32_t masked_minimum(const int64_t *keys, const uint64_t *mask,
                                      const uint64_t *available, uint32_t first, uint32_t last)
{
    lowest best = {broadcast(LOADS_KEY_ABSENT), _mm256_setzero_pd()};
    for (uint32_t word = first; word < last;) {
        uint32_t end = word + 4 <= last ? word + 4 : last;
        if (end - word == 4) {
            __m256i bits = _mm256_and_si256(four_words(mask + word), four_words(available + word));
            bool is_full = _mm256_testc_si256(bits, _mm256_set1_epi64x(-1));
            if (is_full) {
                note(&best, minimum_lanes(keys + (uint64_t)word * LOADS_BLOCK, 4 * LOADS_BLOCK),
                     word);
            }
            if (is_full || _mm256_testz_si256(bits, bits)) {
                word = end;
                continue;
            }
        }
        for (; word < end; word++) {
            uint64_t bits = mask[word] & available[word];
            if (bits != 0) {
                note(&best, word_minimum_lanes(keys + (uint64_t)word * LOADS_BLOCK, bits), word);
            }
        }
    }
    return slot_of(&best, keys, last);
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
    __m256d low = _mm256_setzero_pd(), high = _mm256_setzero_pd();
    __m256i low_shift = _mm256_setr_epi64x(63, 62, 61, 60);
    __m256i high_shift = _mm256_setr_epi64x(59, 58, 57, 56);
    for (uint32_t index = 0; index < LOADS_BLOCK; index += 8, bits >>= 8) {
        __m256i all = _mm256_set1_epi64x((int64_t)bits);
        // maskload reads a lane as +0.0 where the sign bit is clear.
        low = _mm256_add_pd(low,
                            _mm256_maskload_pd(weights + index, _mm256_sllv_epi64(all, low_shift)));
        high = _mm256_add_pd(
            high, _mm256_maskload_pd(weights + index + 4, _mm256_sllv_epi64(all, high_shift)));
    }
    double lanes[8];
    _mm256_storeu_pd(lanes, low);
    _mm256_storeu_pd(lanes + 4, high);
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

const loads_kernel loads_kernel_avx2 = {
    .name = "avx2",
    .supported = is_supported,
    .minimum = minimum,
    .find = find,
    .masked_minimum = masked_minimum,
    .count_bits = count_bits,
    .sum_weights = sum_weights,
};
#else
typedef int loads_kernel_avx2_is_for_x86_64;
#endif
