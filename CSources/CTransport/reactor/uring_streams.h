/// uring_streams.h: what uring_streams.c, uring_completions.c and uring_buffers.c share.
#pragma once
#include "stream_table.h"
#include "uring_internal.h"

#define URING_BUFFER_COUNT 256u

typedef enum uring_buffer_group {
    URING_GROUP_SMALL, ///< URING_BUFFER_COUNT of 16 KiB
    URING_GROUP_LARGE, ///< a few that take most messages whole: for streams of large frames
    URING_GROUPS,
} uring_buffer_group;

/// Buffers of one size, and the ring by which the kernel has them.
typedef struct uring_buffers {
    struct io_uring_buf_ring *ring;
    uint8_t *memory;
    uint32_t returned; ///< put into the ring and not yet shown to the kernel
} uring_buffers;

typedef enum uring_operation {
    URING_OPERATION_ACCEPT = 1,
    URING_OPERATION_RECEIVE = 2,
    URING_OPERATION_SEND = 3,
    URING_OPERATION_CANCEL = 4,
} uring_operation;

typedef struct kept_receive {
    int fd;
    uint32_t serial;
    int32_t result;
    uint32_t flags;
} kept_receive;

struct uring_streams {
    const reactor_sink *sink;
    stream_table table; ///< listed: unarmed
    kept_receive *kept; ///< received while the gate was shut
    uint32_t kept_count, kept_capacity;
    bool shut;        ///< the gate
    uint32_t allowed; ///< bytes in one wait
    uring_buffers groups[URING_GROUPS];
    uint16_t spare[URING_BUFFER_COUNT]; ///< small buffers that the kernel does not have to fill
    uint32_t spare_count;
    uint32_t mean_bytes; ///< of a receive into a small one, lately
    bool ran_dry;        ///< since buffers were last returned
};

/// Gives the kernel its buffers. 0 or -errno.
int uring_buffers_open(uring_reactor *);
void uring_buffers_close(uring_streams *);
/// Tells the sink what a receive brought, in a buffer or in the stream's room, and takes the buffer
/// back.
void uring_buffers_tell(uring_reactor *, int fd, int32_t result, uint32_t flags);
/// Keeps it for later, buffer and all. False: out of memory.
bool uring_buffers_keep(uring_streams *, int fd, int32_t result, uint32_t flags);

/// uring_streams.c: keeps the room that the sink gave for what comes next.
void uring_stream_give_room(uring_reactor *, int fd, reactor_room room, bool in_buffer);

/// uring_completions.c: true when the kernel has let go of a closing stream; then its fd is closed.
bool uring_stream_finish(uring_streams *, int fd);
