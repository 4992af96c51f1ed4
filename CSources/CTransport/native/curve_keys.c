/// curve_keys.c: the long-term pair: from text to bytes, once, at open. Called by native.c.
///
/// Invariant: what is accepted is a pair: the public key is the secret one's.
#include <sodium.h>
#include <string.h>

#include "curve.h"
#include "curve_z85.h"

static void system_random(void *context, uint8_t *out, size_t size)
{
    (void)context;
    randombytes_buf(out, size);
}

static bool decode(const char *z85, uint8_t out[NATIVE_CURVE_KEY_SIZE])
{
    return strlen(z85) == NATIVE_CURVE_Z85_SIZE &&
           native_z85_decode(z85, NATIVE_CURVE_Z85_SIZE, out);
}

const char *native_curve_keys_read(native_curve_keys *self, const char *public_z85,
                                   const char *secret_z85)
{
    uint8_t derived[NATIVE_CURVE_KEY_SIZE];
    *self = (native_curve_keys){.random = system_random};
    if (sodium_init() < 0)
        return "CURVE: libsodium cannot be used; see whether /dev/urandom can be read";
    if (!decode(public_z85, self->public_key) || !decode(secret_z85, self->secret_key))
        return "CURVE: a key is not 40 characters of Z85; take it from ipcontroller or make a pair "
               "with zmq.curve_keypair()";
    if (crypto_scalarmult_base(derived, self->secret_key) != 0 ||
        sodium_memcmp(derived, self->public_key, sizeof derived) != 0)
        return "CURVE: the public key does not belong to the secret key; give the pair that the "
               "controller has";
    return NULL;
}

void native_curve_keys_wipe(native_curve_keys *self)
{
    sodium_memzero(self, sizeof *self);
}
