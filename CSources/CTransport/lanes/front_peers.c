/// front_peers.c: which peer is on which lane, and sending to it. Called by front_gather.c and,
/// through the native body's hook, by its senders and by hold.c.
///
/// Invariant: an id names the connection that announced it last, on whichever lane; the one before
/// is dropped, but what it still says is heard until it has LEFT. Only then is an engine said to
/// have REJOINED: between lanes there is no order, and its answers to what it is asked then must
/// come after all that it had answered before. A DEALER's engines stand in `engines`, each once.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "front.h"

static const char TOO_MANY[] = "came when there were as many peers as allowed";
static const char NO_MEMORY[] = "needs more memory than there is";

static front_route route_of(uint32_t lane_index, uint32_t connection)
{
    return ((uint64_t)lane_index << 32 | connection) + 1;
}

static uint32_t lane_of(front_route route)
{
    return (uint32_t)((route - 1) >> 32);
}

static uint32_t connection_of(front_route route)
{
    return (uint32_t)(route - 1);
}

static front_peer *peer_at(front *self, front_route route)
{
    return &self->lanes[lane_of(route)].peers[connection_of(route)];
}

static bool is_router(const front *self, uint8_t role)
{
    return native_of(self->self)->roles[role].router;
}

/// Room for `index` in an array whose new elements are zeroed.
static bool reserve(void **array, uint32_t *capacity, uint32_t index, size_t element)
{
    if (index < *capacity)
        return true;
    uint32_t wanted = *capacity ? *capacity : 64;
    while (wanted <= index)
        wanted *= 2;
    uint8_t *grown = realloc(*array, wanted * element);
    if (!grown)
        return false;
    memset(grown + *capacity * element, 0, (wanted - *capacity) * element);
    *array = grown;
    *capacity = wanted;
    return true;
}

static front_route find_route(const front_routes *role, atom id)
{
    return id < role->capacity ? role->by_atom[id].route : 0;
}

static void drop(front *self, front_route route, uint32_t serial, const char *reason)
{
    lane_record *order = front_order(self, lane_of(route), LANE_DROP);
    order->connection = connection_of(route);
    order->serial = serial;
    order->reason = reason;
}

/// One that nobody has.
static atom make_id(front *self, const front_routes *role)
{
    for (;;) {
        atom id = native_route_next_id(self->self);
        if (id == ATOM_NONE || !find_route(role, id))
            return id;
        atoms_release(self->self->names, id);
    }
}

/// NULL, or why the peer cannot be had. Fills in `peer`'s id.
static const char *give_id(front *self, front_route route, front_peer *peer,
                           const lane_record *record)
{
    front_routes *role = &self->roles[peer->role];
    atom id = record->count ? atoms_intern(self->self->names, record->text, record->count)
                            : make_id(self, role);
    if (id == ATOM_NONE)
        return NO_MEMORY;
    if (!reserve((void **)&role->by_atom, &role->capacity, id, sizeof *role->by_atom)) {
        atoms_release(self->self->names, id);
        return NO_MEMORY;
    }
    peer->id = id;
    front_place *place = &role->by_atom[id];
    if (place->route) {
        drop(self, place->route, peer_at(self, place->route)->serial,
             "was replaced by a new connection with the same routing id");
        place->leaving++;
    }
    place->route = route;
    if (peer->role == TRANSPORT_ENGINE && record->count && place->known && !place->leaving)
        native_note_rejoined(self->self, id);
    place->known = true;
    return NULL;
}

/// The connection of one that had this id, or has it.
static void leave_place(front *self, front_route route, const front_peer *peer)
{
    front_place *place = &self->roles[peer->role].by_atom[peer->id];
    if (place->route == route)
        place->route = 0;
    else if (--place->leaving == 0 && place->route && peer->role == TRANSPORT_ENGINE)
        native_note_rejoined(self->self, peer->id);
}

static const char *give_turn(front *self, front_route route, front_peer *peer)
{
    if (peer->role != TRANSPORT_ENGINE)
        return NULL;
    if (!reserve((void **)&self->engines, &self->engine_capacity, self->engine_count,
                 sizeof *self->engines))
        return NO_MEMORY;
    peer->turn = self->engine_count;
    self->engines[self->engine_count++] = route;
    return NULL;
}

void front_joined(front *self, uint32_t index, const lane_record *record)
{
    front_lane *each = &self->lanes[index];
    front_route route = route_of(index, record->connection);
    const native_body *body = native_of(self->self);
    const char *reason = NO_MEMORY;
    front_peer *peer = NULL;
    // Each lane has counted its own.
    if (body->roles[record->role].peer_count >= body->limits.peers_max) {
        self->self->counters.dropped_peers++;
        reason = TOO_MANY;
    } else if (reserve((void **)&each->peers, &each->peer_capacity, record->connection,
                       sizeof *each->peers)) {
        peer = &each->peers[record->connection];
        *peer = (front_peer){.serial = record->serial, .role = record->role};
        reason = is_router(self, record->role) ? give_id(self, route, peer, record)
                                               : give_turn(self, route, peer);
    }
    free(record->text);
    if (reason) {
        drop(self, route, record->serial, reason);
        return;
    }
    peer->joined = true;
    native_count_peer(self->self, (transport_role)record->role, 1);
    if (record->role == TRANSPORT_ENGINE)
        transport_hold_serve(self->self, native_of(self->self)->hold, peer->id);
}

front_peer *front_find(front *self, uint32_t index, const lane_record *record)
{
    front_lane *each = &self->lanes[index];
    if (record->connection >= each->peer_capacity)
        return NULL;
    front_peer *peer = &each->peers[record->connection];
    return peer->joined && peer->serial == record->serial ? peer : NULL;
}

void front_left(front *self, uint32_t index, const lane_record *record)
{
    front_peer *peer = front_find(self, index, record);
    if (!peer)
        return;
    front_route route = route_of(index, record->connection);
    if (is_router(self, peer->role)) {
        leave_place(self, route, peer);
        atoms_release(self->self->names, peer->id);
    } else {
        front_route last = self->engines[--self->engine_count];
        self->engines[peer->turn] = last;
        peer_at(self, last)->turn = peer->turn;
    }
    native_count_peer(self->self, (transport_role)record->role, -1);
    *peer = (front_peer){0};
}

void front_crowded(front *self, uint32_t index, const lane_record *record)
{
    front_peer *peer = front_find(self, index, record);
    if (!peer)
        return;
    peer->crowded = record->crowded;
    if (!peer->crowded)
        transport_hold_serve(self->self, native_of(self->self)->hold, peer->id);
}

void front_peers_free(front *self)
{
    for (uint32_t i = 0; i < self->lane_count; i++) {
        front_lane *each = &self->lanes[i];
        for (uint32_t j = 0; j < each->peer_capacity; j++) {
            if (each->peers[j].joined && each->peers[j].id != ATOM_NONE)
                atoms_release(self->self->names, each->peers[j].id);
        }
        free(each->peers);
    }
    for (int role = 0; role < 2; role++)
        free(self->roles[role].by_atom);
    free(self->engines);
}

/// Where a send goes; 0: nowhere.
static front_route destination(front *self, const transport_send *send)
{
    if (is_router(self, send->role))
        return find_route(&self->roles[send->role], send->to);
    for (uint32_t i = 0; i < self->engine_count; i++) {
        front_route route = self->engines[self->next_engine++ % self->engine_count];
        if (!peer_at(self, route)->crowded)
            return route;
    }
    return 0;
}

int32_t front_is_connected(const transport *self, transport_role which, atom peer)
{
    return find_route(&front_of(self)->roles[which], peer) != 0;
}

void front_pause_peer(transport *self, transport_role which, atom peer, bool paused)
{
    front *face = front_of(self);
    front_route route = face->ending ? 0 : find_route(&face->roles[which], peer);
    if (!route)
        return;
    lane_record *order = front_order(face, lane_of(route), LANE_PAUSE);
    order->connection = connection_of(route);
    order->serial = peer_at(face, route)->serial;
    order->rests = paused;
}

/// The prefix frames' bytes, which are atoms and so the front's to read.
static bool copy_prefix(lane_record *order, const native_outgoing *out)
{
    size_t size = 0;
    for (uint32_t i = 0; i < out->prefix_count; i++)
        size += out->prefix[i].size;
    order->send.long_prefix = size > LANE_PREFIX_BYTES ? malloc(size) : NULL;
    if (size > LANE_PREFIX_BYTES && !order->send.long_prefix)
        return false;
    uint8_t *at = size > LANE_PREFIX_BYTES ? order->send.long_prefix : order->send.prefix;
    for (uint32_t i = 0; i < out->prefix_count; i++) {
        memcpy(at, out->prefix[i].data, out->prefix[i].size);
        order->send.prefix_sizes[i] = (uint16_t)out->prefix[i].size;
        at += out->prefix[i].size;
    }
    order->send.prefix_count = (uint16_t)out->prefix_count;
    return true;
}

int front_send(transport *self, const transport_send *send)
{
    front *face = front_of(self);
    front_route route = face->ending ? 0 : destination(face, send);
    if (!route)
        return EHOSTUNREACH;
    front_peer *peer = peer_at(face, route);
    if (peer->crowded)
        return EHOSTUNREACH;
    native_outgoing out = native_prepare(self, send);
    if (out.size == 0)
        return 0;
    lane_record *order = front_order(face, lane_of(route), LANE_SEND);
    order->role = send->role;
    order->connection = connection_of(route);
    order->serial = peer->serial;
    order->number = out.source ? send->message : MESSAGE_NONE;
    order->count = out.source ? (uint16_t)(out.source->frame_count - out.first) : 0;
    order->send.frames = out.source ? out.source->frames + out.first : NULL;
    order->send.wire = out.wire.data;
    order->send.wire_size = out.wire.size;
    if (!copy_prefix(order, &out)) {
        // The message would be cut: the connection cannot go on.
        *order = (lane_record){.kind = LANE_DROP,
                               .connection = connection_of(route),
                               .serial = peer->serial,
                               .reason = NO_MEMORY};
        return 0;
    }
    if (out.source)
        message_retain(self->messages, send->message);
    self->counters.sent[send->role]++;
    return 0;
}
