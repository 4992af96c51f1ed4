/// codec.h: ZMTP 3.1 as bytes: greeting, frame heads, commands, metadata. Called by peer.c,
/// output.c and the mechanisms. RFC 23 (3.0) and 37 (3.1).
///
/// Pure: no state, no memory, no I/O. A reader says how many bytes it used (0: incomplete, come
/// back with more) or why they cannot be right.
///
///     greeting   FF | 8 padding | 7F | major minor | mechanism[20] | as-server | 31 zero
///     frame      flags | size: 1 byte, or 8 big-endian if LONG | body
///     command    name size: 1 | name | data
///     property   name size: 1 | name | value size: 4 big-endian | value
///
/// Invariant: whatever the bytes, nothing beyond `size` is looked at.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame_head.h"

#define NATIVE_GREETING_SIZE       64
#define NATIVE_GREETING_MINOR_AT   11
#define NATIVE_MECHANISM_NAME_SIZE 20
/// PING: time to live (2 bytes) and a context of at most 16.
#define NATIVE_PING_CONTEXT_MAX 16u

typedef struct native_read {
    size_t used;        ///< 0: incomplete
    const char *reason; ///< NULL, or what is wrong, as the end of a sentence
} native_read;

typedef struct native_head {
    uint64_t size;
    uint8_t flags; ///< MORE and COMMAND; LONG is gone
} native_head;

typedef struct native_bytes {
    const uint8_t *data;
    size_t size;
} native_bytes;

/// `mechanism`: its name, at most 20 bytes.
void native_greeting_write(uint8_t out[NATIVE_GREETING_SIZE], const char *mechanism, bool server);
/// Judges as soon as a byte is wrong; used = 64 when all is there and right.
native_read native_greeting_read(const uint8_t *bytes, size_t size, const char *mechanism);

static inline native_read native_head_read(const uint8_t *bytes, size_t size, native_head *out)
{
    if (size < 2)
        return (native_read){0, NULL};
    uint8_t flags = bytes[0];
    if (flags & ~(FRAME_MORE | FRAME_LONG | FRAME_COMMAND))
        return (native_read){0, "sent a frame with reserved flags"};
    if ((flags & FRAME_COMMAND) && (flags & FRAME_MORE))
        return (native_read){0, "sent a command with the MORE flag"};
    out->flags = flags & (uint8_t)~FRAME_LONG;
    if (!(flags & FRAME_LONG)) {
        out->size = bytes[1];
        return (native_read){2, NULL};
    }
    if (size < FRAME_HEAD_SIZE_MAX)
        return (native_read){0, NULL};
    uint64_t value;
    __builtin_memcpy(&value, bytes + 1, sizeof value);
    out->size = __builtin_bswap64(value);
    if (out->size >> 63)
        return (native_read){0, "sent a frame of 2^63 bytes or more"};
    return (native_read){FRAME_HEAD_SIZE_MAX, NULL};
}

/// Splits a command's body into name and data. False when its name does not fit.
bool native_command_split(native_bytes body, native_bytes *name, native_bytes *data);
bool native_bytes_are(native_bytes, const char *text);
/// Writes `name size | name`; the number of bytes.
size_t native_command_begin(uint8_t *out, const char *name);

/// used: the bytes of the first property. An incomplete one has a reason: metadata come whole.
native_read native_property_read(native_bytes metadata, native_bytes *name, native_bytes *value);
size_t native_property_write(uint8_t *out, const char *name, const void *value, size_t value_size);
