/// attach.c: binds or connects one socket, or says why not. Called by libzmq.c.
///
/// Invariant: nothing that lies at an ipc path is removed, except a socket nobody listens on.
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "body.h"

/// libzmq unlinks whatever lies at an ipc path before it binds: another scheduler's live socket, or
/// a file of somebody's. 0 when it may.
int transport_check_ipc_path(const char *path)
{
    struct stat status;
    if (path[0] == '@' || strcmp(path, "*") == 0 || lstat(path, &status) != 0)
        return 0;
    if (!S_ISSOCK(status.st_mode))
        return EEXIST;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return errno;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path) + 1); // endpoint_parse: it fits
    // EAGAIN: its backlog is full, so somebody listens there.
    bool listens =
        connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 || errno == EAGAIN;
    close(fd);
    return listens ? EADDRINUSE : 0;
}

const char *transport_bind_advice(int error)
{
    switch (error) {
    case EADDRINUSE:
        return "another scheduler may be running there; end it or choose another address";
    case EACCES:
    case EPERM:
        return "choose a port above 1023 (or a folder you may write to), or run with the right "
               "to bind it";
    case EADDRNOTAVAIL:
    case ENODEV:
        return "no interface of this machine has that address; use one that has, or *";
    case ENOENT:
    case ENOTDIR:
        return "make the folder of that path first";
    case EEXIST:
        return "a file that is not a socket lies there; remove it or choose another path";
    case EAFNOSUPPORT:
        return "this machine does not speak that protocol; use an IPv4 address";
    default:
        return "check the address";
    }
}

bool libzmq_attach(libzmq_body *body, transport_role role, const transport_config *config,
                   const endpoint *parsed, transport_error *error)
{
    const char *url = config->url[role];
    if (!transport_role_binds(role)) {
        if (zmq_connect(body->sockets[role], url) == 0)
            return true;
        return transport_fail(error, TRANSPORT_STAGE_ARGUMENT,
                              "cannot connect to the %s url %.200s: %s; check the address",
                              transport_role_name(role), url, zmq_strerror(errno));
    }
    int rc = parsed->kind == ENDPOINT_IPC ? transport_check_ipc_path(parsed->path) : 0;
    if (rc == 0 && zmq_bind(body->sockets[role], url) != 0)
        rc = errno;
    if (rc != 0)
        return transport_fail(error, TRANSPORT_STAGE_BIND, "cannot bind the %s url %.200s: %s; %s",
                              transport_role_name(role), url, zmq_strerror(rc),
                              transport_bind_advice(rc));
    char bound[512];
    size_t size = sizeof bound;
    if (zmq_getsockopt(body->sockets[role], ZMQ_LAST_ENDPOINT, bound, &size) == 0)
        body->endpoints[role] = strdup(bound);
    return true;
}
