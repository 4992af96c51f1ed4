/// peer.h: one connection's protocol without I/O: bytes in; messages, commands to answer, or a
/// reason to close out. Called by connection.c; the host's functions are called from within `feed`.
///
///     GREETING --64 bytes--> HANDSHAKE --mechanism done--> TRAFFIC
///
/// Invariant: `ready` is called once, before any message or subscription; after a reason the peer
/// is never fed again.
#pragma once
#include "assembly.h"

typedef enum native_socket {
    NATIVE_ROUTER = 1,
    NATIVE_DEALER = 2,
    NATIVE_PUB = 3,
    NATIVE_SUB = 4,
} native_socket;

/// What all peers of one role share.
typedef struct native_link {
    native_socket socket;
    bool server; ///< this side bound
    const native_mechanism_ops *mechanism;
    native_security security;
    uint8_t *metadata; ///< ours: Socket-Type and Identity
    size_t metadata_size;
    native_sizes sizes;
    transport_pool *pool;
} native_link;

typedef struct native_peer native_peer;

/// What a peer asks of its owner. Reasons are ends of sentences, NULL when all is well.
typedef struct native_host {
    const char *(*ready)(native_peer *, native_bytes identity);
    /// Owns the block from here on.
    const char *(*message)(native_peer *, native_block *);
    const char *(*subscription)(native_peer *, bool subscribes, native_bytes topic);
    /// Greeting and handshake: bytes that go out as they are.
    void (*output)(native_peer *, native_bytes);
    /// A command of the traffic phase (sealed by the owner if need be): name size, name, data.
    void (*command)(native_peer *, native_bytes body);
} native_host;

typedef enum native_phase {
    NATIVE_PHASE_GREETING,
    NATIVE_PHASE_HANDSHAKE,
    NATIVE_PHASE_TRAFFIC,
} native_phase;

typedef struct native_handshake {
    uint8_t greeting_size, identity_size;
    bool has_metadata;
    uint8_t greeting[NATIVE_GREETING_SIZE];
    uint8_t identity[255];
} native_handshake;

struct native_peer {
    const native_link *link;
    const native_host *host;
    native_mechanism *mechanism;
    native_assembly *assembly;   ///< NULL: nothing incomplete
    native_handshake *handshake; ///< NULL: traffic
    native_phase phase;
    uint8_t minor; ///< of the peer's ZMTP 3
    /// The two below have changed. The owner looks after each feed, and takes them.
    bool has_news;
    uint32_t dropped_messages; ///< of too many frames
    uint32_t promised_tenths;  ///< of a second: in that time it will have spoken (PING)
};

/// Bytes kept of a message that is not whole.
static inline uint64_t native_peer_unfinished(const native_peer *self)
{
    return self->assembly ? self->assembly->taken : 0;
}

/// Something has come of a message that is not whole.
static inline bool native_peer_is_within_message(const native_peer *self)
{
    return self->assembly && !native_assembly_is_empty(self->assembly);
}

/// Where the rest of a large frame goes: what is received and fed there is not copied again.
static inline reactor_room native_peer_room(native_peer *self)
{
    return self->assembly ? native_assembly_room(self->assembly) : (reactor_room){0};
}

/// False when out of memory. Sends the greeting through `host->output`.
bool native_peer_open(native_peer *, const native_link *, const native_host *);
void native_peer_close(native_peer *);
/// NULL, or the reason to close the connection.
const char *native_peer_feed(native_peer *, native_bytes);
/// Our metadata for `link`: `socket` and `identity` (may be NULL). False: out of memory.
bool native_link_set_metadata(native_link *, const char *identity);
