/// gather.c: takes from the sockets what is there and makes events of it. Called by the turn.
///
/// Invariant: a message is either wholly an event, with a handle and one reference, or wholly
/// dropped, or it is `stalled` and nothing else is read.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"

#define SCRATCH_MIN 32u
/// A ROUTER's routing id comes on top of the frames that a message may have.
#define SCRATCH_MAX (LIBZMQ_FRAMES_MAX + 1)

typedef enum receive_result {
    RECEIVE_NOTHING, ///< EAGAIN: the socket is empty
    RECEIVE_DROPPED, ///< too many frames, or none
    RECEIVE_MESSAGE,
    RECEIVE_STALLED,
} receive_result;

void libzmq_process_commands(void *socket)
{
    int events = 0;
    size_t size = sizeof events;
    while (zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size) != 0 && errno == EINTR)
        ;
}

bool libzmq_reserve(libzmq_body *body, uint32_t count)
{
    if (count < body->scratch_capacity)
        return true;
    uint32_t capacity = body->scratch_capacity ? body->scratch_capacity * 2 : SCRATCH_MIN;
    // No realloc: a zmq_msg_t may only be moved by zmq_msg_move.
    zmq_msg_t *scratch = malloc(capacity * sizeof *scratch);
    if (!scratch)
        return false;
    for (uint32_t i = 0; i < capacity; i++)
        zmq_msg_init(&scratch[i]);
    for (uint32_t i = 0; i < body->scratch_capacity; i++)
        zmq_msg_move(&scratch[i], &body->scratch[i]);
    free(body->scratch);
    body->scratch = scratch;
    body->scratch_capacity = capacity;
    return true;
}

static void empty_scratch(libzmq_body *body, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        zmq_msg_close(&body->scratch[i]);
        zmq_msg_init(&body->scratch[i]);
    }
}

/// One multipart message into `scratch`; `count` is its number of parts.
static receive_result receive_parts(libzmq_body *body, void *socket, uint32_t *count)
{
    uint32_t received = 0;
    bool dropping = false;
    for (;;) {
        // A message that is too long is read to its end, over and over into its last part.
        if (!dropping && (received == SCRATCH_MAX || !libzmq_reserve(body, received)))
            dropping = true;
        zmq_msg_t *part = &body->scratch[dropping && received > 0 ? received - 1 : received];
        if (zmq_msg_recv(part, socket, ZMQ_DONTWAIT) < 0) {
            if (errno == EINTR)
                continue;
            // Within a message libzmq never says EAGAIN: it hands out whole ones only.
            empty_scratch(body, received);
            return RECEIVE_NOTHING;
        }
        if (!dropping)
            received++;
        if (!zmq_msg_more(part))
            break;
    }
    if (dropping) {
        empty_scratch(body, received);
        return RECEIVE_DROPPED;
    }
    *count = received;
    return RECEIVE_MESSAGE;
}

/// What carries nothing: no frame at all, or a single empty one (ZMQ_PROBE_ROUTER sends that).
static bool is_empty(const libzmq_body *body, uint32_t first, uint32_t count)
{
    return count == first || (count == first + 1 && zmq_msg_size(&body->scratch[first]) == 0);
}

/// Moves parts `first` to `count` out of `scratch`. NULL when out of memory.
static libzmq_message *build(libzmq_body *body, uint32_t first, uint32_t count)
{
    libzmq_message *block = libzmq_message_take(body->pool, count - first);
    if (!block)
        return NULL;
    for (uint32_t i = first; i < count; i++) {
        zmq_msg_t *part = &block->parts[i - first];
        zmq_msg_move(part, &body->scratch[i]);
        // Only now: small frames lie inside the zmq_msg_t.
        size_t size = zmq_msg_size(part);
        block->head.frames[i - first] = (message_frame){.data = zmq_msg_data(part), .size = size};
    }
    return block;
}

static receive_result receive_message(transport *self, transport_role role, libzmq_message **out)
{
    libzmq_body *body = libzmq_of(self);
    uint32_t count = 0;
    receive_result result = receive_parts(body, body->sockets[role], &count);
    if (result != RECEIVE_MESSAGE)
        return result;
    bool routed = role == TRANSPORT_CLIENT || (role == TRANSPORT_ENGINE && !body->engine_dealer);
    uint32_t first = routed ? 1 : 0;
    libzmq_message *block = NULL;
    if (!is_empty(body, first, count) && count - first <= LIBZMQ_FRAMES_MAX)
        block = build(body, first, count);
    if (!block) {
        empty_scratch(body, count);
        return RECEIVE_DROPPED;
    }
    if (routed) {
        zmq_msg_t *id = &body->scratch[0];
        block->head.origin = atoms_intern(self->names, zmq_msg_data(id), zmq_msg_size(id));
        empty_scratch(body, 1);
    }
    block->head.role = (uint8_t)role;
    *out = block;
    if (message_adopt(self->messages, &block->head) != MESSAGE_NONE)
        return RECEIVE_MESSAGE;
    body->stalled = block;
    return RECEIVE_STALLED;
}

void libzmq_retry_stalled(transport *self)
{
    libzmq_message *block = libzmq_of(self)->stalled;
    if (block && block->head.handle == MESSAGE_NONE)
        message_adopt(self->messages, &block->head);
}

static transport_event event_of(transport *self, const libzmq_message *block)
{
    self->counters.received[block->head.role]++;
    return (transport_event){
        .kind = TRANSPORT_MESSAGE,
        .role = block->head.role,
        .frame_count = block->head.frame_count,
        .message = block->head.handle,
        .peer = block->head.origin,
        .frames = block->head.frames,
        .bytes = block->head.bytes,
    };
}

static uint32_t gather_role(transport *self, transport_role role, transport_event *events,
                            uint32_t capacity)
{
    libzmq_body *body = libzmq_of(self);
    uint32_t count = 0;
    // Dropped messages count as tries, so that a peer cannot keep the turn here.
    for (uint32_t tries = 0; tries < capacity && !body->stalled; tries++) {
        libzmq_message *block = NULL;
        receive_result result = receive_message(self, role, &block);
        if (result == RECEIVE_NOTHING) {
            body->unread &= ~(1u << role);
            break;
        }
        if (result == RECEIVE_MESSAGE)
            events[count++] = event_of(self, block);
    }
    return count;
}

/// XPUB hands us what is asked for: 1 and a topic, once for all subscribers, and 0 and the topic
/// when the last of them has left it.
static uint32_t gather_subscriptions(transport *self, transport_event *events, uint32_t capacity)
{
    libzmq_body *body = libzmq_of(self);
    uint32_t count = 0;
    uint32_t parts = 0;
    for (uint32_t tries = 0; tries < capacity; tries++) {
        receive_result result = receive_parts(body, body->sockets[TRANSPORT_MONITOR], &parts);
        if (result == RECEIVE_NOTHING) {
            body->unread &= ~(1u << TRANSPORT_MONITOR);
            break;
        }
        if (result != RECEIVE_MESSAGE)
            continue;
        const zmq_msg_t *request = &body->scratch[0];
        uint8_t what =
            zmq_msg_size(request) > 0 ? *(uint8_t *)zmq_msg_data((zmq_msg_t *)request) : UINT8_MAX;
        if (what == 1 && body->subscriptions++ == 0)
            events[count++] =
                (transport_event){.kind = TRANSPORT_SUBSCRIBED, .role = TRANSPORT_MONITOR};
        else if (what == 0 && body->subscriptions > 0)
            body->subscriptions--;
        empty_scratch(body, parts);
    }
    return count;
}

uint32_t libzmq_gather(transport *self, transport_event *events, uint32_t capacity)
{
    static const transport_role ORDER[] = {
        TRANSPORT_REGISTRATION, TRANSPORT_NOTIFICATION, TRANSPORT_ENGINE,
        TRANSPORT_CLIENT,       TRANSPORT_MONITOR,
    };
    libzmq_body *body = libzmq_of(self);
    uint32_t count = transport_hold_gather(body->hold, events, capacity);
    if (body->stalled && body->stalled->head.handle != MESSAGE_NONE && count < capacity) {
        events[count++] = event_of(self, body->stalled);
        body->stalled = NULL;
    }
    for (size_t i = 0; i < sizeof ORDER / sizeof ORDER[0]; i++) {
        transport_role role = ORDER[i];
        if (!(body->unread & ~body->paused & 1u << role))
            continue;
        if (role == TRANSPORT_MONITOR)
            count += gather_subscriptions(self, events + count, capacity - count);
        else
            count += gather_role(self, role, events + count, capacity - count);
    }
    return count;
}
