/// epoll.c: the reactor where io_uring is missing or not wanted. Called through reactor_ops.
///
/// Invariant: an fd is in the epoll set exactly between `watch` and `unwatch`, with its tag as
/// data; TIMER_TAG never leaves this file.
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "../transport_internal.h"
#include "epoll_internal.h"

#define NS_PER_SECOND 1000000000ull
/// Deadlines further off are cut here: the caller loops.
#define WAIT_NS_MAX (3600 * NS_PER_SECOND)
/// The tag of the timer, which only exists where epoll_pwait2 does not.
#define TIMER_TAG (UINT64_MAX - 16)

static int epoll_watch(reactor *base, int fd, uint32_t interest, uint64_t tag)
{
    epoll_reactor *self = (epoll_reactor *)base;
    struct epoll_event event = {.data.u64 = tag, .events = EPOLLET};
    if (interest & REACTOR_READ)
        event.events |= EPOLLIN | EPOLLRDHUP;
    if (interest & REACTOR_WRITE)
        event.events |= EPOLLOUT;
    return epoll_ctl(self->fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static int epoll_unwatch(reactor *base, int fd)
{
    epoll_reactor *self = (epoll_reactor *)base;
    return epoll_ctl(self->fd, EPOLL_CTL_DEL, fd, NULL) == 0 ? 0 : -errno;
}

/// Kernels before 5.11, and seccomp filters older than it, refuse epoll_pwait2: a timerfd gives the
/// same resolution for one more system call.
static int open_timer(epoll_reactor *self)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = epoll_watch(&self->head, fd, REACTOR_READ, TIMER_TAG);
    if (rc != 0) {
        close(fd);
        return rc;
    }
    self->timer_fd = fd;
    return 0;
}

static int wait_with_timer(epoll_reactor *self, uint64_t deadline_ns, struct epoll_event *events)
{
    int timeout_ms = deadline_ns == 0 ? 0 : -1;
    if (timeout_ms < 0) {
        // All zero disarms: exactly what "no deadline" wants.
        struct itimerspec when = {0};
        if (deadline_ns != UINT64_MAX) {
            when.it_value.tv_sec = (time_t)(deadline_ns / NS_PER_SECOND);
            when.it_value.tv_nsec = (long)(deadline_ns % NS_PER_SECOND);
        }
        if (timerfd_settime(self->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) != 0)
            return -errno;
    }
    int count = epoll_wait(self->fd, events, REACTOR_FIRED_MAX, timeout_ms);
    return count >= 0 ? count : -errno;
}

static int wait_precise(epoll_reactor *self, uint64_t deadline_ns, struct epoll_event *events)
{
    struct timespec timeout = {0};
    if (deadline_ns != 0 && deadline_ns != UINT64_MAX) {
        uint64_t now_ns = transport_now_ns();
        uint64_t left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
        if (left_ns > WAIT_NS_MAX)
            left_ns = WAIT_NS_MAX;
        timeout.tv_sec = (time_t)(left_ns / NS_PER_SECOND);
        timeout.tv_nsec = (long)(left_ns % NS_PER_SECOND);
    }
    int count = epoll_pwait2(self->fd, events, REACTOR_FIRED_MAX,
                             deadline_ns == UINT64_MAX ? NULL : &timeout, NULL);
    return count >= 0 ? count : -errno;
}

static int32_t epoll_reactor_wait(reactor *base, uint64_t deadline_ns, uint64_t *fired)
{
    epoll_reactor *self = (epoll_reactor *)base;
    struct epoll_event events[REACTOR_FIRED_MAX];
    int count = -ENOSYS;
    if (epoll_streams_ready(self))
        deadline_ns = 0;
    if (self->timer_fd < 0)
        count = wait_precise(self, deadline_ns, events);
    if (count == -ENOSYS || count == -EPERM) {
        int rc = self->timer_fd < 0 ? open_timer(self) : 0;
        if (rc != 0)
            return rc;
        count = wait_with_timer(self, deadline_ns, events);
    }
    if (count < 0)
        return count == -EINTR ? 0 : count;
    int32_t fired_count = 0;
    for (int i = 0; i < count; i++) {
        if ((events[i].data.u64 & EPOLL_STREAM_MASK) == EPOLL_STREAM_TAG)
            epoll_streams_note(self, (int)(uint32_t)events[i].data.u64, events[i].events);
        else if (events[i].data.u64 != TIMER_TAG)
            fired[fired_count++] = events[i].data.u64;
    }
    if (self->streams)
        epoll_streams_serve(self);
    return fired_count;
}

static void epoll_destroy(reactor *base)
{
    epoll_reactor *self = (epoll_reactor *)base;
    if (self->timer_fd >= 0)
        close(self->timer_fd);
    close(self->fd);
    epoll_streams_destroy(self);
    free(self);
}

static const reactor_ops EPOLL_OPS = {
    .name = "epoll",
    .streams = &EPOLL_STREAM_OPS,
    .watch = epoll_watch,
    .unwatch = epoll_unwatch,
    .wait = epoll_reactor_wait,
    .destroy = epoll_destroy,
};

int epoll_open(reactor **out)
{
    epoll_reactor *self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    self->head.ops = &EPOLL_OPS;
    self->timer_fd = -1;
    self->fd = epoll_create1(EPOLL_CLOEXEC);
    if (self->fd < 0) {
        int rc = -errno;
        free(self);
        return rc;
    }
    *out = &self->head;
    return 0;
}
