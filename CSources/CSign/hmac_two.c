/// hmac_two.c: see hmac_two.h.
///
/// Both messages are laid out padded (FIPS 180-4, 5.1.1), then run block against block; what the
/// longer one has left runs alone. The four words of a group g of the schedule, rounds 4g to 4g+3:
///
///     W[g] = msg2(msg1(W[g-4], W[g-3]) + alignr(W[g-1], W[g-2], 4), W[g-1])
///
/// The instructions keep a state as two registers, ABEF and CDGH.
#include "hmac_two.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#define BLOCK      64
#define DIGEST     32
#define SHA        __attribute__((target("sha,avx")))
#define SHA_INLINE SHA static inline __attribute__((always_inline))

bool hmac_two_supported(void)
{
    unsigned a, b, c, d;
    return __builtin_cpu_supports("avx") && __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
           (b & bit_SHA);
}

static const uint32_t constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

typedef struct sha_state {
    __m128i abef, cdgh;
} sha_state;

/// A block under way: the latest four groups of the schedule.
typedef struct sha_schedule {
    __m128i w[4];
} sha_schedule;

SHA_INLINE sha_state load_state(const uint32_t words[8])
{
    __m128i dcba = _mm_loadu_si128((const __m128i *)words);
    __m128i hgfe = _mm_loadu_si128((const __m128i *)(words + 4));
    __m128i cdab = _mm_shuffle_epi32(dcba, 0xb1), efgh = _mm_shuffle_epi32(hgfe, 0x1b);
    return (sha_state){_mm_alignr_epi8(cdab, efgh, 8), _mm_blend_epi16(efgh, cdab, 0xf0)};
}

/// The digest: eight big-endian words.
SHA_INLINE void store_digest(sha_state s, uint8_t digest[DIGEST])
{
    __m128i feba = _mm_shuffle_epi32(s.abef, 0x1b), dchg = _mm_shuffle_epi32(s.cdgh, 0xb1);
    __m128i big = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i first = _mm_blend_epi16(feba, dchg, 0xf0), last = _mm_alignr_epi8(dchg, feba, 8);
    _mm_storeu_si128((__m128i *)digest, _mm_shuffle_epi8(first, big));
    _mm_storeu_si128((__m128i *)(digest + 16), _mm_shuffle_epi8(last, big));
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
    return _mm_add_epi32(words, _mm_load_si128((const __m128i *)constants + g));
}

SHA_INLINE sha_state sum(sha_state a, sha_state b)
{
    return (sha_state){_mm_add_epi32(a.abef, b.abef), _mm_add_epi32(a.cdgh, b.cdgh)};
}

SHA static void hash_one(sha_state *state, const uint8_t *text, size_t blocks)
{
    sha_state s = *state;
    for (; blocks > 0; blocks--, text += BLOCK) {
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
    *state = s;
}

SHA static void hash_two(sha_state states[2], const uint8_t *left, const uint8_t *right,
                         size_t blocks)
{
    sha_state a = states[0], b = states[1];
    for (; blocks > 0; blocks--, left += BLOCK, right += BLOCK) {
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
    states[0] = a;
    states[1] = b;
}

/// Ends a message that followed one block of pad: a one bit, zeros, the size in bits. Returns the
/// blocks.
static size_t pad(uint8_t *text, size_t size)
{
    size_t blocks = (size + 1 + 8 + BLOCK - 1) / BLOCK;
    uint64_t bits = __builtin_bswap64((BLOCK + size) * 8);
    text[size] = 0x80;
    memset(text + size + 1, 0, blocks * BLOCK - size - 1 - 8);
    memcpy(text + blocks * BLOCK - 8, &bits, 8);
    return blocks;
}

SHA_INLINE void write_hex(const uint8_t digest[DIGEST], char *hex)
{
    const __m128i digits = _mm_setr_epi8('0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b',
                                         'c', 'd', 'e', 'f');
    const __m128i low = _mm_set1_epi8(15);
    for (int i = 0; i < DIGEST; i += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(digest + i));
        __m128i high = _mm_shuffle_epi8(digits, _mm_and_si128(_mm_srli_epi16(bytes, 4), low));
        __m128i rest = _mm_shuffle_epi8(digits, _mm_and_si128(bytes, low));
        _mm_storeu_si128((__m128i *)(hex + 2 * i), _mm_unpacklo_epi8(high, rest));
        _mm_storeu_si128((__m128i *)(hex + 2 * i + 16), _mm_unpackhi_epi8(high, rest));
    }
}

SHA bool hmac_two(const uint32_t inner[8], const uint32_t outer[8], const signer_job jobs[2])
{
    uint8_t texts[2][HMAC_TWO_SIZE_MAX + 2 * BLOCK];
    size_t blocks[2];
    for (int i = 0; i < 2; i++) {
        size_t size = 0;
        for (size_t part = 0; part < jobs[i].count; part++) {
            const signer_part *p = jobs[i].parts + part;
            if (p->size > HMAC_TWO_SIZE_MAX - size)
                return false;
            if (p->size)
                memcpy(texts[i] + size, p->data, p->size);
            size += p->size;
        }
        blocks[i] = pad(texts[i], size);
    }
    sha_state states[2] = {load_state(inner), load_state(inner)};
    size_t both = blocks[0] < blocks[1] ? blocks[0] : blocks[1];
    hash_two(states, texts[0], texts[1], both);
    int longer = blocks[1] > both;
    hash_one(states + longer, texts[longer] + both * BLOCK, blocks[longer] - both);

    for (int i = 0; i < 2; i++) {
        store_digest(states[i], texts[i]);
        pad(texts[i], DIGEST);
        states[i] = load_state(outer);
    }
    hash_two(states, texts[0], texts[1], 1);
    for (int i = 0; i < 2; i++) {
        store_digest(states[i], texts[i]);
        write_hex(texts[i], jobs[i].hex);
    }
    return true;
}

#else

bool hmac_two_supported(void)
{
    return false;
}

bool hmac_two(const uint32_t inner[8], const uint32_t outer[8], const signer_job jobs[2])
{
    (void)inner;
    (void)outer;
    (void)jobs;
    return false;
}

#endif
