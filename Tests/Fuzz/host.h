/// host.h: the owner of a native peer, for the fuzz targets peer.c and curve_stream.c: what the
/// peer hands over becomes one log of bytes, so that two runs can be compared.
///
/// Invariant: every message is looked at whole, compared with its wire form and given back.
#pragma once
#include "fuzz.h"

#include "../../CSources/CTransport/native/peer.h"

typedef struct host_bytes {
    uint8_t *data;
    size_t size, capacity;
} host_bytes;

typedef struct host {
    native_peer peer; ///< the first member: callbacks get its address
    native_link link;
    native_curve_keys *keys;
    host_bytes log;          ///< events, as written by host.c
    host_bytes output;       ///< what it wants to send
    uint64_t events_allowed; ///< then the host refuses the peer itself
    bool ready;
} host;

void host_append(host_bytes *, const void *data, size_t size);
bool host_is_equal(const host_bytes *, const host_bytes *);
/// `link` without metadata and pool. Metadata are made from `identity` (may be NULL).
void host_open(host *, native_link link, const char *identity);
void host_close(host *);
/// Feeds `size` bytes from an allocation of their own. NULL, or the reason.
const char *host_feed(host *, const uint8_t *data, size_t size);
/// How host.c logs an event (R ready, S subscription, C its end, P a command) and a message, for
/// those who know what must arrive.
void host_log_event(host_bytes *log, char kind, const uint8_t *data, uint64_t size);
void host_log_message(host_bytes *log, const message_frame *frames, uint32_t count);
