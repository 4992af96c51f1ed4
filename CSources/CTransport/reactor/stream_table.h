/// stream_table.h: which streams a reactor has, by fd, and which of them are to be looked at.
/// Called by epoll_streams.c and uring_*.c.
///
///     by_fd[fd]   the stream          list[0..listed_count)   fds, each once
///
/// Invariant: between calls of the reactor an fd is in `list` exactly while its stream says
/// `listed`. While the list is served its first fds do not say so, and may stand in it again,
/// behind.
#pragma once
#include <errno.h>

#include "streams.h"

typedef struct reactor_stream {
    uint64_t tag;
    reactor_room room; ///< for what comes next
    uint32_t serial;   ///< of the present stream on this fd
    bool open, listens;
    bool listed;
    bool paused;
    bool resting; ///< a listener without descriptors to give
    bool ended;   ///< its last bytes were told
    // epoll
    bool wants_out; ///< waits to be writable
    bool hung_up;   ///< its end is there, behind what was not read
    // io_uring: what the kernel has of it
    bool armed, sending, cancelling;
    uint8_t single_left; ///< receives to be armed one by one: it gave room lately
    bool closing;        ///< waits for the kernel
} reactor_stream;

typedef struct stream_table {
    reactor_stream *by_fd;
    int *list;
    uint32_t capacity; ///< of by_fd
    uint32_t listed_count;
} stream_table;

/// A new stream on `fd`, not listed by this. 0 or -ENOMEM.
int stream_table_add(stream_table *, int fd, uint64_t tag, bool listens);
void stream_table_free(stream_table *);
/// The first `count`, whose streams do not say `listed` any more, leave the list.
void stream_table_drop(stream_table *, uint32_t count);

/// Whether `fd` is still the stream that it was when its serial was this.
static inline bool stream_table_is_alive(const stream_table *self, int fd, uint32_t serial)
{
    return self->by_fd[fd].open && self->by_fd[fd].serial == serial;
}

static inline void stream_table_list(stream_table *self, int fd)
{
    if (self->by_fd[fd].listed)
        return;
    self->by_fd[fd].listed = true;
    self->list[self->listed_count++] = fd;
}

/// After these no connection can be accepted for a while.
static inline bool reactor_accept_rests(int32_t result)
{
    return result == -EMFILE || result == -ENFILE || result == -ENOBUFS || result == -ENOMEM;
}
