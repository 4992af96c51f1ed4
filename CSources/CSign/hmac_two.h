/// hmac_two.h: HMAC-SHA256 of two messages at once, in the SHA instructions of x86-64.
///
/// Called by sign.c only. One SHA-256 leaves the unit idle for half of each round's latency; two,
/// interleaved, take 0.6 of the time of one after the other. OpenSSL offers one at a time.
#pragma once
#include "sign.h"

/// What is hashed at once at most; a longer message goes through OpenSSL.
#define HMAC_TWO_SIZE_MAX 4096

/// Whether this CPU has what it takes.
bool hmac_two_supported(void);
/// `inner` and `outer`: SHA-256 states after the pads. Writes 64 hex characters a job. False,
/// and nothing written: one is too long.
bool hmac_two(const uint32_t inner[8], const uint32_t outer[8], const signer_job jobs[2]);
