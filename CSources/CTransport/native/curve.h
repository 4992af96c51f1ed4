/// curve.h: the mechanism CURVE (RFC 26) for mechanism.h's slot. Called by native.c (keys) and,
/// through native_mechanism_ops, by peer.c, assembly.c and output.c.
///
///     client                                    server
///     HELLO    C', Box[zeros](C'->S)      -->
///                              <--   WELCOME    Box[S', cookie](S->C'), cookie = [C', s'](K)
///     INITIATE cookie, Box[C, Box[C',S](C->S'), metadata](C'->S')      -->
///                              <--   READY      Box[metadata](S'->C')
///     MESSAGE  Box[flags, body]           <->
///
/// C, S: long-term pairs; C', S': pairs of this connection alone; K: a key of this connection that
/// never leaves the server. No list of clients: whoever knows S may come in, as in ipyparallel.
///
/// Invariant: secrets are zeroed before their memory is given back.
#pragma once
#include "mechanism.h"

#define NATIVE_CURVE_KEY_SIZE 32u
#define NATIVE_CURVE_Z85_SIZE 40u
/// A sealed frame's body: name 8, nonce 8, authenticator 16, flags 1, and then the frame's own.
#define NATIVE_CURVE_OVERHEAD 33u

/// The long-term pair, shared by all connections of a transport. Connecting sockets use it twice:
/// as their own, and its public half as the server's (ipyparallel has one pair for all).
struct native_curve_keys {
    uint8_t public_key[NATIVE_CURVE_KEY_SIZE];
    uint8_t secret_key[NATIVE_CURVE_KEY_SIZE];
    /// Where short-term keys and nonces come from: the system's generator, but in tests.
    void (*random)(void *context, uint8_t *out, size_t size);
    void *random_context;
};

/// curve_keys.c. NULL, or why the keys cannot be used, as a sentence without key material.
const char *native_curve_keys_read(native_curve_keys *, const char *public_z85,
                                   const char *secret_z85);
void native_curve_keys_wipe(native_curve_keys *);

extern const native_mechanism_ops NATIVE_CURVE;
