/// kernel_avx2.c: four keys at a time on x86-64 with AVX2.
///
/// Called through loads_kernel (kernels.h), only where CPUID says AVX2 and POPCNT. Invariant: every
/// function that uses a vector carries TARGET; the file needs no build flag.
#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels.h"

#define TARGET __attribute__((target("avx2,popcnt")))
/// Bits of a mask word that are walked one by one.
#define SPARSE_BITS 10

static bool is_supported(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt");
}

static TARGET inline __m256i load(const int64_t *keys)
{
    return _mm256_load_si256((const __m256i *)(const void *)keys);
}

static TARGET inline __m256i blend(__m256i a, __m256i b, __m256i sign)
{
    return _mm256_castpd_si256(_mm256_blendv_pd(_mm256_castsi256_pd(a), _mm256_castsi256_pd(b),
                                                _mm256_castsi256_pd(sign)));
}

static TARGET inline __m256i smaller(__m256i a, __m256i b)
{
    return blend(a, b, _mm256_cmpgt_epi64(a, b));
}

/// As `smaller`, but of available keys alone, which all are negative: b - a cannot overflow, so its
/// sign says which is smaller. A subtraction runs beside the blend, a 64-bit compare seldom does.
static TARGET inline __m256i smaller_available(__m256i a, __m256i b)
{
    return blend(a, b, _mm256_sub_epi64(b, a));
}

/// As `smaller`, but takes only the lanes of b whose sign bit is set in `lanes`.
static TARGET inline __m256i smaller_where(__m256i a, __m256i b, __m256i lanes)
{
    return blend(a, b, _mm256_and_si256(_mm256_cmpgt_epi64(a, b), lanes));
}

/// Four lanes that hold, in one of them, the smallest key of a whole block.
static TARGET inline __m256i block_minimum_lanes(const int64_t *keys)
{
    // Four chains, because a compare and a blend wait for one another within a chain.
    __m256i best[4];
    for (int chain = 0; chain < 4; chain++) {
        best[chain] = load(keys + 4 * chain);
    }
    for (uint32_t index = 16; index < LOADS_BLOCK; index += 16) {
        for (int chain = 0; chain < 4; chain++) {
            best[chain] = smaller(best[chain], load(keys + index + 4 * chain));
        }
    }
    return smaller(smaller(best[0], best[1]), smaller(best[2], best[3]));
}

/// The same of a block whose keys are all available.
static TARGET inline __m256i available_minimum_lanes(const int64_t *keys)
{
    __m256i best[4];
    for (int chain = 0; chain < 4; chain++) {
        best[chain] = load(keys + 4 * chain);
    }
    for (uint32_t index = 16; index < LOADS_BLOCK; index += 16) {
        for (int chain = 0; chain < 4; chain++) {
            best[chain] = smaller_available(best[chain], load(keys + index + 4 * chain));
        }
    }
    return smaller_available(smaller_available(best[0], best[1]),
                             smaller_available(best[2], best[3]));
}

static TARGET inline __m256i some_minimum_lanes(const int64_t *keys, uint64_t bits)
{
    __m256i best[4], shift[4];
    for (int chain = 0; chain < 4; chain++) {
        int top = 63 - 4 * chain;
        best[chain] = _mm256_set1_epi64x(LOADS_KEY_ABSENT);
        shift[chain] = _mm256_setr_epi64x(top, top - 1, top - 2, top - 3);
    }
    for (uint32_t index = 0; index < LOADS_BLOCK; index += 16, bits >>= 16) {
        __m256i all = _mm256_set1_epi64x((int64_t)bits);
        for (int chain = 0; chain < 4; chain++) {
            best[chain] = smaller_where(best[chain], load(keys + index + 4 * chain),
                                        _mm256_sllv_epi64(all, shift[chain]));
        }
    }
    return smaller(smaller(best[0], best[1]), smaller(best[2], best[3]));
}

static TARGET int64_t minimum(const int64_t *keys, uint32_t count)
{
    __m256i best;
    if (count == LOADS_BLOCK) {
        best = block_minimum_lanes(keys);
    } else {
        __m256i even = _mm256_set1_epi64x(LOADS_KEY_ABSENT), odd = even;
        for (uint32_t index = 0; index < count; index += 8) {
            even = smaller(even, load(keys + index));
            odd = smaller(odd, load(keys + index + 4));
        }
        best = smaller(even, odd);
    }
    best = smaller(best, _mm256_permute4x64_epi64(best, 0x4e));
    best = smaller(best, _mm256_shuffle_epi32(best, 0x4e));
    return _mm256_extract_epi64(best, 0);
}

static TARGET uint32_t find(const int64_t *keys, uint32_t count, int64_t key)
{
    __m256i wanted = _mm256_set1_epi64x(key);
    for (uint32_t index = 0; index < count; index += 8) {
        __m256i low = _mm256_cmpeq_epi64(wanted, load(keys + index));
        __m256i high = _mm256_cmpeq_epi64(wanted, load(keys + index + 4));
        uint32_t hits = (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(low)) |
                        (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(high)) << 4;
        if (hits != 0) {
            return index + (uint32_t)__builtin_ctz(hits);
        }
    }
    return count;
}

static TARGET inline __m256i word_minimum_lanes(const int64_t *keys, uint64_t bits)
{
    if (bits == UINT64_MAX) {
        return available_minimum_lanes(keys);
    }
    if (loads_is_sparse(bits, SPARSE_BITS)) {
        return _mm256_set1_epi64x(loads_sparse_minimum(keys, bits));
    }
    return some_minimum_lanes(keys, bits);
}

/// True when no eligible bit is set in the four words at `word`.
static TARGET inline bool four_are_zero(const uint64_t *mask, const uint64_t *available,
                                        uint32_t word)
{
    return _mm256_testz_si256(
        _mm256_loadu_si256((const __m256i *)(const void *)(mask + word)),
        _mm256_loadu_si256((const __m256i *)(const void *)(available + word)));
}

static TARGET uint32_t masked_minimum(const int64_t *keys, const uint64_t *mask,
                                      const uint64_t *available, uint32_t first, uint32_t last)
{
    // Each lane remembers its smallest key and the word where it saw it.
    __m256i best = _mm256_set1_epi64x(LOADS_KEY_ABSENT);
    __m256i best_word = _mm256_setzero_si256();
    for (uint32_t word = first; word < last;) {
        uint32_t end = word + 4 <= last ? word + 4 : last;
        if (end - word == 4 && four_are_zero(mask, available, word)) {
            word = end;
            continue;
        }
        for (; word < end; word++) {
            uint64_t bits = mask[word] & available[word];
            if (bits == 0) {
                continue;
            }
            __m256i lanes = word_minimum_lanes(keys + (uint64_t)word * LOADS_BLOCK, bits);
            __m256i better = _mm256_cmpgt_epi64(best, lanes);
            best = blend(best, lanes, better);
            best_word = blend(best_word, _mm256_set1_epi64x(word), better);
        }
    }
    int64_t lane_keys[4], lane_words[4];
    _mm256_storeu_si256((__m256i *)(void *)lane_keys, best);
    _mm256_storeu_si256((__m256i *)(void *)lane_words, best_word);
    int chosen = 0;
    for (int lane = 1; lane < 4; lane++) {
        chosen = lane_keys[lane] < lane_keys[chosen] ? lane : chosen;
    }
    if (lane_keys[chosen] >= 0) {
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
