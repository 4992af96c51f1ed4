/// curve_state.h: what a CURVE connection keeps, for curve.c (the machine), curve_server.c and
/// curve_client.c (their commands). Internal to these.
///
/// Invariant: the handshake's part exists until `done`; between HELLO and INITIATE a server keeps
/// of a client no more than the cookie's key: C' and s' come back in the cookie.
#pragma once
#include <sodium.h>

#include "curve_channel.h"

#define CURVE_MAC_SIZE          16u
#define CURVE_NONCE_SIZE        24u
#define CURVE_COOKIE_SIZE       96u
#define CURVE_VOUCH_SIZE        96u
#define CURVE_HELLO_SIZE        200u
#define CURVE_WELCOME_SIZE      168u
#define CURVE_INITIATE_SIZE_MIN 257u
#define CURVE_READY_SIZE_MIN    30u
#define CURVE_REFUSAL_SIZE      96u

typedef enum curve_awaits {
    CURVE_AWAITS_START, ///< a client, before the greetings
    CURVE_AWAITS_HELLO,
    CURVE_AWAITS_WELCOME,
    CURVE_AWAITS_INITIATE,
    CURVE_AWAITS_READY,
} curve_awaits;

typedef struct curve_handshake {
    curve_awaits awaits;
    /// Server: the cookie's key. Client: c', and then the key that c' and S' make.
    uint8_t secret[NATIVE_CURVE_KEY_SIZE];
    uint8_t short_public[NATIVE_CURVE_KEY_SIZE]; ///< client: C'
    char refusal[CURVE_REFUSAL_SIZE];            ///< the text of the peer's ERROR
    size_t metadata_size;
    uint8_t metadata[];
} curve_handshake;

typedef struct curve_state {
    native_mechanism head;
    const native_curve_keys *keys;
    curve_handshake *handshake; ///< NULL: traffic
    size_t handshake_size;
    curve_channel channel; ///< its nonces count from HELLO and READY on
    bool server;
} curve_state;

static inline void curve_random(const curve_state *self, uint8_t *out, size_t size)
{
    self->keys->random(self->keys->random_context, out, size);
}

/// A command's nonce: 16 characters and a counter, or 8 characters and 16 random bytes.
static inline void curve_short_nonce(uint8_t out[CURVE_NONCE_SIZE], const char prefix[16],
                                     const uint8_t counter[8])
{
    __builtin_memcpy(out, prefix, 16);
    __builtin_memcpy(out + 16, counter, 8);
}

static inline void curve_long_nonce(uint8_t out[CURVE_NONCE_SIZE], const char prefix[8],
                                    const uint8_t random[16])
{
    __builtin_memcpy(out, prefix, 8);
    __builtin_memcpy(out + 8, random, 16);
}

/// A public key as it is computed: below 2^255. X25519 would ignore the highest bit.
static inline bool curve_is_key(const uint8_t key[NATIVE_CURVE_KEY_SIZE])
{
    return !(key[NATIVE_CURVE_KEY_SIZE - 1] & 0x80);
}

/// curve_client.c
native_step curve_client_hello(curve_state *, uint8_t *out);
native_step curve_client_welcome(curve_state *, native_bytes body, uint8_t *out);
native_step curve_client_ready(curve_state *, native_bytes body, uint8_t *out);
/// curve_server.c
native_step curve_server_hello(curve_state *, native_bytes body, uint8_t *out);
native_step curve_server_initiate(curve_state *, native_bytes body, uint8_t *out);
