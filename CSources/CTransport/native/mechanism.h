/// mechanism.h: the slot a security mechanism fits into: NULL (null.c) or CURVE (curve.c).
/// Called by peer.c (handshake, opening frames) and output.c (sealing frames).
///
/// A mechanism is a pure state machine over command bodies, without I/O and without a clock. Both
/// sides' metadata (Socket-Type, Identity) are given and taken as they stand in READY.
///
/// Invariant: after `done`, and only then, traffic flows; a reason ends the connection.
#pragma once
#include "codec.h"

/// Largest command of a handshake, ours or the peer's: INITIATE with all its metadata fits.
#define NATIVE_HANDSHAKE_COMMAND_MAX 2048u

typedef struct native_step {
    const char *reason;    ///< NULL, or why the peer is refused, as the end of a sentence
    size_t out_size;       ///< a command body to send; 0: none
    bool done;             ///< traffic may begin after `out` was sent
    native_bytes metadata; ///< set once, no later than `done`: the peer's; valid during the call
} native_step;

typedef struct native_curve_keys native_curve_keys;

typedef struct native_security {
    const native_curve_keys *curve; ///< borrowed; NULL: mechanism NULL
} native_security;

/// A connection's own mechanism state; its head.
typedef struct native_mechanism native_mechanism;

typedef struct native_mechanism_ops {
    const char *name; ///< as in the greeting
    /// `server`: this side bound. `metadata`: ours; copied if needed later. NULL: out of memory.
    native_mechanism *(*create)(const native_security *, bool server, native_bytes metadata);
    void (*destroy)(native_mechanism *);
    /// Once, after both greetings: the command that this side begins with, if it does.
    native_step (*start)(native_mechanism *, uint8_t out[NATIVE_HANDSHAKE_COMMAND_MAX]);
    /// For each command of the peer (`body`: name size, name, data) until `done`.
    native_step (*step)(native_mechanism *, native_bytes body,
                        uint8_t out[NATIVE_HANDSHAKE_COMMAND_MAX]);
    /// Opens a frame's `body` into `out`, which has as much room and may be the same place: `plain`
    /// lies within it, `flags` are the inner frame's (MORE, COMMAND). NULL, or the reason.
    /// A NULL function: frames travel as they are.
    const char *(*open)(native_mechanism *, const uint8_t *body, size_t size, uint8_t *out,
                        native_bytes *plain, uint8_t *flags);
    /// Writes the sealed body of a frame: exactly `plain.size + seal_overhead` bytes.
    void (*seal)(native_mechanism *, uint8_t flags, native_bytes plain, uint8_t *out);
    size_t seal_overhead;
} native_mechanism_ops;

struct native_mechanism {
    const native_mechanism_ops *ops;
};

extern const native_mechanism_ops NATIVE_NULL;
