/// endpoint.h: what an url names. Called at open, by check.c and by the transport bodies.
///
///     tcp://127.0.0.1:5555  tcp://*:5555  tcp://[::1]:5555  tcp://host:5555  ipc:///run/x.sock
///
/// Pure text, no I/O, except `endpoint_needs_ipv6`, which may ask the resolver for a host name.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// A host name has at most 255 bytes; a unix path at most 107 (sun_path).
#define ENDPOINT_HOST_MAX 255
#define ENDPOINT_PATH_MAX 107

typedef enum endpoint_kind { ENDPOINT_TCP = 1, ENDPOINT_IPC = 2 } endpoint_kind;

typedef struct endpoint {
    endpoint_kind kind;
    bool bracketed;                   ///< host is an IPv6 address, written in brackets
    uint16_t port;                    ///< 0: any (only where it is bound)
    char host[ENDPOINT_HOST_MAX + 1]; ///< without brackets; "*" is every address
    char path[ENDPOINT_PATH_MAX + 1]; ///< ipc
} endpoint;

/// NULL, or what is wrong with `url`, as the middle of a sentence.
const char *endpoint_parse(const char *url, bool binds, endpoint *out);
/// Whether the socket must speak IPv6: an IPv6 address, or a name that has no other.
/// False in `known` when the name does not exist.
bool endpoint_needs_ipv6(const endpoint *, bool *known);
