/// listen.c: bound addresses: bind, accept, rest when descriptors run out. Called by native.c and,
/// through the sink, by the reactor.
///
/// Invariant: nothing that lies at an ipc path is removed, except a socket nobody listens on.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../reactor/stream_table.h"
#include "body.h"

void native_set_tcp_options(int fd)
{
    static const struct {
        int level, name, value;
    } OPTIONS[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, NATIVE_KEEPALIVE_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPCNT, NATIVE_KEEPALIVE_COUNT},
        {IPPROTO_TCP, TCP_KEEPINTVL, NATIVE_KEEPALIVE_INTERVAL_S},
    };
    for (size_t i = 0; i < sizeof OPTIONS / sizeof OPTIONS[0]; i++)
        setsockopt(fd, OPTIONS[i].level, OPTIONS[i].name, &OPTIONS[i].value, sizeof(int));
}

/// `ipc://*`: a path of its own in a folder of its own, as libzmq makes it.
static bool choose_path(endpoint *parsed)
{
    const char *folder = getenv("TMPDIR");
    int length = snprintf(parsed->path, sizeof parsed->path, "%s/yardmaster-XXXXXX",
                          folder ? folder : "/tmp");
    if (length < 0 || (size_t)length + sizeof "/socket" > sizeof parsed->path)
        return false;
    if (!mkdtemp(parsed->path))
        return false;
    strcat(parsed->path, "/socket");
    return true;
}

/// A scheduler that was killed keeps its port for a moment: the kernel ends io_uring's accepts
/// after the process. Its successor waits that long.
static int bind_patiently(int fd, const struct sockaddr *address, socklen_t size)
{
    const struct timespec pause = {.tv_nsec = NATIVE_BIND_PAUSE_NS};
    int tries = NATIVE_BIND_TRIES;
    while (bind(fd, address, size) != 0) {
        if (errno != EADDRINUSE || --tries <= 0)
            return -errno;
        nanosleep(&pause, NULL);
    }
    while (listen(fd, NATIVE_BACKLOG) != 0) {
        if (errno != EADDRINUSE || --tries <= 0)
            return -errno;
        nanosleep(&pause, NULL);
    }
    return 0;
}

/// The listening descriptor, or -errno.
static int open_listener(native_role *role, char *reason, size_t reason_size)
{
    native_address address;
    socklen_t size = 0;
    bool ipc = role->parsed.kind == ENDPOINT_IPC;
    if (ipc && strcmp(role->parsed.path, "*") == 0 && !choose_path(&role->parsed))
        return -ENOENT;
    const char *problem = native_resolve(&role->parsed, true, &address, &size);
    if (problem) {
        snprintf(reason, reason_size, "%s", problem);
        return -ENODEV;
    }
    int rc = ipc ? -transport_check_ipc_path(role->parsed.path) : 0;
    if (rc != 0)
        return rc;
    int fd = socket(address.head.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int one = 1, zero = 0;
    if (ipc && role->parsed.path[0] != '@')
        unlink(role->parsed.path);
    if (!ipc)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (address.head.sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    rc = bind_patiently(fd, &address.head, size);
    if (rc != 0) {
        close(fd);
        return rc;
    }
    if (ipc && role->parsed.path[0] != '@')
        role->unlink_path = strdup(role->parsed.path);
    return fd;
}

static char *describe(int fd, const endpoint *parsed)
{
    char host[INET6_ADDRSTRLEN] = "", text[512];
    native_address address;
    socklen_t size = sizeof address;
    if (parsed->kind == ENDPOINT_IPC)
        snprintf(text, sizeof text, "ipc://%s", parsed->path);
    else if (getsockname(fd, &address.head, &size) != 0)
        return NULL;
    else if (address.head.sa_family == AF_INET6)
        snprintf(text, sizeof text, "tcp://[%s]:%u",
                 inet_ntop(AF_INET6, &address.ipv6.sin6_addr, host, sizeof host),
                 ntohs(address.ipv6.sin6_port));
    else
        snprintf(text, sizeof text, "tcp://%s:%u",
                 inet_ntop(AF_INET, &address.ipv4.sin_addr, host, sizeof host),
                 ntohs(address.ipv4.sin_port));
    return strdup(text);
}

bool native_listen(transport *self, transport_role which, transport_error *error)
{
    native_role *role = &native_of(self)->roles[which];
    char reason[160] = "";
    int fd = open_listener(role, reason, sizeof reason);
    int rc = fd < 0 ? fd : native_streams(self)->listen(self->reactor, fd, which);
    if (rc < 0) {
        if (fd >= 0)
            close(fd);
        return transport_fail(error, TRANSPORT_STAGE_BIND, "cannot bind the %s url %.200s: %s; %s",
                              transport_role_name(which), role->url,
                              reason[0] ? reason : strerror(-rc), transport_bind_advice(-rc));
    }
    role->listener = fd;
    role->endpoint = describe(fd, &role->parsed);
    return true;
}

void native_unlisten(transport *self, transport_role which)
{
    native_role *role = &native_of(self)->roles[which];
    if (role->listener >= 0)
        native_streams(self)->unlisten(self->reactor, role->listener);
    if (role->unlink_path)
        unlink(role->unlink_path);
    role->listener = -1;
    free(role->unlink_path);
    role->unlink_path = NULL;
}

void native_accepted(void *context, uint64_t tag, int32_t result)
{
    transport *self = context;
    transport_role which = (transport_role)tag;
    native_role *role = &native_of(self)->roles[which];
    if (result > native_of(self)->descriptor_max) {
        // The last ones are for the hub's links. Whoever waits in the backlog waits a little more.
        close(result);
        result = -EMFILE;
        role->short_of_descriptors = true;
        native_streams(self)->pause(self->reactor, role->listener, true);
    }
    const native_hooks *hooks = native_of(self)->hooks;
    if (result >= 0 && hooks && hooks->accepted) {
        hooks->accepted(self, which, result);
        return;
    }
    if (result >= 0) {
        native_connection_open(self, which, result);
        return;
    }
    bool rests = reactor_accept_rests(result);
    native_notice(self, which, strerror(-result),
                  "cannot accept a connection on the %s address: %s; %s",
                  transport_role_name(which), strerror(-result),
                  rests ? "accepting rests until one can be; raise ulimit -n" : "going on");
    if (rests)
        role->accept_ns = transport_now_ns() + NATIVE_ACCEPT_REST_NS;
}

void native_accept_again(transport *self, uint64_t now_ns)
{
    for (int which = 0; which < TRANSPORT_ROLES; which++) {
        native_role *role = &native_of(self)->roles[which];
        if (role->accept_ns > now_ns)
            continue;
        role->accept_ns = UINT64_MAX;
        if (role->short_of_descriptors)
            native_streams(self)->pause(self->reactor, role->listener, role->full);
        role->short_of_descriptors = false;
        native_streams(self)->accept_again(self->reactor, role->listener);
    }
}
