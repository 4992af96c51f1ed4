/// uring_streams.c: streams.h on io_uring: multishot accept and receive into a ring of provided
/// buffers (uring_buffers.c); sends queued here and submitted by the next wait, all in one call.
/// Called by uring.c's wait and by native/.
///
///     a stream's requests in the kernel:   armed (accept or receive)   sending   cancelling
///
/// Invariant: an fd is closed only when none of the three is set: then the kernel neither reads
/// from our memory nor holds the file.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../transport_internal.h"
#include "uring_streams.h"

/// How long the end waits for the kernel to let go.
#define DRAIN_NS_MAX 1000000000ull

typedef enum stream_operation {
    OPERATION_ACCEPT = 1,
    OPERATION_RECEIVE = 2,
    OPERATION_SEND = 3,
    OPERATION_CANCEL = 4,
} stream_operation;

static uring_streams *streams_of(reactor *base)
{
    return ((uring_reactor *)base)->streams;
}

static uint64_t user_data_of(stream_operation operation, int fd)
{
    return URING_KIND_STREAM << URING_KIND_SHIFT | (uint64_t)operation << 32 | (uint32_t)fd;
}

static int start(reactor *base, const reactor_sink *sink)
{
    uring_reactor *self = (uring_reactor *)base;
    self->streams = calloc(1, sizeof *self->streams);
    if (!self->streams)
        return -ENOMEM;
    self->streams->sink = sink;
    return uring_buffers_open(self);
}

static int grow(uring_streams *self, int fd)
{
    if ((uint32_t)fd < self->capacity)
        return 0;
    uint32_t capacity = self->capacity ? self->capacity : 64;
    while (capacity <= (uint32_t)fd)
        capacity *= 2;
    uring_stream *by_fd = realloc(self->by_fd, capacity * sizeof *by_fd);
    if (!by_fd)
        return -ENOMEM;
    self->by_fd = by_fd;
    int *unarmed = realloc(self->unarmed, capacity * sizeof *unarmed);
    if (!unarmed)
        return -ENOMEM;
    self->unarmed = unarmed;
    memset(by_fd + self->capacity, 0, (capacity - self->capacity) * sizeof *by_fd);
    self->capacity = capacity;
    return 0;
}

static void list(uring_streams *self, int fd)
{
    if (self->by_fd[fd].listed)
        return;
    self->by_fd[fd].listed = true;
    self->unarmed[self->unarmed_count++] = fd;
}

static int add(reactor *base, int fd, uint64_t tag, bool listens)
{
    uring_streams *self = streams_of(base);
    int rc = grow(self, fd);
    if (rc != 0)
        return rc;
    // The kernel answers -EAGAIN at once on descriptors that say O_NONBLOCK.
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || (flags & O_NONBLOCK && fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) != 0))
        return -errno;
    uring_stream *stream = &self->by_fd[fd];
    *stream = (uring_stream){.tag = tag,
                             .serial = stream->serial + 1,
                             .open = true,
                             .listens = listens,
                             .listed = stream->listed};
    list(self, fd);
    return 0;
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
    uring_streams *self = streams_of(base);
    self->by_fd[fd].resting = false;
    list(self, fd);
}

/// True when the kernel has let go; then the fd is closed.
static bool finish(uring_streams *self, int fd)
{
    uring_stream *stream = &self->by_fd[fd];
    if (stream->armed || stream->sending || stream->cancelling)
        return false;
    stream->closing = false;
    close(fd);
    return true;
}

static bool close_stream(reactor *base, int fd)
{
    uring_streams *self = streams_of(base);
    uring_stream *stream = &self->by_fd[fd];
    stream->open = false;
    stream->closing = true;
    if (finish(self, fd))
        return true;
    struct io_uring_sqe *sqe = uring_next_sqe((uring_reactor *)base);
    if (sqe) {
        io_uring_prep_cancel_fd(sqe, fd, IORING_ASYNC_CANCEL_ALL);
        io_uring_sqe_set_data64(sqe, user_data_of(OPERATION_CANCEL, fd));
        stream->cancelling = true;
    } else {
        shutdown(fd, SHUT_RDWR); // ends what is in the kernel, too
    }
    return false;
}

static void unlisten(reactor *base, int fd)
{
    close_stream(base, fd);
}

static void pause_stream(reactor *base, int fd, bool paused)
{
    uring_streams *self = streams_of(base);
    uring_stream *stream = &self->by_fd[fd];
    stream->paused = paused;
    if (!paused) {
        list(self, fd);
        return;
    }
    struct io_uring_sqe *sqe = stream->armed ? uring_next_sqe((uring_reactor *)base) : NULL;
    if (!sqe)
        return;
    io_uring_prep_cancel64(sqe, user_data_of(OPERATION_RECEIVE, fd), 0);
    io_uring_sqe_set_data64(sqe, URING_IGNORED);
}

static int32_t send_stream(reactor *base, int fd, const struct msghdr *header)
{
    uring_streams *self = streams_of(base);
    struct io_uring_sqe *sqe = uring_next_sqe((uring_reactor *)base);
    if (!sqe)
        return -EBUSY;
    if (header->msg_iovlen == 1)
        io_uring_prep_send(sqe, fd, header->msg_iov->iov_base, header->msg_iov->iov_len,
                           MSG_NOSIGNAL);
    else
        io_uring_prep_sendmsg(sqe, fd, header, MSG_NOSIGNAL);
    io_uring_sqe_set_data64(sqe, user_data_of(OPERATION_SEND, fd));
    self->by_fd[fd].sending = true;
    return -EINPROGRESS;
}

static void gate(reactor *base, bool shut)
{
    streams_of(base)->shut = shut;
}

static bool arm_one(uring_reactor *base, int fd)
{
    uring_stream *stream = &base->streams->by_fd[fd];
    if (!stream->open || stream->armed || stream->ended || stream->paused || stream->resting)
        return true;
    struct io_uring_sqe *sqe = uring_next_sqe(base);
    if (!sqe)
        return false;
    if (stream->listens) {
        io_uring_prep_multishot_accept(sqe, fd, NULL, NULL, SOCK_CLOEXEC);
        io_uring_sqe_set_data64(sqe, user_data_of(OPERATION_ACCEPT, fd));
    } else {
        io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
        sqe->flags |= IOSQE_BUFFER_SELECT;
        sqe->buf_group = URING_BUFFER_GROUP;
        io_uring_sqe_set_data64(sqe, user_data_of(OPERATION_RECEIVE, fd));
    }
    stream->armed = true;
    return true;
}

void uring_streams_arm(uring_reactor *base)
{
    uring_streams *self = base->streams;
    // With the gate shut the buffers may all be in `kept`: arming would only bring -ENOBUFS again.
    if (!self || (self->shut && self->kept_count > 0))
        return;
    while (self->unarmed_count > 0) {
        int fd = self->unarmed[self->unarmed_count - 1];
        if (!arm_one(base, fd))
            return;
        self->by_fd[fd].listed = false;
        self->unarmed_count--;
    }
}

static void complete_receive(uring_streams *self, int fd, int32_t result, uint32_t flags)
{
    uring_stream *stream = &self->by_fd[fd];
    if (!(flags & IORING_CQE_F_MORE)) {
        stream->armed = false;
        if (stream->open)
            list(self, fd);
    }
    // No buffers left, or cancelled to pause, or just not yet: armed again when it may be.
    if (result == -ENOBUFS || result == -ECANCELED || result == -EINTR || result == -EAGAIN)
        return;
    if ((self->shut || self->kept_count > 0) && stream->open &&
        uring_buffers_keep(self, fd, result, flags))
        return;
    uring_buffers_tell(self, fd, result, flags);
}

static void complete_accept(uring_streams *self, int fd, int32_t result, uint32_t flags)
{
    uring_stream *stream = &self->by_fd[fd];
    bool rests = result == -EMFILE || result == -ENFILE || result == -ENOBUFS || result == -ENOMEM;
    if (!(flags & IORING_CQE_F_MORE)) {
        stream->armed = false;
        stream->resting = rests;
        if (stream->open && !rests)
            list(self, fd);
    }
    if (!stream->open) {
        if (result >= 0)
            close(result);
        return;
    }
    bool passes =
        result == -ECANCELED || result == -EINTR || result == -EAGAIN || result == -ECONNABORTED;
    if (!passes)
        self->sink->accepted(self->sink->context, stream->tag, result);
}

static void complete_send(uring_streams *self, int fd, int32_t result)
{
    uring_stream *stream = &self->by_fd[fd];
    stream->sending = false;
    if (result == -EINTR || result == -EAGAIN || result == -ENOBUFS)
        result = 0;
    if (stream->open)
        self->sink->sent(self->sink->context, stream->tag, result);
}

void uring_streams_complete(uring_reactor *base, uint64_t user_data, int32_t result, uint32_t flags)
{
    uring_streams *self = base->streams;
    int fd = (int)(uint32_t)user_data;
    switch ((stream_operation)(user_data >> 32 & 0xff)) {
    case OPERATION_ACCEPT:
        complete_accept(self, fd, result, flags);
        break;
    case OPERATION_RECEIVE:
        complete_receive(self, fd, result, flags);
        break;
    case OPERATION_SEND:
        complete_send(self, fd, result);
        break;
    case OPERATION_CANCEL:
        self->by_fd[fd].cancelling = false;
        break;
    }
    uring_stream *stream = &self->by_fd[fd];
    if (!stream->closing)
        return;
    bool listens = stream->listens;
    uint64_t tag = stream->tag;
    if (finish(self, fd) && !listens)
        self->sink->closed(self->sink->context, tag);
}

static bool is_in_kernel(const uring_streams *self)
{
    for (uint32_t fd = 0; fd < self->capacity; fd++) {
        if (self->by_fd[fd].closing)
            return true;
    }
    return false;
}

void uring_streams_destroy(uring_reactor *base)
{
    uring_streams *self = base->streams;
    uint64_t fired[REACTOR_FIRED_MAX];
    if (!self)
        return;
    // An address stays bound while an accept on it is in the kernel.
    uint64_t end_ns = transport_now_ns() + DRAIN_NS_MAX;
    while (is_in_kernel(self) && transport_now_ns() < end_ns) {
        if (base->head.ops->wait(&base->head, end_ns, fired) < 0)
            break;
    }
    // The ring belongs to a thread that is gone, or the kernel is slow: the ring's end frees them.
    for (uint32_t fd = 0; fd < self->capacity; fd++) {
        if (self->by_fd[fd].closing)
            close((int)fd);
    }
    uring_buffers_close(self);
    free(self->by_fd);
    free(self->unarmed);
    free(self);
    base->streams = NULL;
}

const reactor_stream_ops URING_STREAM_OPS = {
    .start = start,
    .listen = listen_on,
    .accept_again = accept_again,
    .unlisten = unlisten,
    .open = open_stream,
    .pause = pause_stream,
    .send = send_stream,
    .close = close_stream,
    .gate = gate,
};
