/*
 * wire: addresses. Turns ZeroMQ urls into non-blocking sockets.
 * Called by the load generator and the floor relay at start and when connecting.
 * Invariant: every descriptor handed out is non-blocking and closed on exec.
 */
#define _GNU_SOURCE
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { WIRE_BACKLOG = 4096 };

typedef struct {
    struct sockaddr_storage storage;
    socklen_t size;
} wire_address;

static int wire_parse_ipc(const char *path, wire_address *address)
{
    struct sockaddr_un *local = (struct sockaddr_un *)&address->storage;
    if (strlen(path) >= sizeof local->sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    local->sun_family = AF_UNIX;
    memcpy(local->sun_path, path, strlen(path) + 1);
    address->size = sizeof *local;
    return 0;
}

static int wire_parse(const char *url, wire_address *address)
{
    char host[WIRE_URL_SIZE];
    memset(address, 0, sizeof *address);
    if (strncmp(url, "ipc://", 6) == 0)
        return wire_parse_ipc(url + 6, address);
    const char *port = strrchr(url, ':');
    if (strncmp(url, "tcp://", 6) != 0 || port == NULL || port < url + 6) {
        errno = EINVAL;
        return -1;
    }
    const char *begin = url + 6, *end = port;
    if (*begin == '[' && end > begin + 1 && end[-1] == ']')
        begin++, end--;
    snprintf(host, sizeof host, "%.*s", (int)(end - begin), begin);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    if (strcmp(host, "*") == 0)
        snprintf(host, sizeof host, "0.0.0.0");
    if (getaddrinfo(host, port + 1, &hints, &found) != 0) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    memcpy(&address->storage, found->ai_addr, found->ai_addrlen);
    address->size = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

static int wire_socket(const wire_address *address)
{
    int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int fd = socket(address->storage.ss_family, type, 0);
    if (fd >= 0 && address->storage.ss_family != AF_UNIX) {
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    return fd;
}

static int wire_close_failed(int fd)
{
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

int wire_listen(const char *url, char actual[WIRE_URL_SIZE])
{
    wire_address address;
    if (wire_parse(url, &address) != 0)
        return -1;
    int fd = wire_socket(&address), one = 1;
    if (fd < 0)
        return -1;
    bool local = address.storage.ss_family == AF_UNIX;
    if (local)
        unlink(url + 6);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address.storage, address.size) != 0 ||
        listen(fd, WIRE_BACKLOG) != 0)
        return wire_close_failed(fd);
    snprintf(actual, WIRE_URL_SIZE, "%s", url);
    if (address.storage.ss_family == AF_INET) {
        struct sockaddr_in bound;
        socklen_t size = sizeof bound;
        char ip[INET_ADDRSTRLEN];
        getsockname(fd, (struct sockaddr *)&bound, &size);
        inet_ntop(AF_INET, &bound.sin_addr, ip, sizeof ip);
        snprintf(actual, WIRE_URL_SIZE, "tcp://%s:%u", ip, ntohs(bound.sin_port));
    }
    return fd;
}

int wire_connect(const char *url, bool *is_tcp)
{
    wire_address address;
    if (wire_parse(url, &address) != 0)
        return -1;
    int fd = wire_socket(&address);
    if (fd < 0)
        return -1;
    *is_tcp = address.storage.ss_family != AF_UNIX;
    if (connect(fd, (struct sockaddr *)&address.storage, address.size) != 0 && errno != EINPROGRESS)
        return wire_close_failed(fd);
    return fd;
}

int wire_accept(int listener, bool *is_tcp)
{
    struct sockaddr_storage from;
    socklen_t size = sizeof from;
    int fd = accept4(listener, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return -1;
    int one = 1;
    *is_tcp = from.ss_family == AF_INET || from.ss_family == AF_INET6;
    if (*is_tcp)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

int wire_free_url(const char *transport, const char *directory, const char *name,
                  char url[WIRE_URL_SIZE])
{
    if (strcmp(transport, "ipc") == 0) {
        snprintf(url, WIRE_URL_SIZE, "ipc://%s/%s", directory, name);
        return 0;
    }
    int fd = wire_listen("tcp://127.0.0.1:0", url);
    if (fd < 0)
        return -1;
    close(fd);
    return 0;
}
