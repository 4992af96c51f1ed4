/// curve.c: the mechanism CURVE as a state machine; see curve.h. Called through
/// native_mechanism_ops.
///
/// Invariant: a command is looked at only in the one state that awaits it.
#include "curve.h"

#include <stdlib.h>
#include <string.h>

#include "curve_state.h"

static native_mechanism *curve_create(const native_security *security, bool server,
                                      native_bytes metadata)
{
    curve_state *self = calloc(1, sizeof *self);
    size_t handshake_size = sizeof(curve_handshake) + metadata.size;
    curve_handshake *handshake = calloc(1, handshake_size);
    if (!self || !handshake) {
        free(self);
        free(handshake);
        return NULL;
    }
    handshake->awaits = server ? CURVE_AWAITS_HELLO : CURVE_AWAITS_START;
    handshake->metadata_size = metadata.size;
    if (metadata.size)
        memcpy(handshake->metadata, metadata.data, metadata.size);
    *self = (curve_state){
        .head = {&NATIVE_CURVE},
        .keys = security->curve,
        .handshake = handshake,
        .handshake_size = handshake_size,
        .channel = {.send_nonce = 1},
        .server = server,
    };
    return &self->head;
}

static void end_handshake(curve_state *self)
{
    if (self->handshake)
        sodium_memzero(self->handshake, self->handshake_size);
    free(self->handshake);
    self->handshake = NULL;
}

static void curve_destroy(native_mechanism *base)
{
    curve_state *self = (curve_state *)base;
    end_handshake(self);
    sodium_memzero(self, sizeof *self);
    free(self);
}

static native_step curve_start(native_mechanism *base, uint8_t out[NATIVE_HANDSHAKE_COMMAND_MAX])
{
    curve_state *self = (curve_state *)base;
    return self->server ? (native_step){0} : curve_client_hello(self, out);
}

/// The peer's words, as far as they can be printed.
static native_step refused(curve_state *self, native_bytes data)
{
    static const char PREFIX[] = "refused us with ERROR: ";
    char *text = self->handshake->refusal;
    if (self->server)
        return (native_step){.reason = "sent ERROR, which only a server may"};
    if (data.size == 0 || data.data[0] != data.size - 1)
        return (native_step){.reason = "sent a malformed ERROR"};
    size_t size = data.size - 1, room = CURVE_REFUSAL_SIZE - sizeof PREFIX;
    if (size == 0)
        return (native_step){.reason = "refused us with ERROR"};
    memcpy(text, PREFIX, sizeof PREFIX - 1);
    text += sizeof PREFIX - 1;
    for (size_t i = 0; i < size && i < room; i++) {
        uint8_t byte = data.data[1 + i];
        *text++ = byte >= 0x20 && byte < 0x7f ? (char)byte : '?';
    }
    *text = 0;
    return (native_step){.reason = self->handshake->refusal};
}

static native_step curve_step(native_mechanism *base, native_bytes body,
                              uint8_t out[NATIVE_HANDSHAKE_COMMAND_MAX])
{
    typedef native_step (*taker)(curve_state *, native_bytes, uint8_t *);
    static const struct {
        const char *name, *otherwise;
        taker take;
    } AWAITED[] = {
        [CURVE_AWAITS_START] = {"", "sent a command before the greetings", NULL},
        [CURVE_AWAITS_HELLO] = {"HELLO", "sent another command than HELLO", curve_server_hello},
        [CURVE_AWAITS_WELCOME] = {"WELCOME", "sent another command than WELCOME",
                                  curve_client_welcome},
        [CURVE_AWAITS_INITIATE] = {"INITIATE", "sent another command than INITIATE",
                                   curve_server_initiate},
        [CURVE_AWAITS_READY] = {"READY", "sent another command than READY", curve_client_ready},
    };
    curve_state *self = (curve_state *)base;
    native_bytes name, data;
    if (!self->handshake)
        return (native_step){.reason = "sent a handshake's command after the handshake"};
    if (!native_command_split(body, &name, &data))
        return (native_step){.reason = "sent a command without a name"};
    if (native_bytes_are(name, "ERROR"))
        return refused(self, data);
    curve_awaits awaits = self->handshake->awaits;
    if (!AWAITED[awaits].take || !native_bytes_are(name, AWAITED[awaits].name))
        return (native_step){.reason = AWAITED[awaits].otherwise};
    native_step step = AWAITED[awaits].take(self, body, out);
    if (step.done)
        end_handshake(self);
    return step;
}

static const char *curve_open(native_mechanism *base, const uint8_t *body, size_t size,
                              uint8_t *out, native_bytes *plain, uint8_t *flags)
{
    return curve_channel_open(&((curve_state *)base)->channel, body, size, out, plain, flags);
}

static void curve_seal(native_mechanism *base, uint8_t flags, native_bytes plain, uint8_t *out)
{
    curve_channel_seal(&((curve_state *)base)->channel, flags, plain, out);
}

const native_mechanism_ops NATIVE_CURVE = {
    .name = "CURVE",
    .create = curve_create,
    .destroy = curve_destroy,
    .start = curve_start,
    .step = curve_step,
    .open = curve_open,
    .seal = curve_seal,
    .seal_overhead = NATIVE_CURVE_OVERHEAD,
};
