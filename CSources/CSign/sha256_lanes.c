/// sha256_lanes.c: see sha256.h: a word of sixteen messages is one register of AVX-512.
///
/// Called by hmac_many.c. A pass takes one block of each: 16 loads of 16 bytes for each quarter of
/// the blocks, four to a register, so that only the 4 x 4 words within them are left to transpose:
///
///     rows[r]   | words of message r | of r + 4 | of r + 8 | of r + 12 |     r = 0..3
///     w[i]      | word i of messages 0 1 2 3 | 4 5 6 7 | 8 9 10 11 | 12 13 14 15 |
///
/// Invariant: idle lanes read what a busy one reads, and nothing is made of it.
#include "sha256.h"

const uint32_t sha256_constants[64] __attribute__((aligned(64))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

#if defined(__x86_64__)
#include <immintrin.h>

#define LANES        __attribute__((target("avx512f,avx512bw")))
#define LANES_INLINE LANES static inline __attribute__((always_inline))

bool sha256_lanes_supported(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
}

/// Any function of three bits, as the column of its truth table.
#define PARITY   0x96
#define CHOICE   0xca
#define MAJORITY 0xe8

LANES_INLINE __m512i plus(__m512i a, __m512i b)
{
    return _mm512_add_epi32(a, b);
}

LANES_INLINE __m512i parity(__m512i a, __m512i b, __m512i c)
{
    return _mm512_ternarylogic_epi32(a, b, c, PARITY);
}

LANES_INLINE __m512i big_sigma_0(__m512i a)
{
    return parity(_mm512_ror_epi32(a, 2), _mm512_ror_epi32(a, 13), _mm512_ror_epi32(a, 22));
}

LANES_INLINE __m512i big_sigma_1(__m512i e)
{
    return parity(_mm512_ror_epi32(e, 6), _mm512_ror_epi32(e, 11), _mm512_ror_epi32(e, 25));
}

LANES_INLINE __m512i small_sigma_0(__m512i w)
{
    return parity(_mm512_ror_epi32(w, 7), _mm512_ror_epi32(w, 18), _mm512_srli_epi32(w, 3));
}

LANES_INLINE __m512i small_sigma_1(__m512i w)
{
    return parity(_mm512_ror_epi32(w, 17), _mm512_ror_epi32(w, 19), _mm512_srli_epi32(w, 10));
}

/// 16 bytes of messages `first`, + 4, + 8 and + 12.
LANES_INLINE __m512i load_row(const uint8_t *const at[SHA256_LANES], int first, size_t offset)
{
    __m512i row = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(at[first] + offset)));
    row = _mm512_inserti32x4(row, _mm_loadu_si128((const __m128i *)(at[first + 4] + offset)), 1);
    row = _mm512_inserti32x4(row, _mm_loadu_si128((const __m128i *)(at[first + 8] + offset)), 2);
    return _mm512_inserti32x4(row, _mm_loadu_si128((const __m128i *)(at[first + 12] + offset)), 3);
}

LANES_INLINE void load_blocks(const uint8_t *const at[SHA256_LANES], size_t offset, __m512i w[16])
{
    const __m512i big =
        _mm512_broadcast_i32x4(_mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
#pragma GCC unroll 4
    for (int quarter = 0; quarter < 4; quarter++, offset += 16) {
        __m512i row0 = load_row(at, 0, offset), row1 = load_row(at, 1, offset);
        __m512i row2 = load_row(at, 2, offset), row3 = load_row(at, 3, offset);
        __m512i low01 = _mm512_unpacklo_epi32(row0, row1);
        __m512i high01 = _mm512_unpackhi_epi32(row0, row1);
        __m512i low23 = _mm512_unpacklo_epi32(row2, row3);
        __m512i high23 = _mm512_unpackhi_epi32(row2, row3);
        __m512i *out = w + 4 * quarter;
        out[0] = _mm512_shuffle_epi8(_mm512_unpacklo_epi64(low01, low23), big);
        out[1] = _mm512_shuffle_epi8(_mm512_unpackhi_epi64(low01, low23), big);
        out[2] = _mm512_shuffle_epi8(_mm512_unpacklo_epi64(high01, high23), big);
        out[3] = _mm512_shuffle_epi8(_mm512_unpackhi_epi64(high01, high23), big);
    }
}

/// One round, `r` a constant once unrolled: the words of `s` change places instead of moving.
LANES_INLINE void round_of(__m512i s[8], int r, __m512i w, uint32_t constant)
{
#define WORD(i) s[((i) - r) & 7]
    __m512i sum = plus(
        plus(WORD(7), plus(w, _mm512_set1_epi32((int)constant))),
        plus(_mm512_ternarylogic_epi32(WORD(4), WORD(5), WORD(6), CHOICE), big_sigma_1(WORD(4))));
    WORD(3) = plus(WORD(3), sum);
    WORD(7) = plus(sum, plus(_mm512_ternarylogic_epi32(WORD(0), WORD(1), WORD(2), MAJORITY),
                             big_sigma_0(WORD(0))));
#undef WORD
}

LANES static void hash_blocks(sha256_table *t, uint32_t blocks)
{
    __m512i state[8];
    for (int i = 0; i < 8; i++)
        state[i] = _mm512_load_si512(t->words[i]);
    for (size_t offset = 0; blocks > 0; blocks--, offset += SHA256_BLOCK) {
        __m512i s[8], w[16];
        for (int i = 0; i < 8; i++)
            s[i] = state[i];
        load_blocks(t->at, offset, w);
        const uint32_t *constants = sha256_constants;
#pragma GCC unroll 1
        for (int turn = 0; turn < 3; turn++, constants += 16) {
#pragma GCC unroll 16
            for (int r = 0; r < 16; r++) {
                round_of(s, r, w[r], constants[r]);
                w[r] = plus(plus(w[r], small_sigma_0(w[(r + 1) & 15])),
                            plus(w[(r + 9) & 15], small_sigma_1(w[(r + 14) & 15])));
            }
        }
#pragma GCC unroll 16
        for (int r = 0; r < 16; r++)
            round_of(s, r, w[r], constants[r]);
        for (int i = 0; i < 8; i++)
            state[i] = plus(state[i], s[i]);
    }
    for (int i = 0; i < 8; i++)
        _mm512_store_si512(t->words[i], state[i]);
}

LANES uint32_t sha256_lanes_step(sha256_table *t)
{
    __m512i left = _mm512_load_si512(t->left);
    __mmask16 idle = _mm512_cmpeq_epi32_mask(left, _mm512_set1_epi32((int)SHA256_IDLE));
    uint32_t blocks = _mm512_reduce_min_epu32(left);
    if (idle) {
        __m512i busy = _mm512_set1_epi64((long long)t->at[__builtin_ctz(~(uint32_t)idle)]);
        _mm512_mask_storeu_epi64(t->at, (__mmask8)idle, busy);
        _mm512_mask_storeu_epi64(t->at + 8, (__mmask8)(idle >> 8), busy);
    }
    hash_blocks(t, blocks);
    left = _mm512_mask_sub_epi32(left, (__mmask16)~idle, left, _mm512_set1_epi32((int)blocks));
    _mm512_store_si512(t->left, left);
    const __m512i bytes = _mm512_set1_epi64((long long)blocks * SHA256_BLOCK);
    for (int i = 0; i < SHA256_LANES; i += 8) {
        __m512i at = _mm512_loadu_si512(t->at + i);
        _mm512_storeu_si512(t->at + i, _mm512_add_epi64(at, bytes));
    }
    return _mm512_testn_epi32_mask(left, left);
}

#else

bool sha256_lanes_supported(void)
{
    return false;
}

uint32_t sha256_lanes_step(sha256_table *t)
{
    (void)t;
    __builtin_trap();
}

#endif
