/// reactor.h: sleep until a file descriptor wakes, or until a deadline. Called by transport.c and
/// by the transport bodies; uring.c and epoll.c are two bodies of one shape.
///
/// Invariant (both bodies, hence edge-triggered): a watch fires after each change that makes its fd
/// ready, and once after `reactor_watch` if it was ready already. It may fire more often. Whoever
/// watches reads until EAGAIN before relying on the next firing.
///
/// Single owner thread: the one that first waits. Opening and watching may happen on another one
/// before that. A watch ends with `reactor_unwatch`, always before its fd is closed.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct reactor reactor;

#define REACTOR_READ  1u
#define REACTOR_WRITE 2u
/// Fired tags that one wait returns at most; the rest comes with the next wait, which is immediate.
#define REACTOR_FIRED_MAX 256

typedef enum reactor_kind { REACTOR_AUTO = 0, REACTOR_URING = 1, REACTOR_EPOLL = 2 } reactor_kind;

/// Connected sockets: streams.h.
typedef struct reactor_stream_ops reactor_stream_ops;

typedef struct reactor_ops {
    const char *name;
    const reactor_stream_ops *streams;
    /// Both return 0 or -errno. `fd` is watched once at most; `tag`, below
    /// 2^62 or among the transport's own, comes back when it fires.
    int (*watch)(reactor *, int fd, uint32_t interest, uint64_t tag);
    int (*unwatch)(reactor *, int fd);
    /// Waits until something fires or `deadline_ns` (CLOCK_MONOTONIC; 0: do not wait; UINT64_MAX:
    /// no deadline). The number of fired tags, 0 at the deadline or after a signal, or -errno.
    int32_t (*wait)(reactor *, uint64_t deadline_ns, uint64_t fired[REACTOR_FIRED_MAX]);
    void (*destroy)(reactor *);
} reactor_ops;

/// The head of both bodies.
struct reactor {
    const reactor_ops *ops;
};

/// Opens the wanted kind. NULL when it cannot, with the reason in `note`. With AUTO the reason why
/// io_uring was not taken is left in `note` (empty when it was).
/// `streams`: they will be used (with io_uring that takes a newer kernel).
reactor *reactor_open(reactor_kind, bool streams, char *note, size_t note_size);

/// The bodies' own openers: 0 or -errno.
int uring_open(reactor **out, bool streams);
int epoll_open(reactor **out);

#ifdef __cplusplus
}
#endif
