/// gather.c: received messages, queued by role in order of arrival, made into events; how
/// much a turn receives. Called by traffic.c (as native_host) and by the turn.
///
/// Invariant: a block is in one role's queue, or it was adopted and is an event's. While messages
/// wait that did not fit, the reactor's gate is shut: the queues cannot grow without bound.
#include "body.h"

/// A turn is about this many messages. More of them save system calls, and lose more than that in
/// the cache: what comes, what is made of it and what is sent are several times the bytes received.
#define TURN_MESSAGES 128u
/// A message's share in the mean: one in this many.
#define MEAN_WEIGHT 64

void native_receive_more(transport *self, bool more)
{
    uint64_t bytes = TURN_MESSAGES * (uint64_t)native_of(self)->mean_bytes;
    if (bytes < REACTOR_ALLOWED_FIRST)
        bytes = REACTOR_ALLOWED_FIRST;
    if (bytes > REACTOR_ALLOWED_MAX)
        bytes = REACTOR_ALLOWED_MAX;
    native_streams(self)->allow(self->reactor, more ? (uint32_t)bytes : 0);
}

static void note_size(native_body *body, uint64_t bytes)
{
    int64_t size = bytes < REACTOR_ALLOWED_MAX ? (int64_t)bytes : REACTOR_ALLOWED_MAX;
    body->mean_bytes += (int32_t)((size - body->mean_bytes) / MEAN_WEIGHT);
}

const char *native_queue_message(native_peer *peer, native_block *block)
{
    native_connection *connection = (native_connection *)peer;
    transport *self = connection->owner;
    const native_hooks *hooks = native_of(self)->hooks;
    native_role *role = &native_of(self)->roles[connection->role];
    if (role->publishes)
        return native_subscription_message(peer, block);
    // What carries nothing: ZMQ_PROBE_ROUTER sends it on connecting.
    if (block->head.frame_count == 1 && block->head.frames[0].size == 0) {
        native_block_dispose(&block->head);
        return NULL;
    }
    block->head.role = connection->role;
    note_size(native_of(self), block->head.bytes);
    if (hooks && hooks->message)
        return hooks->message(connection, block);
    block->head.origin = connection->id;
    if (connection->id != ATOM_NONE)
        atoms_retain(self->names, connection->id);
    block->next = NULL;
    if (role->last)
        role->last->next = block;
    else
        role->first = block;
    role->last = block;
    return NULL;
}

static native_block *take_first(native_role *role)
{
    native_block *block = role->first;
    role->first = block->next;
    if (!role->first)
        role->last = NULL;
    block->next = NULL;
    return block;
}

void native_drop_received(transport *self, transport_role which)
{
    native_role *role = &native_of(self)->roles[which];
    while (role->first) {
        native_block *block = take_first(role);
        if (block->head.origin != ATOM_NONE)
            atoms_release(self->names, block->head.origin);
        native_block_dispose(&block->head);
    }
}

static bool has_messages(const native_body *body)
{
    for (int which = 0; which < TRANSPORT_ROLES; which++) {
        if (body->roles[which].first && !native_role_rests(&body->roles[which]))
            return true;
    }
    return false;
}

bool native_has_events(const transport *self)
{
    const native_body *body = native_of(self);
    const native_role *engines = &body->roles[TRANSPORT_ENGINE];
    return transport_hold_has_failed(body->hold) || body->tell_subscribed || self->noticed ||
           engines->rejoined_count > engines->rejoined_told ||
           (!body->stalled && has_messages(body));
}

static uint32_t gather_role(transport *self, native_role *role, transport_event *events,
                            uint32_t capacity)
{
    native_body *body = native_of(self);
    uint32_t count = 0;
    while (role->first && count < capacity && !body->stalled) {
        native_block *block = role->first;
        // A turn's messages are more than the nearest cache holds.
        __builtin_prefetch(block->next, 1);
        if (message_adopt(self->messages, &block->head) == MESSAGE_NONE) {
            body->stalled = true;
            break;
        }
        take_first(role);
        self->counters.received[block->head.role]++;
        events[count++] = (transport_event){
            .kind = TRANSPORT_MESSAGE,
            .role = block->head.role,
            .frame_count = block->head.frame_count,
            .message = block->head.handle,
            .peer = block->head.origin,
            .frames = block->head.frames,
            .bytes = block->head.bytes,
        };
    }
    return count;
}

uint32_t native_gather(transport *self, transport_event *events, uint32_t capacity)
{
    static const transport_role ORDER[] = {
        TRANSPORT_REGISTRATION,
        TRANSPORT_NOTIFICATION,
        TRANSPORT_ENGINE,
        TRANSPORT_CLIENT,
    };
    native_body *body = native_of(self);
    // Greetings, answers to pings, and what could not be written before.
    native_flush(self);
    uint32_t count = transport_hold_gather(body->hold, events, capacity);
    count += native_gather_rejoined(self, events + count, capacity - count);
    for (size_t i = 0; i < sizeof ORDER / sizeof ORDER[0]; i++) {
        native_role *role = &body->roles[ORDER[i]];
        if (!native_role_rests(role))
            count += gather_role(self, role, events + count, capacity - count);
    }
    if (body->tell_subscribed && count < capacity) {
        body->tell_subscribed = false;
        events[count++] =
            (transport_event){.kind = TRANSPORT_SUBSCRIBED, .role = TRANSPORT_MONITOR};
    }
    native_receive_more(self, !has_messages(body));
    return count;
}
