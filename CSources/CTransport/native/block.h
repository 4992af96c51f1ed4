/// block.h: memory of received messages, one allocation each (../pool.h). Called by
/// assembly.c, peer.c, gather.c, send.c and message_release.
///
///     | native_block | message_frame x count | bytes |        large frames: mapped, apart
///
/// Invariant: a block's frames lie within its bytes, or in a large frame that it owns.
#pragma once
#include "../include/transport.h"
#include "../pool.h"

/// Unused blocks kept for reuse, in bytes.
#define NATIVE_POOL_KEPT_BYTES_MAX (32u << 20)
/// Frames from this size on that do not arrive in one piece get memory of their own.
#define NATIVE_LARGE_SIZE_MIN (64u << 10)
/// Memory is reserved at most this far (or a quarter) ahead of what has arrived.
#define NATIVE_LARGE_STEP (4u << 20)
/// `frame_count` has 16 bits.
#define NATIVE_FRAMES_MAX 65535u

/// From MAPPED_SIZE_MIN (block.c) on a region, else malloc's.
typedef pool_region native_large;

typedef struct native_block {
    message head;
    struct native_block *next; ///< in a role's queue
    transport_pool *pool;
    void *lender;        ///< lanes/: whom it goes back to, when another thread holds it
    native_large *large; ///< owned
    uint32_t large_count;
    uint32_t size_class;
} native_block;

/// A block of `frame_count` frames, not filled in, and `bytes` of memory behind them. NULL: out of
/// memory.
native_block *native_block_take(transport_pool *, uint32_t frame_count, size_t bytes);
static inline uint8_t *native_block_bytes(native_block *self)
{
    return (uint8_t *)(self->head.frames + self->head.frame_count);
}
/// The message's `dispose`, and the end of a block that was never adopted.
void native_block_dispose(message *);

/// Room for `wanted` bytes or, when they are far off, for NATIVE_LARGE_STEP beyond `used`, or what
/// an unused region has.
bool native_large_reserve(native_large *, transport_pool *, size_t used, uint64_t wanted);
void native_large_free(native_large *, transport_pool *);
