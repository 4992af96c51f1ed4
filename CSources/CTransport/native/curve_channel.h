/// curve_channel.h: a CURVE connection's traffic: frames sealed and opened. Called by
/// curve.c.
///
///     sealed body   | 7 "MESSAGE" | nonce 8 | authenticator 16 | flags 1 | the frame's bytes |
///                   |--- 32 bytes, where the key of the authenticator is made ---|
///
/// The nonce is 16 constant bytes for each direction and a counter. What XSalsa20 makes of the
/// constant part and the connection's key does not change, so it is made once (HSalsa20), and
/// a frame costs one Salsa20 stream and one Poly1305: the same bytes as crypto_box_afternm's.
///
/// Invariant: `send_nonce` was never used before; every nonce taken is above `receive_nonce`.
#pragma once
#include "curve.h"

typedef struct curve_channel {
    uint8_t send_key[NATIVE_CURVE_KEY_SIZE];
    uint8_t receive_key[NATIVE_CURVE_KEY_SIZE];
    uint64_t send_nonce;    ///< the next
    uint64_t receive_nonce; ///< the last
} curve_channel;

/// `shared`: crypto_box_beforenm's of the two short-term keys. The nonces stay as they are.
void curve_channel_key(curve_channel *, const uint8_t shared[NATIVE_CURVE_KEY_SIZE], bool server);
/// As native_mechanism_ops' `open` and `seal`.
const char *curve_channel_open(curve_channel *, const uint8_t *body, size_t size, uint8_t *out,
                               native_bytes *plain, uint8_t *flags);
void curve_channel_seal(curve_channel *, uint8_t flags, native_bytes plain, uint8_t *out);

/// The counter's bytes on the wire.
static inline void curve_nonce_write(uint8_t *out, uint64_t nonce)
{
    uint64_t value = __builtin_bswap64(nonce);
    __builtin_memcpy(out, &value, sizeof value);
}

static inline uint64_t curve_nonce_read(const uint8_t *bytes)
{
    uint64_t value;
    __builtin_memcpy(&value, bytes, sizeof value);
    return __builtin_bswap64(value);
}
