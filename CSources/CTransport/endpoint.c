/// endpoint.c: see endpoint.h. Invariant: whatever the text, `out` is fully written or not used.
#include "endpoint.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

static const char *parse_port(const char *text, bool binds, uint16_t *port)
{
    if (binds && strcmp(text, "*") == 0) {
        *port = 0;
        return NULL;
    }
    size_t length = strlen(text);
    if (length == 0 || length > 5 || strspn(text, "0123456789") != length)
        return "its port is not a number";
    uint32_t value = 0;
    for (const char *digit = text; *digit; digit++)
        value = value * 10 + (uint32_t)(*digit - '0');
    if (value > 65535)
        return "its port is above 65535";
    if (value == 0 && !binds)
        return "port 0 cannot be connected to";
    *port = (uint16_t)value;
    return NULL;
}

static const char *parse_host(const char *text, size_t length, bool binds, endpoint *out)
{
    out->bracketed = length >= 2 && text[0] == '[' && text[length - 1] == ']';
    if (out->bracketed) {
        text++;
        length -= 2;
    }
    if (length == 0)
        return "it names no host";
    if (length > ENDPOINT_HOST_MAX)
        return "its host is longer than 255 bytes";
    memcpy(out->host, text, length);
    out->host[length] = 0;
    if (out->bracketed) {
        char address[ENDPOINT_HOST_MAX + 1];
        struct in6_addr ignored;
        memcpy(address, out->host, length + 1);
        address[strcspn(address, "%")] = 0; // a scope, as in fe80::1%eth0
        return inet_pton(AF_INET6, address, &ignored) == 1 ? NULL : "it is no IPv6 address";
    }
    if (strchr(out->host, ':'))
        return "an IPv6 address must stand in brackets, as in tcp://[::1]:5555";
    if (!binds && strcmp(out->host, "*") == 0)
        return "* cannot be connected to";
    if (strpbrk(out->host, "[];/@ \t\r\n"))
        return "its host has characters that no host name has";
    return NULL;
}

const char *endpoint_parse(const char *url, bool binds, endpoint *out)
{
    memset(out, 0, sizeof *out);
    if (strncmp(url, "ipc://", 6) == 0) {
        const char *path = url + 6;
        out->kind = ENDPOINT_IPC;
        if (*path == 0 || strcmp(path, "@") == 0)
            return "it names no path";
        if (strlen(path) > ENDPOINT_PATH_MAX)
            return "its path is longer than the 107 bytes a unix socket takes";
        strcpy(out->path, path);
        return NULL;
    }
    if (strncmp(url, "tcp://", 6) != 0)
        return "it is neither tcp://host:port nor ipc://path";
    out->kind = ENDPOINT_TCP;
    const char *host = url + 6;
    const char *colon = strrchr(host, ':');
    if (!colon)
        return "it has no port";
    const char *problem = parse_host(host, (size_t)(colon - host), binds, out);
    return problem ? problem : parse_port(colon + 1, binds, &out->port);
}

bool endpoint_needs_ipv6(const endpoint *self, bool *known)
{
    *known = true;
    if (self->kind != ENDPOINT_TCP || self->bracketed || strcmp(self->host, "*") == 0)
        return self->bracketed;
    struct in_addr ignored;
    if (inet_pton(AF_INET, self->host, &ignored) == 1)
        return false;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(self->host, NULL, &hints, &found);
    // A resolver that is away for a moment is not a wrong name: libzmq and we dial again.
    if (rc != 0) {
        *known = rc != EAI_NONAME;
        return false;
    }
    bool has_ipv4 = false, has_ipv6 = false;
    for (struct addrinfo *address = found; address; address = address->ai_next) {
        has_ipv4 |= address->ai_family == AF_INET;
        has_ipv6 |= address->ai_family == AF_INET6;
    }
    freeaddrinfo(found);
    return has_ipv6 && !has_ipv4;
}
