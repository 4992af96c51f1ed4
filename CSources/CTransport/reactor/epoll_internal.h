/// epoll_internal.h: what epoll.c and epoll_streams.c share.
#pragma once
#include <sys/epoll.h>

#include "streams.h"

/// The data of a stream's or listener's events: this and the fd. Watches' tags have another top.
#define EPOLL_STREAM_TAG  (1ull << 62)
#define EPOLL_STREAM_MASK (3ull << 62)

typedef struct epoll_streams epoll_streams;

typedef struct epoll_reactor {
    reactor head;
    int fd;
    int timer_fd;           ///< -1 until epoll_pwait2 was refused
    epoll_streams *streams; ///< NULL until `start`
} epoll_reactor;

extern const reactor_stream_ops EPOLL_STREAM_OPS;

/// An event of a stream.
void epoll_streams_note(epoll_reactor *, int fd, uint32_t events);
/// Whether something is to be read without asking the kernel what.
bool epoll_streams_ready(const epoll_reactor *);
/// Accepts and receives; calls the sink.
void epoll_streams_serve(epoll_reactor *);
void epoll_streams_destroy(epoll_reactor *);
