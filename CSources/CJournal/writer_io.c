/// writer_io.c: the writer's system calls, twice. See writer_io.h; called by writer.c alone.
#include "writer_io.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define NS_PER_SECOND 1000000000ull
/// More than there are calls under way: an entry can always be had.
#define ENTRIES 8
/// What one call may write; the rest is written by the next.
#define WRITE_SIZE_MAX (1u << 30)

enum { TAG_WRITE = 1, TAG_SYNC = 2, TAG_DOORBELL = 3 };

void writer_io_open(writer_io *self, int doorbell, bool plain)
{
    *self = (writer_io){.doorbell = doorbell};
    self->uring = !plain && io_uring_queue_init(ENTRIES, &self->ring, 0) == 0;
}

void writer_io_close(writer_io *self)
{
    if (self->uring)
        io_uring_queue_exit(&self->ring);
}

static void write_plain(writer_io *self, int fd, const uint8_t *data, uint64_t size,
                        uint64_t offset)
{
    ssize_t written;
    do
        written = pwrite(fd, data, size, (off_t)offset);
    while (written < 0 && errno == EINTR);
    self->write_result = written < 0 ? -errno : written;
    self->write_done = true;
}

static void sync_plain(writer_io *self, int fd)
{
    self->sync_result = fdatasync(fd) == 0 ? 0 : -errno;
    self->sync_done = true;
}

bool writer_io_write(writer_io *self, int fd, const uint8_t *data, uint64_t size, uint64_t offset,
                     bool sync)
{
    bool whole = size <= WRITE_SIZE_MAX;
    uint32_t part = whole ? (uint32_t)size : WRITE_SIZE_MAX;
    sync = sync && whole;
    if (!self->uring) {
        write_plain(self, fd, data, part, offset);
        sync = sync && self->write_result == (int64_t)part;
        if (sync)
            sync_plain(self, fd);
        return sync;
    }
    struct io_uring_sqe *sqe = io_uring_get_sqe(&self->ring);
    io_uring_prep_write(sqe, fd, data, part, offset);
    io_uring_sqe_set_data64(sqe, TAG_WRITE);
    if (sync) {
        // A short write breaks the link: the sync comes back cancelled, and is asked for again.
        io_uring_sqe_set_flags(sqe, IOSQE_IO_LINK);
        writer_io_sync(self, fd);
    }
    return sync;
}

void writer_io_sync(writer_io *self, int fd)
{
    if (!self->uring) {
        sync_plain(self, fd);
        return;
    }
    struct io_uring_sqe *sqe = io_uring_get_sqe(&self->ring);
    io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
    io_uring_sqe_set_data64(sqe, TAG_SYNC);
}

static void reap(writer_io *self)
{
    struct io_uring_cqe *cqe;
    while (io_uring_peek_cqe(&self->ring, &cqe) == 0) {
        switch (io_uring_cqe_get_data64(cqe)) {
        case TAG_WRITE:
            self->write_done = true;
            self->write_result = cqe->res;
            break;
        case TAG_SYNC:
            self->sync_done = true;
            self->sync_result = cqe->res;
            break;
        case TAG_DOORBELL:
            self->doorbell_armed = false;
            break;
        }
        io_uring_cqe_seen(&self->ring, cqe);
    }
}

static void wait_uring(writer_io *self, uint64_t timeout_ns)
{
    if (!self->doorbell_armed) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(&self->ring);
        io_uring_prep_read(sqe, self->doorbell, &self->doorbell_count, sizeof self->doorbell_count,
                           0);
        io_uring_sqe_set_data64(sqe, TAG_DOORBELL);
        self->doorbell_armed = true;
    }
    struct io_uring_cqe *cqe;
    if (timeout_ns == UINT64_MAX) {
        io_uring_submit_and_wait(&self->ring, 1);
    } else {
        struct __kernel_timespec timeout = {.tv_sec = (int64_t)(timeout_ns / NS_PER_SECOND),
                                            .tv_nsec = (int64_t)(timeout_ns % NS_PER_SECOND)};
        io_uring_submit(&self->ring);
        io_uring_wait_cqes(&self->ring, &cqe, 1, &timeout, NULL);
    }
    reap(self);
}

void writer_io_wait(writer_io *self, uint64_t timeout_ns)
{
    if (self->uring) {
        wait_uring(self, timeout_ns);
        return;
    }
    if (self->write_done || self->sync_done)
        return;
    struct pollfd bell = {.fd = self->doorbell, .events = POLLIN};
    uint64_t milliseconds = (timeout_ns + 999999) / 1000000;
    int wait_ms = timeout_ns == UINT64_MAX ? -1 : milliseconds > 60000 ? 60000 : (int)milliseconds;
    uint64_t count;
    if (poll(&bell, 1, wait_ms) > 0 && read(self->doorbell, &count, sizeof count) < 0)
        return;
}
