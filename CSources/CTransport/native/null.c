/// null.c: the NULL mechanism: both sides send READY at once; frames travel as they are. Called
/// through native_mechanism_ops.
///
/// Invariant: done exactly when the peer's READY was read; ours went out in `start`.
#include <stdlib.h>
#include <string.h>

#include "mechanism.h"

typedef struct null_state {
    native_mechanism head;
    size_t metadata_size;
    uint8_t metadata[];
} null_state;

static native_mechanism *null_create(const native_security *security, bool server,
                                     native_bytes metadata)
{
    (void)security;
    (void)server;
    null_state *self = malloc(sizeof *self + metadata.size);
    if (!self)
        return NULL;
    self->head.ops = &NATIVE_NULL;
    self->metadata_size = metadata.size;
    memcpy(self->metadata, metadata.data, metadata.size);
    return &self->head;
}

static void null_destroy(native_mechanism *base)
{
    free(base);
}

static native_step null_start(native_mechanism *base, uint8_t out[NATIVE_HANDSHAKE_COMMAND_MAX])
{
    const null_state *self = (const null_state *)base;
    size_t size = native_command_begin(out, "READY");
    memcpy(out + size, self->metadata, self->metadata_size);
    return (native_step){.out_size = size + self->metadata_size};
}

static native_step null_step(native_mechanism *base, native_bytes body,
                             uint8_t out[NATIVE_HANDSHAKE_COMMAND_MAX])
{
    (void)base;
    (void)out;
    native_bytes name, data;
    if (!native_command_split(body, &name, &data))
        return (native_step){.reason = "sent a command without a name"};
    if (native_bytes_are(name, "READY"))
        return (native_step){.done = true, .metadata = data};
    if (native_bytes_are(name, "ERROR"))
        return (native_step){.reason = "refused us with ERROR"};
    return (native_step){.reason = "sent another command than READY"};
}

const native_mechanism_ops NATIVE_NULL = {
    .name = "NULL",
    .create = null_create,
    .destroy = null_destroy,
    .start = null_start,
    .step = null_step,
};
