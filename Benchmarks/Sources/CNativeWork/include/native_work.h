/// native_work.h: what the native transport does with a message, without sockets and a reactor:
/// bytes that were read become messages, and messages become bytes to be written. For the suite
/// Codec.
///
///     read buffer -> native_peer_feed -> the client role's queue    (then given back)
///     a received message -> native_send_to_engine -> the engine's output    (then let go of)
///
/// Invariant: each call ends as it began, with nothing queued, so that calls can be repeated.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "message.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Bytes of a read, at most.
#define NATIVE_WORK_READ_SIZE (64u << 10)

typedef struct native_work native_work;

/// A client and an engine, both past their handshake. `frames`: the message, at most
/// NATIVE_WORK_READ_SIZE on the wire, copied. NULL: out of memory, or too large.
native_work *native_work_create(const message_frame *frames, uint32_t count);
void native_work_destroy(native_work *);

// Each takes the message `count` times. False: what came out is not what went in.

/// In reads that hold as many whole messages as fit.
bool native_work_receive_whole(native_work *, uint32_t count);
/// In two reads each, cut at another byte each time.
bool native_work_receive_split(native_work *, uint32_t count);
/// To the engine, as the scheduler sends a task: the client's id before its frames. Sixteen are
/// queued, then taken as written.
bool native_work_relay(native_work *, uint32_t count);

/// `count` heads of the message's frames, one after the other, are written and not read.
bool native_work_write_heads(native_work *, uint32_t count);
/// They are read, as the last `native_work_write_heads` left them.
bool native_work_read_heads(native_work *, uint32_t count);

#ifdef __cplusplus
}
#endif
