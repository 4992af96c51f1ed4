/// peer.c: see peer.h. The handshake; traffic.c has what follows it.
#include "peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "traffic.h"

static const char NO_MEMORY[] = "needs more memory than there is";

static const char *socket_name(native_socket socket)
{
    static const char *const NAMES[] = {"", "ROUTER", "DEALER", "PUB", "SUB"};
    return NAMES[socket];
}

/// RFC 37: which socket types may talk to ours.
static bool may_talk(native_socket ours, native_bytes type)
{
    static const char *const ALLOWED[][3] = {
        [NATIVE_ROUTER] = {"DEALER", "REQ", "ROUTER"},
        [NATIVE_DEALER] = {"ROUTER", "DEALER", "REP"},
        [NATIVE_PUB] = {"SUB", "XSUB", "SUB"},
        [NATIVE_SUB] = {"PUB", "XPUB", "PUB"},
    };
    for (size_t i = 0; i < 3; i++) {
        if (native_bytes_are(type, ALLOWED[ours][i]))
            return true;
    }
    return false;
}

bool native_link_set_metadata(native_link *self, const char *identity)
{
    const char *name = socket_name(self->socket);
    size_t identity_size = identity ? strlen(identity) : 0;
    self->metadata = malloc(64 + identity_size);
    if (!self->metadata)
        return false;
    size_t size = native_property_write(self->metadata, "Socket-Type", name, strlen(name));
    // libzmq says it for these two, even when it is empty.
    if (self->socket == NATIVE_ROUTER || self->socket == NATIVE_DEALER)
        size += native_property_write(self->metadata + size, "Identity", identity, identity_size);
    self->metadata_size = size;
    return true;
}

bool native_peer_open(native_peer *self, const native_link *link, const native_host *host)
{
    *self = (native_peer){.link = link, .host = host};
    self->handshake = calloc(1, sizeof *self->handshake);
    native_bytes metadata = {link->metadata, link->metadata_size};
    self->mechanism = link->mechanism->create(&link->security, link->server, metadata);
    if (!self->handshake || !self->mechanism) {
        native_peer_close(self);
        return false;
    }
    uint8_t greeting[NATIVE_GREETING_SIZE];
    // RFC 37: with NULL there is no server.
    bool server = link->server && link->mechanism != &NATIVE_NULL;
    native_greeting_write(greeting, link->mechanism->name, server);
    host->output(self, (native_bytes){greeting, sizeof greeting});
    return true;
}

void native_peer_close(native_peer *self)
{
    if (self->mechanism)
        self->mechanism->ops->destroy(self->mechanism);
    native_assembly_destroy(self->assembly);
    free(self->handshake);
    self->mechanism = NULL;
    self->assembly = NULL;
    self->handshake = NULL;
}

static const char *read_metadata(native_peer *self, native_bytes metadata)
{
    native_handshake *handshake = self->handshake;
    bool has_type = false;
    while (metadata.size > 0) {
        native_bytes name, value;
        native_read property = native_property_read(metadata, &name, &value);
        if (property.reason)
            return property.reason;
        if (native_bytes_are(name, "Socket-Type")) {
            if (!may_talk(self->link->socket, value))
                return "is a socket of the wrong type for this address";
            has_type = true;
        } else if (native_bytes_are(name, "Identity")) {
            if (value.size > sizeof handshake->identity)
                return "has an identity of more than 255 bytes";
            if (value.size > 0 && value.data[0] == 0)
                return "has an identity that begins with a zero byte (reserved)";
            memcpy(handshake->identity, value.data, value.size);
            handshake->identity_size = (uint8_t)value.size;
        }
        metadata.data += property.used;
        metadata.size -= property.used;
    }
    handshake->has_metadata = has_type;
    return has_type ? NULL : "does not say its socket type";
}

static void send_handshake_command(native_peer *self, native_bytes body)
{
    uint8_t frame[FRAME_HEAD_SIZE_MAX + NATIVE_HANDSHAKE_COMMAND_MAX];
    size_t size = frame_head_write(frame, body.size, FRAME_COMMAND);
    memcpy(frame + size, body.data, body.size);
    self->host->output(self, (native_bytes){frame, size + body.size});
}

/// Tells a peer why it is not taken, for good: libzmq does not dial again after that. Hence not for
/// what may pass (too many peers, too slow), which just closes.
static const char *refuse(native_peer *self, const char *reason)
{
    // Of CURVE's two sides only the server may.
    if (!self->link->server && self->link->mechanism != &NATIVE_NULL)
        return reason;
    uint8_t body[8 + 255];
    char text[256];
    snprintf(text, sizeof text, "it %s", reason);
    size_t size = native_command_begin(body, "ERROR"), text_size = strlen(text);
    body[size++] = (uint8_t)text_size;
    memcpy(body + size, text, text_size);
    send_handshake_command(self, (native_bytes){body, size + text_size});
    return reason;
}

static const char *apply_step(native_peer *self, const native_step *step, const uint8_t *out)
{
    if (step->reason)
        return step->reason;
    if (step->metadata.data) {
        const char *reason = read_metadata(self, step->metadata);
        if (reason)
            return refuse(self, reason);
    }
    if (step->out_size > 0)
        send_handshake_command(self, (native_bytes){out, step->out_size});
    if (!step->done)
        return NULL;
    native_handshake *handshake = self->handshake;
    if (!handshake->has_metadata)
        return refuse(self, "does not say its socket type");
    self->phase = NATIVE_PHASE_TRAFFIC;
    self->handshake = NULL;
    native_bytes identity = {handshake->identity, handshake->identity_size};
    const char *reason = self->host->ready(self, identity);
    free(handshake);
    return reason;
}

static native_read feed_greeting(native_peer *self, native_bytes in)
{
    native_handshake *handshake = self->handshake;
    size_t missing = NATIVE_GREETING_SIZE - handshake->greeting_size;
    size_t used = in.size < missing ? in.size : missing;
    memcpy(handshake->greeting + handshake->greeting_size, in.data, used);
    handshake->greeting_size += (uint8_t)used;
    native_read greeting = native_greeting_read(handshake->greeting, handshake->greeting_size,
                                                self->link->mechanism->name);
    const char *reason = greeting.reason;
    if (!reason && greeting.used > 0) {
        uint8_t out[NATIVE_HANDSHAKE_COMMAND_MAX];
        self->phase = NATIVE_PHASE_HANDSHAKE;
        self->minor = handshake->greeting[NATIVE_GREETING_MINOR_AT];
        native_step step = self->mechanism->ops->start(self->mechanism, out);
        reason = apply_step(self, &step, out);
    }
    return (native_read){used, reason};
}

static native_read feed_handshake(native_peer *self, native_bytes in)
{
    native_assembled what;
    native_bytes body;
    if (!self->assembly && !(self->assembly = native_assembly_create(self->link->pool)))
        return (native_read){0, NO_MEMORY};
    static const native_sizes SIZES = {NATIVE_HANDSHAKE_COMMAND_MAX, NATIVE_HANDSHAKE_COMMAND_MAX,
                                       1};
    native_read result = native_assembly_feed(self->assembly, NULL, &SIZES, in, &what, &body);
    if (result.reason)
        return result;
    if (what == NATIVE_ASSEMBLED_MESSAGE || self->assembly->part_count > 0) {
        result.reason = "sent a message before its handshake";
    } else if (what == NATIVE_ASSEMBLED_COMMAND) {
        uint8_t out[NATIVE_HANDSHAKE_COMMAND_MAX];
        native_step step = self->mechanism->ops->step(self->mechanism, body, out);
        result.reason = apply_step(self, &step, out);
        if (self->phase == NATIVE_PHASE_TRAFFIC) {
            // Most peers' messages come in one piece: they never need it again.
            native_assembly_destroy(self->assembly);
            self->assembly = NULL;
        }
    }
    return result;
}

const char *native_peer_feed(native_peer *self, native_bytes in)
{
    while (in.size > 0 && self->phase != NATIVE_PHASE_TRAFFIC) {
        native_read result = self->phase == NATIVE_PHASE_GREETING ? feed_greeting(self, in)
                                                                  : feed_handshake(self, in);
        if (result.reason)
            return result.reason;
        in.data += result.used;
        in.size -= result.used;
    }
    return in.size > 0 ? native_traffic_feed(self, in) : NULL;
}
