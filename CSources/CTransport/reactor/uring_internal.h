/// uring_internal.h: what uring.c and uring_streams.c share.
///
///     user_data    | kind: 2 | a poll's generation: 30, or a stream's operation: 30 | fd: 32 |
#pragma once
#include <liburing.h>

#include "streams.h"

#define URING_KIND_SHIFT  62
#define URING_KIND_POLL   0ull
#define URING_KIND_STREAM 1ull
/// The user_data of requests whose end nobody waits for.
#define URING_IGNORED UINT64_MAX

typedef struct uring_watch {
    uint64_t tag;
    uint32_t generation;
    uint16_t interest; ///< 0: not watched
    bool listed;       ///< in `unarmed`
} uring_watch;

typedef struct uring_streams uring_streams;

typedef struct uring_reactor {
    reactor head;
    struct io_uring ring;
    bool disabled;        ///< enabled, and bound to its thread, by the first wait
    uring_watch *watches; ///< by fd
    int *unarmed;         ///< fds whose poll the kernel does not have
    uint32_t watch_capacity;
    uint32_t unarmed_count;
    uring_streams *streams; ///< NULL until `start`
} uring_reactor;

extern const reactor_stream_ops URING_STREAM_OPS;

/// A free submission entry, or NULL: even submitting what is there gave none.
struct io_uring_sqe *uring_next_sqe(uring_reactor *);

/// Arms what is to be received and accepted; before each wait. True: not all of it, for what one
/// wait may bring is spent; the others come with the next, so this one must not sleep.
bool uring_streams_arm(uring_reactor *);
/// True when received bytes wait for the gate to open, and it is open.
bool uring_streams_ready(const uring_reactor *);
/// What was kept while the gate was shut. True when there was some.
bool uring_streams_serve(uring_reactor *);
/// A completion of a stream.
void uring_streams_complete(uring_reactor *, uint64_t user_data, int32_t result, uint32_t flags);
/// After the last of a batch: gives the buffers back to the kernel.
void uring_streams_return_buffers(uring_reactor *);
void uring_streams_destroy(uring_reactor *);
