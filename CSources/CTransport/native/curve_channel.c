/// curve_channel.c: see curve_channel.h.
#include "curve_channel.h"

#include <sodium.h>
#include <string.h>

#define NONCE_AT  8u
#define MAC_AT    16u
#define SEALED_AT 32u
/// libzmq's flags inside of MESSAGE are those of its messages, not ZMTP's.
#define INNER_MORE    1u
#define INNER_COMMAND 2u

static const uint8_t NAME[8] = {7, 'M', 'E', 'S', 'S', 'A', 'G', 'E'};

_Static_assert(SEALED_AT == crypto_onetimeauth_poly1305_KEYBYTES, "the key lies before the box");
_Static_assert(MAC_AT + crypto_onetimeauth_poly1305_BYTES == SEALED_AT, "as in crypto_box");
_Static_assert(SEALED_AT + 1 == NATIVE_CURVE_OVERHEAD, "the flags are sealed, too");

void curve_channel_key(curve_channel *self, const uint8_t shared[NATIVE_CURVE_KEY_SIZE],
                       bool server)
{
    static const uint8_t FROM_CLIENT[] = "CurveZMQMESSAGEC", FROM_SERVER[] = "CurveZMQMESSAGES";
    crypto_core_hsalsa20(self->send_key, server ? FROM_SERVER : FROM_CLIENT, shared, NULL);
    crypto_core_hsalsa20(self->receive_key, server ? FROM_CLIENT : FROM_SERVER, shared, NULL);
}

const char *curve_channel_open(curve_channel *self, const uint8_t *body, size_t size, uint8_t *out,
                               native_bytes *plain, uint8_t *flags)
{
    if (size < sizeof NAME || memcmp(body, NAME, sizeof NAME) != 0)
        return "sent something else than a CURVE MESSAGE";
    if (size < NATIVE_CURVE_OVERHEAD)
        return "sent a CURVE MESSAGE that is cut short";
    uint64_t nonce = curve_nonce_read(body + NONCE_AT);
    if (nonce <= self->receive_nonce)
        return "sent a CURVE MESSAGE again (its nonce does not increase)";
    uint8_t key[crypto_onetimeauth_poly1305_KEYBYTES];
    crypto_stream_salsa20(key, sizeof key, body + NONCE_AT, self->receive_key);
    int rc =
        crypto_onetimeauth_poly1305_verify(body + MAC_AT, body + SEALED_AT, size - SEALED_AT, key);
    sodium_memzero(key, sizeof key);
    if (rc != 0)
        return "sent a CURVE MESSAGE that cannot be opened";
    self->receive_nonce = nonce;
    // The stream begins at the authenticator's key: what becomes of the head does not matter.
    uint8_t counter[8];
    memcpy(counter, body + NONCE_AT, sizeof counter);
    crypto_stream_salsa20_xor(out, body, size, counter, self->receive_key);
    memset(out, 0, SEALED_AT); // part of the stream
    uint8_t inner = out[SEALED_AT];
    if (inner & ~(INNER_MORE | INNER_COMMAND))
        return "sent a CURVE MESSAGE with reserved flags";
    if (inner == (INNER_MORE | INNER_COMMAND))
        return "sent a command with the MORE flag";
    *flags = (inner & INNER_MORE ? FRAME_MORE : 0) | (inner & INNER_COMMAND ? FRAME_COMMAND : 0);
    *plain = (native_bytes){out + NATIVE_CURVE_OVERHEAD, size - NATIVE_CURVE_OVERHEAD};
    return NULL;
}

void curve_channel_seal(curve_channel *self, uint8_t flags, native_bytes plain, uint8_t *out)
{
    uint8_t counter[8], key[crypto_onetimeauth_poly1305_KEYBYTES];
    curve_nonce_write(counter, self->send_nonce++);
    memset(out, 0, SEALED_AT);
    out[SEALED_AT] = (uint8_t)((flags & FRAME_MORE ? INNER_MORE : 0) |
                               (flags & FRAME_COMMAND ? INNER_COMMAND : 0));
    if (plain.size)
        memcpy(out + NATIVE_CURVE_OVERHEAD, plain.data, plain.size);
    crypto_stream_salsa20_xor(out, out, plain.size + NATIVE_CURVE_OVERHEAD, counter,
                              self->send_key);
    memcpy(key, out, sizeof key);
    crypto_onetimeauth_poly1305(out + MAC_AT, out + SEALED_AT, plain.size + 1, key);
    sodium_memzero(key, sizeof key);
    memcpy(out, NAME, sizeof NAME);
    memcpy(out + NONCE_AT, counter, sizeof counter);
}
