/// uring_streams.c: streams.h on io_uring: multishot accept and receive into a ring of provided
/// buffers (uring_buffers.c); what comes of them is in uring_completions.c. Called by uring.c's
/// wait and by native/.
///
/// A stream that brings large frames receives them straight into the room that the sink gives, a
/// receive at a time; what comes between, and frames that no small buffer takes whole, goes into
/// one large buffer at a time: what a multishot takes ahead would be copied twice.
///
/// Sends are queued here and submitted by the next wait, all in one call. A sendmsg of each at once
/// was measured and costs the scheduler 15 to 20 % more a task (perf/one.py uring, 64 and 1,024 in
/// flight): the calls weigh more than the completions.
///
///     a stream's requests in the kernel:   armed (accept or receive)   sending   cancelling
///
/// Invariant: an fd is closed only when none of the three is set: then the kernel neither reads
/// from our memory nor holds the file.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "../transport_internal.h"
#include "uring_streams.h"

/// Receives without room after which a stream has multishot receives again.
#define SINGLE_RECEIVES 16u
/// How long the end waits for the kernel to let go.
#define DRAIN_NS_MAX 1000000000ull

static uring_streams *streams_of(reactor *base)
{
    return ((uring_reactor *)base)->streams;
}

static uint64_t user_data_of(uring_operation operation, int fd)
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

static int add(reactor *base, int fd, uint64_t tag, bool listens)
{
    uring_streams *self = streams_of(base);
    // The kernel answers -EAGAIN at once on descriptors that say O_NONBLOCK.
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || (flags & O_NONBLOCK && fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) != 0))
        return -errno;
    int rc = stream_table_add(&self->table, fd, tag, listens);
    if (rc == 0)
        stream_table_list(&self->table, fd);
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
    uring_streams *self = streams_of(base);
    self->table.by_fd[fd].resting = false;
    stream_table_list(&self->table, fd);
}

static bool close_stream(reactor *base, int fd)
{
    uring_streams *self = streams_of(base);
    reactor_stream *stream = &self->table.by_fd[fd];
    stream->open = false;
    stream->closing = true;
    if (uring_stream_finish(self, fd))
        return true;
    struct io_uring_sqe *sqe = uring_next_sqe((uring_reactor *)base);
    if (sqe) {
        io_uring_prep_cancel_fd(sqe, fd, IORING_ASYNC_CANCEL_ALL);
        io_uring_sqe_set_data64(sqe, user_data_of(URING_OPERATION_CANCEL, fd));
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

/// Ends what is armed, if there is; without an entry to say so it goes on.
static void disarm(uring_reactor *base, int fd)
{
    const reactor_stream *stream = &base->streams->table.by_fd[fd];
    struct io_uring_sqe *sqe = stream->armed ? uring_next_sqe(base) : NULL;
    if (!sqe)
        return;
    uring_operation armed = stream->listens ? URING_OPERATION_ACCEPT : URING_OPERATION_RECEIVE;
    io_uring_prep_cancel64(sqe, user_data_of(armed, fd), 0);
    io_uring_sqe_set_data64(sqe, URING_IGNORED);
}

static void pause_stream(reactor *base, int fd, bool paused)
{
    uring_streams *self = streams_of(base);
    self->table.by_fd[fd].paused = paused;
    if (paused)
        disarm((uring_reactor *)base, fd);
    else
        stream_table_list(&self->table, fd);
}

void uring_stream_give_room(uring_reactor *base, int fd, reactor_room room, bool in_buffer)
{
    reactor_stream *stream = &base->streams->table.by_fd[fd];
    stream->room = room;
    if (room.size > 0) {
        if (stream->single_left == 0)
            disarm(base, fd); // a multishot
        stream->single_left = SINGLE_RECEIVES;
    } else if (in_buffer && stream->single_left > 0) {
        stream->single_left--;
    }
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
    io_uring_sqe_set_data64(sqe, user_data_of(URING_OPERATION_SEND, fd));
    self->table.by_fd[fd].sending = true;
    return -EINPROGRESS;
}

static void allow(reactor *base, uint32_t bytes)
{
    uring_streams *self = streams_of(base);
    self->shut = bytes == 0;
    if (bytes > 0)
        self->allowed = bytes;
}

/// Takes from `allowed` what it receives straight into room.
static void prepare_receive(uring_streams *self, struct io_uring_sqe *sqe, int fd, size_t *allowed)
{
    const reactor_stream *stream = &self->table.by_fd[fd];
    // What is kept comes first, and says anew where the rest goes.
    if (stream->room.data && self->kept_count == 0) {
        size_t size = stream->room.size < *allowed ? stream->room.size : *allowed;
        if (size > REACTOR_ROOM_MAX)
            size = REACTOR_ROOM_MAX;
        *allowed -= size;
        io_uring_prep_recv(sqe, fd, stream->room.data, size, 0);
    } else {
        bool single = stream->single_left > 0;
        if (single)
            io_uring_prep_recv(sqe, fd, NULL, 0, 0);
        else
            io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
        sqe->flags |= IOSQE_BUFFER_SELECT;
        sqe->buf_group = single ? URING_GROUP_LARGE : URING_GROUP_SMALL;
    }
    io_uring_sqe_set_data64(sqe, user_data_of(URING_OPERATION_RECEIVE, fd));
}

/// False: with the next wait.
static bool arm_one(uring_reactor *base, int fd, size_t *allowed)
{
    reactor_stream *stream = &base->streams->table.by_fd[fd];
    if (!stream->open || stream->armed || stream->ended || stream->paused || stream->resting)
        return true;
    struct io_uring_sqe *sqe = *allowed > 0 ? uring_next_sqe(base) : NULL;
    if (!sqe)
        return false;
    if (stream->listens) {
        io_uring_prep_multishot_accept(sqe, fd, NULL, NULL, SOCK_CLOEXEC);
        io_uring_sqe_set_data64(sqe, user_data_of(URING_OPERATION_ACCEPT, fd));
    } else {
        prepare_receive(base->streams, sqe, fd, allowed);
    }
    stream->armed = true;
    return true;
}

bool uring_streams_arm(uring_reactor *base)
{
    uring_streams *self = base->streams;
    // With the gate shut the buffers may all be in `kept`: arming would only bring -ENOBUFS again.
    if (!self || (self->shut && self->kept_count > 0))
        return false;
    stream_table *table = &self->table;
    uint32_t armed = 0;
    size_t allowed = self->allowed;
    if (table->listed_count > 1) {
        // Whose receive ran dry first had the last buffers: the others come before it.
        int first = table->list[0];
        table->by_fd[first].listed = false;
        stream_table_list(table, first);
        stream_table_drop(table, 1);
    }
    while (armed < table->listed_count && arm_one(base, table->list[armed], &allowed))
        table->by_fd[table->list[armed++]].listed = false;
    stream_table_drop(table, armed);
    return table->listed_count > 0;
}

static bool is_in_kernel(const uring_streams *self)
{
    for (uint32_t fd = 0; fd < self->table.capacity; fd++) {
        if (self->table.by_fd[fd].closing)
            return true;
    }
    return false;
}

// Whoever listened may be gone: what the kernel ends only now, as with thousands of connections on
// a busy machine, is told to nobody.
static void nobody_accepted(void *context, uint64_t tag, int32_t fd)
{
    (void)context, (void)tag;
    if (fd >= 0)
        close(fd);
}

static reactor_room nobody_received(void *context, uint64_t tag, const uint8_t *data, int32_t size)
{
    (void)context, (void)tag, (void)data, (void)size;
    return (reactor_room){0};
}

static void nobody_sent(void *context, uint64_t tag, int32_t result)
{
    (void)context, (void)tag, (void)result;
}

static void nobody_closed(void *context, uint64_t tag)
{
    (void)context, (void)tag;
}

static const reactor_sink NOBODY = {NULL, nobody_accepted, nobody_received, nobody_sent,
                                    nobody_closed};

void uring_streams_destroy(uring_reactor *base)
{
    uring_streams *self = base->streams;
    uint64_t fired[REACTOR_FIRED_MAX];
    if (!self)
        return;
    self->sink = &NOBODY;
    // An address stays bound while an accept on it is in the kernel.
    uint64_t end_ns = transport_now_ns() + DRAIN_NS_MAX;
    while (is_in_kernel(self) && transport_now_ns() < end_ns) {
        if (base->head.ops->wait(&base->head, end_ns, fired) < 0)
            break;
    }
    // The ring belongs to a thread that is gone, or the kernel is slow: the ring's end frees them.
    for (uint32_t fd = 0; fd < self->table.capacity; fd++) {
        if (self->table.by_fd[fd].closing)
            close((int)fd);
    }
    uring_buffers_close(self);
    stream_table_free(&self->table);
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
    .allow = allow,
};
