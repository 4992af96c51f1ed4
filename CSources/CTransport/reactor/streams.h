/// streams.h: connected sockets on a reactor: accepting, receiving, sending. Called by native/;
/// epoll_streams.c and uring_streams.c are two bodies of one shape.
///
/// Everything that happens is told to one sink, from within `reactor_ops.wait` only. Bytes are lent
/// for the call: the sink parses or copies them. What it would copy anyway, the rest of a large
/// frame, it gives room for: then it is received there.
///
/// Invariant: from `open` to its end an fd belongs to the reactor, which closes it once the kernel
/// holds nothing of it any more. Until `close` returned true, or `closed` was called, whatever a
/// send was told about, and the room that was given, must stay where it is.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "reactor.h"

/// What is allowed before the first `allow`, and the most that is of use.
#define REACTOR_ALLOWED_FIRST (128u << 10)
#define REACTOR_ALLOWED_MAX   (4u << 20)
/// Connections accepted from one listener in one wait.
#define REACTOR_ACCEPTS_MAX 256
/// What the smallest buffer of a reactor takes: larger frames may never come in one piece.
#define REACTOR_BUFFER_SIZE_MIN (16u << 10)
/// Of one stream, straight into its room, in one wait.
#define REACTOR_ROOM_MAX (1u << 20)

/// Where what a stream brings next may be received to. No size: nowhere. No data: nowhere, but so
/// much is missing of a frame that is copied, once if one receive brings it, else twice.
typedef struct reactor_room {
    uint8_t *data;
    size_t size;
} reactor_room;

typedef struct reactor_sink {
    void *context;
    /// A connected fd, the sink's, or -errno; after EMFILE, ENFILE, ENOBUFS and ENOMEM accepting
    /// rests until `accept_again`.
    void (*accepted)(void *context, uint64_t tag, int32_t result);
    /// `size` > 0: that many bytes; 0: the peer closed; < 0: -errno. Nothing follows the last two.
    /// The bytes may lie where the last call gave room.
    reactor_room (*received)(void *context, uint64_t tag, const uint8_t *data, int32_t size);
    /// The end of a send: bytes written, or -errno; 0: it can be tried again.
    void (*sent)(void *context, uint64_t tag, int32_t result);
    /// The end of a `close` that returned false.
    void (*closed)(void *context, uint64_t tag);
} reactor_sink;

struct reactor_stream_ops {
    /// Once, before the others; `sink` stays the caller's. 0 or -errno.
    int (*start)(reactor *, const reactor_sink *sink);
    int (*listen)(reactor *, int fd, uint64_t tag);
    void (*accept_again)(reactor *, int fd);
    /// Stops accepting and closes the listener.
    void (*unlisten)(reactor *, int fd);
    /// Receives from now on. 0 or -errno (the fd is still the caller's).
    int (*open)(reactor *, int fd, uint64_t tag);
    /// Stops or resumes receiving (a listener: accepting). A little may still come.
    void (*pause)(reactor *, int fd, bool paused);
    /// One send at a time. Bytes written now, -errno, or -EINPROGRESS: `sent` will be called, and
    /// until then `header` and what it names stay in place. -EBUSY: try again after the next wait.
    int32_t (*send)(reactor *, int fd, const struct msghdr *header);
    /// True: closed. False: `closed` will be called; nothing else will.
    bool (*close)(reactor *, int fd);
    /// What all streams together bring in one wait, about, from now on. 0: the gate is shut, and
    /// nothing is received on any stream (the caller has its hands full).
    void (*allow)(reactor *, uint32_t bytes);
};
