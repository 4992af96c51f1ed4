/// transport.c: the face's own part: open, the turn, waking. Everything else is the body's.
///
/// Invariant: a turn never sleeps while the body is ready, and returns as soon as it has an event.
#include "include/transport.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"
#include "transport_internal.h"

uint64_t transport_now_ns(void)
{
    return clock_now_ns();
}

const char *transport_role_name(transport_role role)
{
    static const char *const NAMES[TRANSPORT_ROLES] = {
        "client", "engine", "monitor", "notification", "registration", "log",
    };
    return NAMES[role];
}

bool transport_fail(transport_error *error, transport_stage stage, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    error->stage = stage;
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return false;
}

/// One descriptor a peer: the soft limit of most systems (1024) is too few.
static void raise_open_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static bool open_parts(transport *self, const transport_config *config, transport_error *error)
{
    self->reactor = reactor_open((reactor_kind)config->io, config->body == TRANSPORT_BODY_NATIVE,
                                 self->note, sizeof self->note);
    if (!self->reactor)
        return transport_fail(error, TRANSPORT_STAGE_SYSTEM, "%s; use --io %s", self->note,
                              config->io == TRANSPORT_IO_EPOLL ? "uring" : "epoll");
    self->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    int rc = self->wake_fd < 0 ? -errno
                               : self->reactor->ops->watch(self->reactor, self->wake_fd,
                                                           REACTOR_READ, TRANSPORT_TAG_WAKE);
    if (rc != 0)
        return transport_fail(error, TRANSPORT_STAGE_SYSTEM,
                              "cannot make the wake-up descriptor: %s; free some open files or "
                              "raise ulimit -n",
                              strerror(-rc));
    return self->ops->open(self, config, error);
}

static void release_parts(transport *self)
{
    if (self->reactor) {
        process_close(self);
        self->reactor->ops->destroy(self->reactor);
    }
    if (self->wake_fd >= 0)
        close(self->wake_fd);
    free(self);
}

transport *transport_open(const transport_config *config, transport_error *error)
{
    *error = (transport_error){.stage = TRANSPORT_STAGE_NONE};
    if (!transport_check(config, error))
        return NULL;
    raise_open_files();
    transport *self = calloc(1, sizeof *self);
    if (!self) {
        transport_fail(error, TRANSPORT_STAGE_SYSTEM, "out of memory; free some and start again");
        return NULL;
    }
    self->ops = config->body == TRANSPORT_BODY_ZMQ ? &TRANSPORT_LIBZMQ_OPS
                : config->io_threads > 0           ? &TRANSPORT_LANES_OPS
                                                   : &TRANSPORT_NATIVE_OPS;
    self->names = config->names;
    self->messages = config->messages;
    busy_poll_init(&self->busy_poll, config->busy_poll_ns);
    self->wake_fd = -1;
    process_init(self);
    if (open_parts(self, config, error))
        return self;
    release_parts(self);
    return NULL;
}

void transport_close(transport *self, uint64_t linger_ns)
{
    if (!self)
        return;
    self->ops->close(self, linger_ns);
    release_parts(self);
}

static void note_fired(transport *self, uint64_t tag)
{
    if (tag == TRANSPORT_TAG_WAKE) {
        uint64_t count;
        self->woken |= read(self->wake_fd, &count, sizeof count) == sizeof count;
    } else if (tag == TRANSPORT_TAG_PROCESS) {
        process_fired(self);
    } else {
        self->ops->fired(self, tag);
    }
}

/// 0 or -errno. Sleeps until `deadline_ns` or sooner, and tells the body what happened.
static int wait_once(transport *self, uint64_t deadline_ns)
{
    uint64_t fired[REACTOR_FIRED_MAX];
    uint64_t body_ns = self->ops->deadline_ns(self);
    uint64_t timer_ns = body_ns < self->process.poll_ns ? body_ns : self->process.poll_ns;
    uint64_t until_ns = deadline_ns < timer_ns ? deadline_ns : timer_ns;
    if (until_ns > 0 && (self->woken || self->process.gone || self->ops->ready(self)))
        until_ns = 0;
    int32_t count = self->reactor->ops->wait(self->reactor, until_ns, fired);
    for (int32_t i = 0; i < count; i++)
        note_fired(self, fired[i]);
    if (timer_ns != UINT64_MAX) {
        uint64_t now_ns = transport_now_ns();
        if (now_ns >= body_ns)
            self->ops->expire(self, now_ns);
        process_expire(self, now_ns);
    }
    return count < 0 ? count : 0;
}

static uint32_t gather_own(transport *self, transport_event *events, uint32_t capacity)
{
    uint32_t count = 0;
    if (self->woken && count < capacity) {
        events[count++] = (transport_event){.kind = TRANSPORT_WAKE};
        self->woken = false;
    }
    if (self->process.gone && count < capacity) {
        events[count++] = (transport_event){.kind = TRANSPORT_PARENT_GONE};
        self->process.gone = false;
    }
    return count;
}

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/// Of this thread, by others that wanted its core.
static int64_t preemptions(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nivcsw : 0;
}

/// The number of events once there are some, or something to notice; 0 at the deadline; -errno.
static int32_t wait_for_events(transport *self, uint64_t deadline_ns, transport_event *events,
                               uint32_t capacity)
{
    busy_poll *busy = &self->busy_poll;
    bool began = false;
    bool looks = busy->window_ns > 0;
    for (;;) {
        int rc = wait_once(self, looks ? 0 : deadline_ns);
        if (rc < 0)
            return rc;
        uint32_t count = gather_own(self, events, capacity);
        count += self->ops->gather(self, events + count, capacity - count);
        bool found = count > 0 || self->noticed;
        uint64_t now_ns = found && !began ? 0 : transport_now_ns();
        if (found || (deadline_ns != UINT64_MAX && now_ns >= deadline_ns)) {
            if (began)
                busy_poll_end(busy, now_ns, found);
            self->noticed = false;
            return (int32_t)count;
        }
        if (!looks && !began)
            continue; // it never looks, and has slept
        if (!began)
            busy_poll_begin(busy, now_ns);
        began = true;
        looks = busy_poll_looks(busy, now_ns, preemptions);
        if (looks)
            relax();
    }
}

int32_t transport_turn(transport *self, uint64_t deadline_ns, transport_event *events,
                       uint32_t capacity)
{
    if (capacity == 0)
        return 0;
    if (capacity > INT32_MAX)
        capacity = INT32_MAX;
    self->ops->begin_turn(self);
    return wait_for_events(self, deadline_ns, events, capacity);
}

void transport_send_all(transport *self, const transport_send *sends, uint32_t count)
{
    self->ops->send_all(self, sends, count);
}

void transport_pause(transport *self, transport_role role, bool paused)
{
    self->ops->pause(self, role, paused);
}

bool transport_pause_peer(transport *self, transport_role role, atom peer, bool paused)
{
    if (!self->ops->pause_peer)
        return false;
    self->ops->pause_peer(self, role, peer, paused);
    return true;
}

void transport_wake(transport *self)
{
    // In a signal handler errno belongs to whoever was interrupted. A full counter is a wake, too.
    int saved = errno;
    uint64_t one = 1;
    ssize_t written = write(self->wake_fd, &one, sizeof one);
    (void)written;
    errno = saved;
}

const char *transport_endpoint(const transport *self, transport_role role)
{
    return transport_role_binds(role) ? self->ops->endpoint(self, role) : NULL;
}

const char *transport_io_name(const transport *self)
{
    return self->reactor->ops->name;
}

const char *transport_io_note(const transport *self)
{
    return self->note[0] ? self->note : NULL;
}

bool transport_next_notice(transport *self, char *text, size_t text_size)
{
    return self->ops->next_notice && self->ops->next_notice(self, text, text_size);
}

void transport_read_departures(const transport *self, transport_departures *out)
{
    *out = (transport_departures){0};
    self->ops->departures(self, out);
}

int32_t transport_hang_up(transport *self, transport_role role)
{
    return self->ops->hang_up ? self->ops->hang_up(self, role) : -1;
}

bool transport_is_heard(const transport *self)
{
    return self->ops->heard(self);
}

int32_t transport_is_connected(const transport *self, transport_role role, atom peer)
{
    return self->ops->connected ? self->ops->connected(self, role, peer) : -1;
}

void transport_read_counters(const transport *self, transport_counters *out)
{
    *out = self->counters;
}
