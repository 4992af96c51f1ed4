/// message.c: messages made of libzmq's parts, in recycled memory (../pool.h). Called by gather.c
/// and message_release.
///
///     | libzmq_message | message_frame x count | zmq_msg_t x count |
///
/// Invariant: all parts are initialised until the message is disposed of.
#include "body.h"

libzmq_message *libzmq_message_take(transport_pool *pool, uint32_t frame_count)
{
    size_t size =
        sizeof(libzmq_message) + frame_count * (sizeof(message_frame) + sizeof(zmq_msg_t));
    uint32_t size_class;
    libzmq_message *self = transport_pool_take(pool, size, &size_class);
    if (!self)
        return NULL;
    message_frame *frames = (message_frame *)(self + 1);
    *self = (libzmq_message){
        .head = {.frames = frames,
                 .dispose = libzmq_message_dispose,
                 .frame_count = (uint16_t)frame_count,
                 .body = TRANSPORT_BODY_ZMQ},
        .pool = pool,
        .parts = (zmq_msg_t *)(frames + frame_count),
        .size_class = size_class,
    };
    for (uint32_t i = 0; i < frame_count; i++)
        zmq_msg_init(&self->parts[i]);
    return self;
}

void libzmq_message_dispose(message *head)
{
    libzmq_message *self = (libzmq_message *)head;
    for (uint32_t i = 0; i < head->frame_count; i++)
        zmq_msg_close(&self->parts[i]);
    transport_pool_give(self->pool, self, self->size_class);
}
