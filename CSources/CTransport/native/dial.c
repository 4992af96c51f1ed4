/// dial.c: the roles that connect: dialing, and dialing again with growing pauses. Called by
/// native.c and connection.c.
///
/// Invariant: a connecting role has either a connection, or a connect in progress (`dial_fd`), or a
/// time for its next try (`dial_ns`).
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "body.h"

static uint64_t next_random(native_body *body)
{
    // xorshift64: spreading reconnections needs no better one.
    body->random ^= body->random << 13;
    body->random ^= body->random >> 7;
    body->random ^= body->random << 17;
    return body->random;
}

void native_dial_later(transport *self, transport_role which, uint64_t now_ns)
{
    native_body *body = native_of(self);
    native_role *role = &body->roles[which];
    uint32_t doublings = role->failures < 5 ? role->failures : 5;
    uint64_t pause_ns = NATIVE_DIAL_NS_MIN << doublings;
    if (pause_ns > NATIVE_DIAL_NS_MAX)
        pause_ns = NATIVE_DIAL_NS_MAX;
    pause_ns -= next_random(body) % (pause_ns / 2);
    role->failures++;
    role->dial_ns = now_ns + pause_ns;
    native_resolve_begin(role); // it may have moved
}

static void fail(transport *self, transport_role which, const char *reason, uint64_t now_ns)
{
    native_role *role = &native_of(self)->roles[which];
    // Once: an address that stays silent would fill the log.
    if (role->failures == 0)
        native_notice(self, which, "cannot connect",
                      "cannot connect to the %s url %.120s: %s; trying again",
                      transport_role_name(which), role->url, reason);
    native_dial_later(self, which, now_ns);
}

void native_dial(transport *self, transport_role which, uint64_t now_ns)
{
    native_role *role = &native_of(self)->roles[which];
    role->dial_ns = UINT64_MAX;
    const char *problem = native_resolve_end(role);
    if (problem) {
        fail(self, which, problem, now_ns);
        return;
    }
    int fd = socket(role->address.head.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        fail(self, which, strerror(errno), now_ns);
        return;
    }
    if (connect(fd, &role->address.head, role->address_size) == 0) {
        native_connection_open(self, which, fd);
        return;
    }
    int rc = errno == EINPROGRESS ? self->reactor->ops->watch(self->reactor, fd, REACTOR_WRITE,
                                                              NATIVE_TAG_DIAL + which)
                                  : -errno;
    if (rc != 0) {
        close(fd);
        fail(self, which, strerror(-rc), now_ns);
        return;
    }
    role->dial_fd = fd;
    role->dial_ns = now_ns + NATIVE_CONNECT_NS;
}

void native_dial_close(transport *self, transport_role which)
{
    native_role *role = &native_of(self)->roles[which];
    if (role->dial_fd >= 0) {
        self->reactor->ops->unwatch(self->reactor, role->dial_fd);
        close(role->dial_fd);
    }
    role->dial_fd = -1;
    role->dial_ns = UINT64_MAX;
}

void native_dial_fired(transport *self, transport_role which)
{
    native_role *role = &native_of(self)->roles[which];
    int fd = role->dial_fd, problem = 0;
    socklen_t size = sizeof problem;
    native_address peer;
    socklen_t peer_size = sizeof peer;
    if (fd < 0)
        return;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size) != 0)
        problem = errno;
    if (problem == 0 && getpeername(fd, &peer.head, &peer_size) != 0)
        return; // fired too early
    if (problem != 0) {
        native_dial_close(self, which);
        fail(self, which, strerror(problem), transport_now_ns());
        return;
    }
    self->reactor->ops->unwatch(self->reactor, fd);
    role->dial_fd = -1;
    role->dial_ns = UINT64_MAX;
    native_connection_open(self, which, fd);
}

void native_dial_expire(transport *self, uint64_t now_ns)
{
    for (int which = 0; which < TRANSPORT_ROLES; which++) {
        native_role *role = &native_of(self)->roles[which];
        if (role->dial_ns > now_ns)
            continue;
        if (role->dial_fd >= 0) {
            native_dial_close(self, (transport_role)which);
            fail(self, (transport_role)which, "no answer", now_ns);
        } else {
            native_dial(self, (transport_role)which, now_ns);
        }
    }
}
