/// crc32c.c: CRC-32C with the CPU's own instruction where there is one, else eight tables.
///
/// The instruction takes three cycles and another can begin in each: where the CPU can multiply
/// polynomials, three thirds of a record are summed side by side and put together. A sum that is
/// followed by n bytes is multiplied with x^8n; `shifts` has these.
///
/// Called for each record by format.c. Invariant: all ways give the same value for all bytes
/// (tested against each other and against RFC 3720's vectors).
#include <pthread.h>
#include <string.h>
#if defined(__x86_64__)
#include <nmmintrin.h>
#include <wmmintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
#endif

#include "include/journal_format.h"

/// Castagnoli's polynomial, bits reversed.
#define POLYNOMIAL 0x82f63b78u

static uint32_t tables[8][256];
static uint32_t (*update)(uint32_t, const uint8_t *, size_t);
static pthread_once_t once = PTHREAD_ONCE_INIT;

static uint32_t update_plain(uint32_t crc, const uint8_t *bytes, size_t size)
{
    for (; size >= 8; bytes += 8, size -= 8) {
        uint32_t low, high;
        memcpy(&low, bytes, 4);
        memcpy(&high, bytes + 4, 4);
        low ^= crc;
        crc = tables[7][low & 0xff] ^ tables[6][low >> 8 & 0xff] ^ tables[5][low >> 16 & 0xff] ^
              tables[4][low >> 24] ^ tables[3][high & 0xff] ^ tables[2][high >> 8 & 0xff] ^
              tables[1][high >> 16 & 0xff] ^ tables[0][high >> 24];
    }
    while (size-- > 0)
        crc = crc >> 8 ^ tables[0][(crc ^ *bytes++) & 0xff];
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t update_cpu(uint32_t crc, const uint8_t *bytes,
                                                             size_t size)
{
    uint64_t wide = crc;
    for (; size >= 8; bytes += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        wide = _mm_crc32_u64(wide, word);
    }
    crc = (uint32_t)wide;
    while (size-- > 0)
        crc = _mm_crc32_u8(crc, *bytes++);
    return crc;
}

/// Words of 8 bytes in a third, at most; below the smallest size one sum alone is as fast.
#define THIRD_WORDS_MAX 128u
#define THIRDS_SIZE_MIN 256u

/// By words n: x^(64n - 33). A product of two reflected values stands one place off, and the
/// instruction that reduces it shifts by another 32.
static uint32_t shifts[2 * THIRD_WORDS_MAX + 1];

static void prepare_shifts(void)
{
    uint32_t power = 1; // x^31
    for (uint32_t words = 1; words <= 2 * THIRD_WORDS_MAX; words++) {
        shifts[words] = power;
        for (int bit = 0; bit < 64; bit++)
            power = power >> 1 ^ (power & 1 ? POLYNOMIAL : 0);
    }
}

__attribute__((target("sse4.2,pclmul"))) static uint64_t shifted(uint64_t crc, uint32_t words)
{
    __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)crc),
                                           _mm_cvtsi32_si128((int)shifts[words]), 0);
    return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t
update_thirds(uint32_t crc, const uint8_t *bytes, size_t size)
{
    while (size >= THIRDS_SIZE_MIN) {
        uint32_t words = size / 24 < THIRD_WORDS_MAX ? (uint32_t)(size / 24) : THIRD_WORDS_MAX;
        size_t third = (size_t)words * 8;
        uint64_t sums[3] = {crc, 0, 0};
        for (const uint8_t *end = bytes + third; bytes < end; bytes += 8) {
            uint64_t word[3];
            memcpy(&word[0], bytes, 8);
            memcpy(&word[1], bytes + third, 8);
            memcpy(&word[2], bytes + 2 * third, 8);
            sums[0] = _mm_crc32_u64(sums[0], word[0]);
            sums[1] = _mm_crc32_u64(sums[1], word[1]);
            sums[2] = _mm_crc32_u64(sums[2], word[2]);
        }
        crc = (uint32_t)(shifted(sums[0], 2 * words) ^ shifted(sums[1], words) ^ sums[2]);
        bytes += 2 * third;
        size -= 3 * third;
    }
    return update_cpu(crc, bytes, size);
}

/// The best that the CPU has, or NULL.
static uint32_t (*of_cpu(void))(uint32_t, const uint8_t *, size_t)
{
    if (!__builtin_cpu_supports("sse4.2"))
        return NULL;
    if (!__builtin_cpu_supports("pclmul"))
        return update_cpu;
    prepare_shifts();
    return update_thirds;
}
#elif defined(__aarch64__)
__attribute__((target("crc"))) static uint32_t update_cpu(uint32_t crc, const uint8_t *bytes,
                                                          size_t size)
{
    for (; size >= 8; bytes += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        crc = __crc32cd(crc, word);
    }
    while (size-- > 0)
        crc = __crc32cb(crc, *bytes++);
    return crc;
}

static uint32_t (*of_cpu(void))(uint32_t, const uint8_t *, size_t)
{
    return getauxval(AT_HWCAP) & HWCAP_CRC32 ? update_cpu : NULL;
}
#endif

static void prepare(void)
{
    for (uint32_t value = 0; value < 256; value++) {
        uint32_t crc = value;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        tables[0][value] = crc;
    }
    for (uint32_t value = 0; value < 256; value++) {
        for (int table = 1; table < 8; table++) {
            uint32_t before = tables[table - 1][value];
            tables[table][value] = before >> 8 ^ tables[0][before & 0xff];
        }
    }
    update = update_plain;
#if defined(__x86_64__) || defined(__aarch64__)
    uint32_t (*best)(uint32_t, const uint8_t *, size_t) = of_cpu();
    if (best)
        update = best;
#endif
}

uint32_t journal_crc32c(uint32_t crc, const void *bytes, size_t size)
{
    pthread_once(&once, prepare);
    return ~update(~crc, bytes, size);
}

uint32_t journal_crc32c_plain(uint32_t crc, const void *bytes, size_t size)
{
    pthread_once(&once, prepare);
    return ~update_plain(~crc, bytes, size);
}
