/// epoll_streams.c: streams.h on epoll, edge-triggered. Called by epoll.c's wait and by native/.
///
/// Invariant: a stream is listed (ready) whenever it may have bytes (or connections) that were not
/// asked for; it leaves when the kernel said EAGAIN, or gave less than it was asked for.
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "epoll_internal.h"
#include "stream_table.h"

/// Shared by all streams, and small enough to stay in the cache. No stream brings more in one wait,
/// but into room of its own.
#define RECEIVE_BUFFER_SIZE (128u << 10)

struct epoll_streams {
    const reactor_sink *sink;
    stream_table table;  ///< listed: ready
    uint32_t idle_count; ///< of these, paused or resting
    uint64_t received;   ///< bytes, in this wait
    uint32_t allowed;    ///< bytes, in one wait; 0: the gate is shut
    uint8_t buffer[RECEIVE_BUFFER_SIZE];
};

static epoll_streams *streams_of(reactor *base)
{
    return ((epoll_reactor *)base)->streams;
}

static int start(reactor *base, const reactor_sink *sink)
{
    epoll_reactor *self = (epoll_reactor *)base;
    self->streams = calloc(1, sizeof *self->streams);
    if (!self->streams)
        return -ENOMEM;
    self->streams->sink = sink;
    self->streams->allowed = REACTOR_ALLOWED_FIRST;
    return 0;
}

static int add(reactor *base, int fd, uint64_t tag, bool listens)
{
    epoll_reactor *self = (epoll_reactor *)base;
    struct epoll_event event = {.data.u64 = EPOLL_STREAM_TAG | (uint32_t)fd,
                                .events = EPOLLET | EPOLLIN | EPOLLRDHUP};
    int rc = stream_table_add(&self->streams->table, fd, tag, listens);
    if (rc == 0 && epoll_ctl(self->fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        rc = -errno;
        self->streams->table.by_fd[fd].open = false;
    }
    return rc;
}

static int listen_on(reactor *base, int fd, uint64_t tag)
{
    return add(base, fd, tag, true);
}

static int open_stream(reactor *base, int fd, uint64_t tag)
{
    return add(base, fd, tag, false);
}

static void accept_again(reactor *base, int fd)
{
    epoll_streams *self = streams_of(base);
    self->table.by_fd[fd].resting = false;
    self->idle_count = 0;
    stream_table_list(&self->table, fd);
}

static bool close_stream(reactor *base, int fd)
{
    // The kernel takes it out of the set: nobody else has this descriptor.
    streams_of(base)->table.by_fd[fd].open = false;
    close(fd);
    return true;
}

static void unlisten(reactor *base, int fd)
{
    close_stream(base, fd);
}

static void pause_stream(reactor *base, int fd, bool paused)
{
    epoll_streams *self = streams_of(base);
    self->table.by_fd[fd].paused = paused;
    self->idle_count = 0;
    if (!paused && !self->table.by_fd[fd].ended)
        stream_table_list(&self->table, fd); // what came meanwhile gives no new edge
}

static void want_out(epoll_reactor *self, int fd, bool wanted)
{
    reactor_stream *stream = &self->streams->table.by_fd[fd];
    if (stream->wants_out == wanted)
        return;
    // Only while it is full: every read of a unix socket's peer would wake us otherwise.
    struct epoll_event event = {.data.u64 = EPOLL_STREAM_TAG | (uint32_t)fd,
                                .events =
                                    EPOLLET | EPOLLIN | EPOLLRDHUP | (wanted ? EPOLLOUT : 0u)};
    stream->wants_out = epoll_ctl(self->fd, EPOLL_CTL_MOD, fd, &event) == 0 && wanted;
}

static int32_t send_stream(reactor *base, int fd, const struct msghdr *header)
{
    ssize_t sent = sendmsg(fd, header, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0)
        return (int32_t)sent;
    if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS)
        return -errno;
    want_out((epoll_reactor *)base, fd, true);
    return -EINPROGRESS;
}

static void allow(reactor *base, uint32_t bytes)
{
    streams_of(base)->allowed = bytes;
}

void epoll_streams_note(epoll_reactor *self, int fd, uint32_t events)
{
    epoll_streams *streams = self->streams;
    reactor_stream *stream = &streams->table.by_fd[fd];
    if (!stream->open)
        return;
    stream->hung_up |= (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    if (events & ~(uint32_t)EPOLLOUT && !stream->ended)
        stream_table_list(&streams->table, fd);
    if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP) && stream->wants_out) {
        want_out(self, fd, false);
        streams->sink->sent(streams->sink->context, stream->tag, 0);
    }
}

bool epoll_streams_ready(const epoll_reactor *self)
{
    const epoll_streams *streams = self->streams;
    return streams && streams->table.listed_count > streams->idle_count && streams->allowed > 0;
}

/// True when more may be there.
static bool accept_some(epoll_streams *self, int fd)
{
    uint64_t tag = self->table.by_fd[fd].tag;
    for (int i = 0; i < REACTOR_ACCEPTS_MAX; i++) {
        int peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (peer < 0 && errno == EAGAIN)
            return false;
        int32_t result = peer >= 0 ? peer : -errno;
        bool rests = reactor_accept_rests(result);
        if (result == -EINTR || result == -ECONNABORTED)
            continue;
        self->table.by_fd[fd].resting = rests;
        self->sink->accepted(self->sink->context, tag, result);
        if (rests || self->table.by_fd[fd].paused)
            return true;
    }
    return true;
}

/// True when more may be there.
static bool receive_some(epoll_streams *self, int fd)
{
    uint32_t serial = self->table.by_fd[fd].serial;
    reactor_room into = self->table.by_fd[fd].room;
    if (!into.data)
        into = (reactor_room){self->buffer, sizeof self->buffer};
    else if (into.size > REACTOR_ROOM_MAX)
        into.size = REACTOR_ROOM_MAX;
    ssize_t size;
    do
        size = recv(fd, into.data, into.size, 0);
    while (size < 0 && errno == EINTR);
    if (size < 0 && errno == EAGAIN)
        return false;
    self->table.by_fd[fd].ended = size <= 0;
    int32_t result = size >= 0 ? (int32_t)size : -errno;
    reactor_room room =
        self->sink->received(self->sink->context, self->table.by_fd[fd].tag, into.data, result);
    if (size <= 0 || !stream_table_is_alive(&self->table, fd, serial))
        return false;
    self->table.by_fd[fd].room = room;
    self->received += (uint64_t)size;
    // A stream that gave less than it was asked for is empty. Its end makes a new edge, unless it
    // came with these bytes.
    return (size_t)size == into.size || self->table.by_fd[fd].hung_up;
}

/// True when it is to be looked at again.
static bool serve_one(epoll_streams *self, int fd)
{
    reactor_stream *stream = &self->table.by_fd[fd];
    if (!stream->open || stream->ended)
        return false;
    bool idle = stream->paused || stream->resting, more = true;
    if (!idle && (stream->listens || self->allowed > 0))
        more = stream->listens ? accept_some(self, fd) : receive_some(self, fd);
    stream = &self->table.by_fd[fd]; // accepting may have moved the table
    self->idle_count += more && (stream->paused || stream->resting);
    return more;
}

void epoll_streams_serve(epoll_reactor *base)
{
    epoll_streams *self = base->streams;
    stream_table *table = &self->table;
    uint32_t count = table->listed_count, served = 0, allowed = self->allowed;
    self->idle_count = 0;
    self->received = 0;
    for (; served < count && (self->received < allowed || allowed == 0); served++) {
        int fd = table->list[served];
        table->by_fd[fd].listed = false;
        if (serve_one(self, fd))
            stream_table_list(table, fd); // behind those that were not served
    }
    stream_table_drop(table, served);
}

void epoll_streams_destroy(epoll_reactor *base)
{
    if (!base->streams)
        return;
    stream_table_free(&base->streams->table);
    free(base->streams);
}

const reactor_stream_ops EPOLL_STREAM_OPS = {
    .start = start,
    .listen = listen_on,
    .accept_again = accept_again,
    .unlisten = unlisten,
    .open = open_stream,
    .pause = pause_stream,
    .send = send_stream,
    .close = close_stream,
    .allow = allow,
};
