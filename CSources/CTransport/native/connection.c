/// connection.c: one connection's life: opened by accept or dial, fed by the reactor, written by
/// the flush at the end of each turn, closed once. Called by listen.c, dial.c and the sink.
///
/// Invariant: a connection leaves its ring and its route the moment it is closed; its memory, its
/// peer's included (the reactor may be receiving into it), goes when the reactor has let go of its
/// fd.
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "body.h"

static native_role *role_of(const native_connection *connection)
{
    return &native_of(connection->owner)->roles[connection->role];
}

static bool reserve_index(native_body *body)
{
    if (body->free_count > 0 || body->table_count < body->table_capacity)
        return true;
    uint32_t capacity = body->table_capacity ? body->table_capacity * 2 : 64;
    native_connection **table = realloc(body->table, capacity * sizeof *table);
    if (!table)
        return false;
    body->table = table;
    uint32_t *free_indexes = realloc(body->free_indexes, capacity * sizeof *free_indexes);
    if (!free_indexes)
        return false;
    body->free_indexes = free_indexes;
    body->table_capacity = capacity;
    return true;
}

static void destroy(native_connection *connection)
{
    native_body *body = native_of(connection->owner);
    native_output_free(&connection->output, &body->chunks, connection->owner->messages);
    native_peer_close(&connection->peer);
    if (connection->flight) {
        connection->flight->next_free = body->flights;
        body->flights = connection->flight;
    }
    body->table[connection->index] = NULL;
    body->free_indexes[body->free_count++] = connection->index;
    free(connection);
}

void native_connection_mark_dirty(native_connection *connection)
{
    native_body *body = native_of(connection->owner);
    if (connection->dirty || connection->closing)
        return;
    if (body->dirty_count == body->dirty_capacity) {
        uint32_t capacity = body->dirty_capacity ? body->dirty_capacity * 2 : 64;
        uint32_t *dirty = realloc(body->dirty, capacity * sizeof *dirty);
        if (!dirty)
            return; // the next send tries again
        body->dirty = dirty;
        body->dirty_capacity = capacity;
    }
    connection->dirty = true;
    body->dirty[body->dirty_count++] = connection->index;
}

static void host_output(native_peer *peer, native_bytes bytes)
{
    native_connection *connection = (native_connection *)peer;
    native_body *body = native_of(connection->owner);
    if (!native_output_copy(&connection->output, &body->chunks, bytes.data, bytes.size))
        connection->broken = true;
    native_connection_mark_dirty(connection);
}

static const char *host_ready(native_peer *peer, native_bytes identity)
{
    native_connection *connection = (native_connection *)peer;
    transport *self = connection->owner;
    native_body *body = native_of(self);
    native_role *role = role_of(connection);
    native_handshake_end(connection);
    const native_hooks *hooks = body->hooks && body->hooks->ready ? body->hooks : NULL;
    const char *reason = role->router && !hooks ? native_route_add(connection, identity) : NULL;
    if (reason)
        return reason;
    if (role->peer_count >= body->limits.peers_max) {
        self->counters.dropped_peers++;
        return "came when there were as many peers as allowed";
    }
    // Last: from now on it is ready, or the hook does not know it.
    if (hooks && (reason = hooks->ready(connection, identity)))
        return reason;
    connection->ready = true;
    native_ring_add(&role->ring, connection);
    native_count_peer(self, (transport_role)connection->role, 1);
    role->failures = 0;
    if (native_role_rests(role))
        native_read_or_rest(connection);
    if (role->link.socket == NATIVE_SUB)
        native_subscribe_all(connection);
    if (role->link.socket == NATIVE_DEALER)
        native_send_pending(connection);
    if (connection->role == TRANSPORT_ENGINE)
        transport_hold_serve(self, body->hold, connection->id);
    return NULL;
}

static const native_host HOST = {
    .ready = host_ready,
    .message = native_queue_message,
    .subscription = native_subscription,
    .output = host_output,
    .command = native_send_command,
};

void native_connection_open(transport *self, transport_role which, int fd)
{
    native_body *body = native_of(self);
    native_role *role = &body->roles[which];
    native_connection *connection = reserve_index(body) ? calloc(1, sizeof *connection) : NULL;
    if (!connection) {
        native_notice(self, which, "no memory",
                      "out of memory for a connection of the %s address; it is closed",
                      transport_role_name(which));
        close(fd);
        return;
    }
    if (role->parsed.kind == ENDPOINT_TCP)
        native_set_tcp_options(fd);
    connection->owner = self;
    connection->fd = fd;
    connection->role = (uint8_t)which;
    connection->index =
        body->free_count > 0 ? body->free_indexes[--body->free_count] : body->table_count++;
    body->table[connection->index] = connection;
    uint64_t now_ns = transport_now_ns();
    int rc = native_peer_open(&connection->peer, &role->link, &HOST) ? 0 : -ENOMEM;
    if (rc == 0)
        rc = native_streams(self)->open(self->reactor, fd, connection->index);
    if (rc == 0) {
        native_handshake_begin(connection, now_ns);
        return;
    }
    native_notice(self, which, "cannot read",
                  "cannot read a connection of the %s address: %s; it is closed",
                  transport_role_name(which), strerror(-rc));
    close(fd);
    destroy(connection);
    if (!transport_role_binds(which))
        native_dial_later(self, which, now_ns);
}

static void say_why(const native_connection *connection, const char *reason)
{
    const native_role *role = role_of(connection);
    native_address peer;
    socklen_t size = sizeof peer;
    char host[INET6_ADDRSTRLEN] = "", text[80] = "";
    // A dialer that is refused again and again says so once.
    if (!transport_role_binds((transport_role)connection->role) && role->failures > 0)
        return;
    native_notice_kind *notice = native_notice_due(connection->owner, connection->role, reason);
    if (!notice)
        return;
    bool known = getpeername(connection->fd, &peer.head, &size) == 0;
    if (known && peer.head.sa_family == AF_INET)
        snprintf(text, sizeof text, " %s:%u",
                 inet_ntop(AF_INET, &peer.ipv4.sin_addr, host, sizeof host),
                 ntohs(peer.ipv4.sin_port));
    else if (known && peer.head.sa_family == AF_INET6)
        snprintf(text, sizeof text, " [%s]:%u",
                 inet_ntop(AF_INET6, &peer.ipv6.sin6_addr, host, sizeof host),
                 ntohs(peer.ipv6.sin6_port));
    snprintf(notice->text, sizeof notice->text,
             "a peer of the %s address%s %s; its connection is closed",
             transport_role_name((transport_role)connection->role), text, reason);
}

void native_connection_close(native_connection *connection, const char *reason)
{
    transport *self = connection->owner;
    native_body *body = native_of(self);
    native_role *role = role_of(connection);
    if (connection->closing)
        return;
    if (reason)
        say_why(connection, reason);
    if (connection->ready) {
        if (body->hooks && body->hooks->left)
            body->hooks->left(connection);
        native_ring_remove(&role->ring, connection);
        native_count_peer(self, (transport_role)connection->role, -1);
    } else {
        native_handshake_end(connection);
    }
    native_heartbeat_end(connection);
    native_route_remove(connection);
    native_topics_free(&connection->topics);
    connection->closing = true;
    connection->ready = connection->dirty = false;
    if (connection->counted_bytes > 0)
        native_account_change(connection);
    if (connection->unfinished_bytes > 0)
        native_unfinished_change(connection, 0);
    body->closing_count++;
    if (!transport_role_binds((transport_role)connection->role))
        native_dial_later(self, (transport_role)connection->role, transport_now_ns());
    if (native_streams(self)->close(self->reactor, connection->fd))
        native_closed(self, connection->index);
}

void native_closed(void *context, uint64_t tag)
{
    native_body *body = native_of(context);
    body->closing_count--;
    destroy(body->table[tag]);
}

/// Why a peer that can no longer be read or written may have gone; NULL: nothing to be said.
static const char *why_gone(const native_connection *connection)
{
    const native_handshake *handshake = connection->peer.handshake;
    if (!handshake)
        return NULL;
    // Who comes, says nothing and goes, is a port scan; but whom we dial should speak.
    if (handshake->greeting_size == 0 && transport_role_binds((transport_role)connection->role))
        return NULL;
    // libzmq reads our mechanism before it sends its own, and says nothing.
    return connection->peer.phase == NATIVE_PHASE_GREETING
               ? "went away during its greeting, as libzmq does when it expects another security "
                 "mechanism; give both sides keys, or none"
               : "went away during its handshake";
}

static native_flight *take_flight(native_body *body)
{
    native_flight *flight = body->flights;
    if (flight)
        body->flights = flight->next_free;
    else
        flight = malloc(sizeof *flight);
    return flight;
}

static void end_flight(native_connection *connection)
{
    native_body *body = native_of(connection->owner);
    connection->flight->next_free = body->flights;
    body->flights = connection->flight;
    connection->flight = NULL;
}

void native_sent(void *context, uint64_t tag, int32_t result)
{
    transport *self = context;
    native_body *body = native_of(self);
    native_connection *connection = body->table[tag];
    connection->sending = false;
    end_flight(connection);
    if (result < 0) {
        native_connection_close(connection, why_gone(connection));
        return;
    }
    native_output_advance(&connection->output, &body->chunks, self->messages, (uint64_t)result);
    if (connection->output.count > 0)
        native_connection_mark_dirty(connection);
    native_account(connection);
}

/// NULL, or why the connection is to be closed; an empty text: nothing to be said.
static const char *write_some(native_connection *connection)
{
    transport *self = connection->owner;
    native_body *body = native_of(self);
    if (connection->broken)
        return "has more queued than there is memory for";
    while (connection->output.count > 0 && !connection->sending) {
        native_flight *flight = connection->flight = take_flight(body);
        if (!flight)
            return NULL; // the next send tries again
        uint32_t count =
            native_output_vectors(&connection->output, flight->vectors, NATIVE_FLIGHT_VECTORS);
        flight->header = (struct msghdr){.msg_iov = flight->vectors, .msg_iovlen = count};
        int32_t sent = native_streams(self)->send(self->reactor, connection->fd, &flight->header);
        if (sent == -EINPROGRESS) {
            connection->sending = true;
            return NULL;
        }
        end_flight(connection);
        if (sent == -EBUSY) { // the reactor's queue is full: with the next turn
            native_connection_mark_dirty(connection);
            return NULL;
        }
        if (sent < 0) {
            const char *reason = why_gone(connection);
            return reason ? reason : "";
        }
        native_output_advance(&connection->output, &body->chunks, self->messages, (uint64_t)sent);
    }
    return NULL;
}

static void take_news(native_connection *connection)
{
    native_peer *peer = &connection->peer;
    transport_role which = (transport_role)connection->role;
    if (peer->dropped_messages > 0)
        native_notice(connection->owner, which, "too many frames",
                      "a message of more than %u frames on the %s address was dropped",
                      peer->link->sizes.frames_max, transport_role_name(which));
    if (peer->promised_tenths > 0)
        native_heartbeat_promise(connection, peer->promised_tenths);
    peer->dropped_messages = peer->promised_tenths = 0;
    peer->has_news = false;
}

reactor_room native_received(void *context, uint64_t tag, const uint8_t *data, int32_t size)
{
    transport *self = context;
    native_connection *connection = native_of(self)->table[tag];
    const char *reason = NULL;
    if (size > 0) {
        connection->heard = true;
        reason = native_peer_feed(&connection->peer, (native_bytes){data, (size_t)size});
        uint64_t unfinished = native_peer_unfinished(&connection->peer);
        if (connection->peer.has_news)
            take_news(connection);
        if (!reason) {
            if (unfinished == connection->unfinished_bytes)
                return native_peer_room(&connection->peer);
            native_unfinished_change(connection, unfinished);
            // Which may have closed this one, of all.
            bool open = native_of(self)->table[tag] && !connection->closing;
            return open ? native_peer_room(&connection->peer) : (reactor_room){0};
        }
        if (connection->peer.handshake)
            write_some(connection); // an ERROR says why; what cannot be written is lost
    } else if (connection->hung_up && native_peer_is_within_message(&connection->peer)) {
        // It began to write while it was told: see hang_up.c.
        reason = "hung up within a message when it was told that no more comes; libzmq drops such "
                 "a message, and it is lost";
    } else {
        reason = why_gone(connection);
    }
    native_connection_close(connection, reason);
    return (reactor_room){0};
}

static void write_out(native_connection *connection)
{
    const char *reason = write_some(connection);
    if (reason)
        native_connection_close(connection, *reason ? reason : NULL);
    else
        native_account(connection);
}

void native_flush(transport *self)
{
    native_body *body = native_of(self);
    uint32_t count = body->dirty_count;
    if (count == 0)
        return;
    // Engines and clients wait for theirs; the hub's records may come after.
    for (int publishes = 0; publishes <= 1; publishes++) {
        for (uint32_t i = 0; i < count; i++) {
            native_connection *connection = body->table[body->dirty[i]];
            if (!connection || !connection->dirty)
                continue; // it was closed; its index may have a new owner
            if (body->roles[connection->role].publishes != (bool)publishes)
                continue;
            connection->dirty = false;
            write_out(connection);
        }
    }
    // What became dirty meanwhile stands behind.
    memmove(body->dirty, body->dirty + count, (body->dirty_count - count) * sizeof *body->dirty);
    body->dirty_count -= count;
}
