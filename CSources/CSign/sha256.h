/// sha256.h: SHA-256's compression of several messages at once, where the CPU has what it takes.
///
/// Called by hmac_many.c only. Two bodies:
///   lanes   sixteen messages in AVX-512, a message a lane, whatever each has left
///   pair    one or two messages in the SHA instructions of x86-64
/// Both work on one table, so that a message may begin in the one and end in the other.
///
///     words   | word 0 of lanes 0..15 | word 1 of lanes 0..15 | ... | word 7 of lanes 0..15 |
///
/// Invariant: a lane with `left` blocks has as many readable at `at`.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_LANES  16
#define SHA256_BLOCK  64
#define SHA256_DIGEST 32
#define SHA256_WORDS  8
/// In `left`: the lane has no message.
#define SHA256_IDLE UINT32_MAX

typedef struct sha256_table {
    uint32_t words[SHA256_WORDS][SHA256_LANES];
    const uint8_t *at[SHA256_LANES];
    uint32_t left[SHA256_LANES];
} __attribute__((aligned(64))) sha256_table;

/// FIPS 180-4, 4.2.2.
extern const uint32_t sha256_constants[64];

bool sha256_lanes_supported(void);
/// Advances every lane by what the one with the least has left. At least one is not idle. Returns
/// the lanes that have none left now.
uint32_t sha256_lanes_step(sha256_table *);

bool sha256_pair_supported(void);
/// Advances two lanes by `blocks`, which both have left.
void sha256_pair_step(sha256_table *, unsigned first, unsigned second, uint32_t blocks);
/// Advances one.
void sha256_one_step(sha256_table *, unsigned lane, uint32_t blocks);
