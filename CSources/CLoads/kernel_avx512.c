/// kernel_avx512.c: eight keys at a time on x86-64 with AVX-512F.
///
/// Called through loads_kernel (kernels.h), only where CPUID says AVX512F and POPCNT. Invariant:
/// every function that uses a vector carries TARGET; the file needs no build flag.
#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels.h"

#define TARGET __attribute__((target("avx512f,popcnt")))
/// Bits of a mask word that are walked one by one.
#define SPARSE_BITS 8

static bool is_supported(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("popcnt");
}

static TARGET inline __m512i load(const int64_t *keys)
{
    return _mm512_load_si512((const void *)keys);
}

/// Eight lanes that hold, in one of them, the smallest of the keys; `count` is a multiple of 8.
static TARGET inline __m512i minimum_lanes(const int64_t *keys, uint32_t count)
{
    // Two chains, because a minimum takes three cycles and two can start in each.
    __m512i even = _mm512_set1_epi64(LOADS_KEY_ABSENT), odd = even;
    uint32_t index = 0;
    for (; index + 16 <= count; index += 16) {
        even = _mm512_min_epi64(even, load(keys + index));
        odd = _mm512_min_epi64(odd, load(keys + index + 8));
    }
    if (index < count) {
        even = _mm512_min_epi64(even, load(keys + index));
    }
    return _mm512_min_epi64(even, odd);
}

static TARGET inline __m512i some_minimum_lanes(const int64_t *keys, uint64_t bits)
{
    __m512i even = _mm512_set1_epi64(LOADS_KEY_ABSENT), odd = even;
    for (uint32_t index = 0; index < LOADS_BLOCK; index += 16, bits >>= 16) {
        even = _mm512_mask_min_epi64(even, (__mmask8)bits, even, load(keys + index));
        odd = _mm512_mask_min_epi64(odd, (__mmask8)(bits >> 8), odd, load(keys + index + 8));
    }
    return _mm512_min_epi64(even, odd);
}

static TARGET int64_t minimum(const int64_t *keys, uint32_t count)
{
    return _mm512_reduce_min_epi64(minimum_lanes(keys, count));
}

static TARGET uint32_t find(const int64_t *keys, uint32_t count, int64_t key)
{
    __m512i wanted = _mm512_set1_epi64(key);
    for (uint32_t index = 0; index < count; index += 8) {
        uint32_t hits = _mm512_cmpeq_epi64_mask(wanted, load(keys + index));
        if (hits != 0) {
            return index + (uint32_t)__builtin_ctz(hits);
        }
    }
    return count;
}

static TARGET inline __m512i word_minimum_lanes(const int64_t *keys, uint64_t bits)
{
    if (bits == UINT64_MAX) {
        return minimum_lanes(keys, LOADS_BLOCK);
    }
    if (loads_is_sparse(bits, SPARSE_BITS)) {
        return _mm512_set1_epi64(loads_sparse_minimum(keys, bits));
    }
    return some_minimum_lanes(keys, bits);
}

/// True when no eligible bit is set in the eight words at `word`.
static TARGET inline bool eight_are_zero(const uint64_t *mask, const uint64_t *available,
                                         uint32_t word)
{
    return _mm512_test_epi64_mask(_mm512_loadu_si512((const void *)(mask + word)),
                                  _mm512_loadu_si512((const void *)(available + word))) == 0;
}

static TARGET uint32_t masked_minimum(const int64_t *keys, const uint64_t *mask,
                                      const uint64_t *available, uint32_t first, uint32_t last)
{
    // Each lane remembers its smallest key and the word where it saw it.
    __m512i best = _mm512_set1_epi64(LOADS_KEY_ABSENT);
    __m512i best_word = _mm512_setzero_si512();
    for (uint32_t word = first; word < last;) {
        uint32_t end = word + 8 <= last ? word + 8 : last;
        if (end - word == 8 && eight_are_zero(mask, available, word)) {
            word = end;
            continue;
        }
        for (; word < end; word++) {
            uint64_t bits = mask[word] & available[word];
            if (bits == 0) {
                continue;
            }
            __m512i lanes = word_minimum_lanes(keys + (uint64_t)word * LOADS_BLOCK, bits);
            __mmask8 better = _mm512_cmpgt_epi64_mask(best, lanes);
            best = _mm512_mask_mov_epi64(best, better, lanes);
            best_word = _mm512_mask_mov_epi64(best_word, better, _mm512_set1_epi64(word));
        }
    }
    int64_t key = _mm512_reduce_min_epi64(best);
    if (key >= LOADS_KEY_FULL) {
        return LOADS_NONE;
    }
    int64_t lane_words[8];
    _mm512_storeu_si512((void *)lane_words, best_word);
    uint32_t hits = _mm512_cmpeq_epi64_mask(best, _mm512_set1_epi64(key));
    uint32_t start = (uint32_t)lane_words[__builtin_ctz(hits)] * LOADS_BLOCK;
    return start + find(keys + start, LOADS_BLOCK, key);
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
    __m512d sums = _mm512_setzero_pd();
    for (uint32_t index = 0; index < LOADS_BLOCK; index += 8, bits >>= 8) {
        sums = _mm512_add_pd(sums, _mm512_maskz_load_pd((__mmask8)bits, weights + index));
    }
    double lanes[8];
    _mm512_storeu_pd(lanes, sums);
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

const loads_kernel loads_kernel_avx512 = {
    .name = "avx512",
    .supported = is_supported,
    .minimum = minimum,
    .find = find,
    .masked_minimum = masked_minimum,
    .count_bits = count_bits,
    .sum_weights = sum_weights,
};
#else
typedef int loads_kernel_avx512_is_for_x86_64;
#endif
