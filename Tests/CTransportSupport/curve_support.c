/// curve_support.c: see curve_support.h.
#include "curve_support.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "../../CSources/CTransport/native/curve.h"
#include "../../CSources/CTransport/native/curve_z85.h"

struct support_curve {
    native_mechanism *mechanism;
    native_curve_keys keys;
    uint8_t next;
};

_Static_assert(SUPPORT_CURVE_COMMAND_MAX == NATIVE_HANDSHAKE_COMMAND_MAX, "one room");

static void counted(void *context, uint8_t *out, size_t size)
{
    support_curve *self = context;
    for (size_t i = 0; i < size; i++)
        out[i] = self->next++;
}

support_curve *support_curve_create(bool server, const uint8_t *secret, uint8_t seed,
                                    const uint8_t *metadata, size_t metadata_size)
{
    support_curve *self = calloc(1, sizeof *self);
    native_security security = {&self->keys};
    self->keys.random = counted;
    self->keys.random_context = self;
    self->next = seed;
    memcpy(self->keys.secret_key, secret, sizeof self->keys.secret_key);
    support_curve_public(secret, self->keys.public_key);
    self->mechanism =
        NATIVE_CURVE.create(&security, server, (native_bytes){metadata, metadata_size});
    return self;
}

void support_curve_set_server(support_curve *self, const uint8_t *public_key)
{
    memcpy(self->keys.public_key, public_key, sizeof self->keys.public_key);
}

void support_curve_set_secret(support_curve *self, const uint8_t *secret_key)
{
    memcpy(self->keys.secret_key, secret_key, sizeof self->keys.secret_key);
}

void support_curve_destroy(support_curve *self)
{
    NATIVE_CURVE.destroy(self->mechanism);
    free(self);
}

static support_curve_step report(const native_step *step)
{
    return (support_curve_step){step->reason, step->out_size, step->done,
                                step->metadata.data != NULL, step->metadata.size};
}

support_curve_step support_curve_start(support_curve *self, uint8_t *out)
{
    native_step step = NATIVE_CURVE.start(self->mechanism, out);
    return report(&step);
}

support_curve_step support_curve_take(support_curve *self, const uint8_t *body, size_t size,
                                      uint8_t *out, uint8_t *metadata)
{
    // A copy of its own: what lies beyond its end must not be looked at.
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, body, size);
    native_step step = NATIVE_CURVE.step(self->mechanism, (native_bytes){copy, size}, out);
    if (step.metadata.data)
        memcpy(metadata, step.metadata.data, step.metadata.size);
    free(copy);
    return report(&step);
}

void support_curve_seal(support_curve *self, uint8_t flags, const uint8_t *plain, size_t size,
                        uint8_t *out)
{
    NATIVE_CURVE.seal(self->mechanism, flags, (native_bytes){plain, size}, out);
}

const char *support_curve_open(support_curve *self, uint8_t *body, size_t size, size_t *offset,
                               size_t *plain_size, uint8_t *flags)
{
    native_bytes plain = {0};
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, body, size);
    const char *reason = NATIVE_CURVE.open(self->mechanism, copy, size, body, &plain, flags);
    free(copy);
    if (!reason) {
        *offset = (size_t)(plain.data - body);
        *plain_size = plain.size;
    }
    return reason;
}

void support_curve_public(const uint8_t *secret, uint8_t *public_key)
{
    crypto_scalarmult_base(public_key, secret);
}

bool support_box_open(const uint8_t *box, size_t size, const uint8_t *nonce,
                      const uint8_t *public_key, const uint8_t *secret, uint8_t *out)
{
    return crypto_box_open_easy(out, box, size, nonce, public_key, secret) == 0;
}

bool support_z85_decode(const char *text, size_t size, uint8_t *out)
{
    return native_z85_decode(text, size, out);
}
