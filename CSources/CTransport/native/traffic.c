/// traffic.c: the hot path of receiving: a message that lies whole in what was read becomes one
/// block with one copy. What does not goes through an assembly. Called by peer.c.
///
/// Invariant: a message's `wire` and its frames name the same bytes; the heads in between are the
/// peer's, checked.
#include "traffic.h"

#include <string.h>

/// Messages of more frames than this take the slow path.
#define FAST_FRAMES_MAX 64u

static const char NO_MEMORY[] = "needs more memory than there is";

static const char *answer_ping(native_peer *self, native_bytes data)
{
    uint8_t pong[8 + NATIVE_PING_CONTEXT_MAX];
    if (data.size < 2 || data.size > 2 + NATIVE_PING_CONTEXT_MAX)
        return "sent a PING of a wrong size";
    self->promised_tenths = (uint32_t)data.data[0] << 8 | data.data[1];
    self->has_news = true;
    size_t size = native_command_begin(pong, "PONG");
    memcpy(pong + size, data.data + 2, data.size - 2);
    self->host->command(self, (native_bytes){pong, size + data.size - 2});
    return NULL;
}

static const char *take_command(native_peer *self, native_bytes body)
{
    native_bytes name, data;
    if (!native_command_split(body, &name, &data))
        return "sent a command without a name";
    if (native_bytes_are(name, "PING"))
        return answer_ping(self, data);
    if (native_bytes_are(name, "SUBSCRIBE"))
        return self->host->subscription(self, true, data);
    if (native_bytes_are(name, "CANCEL"))
        return self->host->subscription(self, false, data);
    if (native_bytes_are(name, "ERROR"))
        return "ended the connection with ERROR";
    return NULL; // PONG, and what we do not know
}

/// A message of `size` wire bytes with `count` frames, all checked: one allocation, one copy.
static const char *deliver(native_peer *self, const uint8_t *wire, size_t size, uint32_t count,
                           const message_frame *frames)
{
    native_block *block = native_block_take(self->link->pool, count, size);
    if (!block)
        return NO_MEMORY;
    uint8_t *bytes = native_block_bytes(block);
    memcpy(bytes, wire, size);
    block->head.wire = bytes;
    for (uint32_t i = 0; i < count; i++) {
        block->head.frames[i].data = bytes + (frames[i].data - wire);
        block->head.frames[i].size = frames[i].size;
        block->head.bytes += frames[i].size;
    }
    return self->host->message(self, block);
}

/// One whole message or command at the start of `in`. used 0: it is not all there, or not simple.
static native_read feed_fast(native_peer *self, native_bytes in)
{
    message_frame frames[FAST_FRAMES_MAX];
    uint32_t count = 0;
    size_t at = 0;
    for (;;) {
        native_head head;
        native_read read = native_head_read(in.data + at, in.size - at, &head);
        if (read.reason)
            return read;
        if (read.used == 0)
            return (native_read){0, NULL};
        // Within a message (libzmq's heartbeats) or too large: the assembly sorts that out.
        if ((head.flags & FRAME_COMMAND) && (count > 0 || head.size > NATIVE_COMMAND_SIZE_MAX))
            return (native_read){0, NULL};
        if (head.size > self->link->sizes.frame_bytes_max)
            return (native_read){0, "sent a frame larger than allowed"};
        at += read.used;
        if (head.size > in.size - at)
            return (native_read){0, NULL};
        if (head.flags & FRAME_COMMAND) {
            native_bytes body = {in.data + at, (size_t)head.size};
            return (native_read){at + body.size, take_command(self, body)};
        }
        if (count == FAST_FRAMES_MAX)
            return (native_read){0, NULL};
        frames[count++] = (message_frame){in.data + at, head.size};
        at += (size_t)head.size;
        if (!(head.flags & FRAME_MORE))
            break;
    }
    if (at > self->link->sizes.message_bytes_max)
        return (native_read){0, "sent a message larger than allowed"};
    return (native_read){at, deliver(self, in.data, at, count, frames)};
}

static native_read feed_assembly(native_peer *self, native_bytes in)
{
    native_assembled what;
    native_bytes body;
    native_mechanism *mechanism = self->mechanism->ops->open ? self->mechanism : NULL;
    if (!self->assembly && !(self->assembly = native_assembly_create(self->link->pool)))
        return (native_read){0, NO_MEMORY};
    native_read result =
        native_assembly_feed(self->assembly, mechanism, &self->link->sizes, in, &what, &body);
    if (result.reason)
        return result;
    if (what == NATIVE_ASSEMBLED_COMMAND) {
        result.reason = take_command(self, body);
    } else if (what == NATIVE_ASSEMBLED_MESSAGE) {
        native_block *block = native_assembly_build(self->assembly);
        result.reason = block ? self->host->message(self, block) : NO_MEMORY;
    } else if (what == NATIVE_ASSEMBLED_DROPPED) {
        native_assembly_reset(self->assembly);
        self->dropped_messages++;
        self->has_news = true;
    }
    return result;
}

const char *native_traffic_feed(native_peer *self, native_bytes in)
{
    bool sealed = self->mechanism->ops->open != NULL;
    while (in.size > 0) {
        native_read result = {0, NULL};
        if (!sealed && (!self->assembly || native_assembly_is_empty(self->assembly)))
            result = feed_fast(self, in);
        if (!result.reason && result.used == 0)
            result = feed_assembly(self, in);
        if (result.reason)
            return result.reason;
        in.data += result.used;
        in.size -= result.used;
    }
    return NULL;
}
