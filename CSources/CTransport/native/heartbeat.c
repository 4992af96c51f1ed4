/// heartbeat.c: peers that promised to speak again (a PING's time to live, RFC 37) and did not.
/// Called by connection.c and by the turn.
///
/// As with libzmq, whatever the peer says after its PING keeps the promise; the next PING makes a
/// new one.
///
/// Invariant: a connection is in the ring exactly while a promise of its peer is not known to be
/// kept. The ring is looked at when the first promise runs out, but not more often than every
/// 100 ms, which is the unit of promises.
#include "body.h"

#define TENTH_NS 100000000ull

void native_heartbeat_end(native_connection *connection)
{
    native_body *body = native_of(connection->owner);
    if (!connection->heartbeat_next)
        return;
    connection->heartbeat_next->heartbeat_previous = connection->heartbeat_previous;
    connection->heartbeat_previous->heartbeat_next = connection->heartbeat_next;
    if (body->heartbeats == connection)
        body->heartbeats =
            connection->heartbeat_next == connection ? NULL : connection->heartbeat_next;
    connection->heartbeat_next = connection->heartbeat_previous = NULL;
    if (!body->heartbeats)
        body->heartbeat_ns = UINT64_MAX;
}

void native_heartbeat_promise(native_connection *connection, uint32_t tenths)
{
    native_body *body = native_of(connection->owner);
    native_connection *first = body->heartbeats;
    connection->heard = false;
    connection->silent_end_ns = transport_now_ns() + tenths * TENTH_NS;
    if (connection->silent_end_ns < body->heartbeat_ns)
        body->heartbeat_ns = connection->silent_end_ns;
    if (connection->heartbeat_next)
        return;
    if (!first) {
        body->heartbeats = connection->heartbeat_next = connection->heartbeat_previous = connection;
        return;
    }
    connection->heartbeat_next = first;
    connection->heartbeat_previous = first->heartbeat_previous;
    first->heartbeat_previous->heartbeat_next = connection;
    first->heartbeat_previous = connection;
}

/// Keeps, ends or closes; the connection may be gone afterwards.
static void judge(native_connection *connection, uint64_t now_ns)
{
    // Whom we do not read may have spoken.
    bool unheard = !connection->heard && !native_rests(connection);
    if (connection->heard)
        native_heartbeat_end(connection);
    else if (unheard && connection->silent_end_ns <= now_ns)
        native_connection_close(connection, "fell silent for longer than its PING allows");
}

void native_heartbeats_expire(transport *self, uint64_t now_ns)
{
    native_body *body = native_of(self);
    if (now_ns < body->heartbeat_ns)
        return;
    // Only the one being judged can leave.
    native_connection *last = body->heartbeats->heartbeat_previous, *each, *next;
    for (each = body->heartbeats; each; each = next) {
        next = each == last ? NULL : each->heartbeat_next;
        judge(each, now_ns);
    }
    uint64_t next_ns = UINT64_MAX;
    for (each = body->heartbeats; each; each = next) {
        next = each->heartbeat_next == body->heartbeats ? NULL : each->heartbeat_next;
        if (each->silent_end_ns < next_ns)
            next_ns = each->silent_end_ns;
    }
    // One that is not read may be overdue.
    body->heartbeat_ns =
        body->heartbeats && next_ns < now_ns + TENTH_NS ? now_ns + TENTH_NS : next_ns;
}
