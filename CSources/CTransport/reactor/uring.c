/// uring.c: the reactor on io_uring, one multishot poll per watched fd. Called through reactor_ops.
///
/// Streams (accepting, receiving, sending) are in uring_streams.c; uring_internal.h draws the
/// user_data.
///
/// Invariant: a completion counts only if its generation is the one of the fd's present watch; a
/// watch that is alive is either armed in the kernel or listed in `unarmed`.
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../transport_internal.h"
#include "uring_internal.h"

#define NS_PER_SECOND      1000000000ull
#define SUBMISSION_ENTRIES 256
/// Completions that wait for us; more of them overflow into the kernel's memory, none is lost.
#define COMPLETION_ENTRIES 4096
#define WAIT_NS_MAX        (3600 * NS_PER_SECOND)
/// The generation's part of user_data.
#define GENERATION_MASK ((1u << 30) - 1)

static int grow(uring_reactor *self, int fd)
{
    if ((uint32_t)fd < self->watch_capacity)
        return 0;
    uint32_t capacity = self->watch_capacity ? self->watch_capacity : 64;
    while (capacity <= (uint32_t)fd)
        capacity *= 2;
    uring_watch *watches = realloc(self->watches, capacity * sizeof *watches);
    if (!watches)
        return -ENOMEM;
    self->watches = watches;
    int *unarmed = realloc(self->unarmed, capacity * sizeof *unarmed);
    if (!unarmed)
        return -ENOMEM;
    self->unarmed = unarmed;
    memset(watches + self->watch_capacity, 0, (capacity - self->watch_capacity) * sizeof *watches);
    self->watch_capacity = capacity;
    return 0;
}

static void list_unarmed(uring_reactor *self, int fd)
{
    if (self->watches[fd].listed)
        return;
    self->watches[fd].listed = true;
    self->unarmed[self->unarmed_count++] = fd;
}

static int uring_watch_fd(reactor *base, int fd, uint32_t interest, uint64_t tag)
{
    uring_reactor *self = (uring_reactor *)base;
    if (fd < 0)
        return -EBADF;
    int rc = grow(self, fd);
    if (rc != 0)
        return rc;
    uring_watch *watch = &self->watches[fd];
    if (watch->interest)
        return -EEXIST;
    watch->tag = tag;
    watch->interest = (uint16_t)interest;
    watch->generation++;
    // Armed by the next wait: the ring belongs to the thread that waits.
    list_unarmed(self, fd);
    return 0;
}

struct io_uring_sqe *uring_next_sqe(uring_reactor *self)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&self->ring);
    if (!sqe && io_uring_submit(&self->ring) >= 0)
        sqe = io_uring_get_sqe(&self->ring);
    return sqe;
}

static uint64_t user_data_of(const uring_reactor *self, int fd)
{
    return (uint64_t)(self->watches[fd].generation & GENERATION_MASK) << 32 | (uint32_t)fd;
}

static int uring_unwatch(reactor *base, int fd)
{
    uring_reactor *self = (uring_reactor *)base;
    if (fd < 0 || (uint32_t)fd >= self->watch_capacity || !self->watches[fd].interest)
        return -ENOENT;
    uring_watch *watch = &self->watches[fd];
    uint64_t user_data = user_data_of(self, fd);
    watch->interest = 0;
    if (self->disabled || watch->listed)
        return 0; // the kernel has no poll of it; `arm` skips it
    struct io_uring_sqe *sqe = uring_next_sqe(self);
    if (!sqe)
        return -EBUSY;
    io_uring_prep_poll_remove(sqe, user_data);
    io_uring_sqe_set_data64(sqe, URING_IGNORED);
    // At once, and its end reaped too: a poll keeps the file open after its fd is closed.
    int rc = io_uring_submit_and_get_events(&self->ring);
    return rc < 0 ? rc : 0;
}

/// 0 or -errno; `sleeps` becomes false when something is left to be armed.
static int arm(uring_reactor *self, bool *sleeps)
{
    while (self->unarmed_count > 0) {
        int fd = self->unarmed[self->unarmed_count - 1];
        uring_watch *watch = &self->watches[fd];
        if (watch->interest) {
            struct io_uring_sqe *sqe = uring_next_sqe(self);
            if (!sqe)
                return -EBUSY;
            unsigned mask = watch->interest & REACTOR_READ ? POLLIN | POLLRDHUP : 0;
            mask |= watch->interest & REACTOR_WRITE ? POLLOUT : 0;
            io_uring_prep_poll_multishot(sqe, fd, mask);
            io_uring_sqe_set_data64(sqe, user_data_of(self, fd));
        }
        watch->listed = false;
        self->unarmed_count--;
    }
    *sleeps = !uring_streams_arm(self) && *sleeps;
    return 0;
}

static int32_t note_poll(uring_reactor *self, const struct io_uring_cqe *cqe, uint64_t *fired)
{
    uint64_t user_data = io_uring_cqe_get_data64(cqe);
    uint32_t fd = (uint32_t)user_data;
    if (fd >= self->watch_capacity)
        return 0;
    uring_watch *watch = &self->watches[fd];
    if (!watch->interest || (watch->generation & GENERATION_MASK) != (uint32_t)(user_data >> 32))
        return 0;
    // An error (a bad fd) also fires, so that the owner sees it on its next call; re-arming
    // then would fail again and again.
    *fired = watch->tag;
    if (!(cqe->flags & IORING_CQE_F_MORE) && (cqe->res >= 0 || cqe->res == -ENOMEM))
        list_unarmed(self, (int)fd);
    return 1;
}

/// The number of fired tags; `progress` is set when any completion was there.
static int32_t reap(uring_reactor *self, uint64_t *fired, bool *progress)
{
    struct io_uring_cqe *cqes[REACTOR_FIRED_MAX];
    unsigned count = io_uring_peek_batch_cqe(&self->ring, cqes, REACTOR_FIRED_MAX);
    int32_t fired_count = 0;
    for (unsigned i = 0; i < count; i++) {
        uint64_t user_data = io_uring_cqe_get_data64(cqes[i]);
        if (user_data == URING_IGNORED)
            continue;
        if (user_data >> URING_KIND_SHIFT == URING_KIND_STREAM)
            uring_streams_complete(self, user_data, cqes[i]->res, cqes[i]->flags);
        else
            fired_count += note_poll(self, cqes[i], &fired[fired_count]);
    }
    io_uring_cq_advance(&self->ring, count);
    uring_streams_return_buffers(self);
    *progress |= count > 0;
    return fired_count;
}

/// 0 or more, or -errno.
static int sleep_until(uring_reactor *self, uint64_t deadline_ns)
{
    struct io_uring_cqe *cqe;
    struct __kernel_timespec timeout = {0};
    uint64_t now_ns = deadline_ns == UINT64_MAX ? 0 : transport_now_ns();
    uint64_t left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    if (left_ns == 0)
        return io_uring_submit_and_get_events(&self->ring);
    if (left_ns > WAIT_NS_MAX && deadline_ns != UINT64_MAX)
        left_ns = WAIT_NS_MAX;
    timeout.tv_sec = (int64_t)(left_ns / NS_PER_SECOND);
    timeout.tv_nsec = (int64_t)(left_ns % NS_PER_SECOND);
    return io_uring_submit_and_wait_timeout(&self->ring, &cqe, 1,
                                            deadline_ns == UINT64_MAX ? NULL : &timeout, NULL);
}

static int32_t uring_wait(reactor *base, uint64_t deadline_ns, uint64_t *fired)
{
    uring_reactor *self = (uring_reactor *)base;
    if (self->disabled) {
        // liburing 2.3 does not export io_uring_enable_rings.
        int rc =
            io_uring_register((unsigned)self->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
        if (rc < 0)
            return rc;
        self->disabled = false;
    }
    bool sleeps = deadline_ns > 0;
    int rc = arm(self, &sleeps);
    if (rc != 0)
        return rc;
    bool progress = uring_streams_serve(self);
    // What is submitted here usually ends here, too: look at that before sleeping.
    // IORING_SETUP_TASKRUN_FLAG: without the flag there is nothing to be had, and no system call.
    bool pending =
        io_uring_sq_ready(&self->ring) > 0 ||
        IO_URING_READ_ONCE(*self->ring.sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
    rc = pending ? io_uring_submit_and_get_events(&self->ring) : 0;
    if (rc < 0 && rc != -EINTR && rc != -EAGAIN && rc != -EBUSY)
        return rc;
    int32_t count = reap(self, fired, &progress);
    if (count > 0 || progress || !sleeps)
        return count;
    rc = sleep_until(self, deadline_ns);
    if (rc < 0 && rc != -ETIME && rc != -EINTR && rc != -EAGAIN && rc != -EBUSY)
        return rc;
    return reap(self, fired, &progress);
}

static void uring_destroy(reactor *base)
{
    uring_reactor *self = (uring_reactor *)base;
    uring_streams_destroy(self);
    io_uring_queue_exit(&self->ring);
    free(self->watches);
    free(self->unarmed);
    free(self);
}

static const reactor_ops URING_OPS = {
    .name = "uring",
    .streams = &URING_STREAM_OPS,
    .watch = uring_watch_fd,
    .unwatch = uring_unwatch,
    .wait = uring_wait,
    .destroy = uring_destroy,
};

/// The best setup this kernel takes. Each rung needs less of it.
static int set_up_ring(uring_reactor *self)
{
    static const unsigned RUNGS[] = {
        // 6.1: completions run when we ask, on the thread that enables the ring (the first wait).
        IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_TASKRUN_FLAG |
            IORING_SETUP_R_DISABLED,
        // 5.19: no interrupting of the thread for completions.
        IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
        0,
    };
    int rc = -EINVAL;
    for (size_t i = 0; i < sizeof RUNGS / sizeof RUNGS[0] && rc == -EINVAL; i++) {
        struct io_uring_params params = {
            .flags = RUNGS[i] | IORING_SETUP_CQSIZE,
            .cq_entries = COMPLETION_ENTRIES,
        };
        rc = io_uring_queue_init_params(SUBMISSION_ENTRIES, &self->ring, &params);
        self->disabled = RUNGS[i] & IORING_SETUP_R_DISABLED;
        if (rc < 0)
            continue;
        // EXT_ARG (5.11): timeouts without an entry of their own. RSRC_TAGS came with multishot
        // poll (5.13), which has no feature bit. NODROP: an overflow loses nothing.
        unsigned wanted = IORING_FEAT_EXT_ARG | IORING_FEAT_RSRC_TAGS | IORING_FEAT_NODROP;
        if ((params.features & wanted) == wanted)
            return 0;
        io_uring_queue_exit(&self->ring);
        return -ENOSYS;
    }
    return rc;
}

int uring_open(reactor **out, bool streams)
{
    uring_reactor *self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    self->head.ops = &URING_OPS;
    int rc = set_up_ring(self);
    if (rc == 0) {
        struct io_uring_probe *probe = io_uring_get_probe_ring(&self->ring);
        bool known = probe && io_uring_opcode_supported(probe, IORING_OP_POLL_ADD) &&
                     io_uring_opcode_supported(probe, IORING_OP_POLL_REMOVE);
        // Multishot receives have no mark of their own; they came (6.0) with this.
        known = known && (!streams || io_uring_opcode_supported(probe, IORING_OP_SEND_ZC));
        io_uring_free_probe(probe);
        if (known) {
            *out = &self->head;
            return 0;
        }
        io_uring_queue_exit(&self->ring);
        rc = -ENOSYS;
    }
    free(self);
    return rc;
}
