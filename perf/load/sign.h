/*
 * load: HMAC-SHA256 signatures as ipyparallel makes them, hex over four frames.
 * Called for each message built and for a sample of those received.
 * Invariant: the two hashed pads are never changed after load_sign_key.
 */
#ifndef PERF_LOAD_SIGN_H
#define PERF_LOAD_SIGN_H

#include <stddef.h>
#include <stdint.h>

enum { LOAD_SIGNATURE_SIZE = 64, LOAD_SIGNED_FRAMES = 4 };

typedef struct {
    const void *data;
    size_t size;
} load_part;

void load_sign_key(const char *key);
void load_sign(const load_part parts[LOAD_SIGNED_FRAMES], uint8_t hex[LOAD_SIGNATURE_SIZE]);

#endif
