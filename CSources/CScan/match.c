/// match.c: see match.h. A byte is wrong that may not differ but does, or is free and not plain.
#include "match.h"

#include <stdlib.h>

#include "plain.h"
#include "scan_testing.h"

#define KERNEL_VARIABLE "YARDMASTER_KERNEL"

/// Not zero where a byte is wrong.
static inline plain_block judge(plain_block now, const uint8_t *then, const uint8_t *free)
{
    plain_block allowed = plain_load(free);
    return ((now ^ plain_load(then)) & ~allowed) | (plain_odd(now) & allowed);
}

static bool match_16(const uint8_t *now, const uint8_t *then, const uint8_t *free, uint32_t size)
{
    plain_block wrong = {0};
    uint32_t at = 0;
    if (size < PLAIN_BLOCK) {
        uint8_t padded[PLAIN_BLOCK] = {0};
        memcpy(padded, now, size);
        return !plain_any(judge(plain_load(padded), then, free));
    }
    for (; at + PLAIN_BLOCK <= size; at += PLAIN_BLOCK)
        wrong |= judge(plain_load(now + at), then + at, free + at);
    at = size - PLAIN_BLOCK; // the end, some of it for the second time
    wrong |= judge(plain_load(now + at), then + at, free + at);
    return !plain_any(wrong);
}

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2   __attribute__((target("avx2")))
#define AVX512 __attribute__((target("avx512f,avx512bw,bmi2")))

AVX2 static inline __m256i judge_32(const uint8_t *now, const uint8_t *then, const uint8_t *free)
{
    __m256i bytes = _mm256_loadu_si256((const __m256i *)now);
    __m256i allowed = _mm256_loadu_si256((const __m256i *)free);
    __m256i differs = _mm256_xor_si256(bytes, _mm256_loadu_si256((const __m256i *)then));
    // Beyond space to tilde: more than 0x5e above the space, which wraps below it.
    __m256i odd =
        _mm256_subs_epu8(_mm256_sub_epi8(bytes, _mm256_set1_epi8(0x20)), _mm256_set1_epi8(0x5e));
    odd = _mm256_or_si256(odd, _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"')));
    odd = _mm256_or_si256(odd, _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\')));
    return _mm256_or_si256(_mm256_andnot_si256(allowed, differs), _mm256_and_si256(allowed, odd));
}

AVX2 static bool match_32(const uint8_t *now, const uint8_t *then, const uint8_t *free,
                          uint32_t size)
{
    if (size < 32)
        return match_16(now, then, free, size);
    __m256i wrong = _mm256_setzero_si256();
    uint32_t last = size - 32;
    for (uint32_t at = 0; at < last; at += 32)
        wrong = _mm256_or_si256(wrong, judge_32(now + at, then + at, free + at));
    wrong = _mm256_or_si256(wrong, judge_32(now + last, then + last, free + last));
    return _mm256_testz_si256(wrong, wrong);
}

/// A bit for each byte of `mask` that is wrong.
AVX512 static inline __mmask64 judge_64(__mmask64 mask, const uint8_t *now, const uint8_t *then,
                                        const uint8_t *free)
{
    __m512i bytes = _mm512_maskz_loadu_epi8(mask, now);
    __mmask64 allowed = _mm512_movepi8_mask(_mm512_loadu_si512(free));
    __mmask64 differs = _mm512_cmpneq_epi8_mask(bytes, _mm512_loadu_si512(then));
    __mmask64 odd = _mm512_cmpgt_epu8_mask(_mm512_sub_epi8(bytes, _mm512_set1_epi8(0x20)),
                                           _mm512_set1_epi8(0x5e)) |
                    _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('"')) |
                    _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\\'));
    return ((differs & ~allowed) | (odd & allowed)) & mask;
}

AVX512 static bool match_64(const uint8_t *now, const uint8_t *then, const uint8_t *free,
                            uint32_t size)
{
    __mmask64 wrong = 0;
    uint32_t at = 0;
    for (; at + 64 <= size; at += 64)
        wrong |= judge_64(~0ull, now + at, then + at, free + at);
    if (at < size)
        wrong |= judge_64(_bzhi_u64(~0ull, size - at), now + at, then + at, free + at);
    return wrong == 0;
}

static shape_matcher *named(const char *body)
{
    bool avx512 = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("bmi2");
    if (!strcmp(body, "avx512"))
        return avx512 ? match_64 : NULL;
    if (!strcmp(body, "avx2"))
        return __builtin_cpu_supports("avx2") ? match_32 : NULL;
    return strcmp(body, "any") ? NULL : match_16;
}

#else

static shape_matcher *named(const char *body)
{
    return strcmp(body, "any") ? NULL : match_16;
}

#endif

shape_matcher *shape_matcher_pick(void)
{
    static const char *const best_first[] = {"avx512", "avx2", "any"};
    const char *forced = getenv(KERNEL_VARIABLE);
    shape_matcher *found = NULL;
    int first = !forced || !*forced || !strcmp(forced, "avx512") ? 0
                : !strcmp(forced, "avx2")                        ? 1
                                                                 : 2;
    for (int i = first; !found; i++)
        found = named(best_first[i]);
    return found;
}

int shape_match_by(const char *body, const uint8_t *now, const uint8_t *then, const uint8_t *free,
                   uint32_t size)
{
    shape_matcher *matches = named(body);
    return matches ? matches(now, then, free, size) : -1;
}
