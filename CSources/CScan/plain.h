/// plain.h: sixteen bytes at a time: which of them would JSON write otherwise. Called by plain.c,
/// match.c.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define PLAIN_BLOCK 16u
typedef uint8_t plain_block __attribute__((vector_size(PLAIN_BLOCK)));

static inline plain_block plain_load(const uint8_t *bytes)
{
    plain_block b;
    memcpy(&b, bytes, PLAIN_BLOCK);
    return b;
}

/// 0xff for each byte that is not ASCII from space to tilde, or is a quote or a backslash.
static inline plain_block plain_odd(plain_block b)
{
    // More than 0x5e above the space, which wraps below it: one comparison for both ends.
    return (plain_block)(b - 0x20 > 0x5e) | (plain_block)(b == '"') | (plain_block)(b == '\\');
}

static inline bool plain_any(plain_block b)
{
    uint64_t halves[2];
    memcpy(halves, &b, PLAIN_BLOCK);
    return (halves[0] | halves[1]) != 0;
}
