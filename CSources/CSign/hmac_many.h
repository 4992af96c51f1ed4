/// hmac_many.h: HMAC-SHA256 of many messages at once.
///
/// Called by sign.c only. Three bodies, by what the CPU has:
///   avx512       sixteen at a time, and a few that are left over one by one
///   pairs        two at a time in the SHA instructions
///   none         OpenSSL, which offers one at a time, is the caller's to use
/// A message ends when it ends, and the next one takes its lane. An empty lane costs as much as a
/// full one, so the sixteen are used only while enough of them have work.
#pragma once
#include "sign.h"
#include "sign_testing.h"

/// A message in one piece is taken up to the first size; one in several is copied, up to the
/// second.
#define HMAC_SIZE_MAX (16 << 10)
#define HMAC_COPY_MAX (4 << 10)
/// What waits for hmac_many_run, at most.
#define HMAC_QUEUE_MAX 64
#define HMAC_HEX_SIZE  64

typedef struct hmac_many hmac_many;

/// NULL: this CPU does not have that body, or memory is short. SIGNER_BEST: the best it has.
hmac_many *hmac_many_create(signer_body);
void hmac_many_destroy(hmac_many *);
signer_body hmac_many_body(const hmac_many *);
/// How many messages take less time together than one by one.
size_t hmac_many_worth(const hmac_many *);
/// Queues a message, whose job must stay until it was run. False: it is too long, or the queue is
/// full.
bool hmac_many_add(hmac_many *, const signer_job *);
bool hmac_many_is_full(const hmac_many *);
/// Signs what is queued: 64 hex characters a job. `inner` and `outer`: SHA-256 states after the
/// pads.
void hmac_many_run(hmac_many *, const uint32_t inner[8], const uint32_t outer[8]);
