/// hold.h: sends for engines that have not connected yet, kept for a bounded time. Called by both
/// transport bodies.
///
/// Invariant: what was appended ends exactly once: sent, or given back as TRANSPORT_UNDELIVERABLE.
#pragma once
#include "transport_internal.h"

/// How often held sends are tried again, and for how many engines each time: a try costs a lookup.
#define HOLD_RETRY_NS    5000000ull
#define HOLD_RETRIES_MAX 512u
#define HOLD_BUCKETS     1024u

typedef struct transport_hold transport_hold;
/// Tries to send: 0, or an errno when the engine is not there and nothing of it was sent.
typedef int (*transport_hold_send)(transport *, const transport_send *);

transport_hold *transport_hold_create(uint64_t hold_ns, uint64_t hold_bytes_max,
                                      transport_hold_send);
/// Tries everything once more, then releases it.
void transport_hold_destroy(transport *, transport_hold *);
/// Whether something is held for this engine, behind which later sends must queue.
bool transport_hold_has(const transport_hold *, atom engine);
void transport_hold_append(transport *, transport_hold *, const transport_send *);
/// The engine has connected: sends what is held for it.
void transport_hold_serve(transport *, transport_hold *, atom engine);
uint64_t transport_hold_deadline_ns(const transport_hold *);
void transport_hold_retry(transport *, transport_hold *, uint64_t now_ns);
bool transport_hold_has_failed(const transport_hold *);
uint32_t transport_hold_gather(transport_hold *, transport_event *, uint32_t capacity);
/// Releases the atoms that the last gathering lent.
void transport_hold_begin_turn(transport *, transport_hold *);
