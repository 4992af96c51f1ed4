/// crc32c.c: CRC-32C with the CPU's own instruction where there is one, else eight tables.
///
/// Called for each record by format.c. Invariant: both ways give the same value for all bytes
/// (tested against each other and against RFC 3720's vectors).
#include <pthread.h>
#include <string.h>
#if defined(__x86_64__)
#include <nmmintrin.h>
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

static bool cpu_has_it(void)
{
    return __builtin_cpu_supports("sse4.2");
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

static bool cpu_has_it(void)
{
    return getauxval(AT_HWCAP) & HWCAP_CRC32;
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
    if (cpu_has_it())
        update = update_cpu;
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
