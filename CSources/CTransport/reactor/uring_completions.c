/// uring_completions.c: what the kernel answers to the requests of streams. Called by uring.c's
/// reaping.
///
/// Invariant: a completion without F_MORE ends its request: the stream is listed if it is to be
/// armed again, or, when it is closing and nothing else is in the kernel, its fd is closed.
#include <errno.h>
#include <unistd.h>

#include "uring_streams.h"

bool uring_stream_finish(uring_streams *self, int fd)
{
    reactor_stream *stream = &self->table.by_fd[fd];
    if (stream->armed || stream->sending || stream->cancelling)
        return false;
    stream->closing = false;
    close(fd);
    return true;
}

static void complete_receive(uring_reactor *base, int fd, int32_t result, uint32_t flags)
{
    uring_streams *self = base->streams;
    reactor_stream *stream = &self->table.by_fd[fd];
    if (!(flags & IORING_CQE_F_MORE)) {
        stream->armed = false;
        if (stream->open)
            stream_table_list(&self->table, fd);
    }
    self->ran_dry |= result == -ENOBUFS;
    // No buffers left, or cancelled to pause, or just not yet: armed again when it may be.
    if (result == -ENOBUFS || result == -ECANCELED || result == -EINTR || result == -EAGAIN)
        return;
    if ((self->shut || self->kept_count > 0) && stream->open &&
        uring_buffers_keep(self, fd, result, flags))
        return;
    uring_buffers_tell(base, fd, result, flags);
}

static void complete_accept(uring_streams *self, int fd, int32_t result, uint32_t flags)
{
    reactor_stream *stream = &self->table.by_fd[fd];
    bool rests = reactor_accept_rests(result);
    if (!(flags & IORING_CQE_F_MORE)) {
        stream->armed = false;
        stream->resting = rests;
        if (stream->open && !rests)
            stream_table_list(&self->table, fd);
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
    reactor_stream *stream = &self->table.by_fd[fd];
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
    switch ((uring_operation)(user_data >> 32 & 0xff)) {
    case URING_OPERATION_ACCEPT:
        complete_accept(self, fd, result, flags);
        break;
    case URING_OPERATION_RECEIVE:
        complete_receive(base, fd, result, flags);
        break;
    case URING_OPERATION_SEND:
        complete_send(self, fd, result);
        break;
    case URING_OPERATION_CANCEL:
        self->table.by_fd[fd].cancelling = false;
        break;
    }
    reactor_stream *stream = &self->table.by_fd[fd];
    if (!stream->closing)
        return;
    bool listens = stream->listens;
    uint64_t tag = stream->tag;
    if (uring_stream_finish(self, fd) && !listens)
        self->sink->closed(self->sink->context, tag);
}
