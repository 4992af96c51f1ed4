/// curve_pair.h: long-term keys with random bytes that come from a seed, for the CURVE targets.
///
/// Invariant: everything that a handshake says follows from the two seeds.
#pragma once
#include "fuzz.h"

#include <sodium.h>

#include "../../CSources/CTransport/native/curve.h"

typedef struct curve_pair {
    native_curve_keys keys;
    uint64_t random;
} curve_pair;

static inline void curve_pair_random(void *context, uint8_t *out, size_t size)
{
    curve_pair *self = context;
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)fuzz_random(&self->random);
}

/// One pair for all, as in an ipyparallel cluster.
static inline void curve_pair_make(curve_pair *self, uint64_t seed)
{
    FUZZ_REQUIRE(sodium_init() >= 0, "libsodium cannot be used");
    *self = (curve_pair){.random = seed};
    self->keys.random = curve_pair_random;
    self->keys.random_context = self;
    memset(self->keys.secret_key, 0x5a, sizeof self->keys.secret_key);
    crypto_scalarmult_base(self->keys.public_key, self->keys.secret_key);
}
