/// curve_server.c: the commands of a CURVE server, the side that bound. Called by curve.c; the
/// commands' layout is in curve_client.c.
///
///     cookie     nonce 16 | box 80: C' 32, s' 32
///     vouch      nonce 16 | box 80: C' 32, S 32
///
/// Invariant: a client is believed only when its vouch, made with its long-term key, names both the
/// short-term key of this connection and our long-term key.
#include <string.h>

#include "curve_state.h"

#define KEY_SIZE NATIVE_CURVE_KEY_SIZE

/// `body` checked and its box opened: `shared` is what C' and S make.
static const char *read_hello(curve_state *self, native_bytes body, uint8_t shared[KEY_SIZE])
{
    enum { VERSION_AT = 6, PADDING_AT = 8, PUBLIC_AT = 80, NONCE_AT = 112, BOX_AT = 120 };
    uint8_t plain[64], nonce[CURVE_NONCE_SIZE];
    if (body.size != CURVE_HELLO_SIZE)
        return "sent a HELLO that is not of 200 bytes";
    if (body.data[VERSION_AT] != 1 || body.data[VERSION_AT + 1] != 0)
        return "speaks another version of CURVE than 1.0";
    if (!sodium_is_zero(body.data + PADDING_AT, PUBLIC_AT - PADDING_AT))
        return "sent a HELLO with a padding that is not zero";
    if (!curve_is_key(body.data + PUBLIC_AT) ||
        crypto_box_beforenm(shared, body.data + PUBLIC_AT, self->keys->secret_key) != 0)
        return "sent a HELLO with a key that is none";
    curve_short_nonce(nonce, "CurveZMQHELLO---", body.data + NONCE_AT);
    if (crypto_box_open_easy_afternm(plain, body.data + BOX_AT, CURVE_HELLO_SIZE - BOX_AT, nonce,
                                     shared) != 0)
        return "sent a HELLO that our key cannot open: it has the public key of another server";
    if (!sodium_is_zero(plain, sizeof plain))
        return "sent a HELLO with a signature that is not zero";
    self->channel.receive_nonce = curve_nonce_read(body.data + NONCE_AT);
    return NULL;
}

native_step curve_server_hello(curve_state *self, native_bytes body, uint8_t *out)
{
    enum { PUBLIC_AT = 80, NONCE_AT = 8, BOX_AT = 24 };
    uint8_t shared[KEY_SIZE], cookie[2 * KEY_SIZE], nonce[CURVE_NONCE_SIZE];
    const char *reason = read_hello(self, body, shared);
    if (reason)
        return (native_step){.reason = reason};
    native_command_begin(out, "WELCOME");
    uint8_t *short_public = out + BOX_AT + CURVE_MAC_SIZE, *sealed = short_public + KEY_SIZE;
    memcpy(cookie, body.data + PUBLIC_AT, KEY_SIZE);
    curve_random(self, cookie + KEY_SIZE, KEY_SIZE);
    crypto_scalarmult_base(short_public, cookie + KEY_SIZE);

    curve_random(self, self->handshake->secret, KEY_SIZE);
    curve_random(self, sealed, 16);
    curve_long_nonce(nonce, "COOKIE--", sealed);
    crypto_secretbox_easy(sealed + 16, cookie, sizeof cookie, nonce, self->handshake->secret);
    sodium_memzero(cookie, sizeof cookie);

    curve_random(self, out + NONCE_AT, 16);
    curve_long_nonce(nonce, "WELCOME-", out + NONCE_AT);
    crypto_box_easy_afternm(out + BOX_AT, short_public, KEY_SIZE + CURVE_COOKIE_SIZE, nonce,
                            shared);
    sodium_memzero(shared, sizeof shared);
    self->handshake->awaits = CURVE_AWAITS_INITIATE;
    return (native_step){.out_size = CURVE_WELCOME_SIZE};
}

/// The INITIATE's plain text: C, the vouch, metadata.
typedef struct curve_initiate {
    uint8_t cookie[2 * KEY_SIZE]; ///< C', s'
    uint8_t shared[KEY_SIZE];     ///< what C' and S' make
    size_t size;
    uint8_t plain[NATIVE_HANDSHAKE_COMMAND_MAX];
} curve_initiate;

static const char *check_vouch(const curve_state *self, const curve_initiate *initiate)
{
    const uint8_t *client = initiate->plain, *vouch = initiate->plain + KEY_SIZE;
    uint8_t plain[2 * KEY_SIZE], nonce[CURVE_NONCE_SIZE];
    curve_long_nonce(nonce, "VOUCH---", vouch);
    if (crypto_box_open_easy(plain, vouch + 16, CURVE_VOUCH_SIZE - 16, nonce, client,
                             initiate->cookie + KEY_SIZE) != 0)
        return "sent an INITIATE with a vouch that cannot be opened";
    if (sodium_memcmp(plain, initiate->cookie, KEY_SIZE) != 0 ||
        sodium_memcmp(plain + KEY_SIZE, self->keys->public_key, KEY_SIZE) != 0)
        return "sent an INITIATE with a vouch for other keys";
    return NULL;
}

static const char *read_initiate(curve_state *self, native_bytes body, curve_initiate *out)
{
    enum { COOKIE_AT = 9, NONCE_AT = 105, BOX_AT = 113 };
    uint8_t nonce[CURVE_NONCE_SIZE];
    if (body.size < CURVE_INITIATE_SIZE_MIN || body.size > NATIVE_HANDSHAKE_COMMAND_MAX)
        return "sent an INITIATE of a wrong size";
    if (curve_nonce_read(body.data + NONCE_AT) <= self->channel.receive_nonce)
        return "sent an INITIATE whose nonce does not increase";
    curve_long_nonce(nonce, "COOKIE--", body.data + COOKIE_AT);
    if (crypto_secretbox_open_easy(out->cookie, body.data + COOKIE_AT + 16, CURVE_COOKIE_SIZE - 16,
                                   nonce, self->handshake->secret) != 0)
        return "sent an INITIATE with another cookie than ours";
    curve_short_nonce(nonce, "CurveZMQINITIATE", body.data + NONCE_AT);
    out->size = body.size - BOX_AT - CURVE_MAC_SIZE;
    if (crypto_box_beforenm(out->shared, out->cookie, out->cookie + KEY_SIZE) != 0 ||
        crypto_box_open_easy_afternm(out->plain, body.data + BOX_AT, body.size - BOX_AT, nonce,
                                     out->shared) != 0)
        return "sent an INITIATE that cannot be opened";
    self->channel.receive_nonce = curve_nonce_read(body.data + NONCE_AT);
    return check_vouch(self, out);
}

/// Our READY at the front of `out`, the client's metadata at its end.
static native_step write_ready(curve_state *self, const curve_initiate *initiate, uint8_t *out)
{
    enum { NONCE_AT = 6, BOX_AT = 14, METADATA_AT = KEY_SIZE + CURVE_VOUCH_SIZE };
    curve_handshake *handshake = self->handshake;
    uint8_t nonce[CURVE_NONCE_SIZE];
    size_t size = BOX_AT + CURVE_MAC_SIZE + handshake->metadata_size;
    size_t their_size = initiate->size - METADATA_AT;
    if (size + their_size > NATIVE_HANDSHAKE_COMMAND_MAX)
        return (native_step){.reason = "sent an INITIATE with too many metadata"};
    native_command_begin(out, "READY");
    curve_nonce_write(out + NONCE_AT, self->channel.send_nonce++);
    curve_short_nonce(nonce, "CurveZMQREADY---", out + NONCE_AT);
    crypto_box_easy_afternm(out + BOX_AT, handshake->metadata, handshake->metadata_size, nonce,
                            initiate->shared);
    uint8_t *metadata = out + NATIVE_HANDSHAKE_COMMAND_MAX - their_size;
    memcpy(metadata, initiate->plain + METADATA_AT, their_size);
    curve_channel_key(&self->channel, initiate->shared, true);
    return (native_step){.out_size = size, .done = true, .metadata = {metadata, their_size}};
}

native_step curve_server_initiate(curve_state *self, native_bytes body, uint8_t *out)
{
    curve_initiate initiate;
    const char *reason = read_initiate(self, body, &initiate);
    native_step step = reason ? (native_step){.reason = reason} : write_ready(self, &initiate, out);
    sodium_memzero(&initiate, sizeof initiate);
    return step;
}
