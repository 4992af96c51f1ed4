/// assembly.h: a message that does not lie in one piece in what was read: frames gathered as their
/// bytes arrive. Called by peer.c; also the only path of the handshake and of sealed frames.
///
///     parts[0..count)      small[ frame | frame | ... | the frame being received ]
///                          large[0..) a mapping for each frame of 64 KiB or more
///
/// Invariant: what is not yet a whole message exists only here, so dropping the assembly rolls the
/// message back whole. No memory is reserved for what a peer merely announces.
#pragma once
#include "../reactor/streams.h"
#include "block.h"
#include "codec.h"
#include "mechanism.h"

/// Larger commands close the connection. Below NATIVE_LARGE_SIZE_MIN, where frames get memory of
/// their own.
#define NATIVE_COMMAND_SIZE_MAX ((64u << 10) - 1)

/// What a peer may send.
typedef struct native_sizes {
    uint64_t frame_bytes_max, message_bytes_max;
    uint32_t frames_max; ///< NATIVE_FRAMES_MAX at most
} native_sizes;

typedef struct native_part {
    size_t offset; ///< in `small`, or in the large memory
    size_t size;
    uint32_t large; ///< index + 1; 0: in `small`
} native_part;

typedef struct native_assembly {
    struct native_assembly *next_free;
    native_head frame;
    uint64_t received;  ///< bytes of the frame's body that are here
    uint64_t taken;     ///< bytes of the message that are kept
    uint64_t announced; ///< bytes of the message's frames so far
    uint8_t head[FRAME_HEAD_SIZE_MAX];
    uint8_t head_size;
    bool in_body;
    bool is_large; ///< the frame being received lies in the last of `large`
    bool sealed;   ///< the flags that count lie within: nothing can be skipped unopened
    bool dropping; ///< too many frames: the rest of the message is read and thrown away
    transport_pool *pool;
    uint8_t *small;
    uint32_t small_class; ///< of the pool
    size_t small_used, small_capacity;
    native_part *parts;
    uint32_t part_count, part_capacity;
    native_large *large;
    uint32_t large_count, large_capacity;
} native_assembly;

typedef enum native_assembled {
    NATIVE_ASSEMBLED_NOTHING,
    NATIVE_ASSEMBLED_COMMAND, ///< `command` is valid until the next call
    NATIVE_ASSEMBLED_MESSAGE, ///< to be taken with native_assembly_build
    NATIVE_ASSEMBLED_DROPPED, ///< a message of too many frames came to its end
} native_assembled;

/// `pool`: where its memory comes from, and its messages'.
native_assembly *native_assembly_create(transport_pool *pool);
void native_assembly_destroy(native_assembly *);
/// Forgets everything; keeps a little memory for the next message.
void native_assembly_reset(native_assembly *);
/// True between messages: nothing is kept here.
static inline bool native_assembly_is_empty(const native_assembly *self)
{
    return self->part_count == 0 && self->head_size == 0 && !self->in_body && !self->dropping;
}
/// Takes bytes up to the end of one frame. `mechanism`: opens each frame, or NULL.
native_read native_assembly_feed(native_assembly *, native_mechanism *mechanism,
                                 const native_sizes *, native_bytes in, native_assembled *what,
                                 native_bytes *command);
/// Where the bytes go that the frame in progress lacks, or some of them; nowhere when they are few
/// or the frame is not large. Valid until bytes are fed.
reactor_room native_assembly_room(native_assembly *);
/// The finished message; the assembly is empty again. NULL: out of memory.
native_block *native_assembly_build(native_assembly *);
