/// output.h: what one peer is still to be sent. Called by send.c and connection.c.
///
///     segments (ring)   [ chunk bytes | message bytes | chunk bytes | ... ]
///     chunks            16 KiB each, shared out of one pool, filled from front to back
///
/// Small frames and heads are copied into chunks, large ones stay where they are and their message
/// is held until they are written.
///
/// Invariant: `bytes` is the sum of the segments; an empty output holds no chunk. What a gathered
/// write was told about stays in place until `native_output_advance`.
#pragma once
#include <sys/uio.h>

#include "block.h"
#include "mechanism.h"

#define NATIVE_CHUNK_SIZE (16u << 10)
/// Frames (or whole relayed messages) up to this size are copied.
#define NATIVE_COPY_SIZE_MAX       4096u
#define NATIVE_RELAY_COPY_SIZE_MAX 8192u
/// Free chunks kept for reuse.
#define NATIVE_CHUNKS_KEPT_MAX 1024u

typedef struct native_chunk {
    struct native_chunk *next_free;
    uint32_t used, capacity;
    uint32_t segments; ///< that lie here, and one more while it is the tail
    uint32_t padding;
    uint8_t bytes[];
} native_chunk;

typedef struct native_chunks {
    native_chunk *free;
    uint32_t free_count;
} native_chunks;

typedef struct native_segment {
    const uint8_t *data;
    uint64_t size;
    native_chunk *chunk;    ///< NULL: `message`'s
    message_handle message; ///< held
    uint32_t padding;
} native_segment;

typedef struct native_output {
    native_segment *ring;
    uint32_t first, count, capacity; ///< capacity: 0 or a power of two
    native_chunk *tail;              ///< being filled
    native_segment *open;            ///< the last segment, when it ends where `tail` does; or NULL
    uint64_t bytes;
    uint32_t messages; ///< since it was last empty: at least as many as are queued
} native_output;

void native_chunks_free(native_chunks *);

/// Each false when out of memory: the connection must then be closed (a message may be cut).
bool native_output_copy(native_output *, native_chunks *, const void *data, size_t size);
/// native_output_reserve where the tail has no room, or is not open.
uint8_t *native_output_reserve_anew(native_output *, native_chunks *, size_t size);

/// `size` bytes to be written by the caller, in one piece. NULL: out of memory.
static inline uint8_t *native_output_reserve(native_output *self, native_chunks *pool, size_t size)
{
    native_segment *open = self->open;
    native_chunk *tail = self->tail;
    if (!open || tail->capacity - tail->used < size)
        return native_output_reserve_anew(self, pool, size);
    uint8_t *bytes = tail->bytes + tail->used;
    open->size += size;
    tail->used += (uint32_t)size;
    self->bytes += size;
    return bytes;
}

/// Bytes of `message`, which is retained.
bool native_output_refer(native_output *, message_table *, message_handle message,
                         const uint8_t *data, size_t size);
/// One frame. `source`: whose bytes they are, or MESSAGE_NONE: then they are copied.
bool native_output_frame(native_output *, native_chunks *, message_table *, native_mechanism *,
                         uint8_t flags, native_bytes body, message_handle source);
/// The front of the queue; the number of vectors.
uint32_t native_output_vectors(const native_output *, struct iovec *, uint32_t capacity);
/// `size` bytes were written.
void native_output_advance(native_output *, native_chunks *, message_table *, uint64_t size);
void native_output_free(native_output *, native_chunks *, message_table *);
