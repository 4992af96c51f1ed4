/// pressure.c: what happens when peers do not read: who is not read in turn, and who is closed.
/// Called by connection.c when what waits for a connection has changed, once a turn at most.
///
///     waits for       more than                  then, until half of it is gone
///     a client        client_pause_bytes         this client is not read
///                     client_bytes_max           it is closed
///     all clients     clients_bytes_max          one that is not read is closed
///     all engines     engines_bytes_max          no client is read
///     the monitor     monitor_bytes_max          no client is read
///                     2 * monitor_bytes_max      nor is any engine
///
/// What waits for one engine is looked at when it is to be sent more (send.c); an engine on a lane
/// is told of (`crowded`).
///
/// Invariant: `waiting_bytes` is the sum of what the open connections of a role have queued, as of
/// their last flush.
#include "body.h"

static uint64_t twice(uint64_t bytes)
{
    return bytes > UINT64_MAX / 2 ? UINT64_MAX : bytes * 2;
}

/// Between half of the limit and the limit it stays as it is: pausing has its price.
static bool is_over(bool was_over, uint64_t bytes, uint64_t bytes_max)
{
    return bytes > (was_over ? bytes_max / 2 : bytes_max);
}

void native_read_or_rest(native_connection *connection)
{
    native_streams(connection->owner)
        ->pause(connection->owner->reactor, connection->fd, native_rests(connection));
}

void native_pause(native_connection *connection, bool paused)
{
    if (connection->paused == paused)
        return;
    connection->paused = paused;
    native_read_or_rest(connection);
}

void native_role_read_or_rest(transport *self, transport_role which)
{
    native_role *role = &native_of(self)->roles[which];
    native_connection *connection = role->ring;
    while (connection) {
        native_read_or_rest(connection);
        connection = connection->ring_next == role->ring ? NULL : connection->ring_next;
    }
}

static void throttle(native_connection *connection)
{
    transport *self = connection->owner;
    const transport_limits *limits = &native_of(self)->limits;
    uint64_t bytes = connection->output.bytes;
    bool all_over = self->counters.waiting_bytes[TRANSPORT_CLIENT] > limits->clients_bytes_max;
    if (bytes > limits->client_bytes_max || (all_over && bytes > limits->client_pause_bytes)) {
        self->counters.dropped_peers++;
        native_connection_close(connection,
                                "does not read its replies, and too many bytes wait for it");
        return;
    }
    bool over = is_over(connection->throttled, bytes, limits->client_pause_bytes);
    if (over == connection->throttled)
        return;
    connection->throttled = over;
    native_read_or_rest(connection);
    self->counters.paused_clients += over;
}

static void push(transport *self, transport_role which, bool pushed)
{
    native_role *role = &native_of(self)->roles[which];
    if (role->pushed == pushed)
        return;
    role->pushed = pushed;
    native_role_read_or_rest(self, which);
    if (!pushed)
        return;
    self->counters.pushed_back += which == TRANSPORT_CLIENT;
    const uint64_t *waiting = self->counters.waiting_bytes;
    native_notice(self, which, "pushed back",
                  "%llu MiB wait for the hub's monitor and %llu MiB for engines, which read too "
                  "slowly: nothing is read from %ss until half of it is gone",
                  (unsigned long long)(waiting[TRANSPORT_MONITOR] >> 20),
                  (unsigned long long)(waiting[TRANSPORT_ENGINE] >> 20),
                  transport_role_name(which));
}

void native_push_back(transport *self)
{
    native_body *body = native_of(self);
    const transport_limits *limits = &body->limits;
    const uint64_t *waiting = self->counters.waiting_bytes;
    bool clients = body->roles[TRANSPORT_CLIENT].pushed;
    bool engines = body->roles[TRANSPORT_ENGINE].pushed;
    uint64_t monitor = waiting[TRANSPORT_MONITOR], monitor_max = limits->monitor_bytes_max;
    push(self, TRANSPORT_CLIENT,
         is_over(clients, monitor, monitor_max) ||
             is_over(clients, waiting[TRANSPORT_ENGINE], limits->engines_bytes_max));
    push(self, TRANSPORT_ENGINE, is_over(engines, monitor, twice(monitor_max)));
}

/// Who sends to the engine from another thread must be told.
static void tell_crowded(native_connection *connection)
{
    native_body *body = native_of(connection->owner);
    bool crowded =
        is_over(connection->crowded, connection->output.bytes, body->limits.engine_bytes_max);
    if (crowded == connection->crowded || !body->hooks || !body->hooks->crowded)
        return;
    connection->crowded = crowded;
    body->hooks->crowded(connection, crowded);
}

void native_account_change(native_connection *connection)
{
    transport *self = connection->owner;
    uint64_t bytes = connection->closing ? 0 : connection->output.bytes;
    self->counters.waiting_bytes[connection->role] += bytes - connection->counted_bytes;
    connection->counted_bytes = bytes;
    if (connection->role == TRANSPORT_MONITOR || connection->role == TRANSPORT_ENGINE)
        native_push_back(self);
    if (connection->role == TRANSPORT_ENGINE && !connection->closing)
        tell_crowded(connection);
    else if (connection->role == TRANSPORT_CLIENT && !connection->closing)
        throttle(connection);
}

/// The open connection of which most is unfinished.
static native_connection *most_unfinished(const native_body *body)
{
    native_connection *most = NULL;
    for (uint32_t i = 0; i < body->table_count; i++) {
        native_connection *each = body->table[i];
        if (each && !each->closing && (!most || each->unfinished_bytes > most->unfinished_bytes))
            most = each;
    }
    return most;
}

void native_unfinished_change(native_connection *connection, uint64_t bytes)
{
    transport *self = connection->owner;
    native_body *body = native_of(self);
    uint64_t *all = &self->counters.unfinished_bytes;
    bool grows = bytes > connection->unfinished_bytes;
    *all += bytes - connection->unfinished_bytes;
    connection->unfinished_bytes = bytes;
    if (!grows || *all <= body->limits.unfinished_bytes_max)
        return;
    self->counters.dropped_peers++;
    native_connection_close(most_unfinished(body),
                            "had sent most of what is unfinished, and that is too much");
}

/// Nobody is accepted while there are as many peers as allowed.
void native_count_peer(transport *self, transport_role which, int32_t change)
{
    native_role *role = &native_of(self)->roles[which];
    uint32_t peers_max = native_of(self)->limits.peers_max;
    role->peer_count += (uint32_t)change;
    bool full = role->peer_count >= peers_max;
    if (role->listener < 0 || role->full == full)
        return;
    role->full = full;
    native_streams(self)->pause(self->reactor, role->listener, full);
    if (full)
        native_notice(self, which, "full",
                      "the %s address has %u peers, as many as allowed: others have to wait",
                      transport_role_name(which), role->peer_count);
}
