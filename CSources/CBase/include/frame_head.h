/// frame_head.h: the head of a ZMTP frame (RFC 37), which stands before it on the wire. Called by
/// message.c, SchedulerWire and the native transport.
///
///     flags: 1 | size: 1 byte, or 8 big-endian if FRAME_LONG
#pragma once
#include <stddef.h>
#include <stdint.h>

#define FRAME_MORE           1u
#define FRAME_LONG           2u
#define FRAME_COMMAND        4u
#define FRAME_HEAD_SIZE_MAX  9u
#define FRAME_SHORT_SIZE_MAX 255u

/// `flags`: FRAME_MORE and what else is to stand there; FRAME_LONG is added. Returns its size.
static inline size_t frame_head_write(uint8_t *out, uint64_t size, uint8_t flags)
{
    if (size <= FRAME_SHORT_SIZE_MAX) {
        out[0] = flags;
        out[1] = (uint8_t)size;
        return 2;
    }
    uint64_t value = __builtin_bswap64(size);
    out[0] = flags | FRAME_LONG;
    __builtin_memcpy(out + 1, &value, sizeof value);
    return FRAME_HEAD_SIZE_MAX;
}

static inline size_t frame_head_size(uint64_t size)
{
    return size <= FRAME_SHORT_SIZE_MAX ? 2 : FRAME_HEAD_SIZE_MAX;
}
