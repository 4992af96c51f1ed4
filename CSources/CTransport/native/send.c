/// send.c: messages into the peers' output queues; nothing leaves before the flush. Called by
/// transport_send_all, hold.c and connection.c.
///
/// Invariant: a message is queued whole or its connection is marked broken and closed.
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"

/// The frames from `first` on, which is one of them, as they stand on the wire.
static inline native_bytes wire_of(const message *source, uint32_t first)
{
    const message_frame *frames = source->frames, *last = &frames[source->frame_count - 1];
    const uint8_t *from =
        first == 0 ? source->wire : frames[first - 1].data + frames[first - 1].size;
    return (native_bytes){from, (size_t)(last->data + last->size - from)};
}

native_outgoing native_prepare(const transport *self, const transport_send *send)
{
    native_outgoing out = {.prefix_count = send->prefix_count, .first = send->first_frame};
    for (uint32_t i = 0; i < send->prefix_count; i++) {
        native_bytes *each = &out.prefix[i];
        each->data = atoms_bytes(self->names, send->prefix[i], &each->size);
        out.prefix_size += frame_head_size(each->size) + each->size;
    }
    out.size = out.prefix_size;
    const message *source =
        send->message == MESSAGE_NONE ? NULL : message_get(self->messages, send->message);
    if (!source || send->first_frame >= source->frame_count)
        return out;
    out.source = source;
    const message_frame *frames = source->frames;
    if (source->wire) {
        out.wire = wire_of(source, out.first);
        out.size += out.wire.size;
        return out;
    }
    for (uint32_t i = out.first; i < source->frame_count; i++)
        out.size += frame_head_size(frames[i].size) + (size_t)frames[i].size;
    return out;
}

static native_bytes frame_of(const native_outgoing *out, uint32_t index)
{
    return (native_bytes){out->source->frames[index].data, (size_t)out->source->frames[index].size};
}

static uint8_t *write_frame(uint8_t *at, native_bytes body, bool more)
{
    at += frame_head_write(at, body.size, more ? FRAME_MORE : 0);
    if (body.size)
        memcpy(at, body.data, body.size);
    return at + body.size;
}

static uint8_t *write_prefix(uint8_t *at, const native_outgoing *out)
{
    for (uint32_t i = 0; i < out->prefix_count; i++)
        at = write_frame(at, out->prefix[i], i + 1 < out->prefix_count || out->source);
    return at;
}

static bool queue_small(native_output *output, native_chunks *chunks, const native_outgoing *out)
{
    uint8_t *at = native_output_reserve(output, chunks, out->size);
    if (!at)
        return false;
    at = write_prefix(at, out);
    if (out->wire.data) {
        memcpy(at, out->wire.data, out->wire.size);
        return true;
    }
    uint32_t count = out->source ? out->source->frame_count : 0;
    for (uint32_t i = out->first; i < count; i++)
        at = write_frame(at, frame_of(out, i), i + 1 < count);
    return true;
}

/// Frame by frame: sealed, or too large to be copied.
static bool queue_frames(native_connection *connection, const native_outgoing *out)
{
    transport *self = connection->owner;
    native_chunks *chunks = &native_of(self)->chunks;
    native_mechanism *mechanism = connection->peer.mechanism;
    bool ok = true;
    for (uint32_t i = 0; i < out->prefix_count && ok; i++) {
        bool more = i + 1 < out->prefix_count || out->source;
        ok = native_output_frame(&connection->output, chunks, self->messages, mechanism,
                                 more ? FRAME_MORE : 0, out->prefix[i], MESSAGE_NONE);
    }
    if (!out->source)
        return ok;
    message_handle handle = out->source->handle;
    if (ok && out->wire.data && !mechanism->ops->seal)
        return native_output_refer(&connection->output, self->messages, handle, out->wire.data,
                                   out->wire.size);
    for (uint32_t i = out->first; i < out->source->frame_count && ok; i++) {
        bool more = i + 1u < out->source->frame_count;
        ok = native_output_frame(&connection->output, chunks, self->messages, mechanism,
                                 more ? FRAME_MORE : 0, frame_of(out, i), handle);
    }
    return ok;
}

static bool is_sealed(const native_connection *connection)
{
    return connection->peer.mechanism->ops->seal != NULL;
}

bool native_queue_copies(const native_connection *connection, const native_outgoing *out)
{
    return is_sealed(connection) || out->size <= NATIVE_RELAY_COPY_SIZE_MAX;
}

void native_queue(native_connection *connection, const native_outgoing *out)
{
    transport *self = connection->owner;
    if (out->size == 0 || connection->hung_up)
        return;
    bool ok = !is_sealed(connection) && out->size <= NATIVE_RELAY_COPY_SIZE_MAX
                  ? queue_small(&connection->output, &native_of(self)->chunks, out)
                  : queue_frames(connection, out);
    if (!ok)
        connection->broken = true;
    connection->output.messages++;
    self->counters.sent[connection->role]++;
    native_connection_mark_dirty(connection);
}

/// The common case, a small message that can be copied from its wire, in one go. False: it is
/// another case, and nothing was done.
static bool relay(native_connection *connection, const transport_send *send)
{
    transport *self = connection->owner;
    if (send->message == MESSAGE_NONE || is_sealed(connection) || connection->hung_up)
        return false;
    const message *source = message_get(self->messages, send->message);
    if (!source->wire || send->first_frame >= source->frame_count)
        return false;
    native_bytes prefix[3], wire = wire_of(source, send->first_frame);
    size_t size = wire.size;
    for (uint32_t i = 0; i < send->prefix_count; i++) {
        prefix[i].data = atoms_bytes(self->names, send->prefix[i], &prefix[i].size);
        size += frame_head_size(prefix[i].size) + prefix[i].size;
    }
    uint8_t *at = size > NATIVE_RELAY_COPY_SIZE_MAX
                      ? NULL
                      : native_output_reserve(&connection->output, &native_of(self)->chunks, size);
    if (!at)
        return false;
    for (uint32_t i = 0; i < send->prefix_count; i++)
        at = write_frame(at, prefix[i], true);
    memcpy(at, wire.data, wire.size);
    connection->output.messages++;
    self->counters.sent[connection->role]++;
    if (!connection->dirty)
        native_connection_mark_dirty(connection);
    return true;
}

static void queue_send(native_connection *connection, const transport_send *send)
{
    if (relay(connection, send))
        return;
    native_outgoing out = native_prepare(connection->owner, send);
    native_queue(connection, &out);
}

void native_send_command(native_peer *peer, native_bytes body)
{
    native_connection *connection = (native_connection *)peer;
    transport *self = connection->owner;
    if (connection->hung_up)
        return;
    if (!native_output_frame(&connection->output, &native_of(self)->chunks, self->messages,
                             peer->mechanism, FRAME_COMMAND, body, MESSAGE_NONE))
        connection->broken = true;
    native_connection_mark_dirty(connection);
}

/// Round robin among the engines that read what they are sent.
static native_connection *next_in_turn(native_body *body)
{
    native_role *role = &body->roles[TRANSPORT_ENGINE];
    native_connection *connection = role->ring;
    for (uint32_t i = 0; i < role->peer_count; i++) {
        role->ring = connection->ring_next;
        if (connection->output.bytes <= body->limits.engine_bytes_max)
            return connection;
        connection = role->ring;
    }
    return NULL;
}

int native_send_to_engine(transport *self, const transport_send *send)
{
    native_body *body = native_of(self);
    native_role *role = &body->roles[TRANSPORT_ENGINE];
    if (body->hooks && body->hooks->send)
        return body->hooks->send(self, send);
    native_connection *connection =
        role->router ? native_route_find(body, TRANSPORT_ENGINE, send->to) : next_in_turn(body);
    if (!connection || connection->hung_up ||
        connection->output.bytes > body->limits.engine_bytes_max)
        return EHOSTUNREACH;
    queue_send(connection, send);
    return 0;
}

/// What subscriptions are compared with: the first frame.
static native_bytes topic_of(const transport *self, const transport_send *send)
{
    native_bytes topic = {NULL, 0};
    if (send->prefix_count > 0) {
        topic.data = atoms_bytes(self->names, send->prefix[0], &topic.size);
    } else if (send->message != MESSAGE_NONE) {
        const message *source = message_get(self->messages, send->message);
        if (send->first_frame < source->frame_count)
            topic = (native_bytes){source->frames[send->first_frame].data,
                                   (size_t)source->frames[send->first_frame].size};
    }
    return topic;
}

static void publish(transport *self, const transport_send *send)
{
    native_connection *connection = native_of(self)->roles[send->role].ring;
    if (!connection)
        return;
    if (send->role == TRANSPORT_LOG && connection->output.messages >= NATIVE_LOG_MESSAGES_MAX)
        return;
    if (connection->topics.everything == 0 &&
        !native_topics_match(&connection->topics, topic_of(self, send)))
        return;
    uint64_t before = connection->output.bytes;
    queue_send(connection, send);
    if (send->role == TRANSPORT_MONITOR)
        native_of(self)->published_bytes += connection->output.bytes - before;
}

static void keep_pending(transport *self, const transport_send *send)
{
    native_role *role = &native_of(self)->roles[send->role];
    native_outgoing out = native_prepare(self, send);
    uint64_t bytes = sizeof(native_pending) + out.size;
    native_pending *item =
        bytes <= NATIVE_PENDING_BYTES_MAX - role->pending_bytes ? malloc(sizeof *item) : NULL;
    if (!item) {
        native_notice(self, send->role, "pending",
                      "too much is queued for the %s address, which is not there; a message "
                      "is dropped",
                      transport_role_name((transport_role)send->role));
        return;
    }
    *item = (native_pending){.send = *send, .bytes = bytes};
    for (uint32_t i = 0; i < send->prefix_count; i++)
        atoms_retain(self->names, send->prefix[i]);
    if (send->message != MESSAGE_NONE)
        message_retain(self->messages, send->message);
    if (role->pending_last)
        role->pending_last->next = item;
    else
        role->pending_first = item;
    role->pending_last = item;
    role->pending_bytes += bytes;
}

static native_pending *take_pending(native_role *role)
{
    native_pending *item = role->pending_first;
    role->pending_first = item->next;
    if (!role->pending_first)
        role->pending_last = NULL;
    role->pending_bytes -= item->bytes;
    return item;
}

static void release_pending(transport *self, native_pending *item)
{
    for (uint32_t i = 0; i < item->send.prefix_count; i++)
        atoms_release(self->names, item->send.prefix[i]);
    if (item->send.message != MESSAGE_NONE)
        message_release(self->messages, item->send.message);
    free(item);
}

void native_send_pending(native_connection *connection)
{
    transport *self = connection->owner;
    native_role *role = &native_of(self)->roles[connection->role];
    while (role->pending_first) {
        native_pending *item = take_pending(role);
        native_outgoing out = native_prepare(self, &item->send);
        native_queue(connection, &out);
        release_pending(self, item);
    }
}

void native_drop_pending(transport *self, transport_role which)
{
    native_role *role = &native_of(self)->roles[which];
    while (role->pending_first)
        release_pending(self, take_pending(role));
}

static void send_one(transport *self, const transport_send *send)
{
    native_body *body = native_of(self);
    native_role *role = &body->roles[send->role];
    native_connection *connection = NULL;
    switch ((transport_role)send->role) {
    case TRANSPORT_ENGINE:
        // First in, first out for each engine: nothing overtakes what is held.
        if (transport_hold_has(body->hold, send->to) || native_send_to_engine(self, send) != 0)
            transport_hold_append(self, body->hold, send);
        return;
    case TRANSPORT_CLIENT:
        if (body->hooks && body->hooks->send) {
            self->counters.dropped_client += body->hooks->send(self, send) != 0;
            return;
        }
        connection = native_route_find(body, TRANSPORT_CLIENT, send->to);
        if (!connection || connection->hung_up)
            self->counters.dropped_client++;
        break;
    case TRANSPORT_MONITOR:
    case TRANSPORT_LOG:
        publish(self, send);
        return;
    case TRANSPORT_REGISTRATION:
        connection = role->ring;
        if (!connection)
            keep_pending(self, send);
        break;
    case TRANSPORT_NOTIFICATION:
        break; // a SUB sends nothing
    }
    if (connection)
        queue_send(connection, send);
}

void native_send_all(transport *self, const transport_send *sends, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i + NATIVE_SENDS_AHEAD < count)
            message_prefetch(self->messages, sends[i + NATIVE_SENDS_AHEAD].message);
        assert(sends[i].role < TRANSPORT_ROLES && sends[i].prefix_count <= 3);
        if (native_of(self)->roles[sends[i].role].exists)
            send_one(self, &sends[i]);
    }
    const native_hooks *hooks = native_of(self)->hooks;
    if (hooks && hooks->handed_over)
        hooks->handed_over(self);
    native_flush(self);
}
