/// curve_client.c: the commands of a CURVE client, the side that connects. Called by curve.c.
///
///     HELLO      5 "HELLO" | 1 0 | 72 zero | C' 32 | nonce 8 | box 80
///     WELCOME    7 "WELCOME" | nonce 16 | box 144: S' 32, cookie 96
///     INITIATE   8 "INITIATE" | cookie 96 | nonce 8 | box: C 32, vouch 96, metadata
///     READY      5 "READY" | nonce 8 | box: metadata
///
/// Invariant: our long-term public key goes out only in a box for whom knows the server's secret.
#include <string.h>

#include "curve_state.h"

native_step curve_client_hello(curve_state *self, uint8_t *out)
{
    enum { VERSION_AT = 6, PUBLIC_AT = 80, NONCE_AT = 112, BOX_AT = 120, ZEROS = 64 };
    static const uint8_t zeros[ZEROS];
    curve_handshake *handshake = self->handshake;
    uint8_t nonce[CURVE_NONCE_SIZE];
    curve_random(self, handshake->secret, sizeof handshake->secret);
    crypto_scalarmult_base(handshake->short_public, handshake->secret);

    memset(out, 0, CURVE_HELLO_SIZE);
    native_command_begin(out, "HELLO");
    out[VERSION_AT] = 1;
    memcpy(out + PUBLIC_AT, handshake->short_public, sizeof handshake->short_public);
    curve_nonce_write(out + NONCE_AT, self->channel.send_nonce++);
    curve_short_nonce(nonce, "CurveZMQHELLO---", out + NONCE_AT);
    if (crypto_box_easy(out + BOX_AT, zeros, sizeof zeros, nonce, self->keys->public_key,
                        handshake->secret) != 0)
        return (native_step){.reason = "cannot be talked to: the server's key is not usable"};
    handshake->awaits = CURVE_AWAITS_WELCOME;
    return (native_step){.out_size = CURVE_HELLO_SIZE};
}

/// Box [C',S](C->S'), for the INITIATE.
static bool write_vouch(const curve_state *self, const uint8_t short_server[], uint8_t *out)
{
    const curve_handshake *handshake = self->handshake;
    uint8_t plain[2 * NATIVE_CURVE_KEY_SIZE], nonce[CURVE_NONCE_SIZE];
    memcpy(plain, handshake->short_public, NATIVE_CURVE_KEY_SIZE);
    memcpy(plain + NATIVE_CURVE_KEY_SIZE, self->keys->public_key, NATIVE_CURVE_KEY_SIZE);
    curve_random(self, out, 16);
    curve_long_nonce(nonce, "VOUCH---", out);
    return crypto_box_easy(out + 16, plain, sizeof plain, nonce, short_server,
                           self->keys->secret_key) == 0;
}

static native_step write_initiate(curve_state *self, const uint8_t *short_server,
                                  const uint8_t *cookie, uint8_t *out)
{
    enum { COOKIE_AT = 9, NONCE_AT = 105, BOX_AT = 113 };
    curve_handshake *handshake = self->handshake;
    uint8_t *plain = out + BOX_AT + CURVE_MAC_SIZE, nonce[CURVE_NONCE_SIZE];
    size_t size = NATIVE_CURVE_KEY_SIZE + CURVE_VOUCH_SIZE + handshake->metadata_size;
    if (BOX_AT + CURVE_MAC_SIZE + size > NATIVE_HANDSHAKE_COMMAND_MAX)
        return (native_step){.reason = "cannot be told our metadata: they are too large"};
    native_command_begin(out, "INITIATE");
    memcpy(out + COOKIE_AT, cookie, CURVE_COOKIE_SIZE);
    curve_nonce_write(out + NONCE_AT, self->channel.send_nonce++);
    memcpy(plain, self->keys->public_key, NATIVE_CURVE_KEY_SIZE);
    // C' is needed for the vouch; c' has done its part: what it makes with S' is what counts now.
    if (!curve_is_key(short_server) ||
        !write_vouch(self, short_server, plain + NATIVE_CURVE_KEY_SIZE) ||
        crypto_box_beforenm(handshake->secret, short_server, handshake->secret) != 0)
        return (native_step){.reason = "sent a WELCOME with a key that is none"};
    memcpy(plain + NATIVE_CURVE_KEY_SIZE + CURVE_VOUCH_SIZE, handshake->metadata,
           handshake->metadata_size);
    curve_short_nonce(nonce, "CurveZMQINITIATE", out + NONCE_AT);
    crypto_box_easy_afternm(out + BOX_AT, plain, size, nonce, handshake->secret);
    handshake->awaits = CURVE_AWAITS_READY;
    return (native_step){.out_size = BOX_AT + CURVE_MAC_SIZE + size};
}

native_step curve_client_welcome(curve_state *self, native_bytes body, uint8_t *out)
{
    enum { NONCE_AT = 8, BOX_AT = 24, COOKIE_AT = NATIVE_CURVE_KEY_SIZE };
    uint8_t plain[NATIVE_CURVE_KEY_SIZE + CURVE_COOKIE_SIZE], nonce[CURVE_NONCE_SIZE];
    if (body.size != CURVE_WELCOME_SIZE)
        return (native_step){.reason = "sent a WELCOME that is not of 168 bytes"};
    curve_long_nonce(nonce, "WELCOME-", body.data + NONCE_AT);
    if (crypto_box_open_easy(plain, body.data + BOX_AT, CURVE_WELCOME_SIZE - BOX_AT, nonce,
                             self->keys->public_key, self->handshake->secret) != 0)
        return (native_step){.reason = "sent a WELCOME that cannot be opened; see whether it has "
                                       "the secret key of ours"};
    native_step step = write_initiate(self, plain, plain + COOKIE_AT, out);
    sodium_memzero(plain, sizeof plain);
    return step;
}

native_step curve_client_ready(curve_state *self, native_bytes body, uint8_t *out)
{
    enum { NONCE_AT = 6, BOX_AT = 14 };
    uint8_t nonce[CURVE_NONCE_SIZE];
    if (body.size < CURVE_READY_SIZE_MIN || body.size > NATIVE_HANDSHAKE_COMMAND_MAX)
        return (native_step){.reason = "sent a READY of a wrong size"};
    curve_short_nonce(nonce, "CurveZMQREADY---", body.data + NONCE_AT);
    if (crypto_box_open_easy_afternm(out, body.data + BOX_AT, body.size - BOX_AT, nonce,
                                     self->handshake->secret) != 0)
        return (native_step){.reason = "sent a READY that cannot be opened"};
    self->channel.receive_nonce = curve_nonce_read(body.data + NONCE_AT);
    curve_channel_key(&self->channel, self->handshake->secret, false);
    return (native_step){.done = true, .metadata = {out, body.size - BOX_AT - CURVE_MAC_SIZE}};
}
