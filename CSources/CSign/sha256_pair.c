/// sha256_pair.c: see sha256.h: one message or two in the SHA instructions of x86-64.
///
/// Called by hmac_many.c. On some CPUs (AMD) one SHA-256 leaves the unit idle for half of each
/// round's latency: two, interleaved, take 0.6 of the time of one after the other. The four words
/// of a group g of the schedule, rounds 4g to 4g+3:
///
///     W[g] = msg2(msg1(W[g-4], W[g-3]) + alignr(W[g-1], W[g-2], 4), W[g-1])
///
/// The instructions keep a state as two registers, ABEF and CDGH.
#include "sha256.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#define SHA        __attribute__((target("sha,avx")))
#define SHA_INLINE SHA static inline __attribute__((always_inline))

bool sha256_pair_supported(void)
{
    unsigned a, b, c, d;
    return __builtin_cpu_supports("avx") && __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
           (b & bit_SHA);
}

typedef struct sha_state {
    __m128i abef, cdgh;
} sha_state;

/// A block under way: the latest four groups of the schedule.
typedef struct sha_schedule {
    __m128i w[4];
} sha_schedule;

SHA_INLINE sha_state load_state(const sha256_table *t, unsigned lane)
{
#define WORD(i) (int)t->words[i][lane]
    return (sha_state){_mm_set_epi32(WORD(0), WORD(1), WORD(4), WORD(5)),
                       _mm_set_epi32(WORD(2), WORD(3), WORD(6), WORD(7))};
#undef WORD
}

SHA_INLINE void store_state(sha256_table *t, unsigned lane, sha_state s)
{
    static const uint8_t ABEF[4] = {5, 4, 1, 0}, CDGH[4] = {7, 6, 3, 2};
    uint32_t words[8];
    _mm_storeu_si128((__m128i *)words, s.abef);
    _mm_storeu_si128((__m128i *)(words + 4), s.cdgh);
    for (int i = 0; i < 4; i++) {
        t->words[ABEF[i]][lane] = words[i];
        t->words[CDGH[i]][lane] = words[4 + i];
    }
}

/// The words of a group, `g` a constant once unrolled.
SHA_INLINE __m128i words_of(sha_schedule *s, int g, const uint8_t *block)
{
    __m128i *w = s->w, words;
    if (g < 4) {
        __m128i big = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
        words = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)block + g), big);
    } else {
        __m128i before = w[(g + 3) & 3];
        words = _mm_add_epi32(_mm_sha256msg1_epu32(w[g & 3], w[(g + 1) & 3]),
                              _mm_alignr_epi8(before, w[(g + 2) & 3], 4));
        words = _mm_sha256msg2_epu32(words, before);
    }
    w[g & 3] = words;
    return _mm_add_epi32(words, _mm_loadu_si128((const __m128i *)sha256_constants + g));
}

SHA_INLINE sha_state sum(sha_state a, sha_state b)
{
    return (sha_state){_mm_add_epi32(a.abef, b.abef), _mm_add_epi32(a.cdgh, b.cdgh)};
}

static void advance(sha256_table *t, unsigned lane, uint32_t blocks)
{
    t->at[lane] += (size_t)blocks * SHA256_BLOCK;
    t->left[lane] -= blocks;
}

SHA void sha256_one_step(sha256_table *t, unsigned lane, uint32_t blocks)
{
    sha_state s = load_state(t, lane);
    const uint8_t *text = t->at[lane];
    for (uint32_t i = 0; i < blocks; i++, text += SHA256_BLOCK) {
        sha_state before = s;
        sha_schedule schedule;
#pragma GCC unroll 16
        for (int g = 0; g < 16; g++) {
            __m128i words = words_of(&schedule, g, text);
            s.cdgh = _mm_sha256rnds2_epu32(s.cdgh, s.abef, words);
            s.abef = _mm_sha256rnds2_epu32(s.abef, s.cdgh, _mm_shuffle_epi32(words, 0x0e));
        }
        s = sum(s, before);
    }
    store_state(t, lane, s);
    advance(t, lane, blocks);
}

SHA void sha256_pair_step(sha256_table *t, unsigned first, unsigned second, uint32_t blocks)
{
    sha_state a = load_state(t, first), b = load_state(t, second);
    const uint8_t *left = t->at[first], *right = t->at[second];
    for (uint32_t i = 0; i < blocks; i++, left += SHA256_BLOCK, right += SHA256_BLOCK) {
        sha_state a_before = a, b_before = b;
        sha_schedule a_schedule, b_schedule;
#pragma GCC unroll 16
        for (int g = 0; g < 16; g++) {
            __m128i a_words = words_of(&a_schedule, g, left);
            __m128i b_words = words_of(&b_schedule, g, right);
            a.cdgh = _mm_sha256rnds2_epu32(a.cdgh, a.abef, a_words);
            b.cdgh = _mm_sha256rnds2_epu32(b.cdgh, b.abef, b_words);
            a.abef = _mm_sha256rnds2_epu32(a.abef, a.cdgh, _mm_shuffle_epi32(a_words, 0x0e));
            b.abef = _mm_sha256rnds2_epu32(b.abef, b.cdgh, _mm_shuffle_epi32(b_words, 0x0e));
        }
        a = sum(a, a_before);
        b = sum(b, b_before);
    }
    store_state(t, first, a);
    store_state(t, second, b);
    advance(t, first, blocks);
    advance(t, second, blocks);
}

#else

bool sha256_pair_supported(void)
{
    return false;
}

void sha256_one_step(sha256_table *t, unsigned lane, uint32_t blocks)
{
    (void)t, (void)lane, (void)blocks;
    __builtin_trap();
}

void sha256_pair_step(sha256_table *t, unsigned first, unsigned second, uint32_t blocks)
{
    (void)t, (void)first, (void)second, (void)blocks;
    __builtin_trap();
}

#endif
