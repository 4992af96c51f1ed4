/// route.c: which connection has which routing id, and which are still in their handshake. Called
/// by connection.c and send.c.
///
///     routes[atom] -> table index + 1          atoms are small and dense
///                     NATIVE_ROUTE_LEFT        nobody now, somebody before (or the atom's former
///                                              name was: then it is told in vain)
///
/// Invariant: an id names the connection that announced it last; the one before is closed.
#include <stdlib.h>
#include <string.h>

#include "body.h"

void native_ring_add(native_connection **ring, native_connection *connection)
{
    native_connection *first = *ring;
    if (!first) {
        *ring = connection->ring_next = connection->ring_previous = connection;
        return;
    }
    connection->ring_next = first;
    connection->ring_previous = first->ring_previous;
    first->ring_previous->ring_next = connection;
    first->ring_previous = connection;
}

void native_ring_remove(native_connection **ring, native_connection *connection)
{
    connection->ring_next->ring_previous = connection->ring_previous;
    connection->ring_previous->ring_next = connection->ring_next;
    if (*ring == connection)
        *ring = connection->ring_next == connection ? NULL : connection->ring_next;
    connection->ring_next = connection->ring_previous = NULL;
}

void native_handshake_begin(native_connection *connection, uint64_t now_ns)
{
    native_body *body = native_of(connection->owner);
    if (body->handshake_count >= body->limits.handshakes_max)
        native_connection_close(body->handshakes, "made way for newer ones: too many peers are "
                                                  "in their handshake");
    connection->handshake_end_ns = now_ns + body->limits.handshake_ns;
    native_ring_add(&body->handshakes, connection);
    body->handshake_count++;
}

void native_handshake_end(native_connection *connection)
{
    native_body *body = native_of(connection->owner);
    if (!connection->ring_next)
        return;
    native_ring_remove(&body->handshakes, connection);
    body->handshake_count--;
}

void native_handshakes_expire(transport *self, uint64_t now_ns)
{
    native_body *body = native_of(self);
    while (body->handshakes && body->handshakes->handshake_end_ns <= now_ns)
        native_connection_close(body->handshakes, "did not finish its handshake in time");
}

static bool reserve_routes(native_role *role, atom id)
{
    if (id < role->route_capacity)
        return true;
    uint32_t capacity = role->route_capacity ? role->route_capacity : 64;
    while (capacity <= id)
        capacity *= 2;
    uint32_t *routes = realloc(role->routes, capacity * sizeof *routes);
    if (!routes)
        return false;
    memset(routes + role->route_capacity, 0, (capacity - role->route_capacity) * sizeof *routes);
    role->routes = routes;
    role->route_capacity = capacity;
    return true;
}

native_connection *native_route_find(const native_body *body, transport_role which, atom id)
{
    const native_role *role = &body->roles[which];
    uint32_t entry = id < role->route_capacity ? role->routes[id] : 0;
    return entry && entry != NATIVE_ROUTE_LEFT ? body->table[entry - 1] : NULL;
}

atom native_route_next_id(transport *self)
{
    uint32_t number = native_of(self)->next_id++;
    uint8_t bytes[5] = {0, (uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8),
                        (uint8_t)number};
    return atoms_intern(self->names, bytes, sizeof bytes);
}

/// One that nobody has.
static atom make_id(transport *self, transport_role which)
{
    native_body *body = native_of(self);
    for (;;) {
        atom id = native_route_next_id(self);
        if (id == ATOM_NONE || !native_route_find(body, which, id))
            return id;
        atoms_release(self->names, id);
    }
}

void native_note_rejoined(transport *self, atom id)
{
    native_role *role = &native_of(self)->roles[TRANSPORT_ENGINE];
    if (role->rejoined_count == role->rejoined_capacity) {
        uint32_t capacity = role->rejoined_capacity ? role->rejoined_capacity * 2 : 16;
        atom *rejoined = realloc(role->rejoined, capacity * sizeof *rejoined);
        if (!rejoined)
            return;
        role->rejoined = rejoined;
        role->rejoined_capacity = capacity;
    }
    atoms_retain(self->names, id);
    role->rejoined[role->rejoined_count++] = id;
}

uint32_t native_gather_rejoined(transport *self, transport_event *events, uint32_t capacity)
{
    native_role *role = &native_of(self)->roles[TRANSPORT_ENGINE];
    uint32_t count = 0;
    while (role->rejoined_told < role->rejoined_count && count < capacity)
        events[count++] = (transport_event){.kind = TRANSPORT_REJOINED,
                                            .role = TRANSPORT_ENGINE,
                                            .peer = role->rejoined[role->rejoined_told++]};
    return count;
}

void native_release_rejoined(transport *self)
{
    native_role *role = &native_of(self)->roles[TRANSPORT_ENGINE];
    if (role->rejoined_told == 0)
        return;
    for (uint32_t i = 0; i < role->rejoined_told; i++)
        atoms_release(self->names, role->rejoined[i]);
    role->rejoined_count -= role->rejoined_told;
    memmove(role->rejoined, role->rejoined + role->rejoined_told,
            role->rejoined_count * sizeof *role->rejoined);
    role->rejoined_told = 0;
}

const char *native_route_add(native_connection *connection, native_bytes identity)
{
    transport *self = connection->owner;
    native_body *body = native_of(self);
    transport_role which = (transport_role)connection->role;
    atom id = identity.size ? atoms_intern(self->names, identity.data, identity.size)
                            : make_id(self, which);
    if (id == ATOM_NONE)
        return "needs more memory than there is";
    connection->id = id; // and its reference
    if (!reserve_routes(&body->roles[which], id))
        return "needs more memory than there is";
    native_connection *old = native_route_find(body, which, id);
    if (old)
        native_connection_close(old, "was replaced by a new connection with the same routing id");
    uint32_t *entry = &body->roles[which].routes[id];
    if (which == TRANSPORT_ENGINE && identity.size && *entry)
        native_note_rejoined(self, id);
    *entry = connection->index + 1;
    return NULL;
}

void native_route_remove(native_connection *connection)
{
    native_role *role = &native_of(connection->owner)->roles[connection->role];
    atom id = connection->id;
    if (id == ATOM_NONE)
        return;
    if (id < role->route_capacity && role->routes[id] == connection->index + 1)
        role->routes[id] = NATIVE_ROUTE_LEFT;
    connection->id = ATOM_NONE;
    atoms_release(connection->owner->names, id);
}
