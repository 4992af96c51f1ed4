/// peer_reference.h: what a peer must make of bytes behind the handshake, read the slow way: all of
/// them at once, without encryption. Called by peer.c, the fuzz target.
#pragma once
#include "host.h"

typedef struct peer_reference {
    host_bytes log;   ///< as the host's, from behind `ready` on
    uint32_t dropped; ///< messages of too many frames
    bool closes;      ///< the bytes end the connection
} peer_reference;

peer_reference peer_reference_read(const uint8_t *data, size_t size, uint64_t frame_bytes_max);
