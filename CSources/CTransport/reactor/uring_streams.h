/// uring_streams.h: what uring_streams.c and uring_buffers.c share.
#pragma once
#include "uring_internal.h"

#define URING_BUFFER_GROUP 1

typedef struct uring_stream {
    uint64_t tag;
    uint32_t serial; ///< of the present stream on this fd
    bool open, listens;
    bool closing; ///< waits for the kernel
    bool paused, resting;
    bool ended;  ///< its last bytes were told
    bool listed; ///< in `unarmed`
    bool armed, sending, cancelling;
} uring_stream;

typedef struct kept_receive {
    int fd;
    uint32_t serial;
    int32_t result;
    uint32_t flags;
} kept_receive;

struct uring_streams {
    const reactor_sink *sink;
    uring_stream *by_fd;
    int *unarmed;
    uint32_t capacity; ///< of both
    uint32_t unarmed_count;
    kept_receive *kept; ///< received while the gate was shut
    uint32_t kept_count, kept_capacity;
    bool shut;
    struct io_uring_buf_ring *ring;
    uint8_t *buffers;
    uint32_t returned; ///< buffers put into the ring and not yet shown to the kernel
};

/// Gives the kernel its buffers. 0 or -errno.
int uring_buffers_open(uring_reactor *);
void uring_buffers_close(uring_streams *);
/// Tells the sink what a receive brought and takes the buffer back.
void uring_buffers_tell(uring_streams *, int fd, int32_t result, uint32_t flags);
/// Keeps it for later, buffer and all. False: out of memory.
bool uring_buffers_keep(uring_streams *, int fd, int32_t result, uint32_t flags);
