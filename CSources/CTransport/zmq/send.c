/// send.c: hands messages to libzmq. Called by transport_send_all and by hold.c.
///
/// Invariant: a send is whole or not at all. With ZMQ_ROUTER_MANDATORY only the first frame can be
/// refused (EHOSTUNREACH), and so it is with a DEALER that has no peer (EAGAIN).
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "body.h"

/// Sends and, in any case, empties `part`. 0 or an errno.
static int send_part(void *socket, zmq_msg_t *part, bool more)
{
    for (;;) {
        if (zmq_msg_send(part, socket, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)) >= 0)
            return 0;
        if (errno == EINTR)
            continue;
        int error = errno;
        zmq_msg_close(part);
        return error;
    }
}

/// Copied: libzmq's I/O thread may read it after the atom's last release.
static int send_bytes(void *socket, const void *bytes, size_t size, bool more)
{
    zmq_msg_t part;
    if (zmq_msg_init_size(&part, size) != 0)
        return errno;
    if (size > 0)
        memcpy(zmq_msg_data(&part), bytes, size);
    return send_part(socket, &part, more);
}

/// The routing id never leaves the calling thread: a ROUTER looks it up and forgets it.
static int send_routing_id(transport *self, void *socket, atom to)
{
    size_t size = 0;
    const uint8_t *bytes = atoms_bytes(self->names, to, &size);
    zmq_msg_t part;
    zmq_msg_init_data(&part, (void *)(uintptr_t)bytes, size, NULL, NULL);
    return send_part(socket, &part, true);
}

static int send_frame(void *socket, const message *source, uint32_t index, bool more)
{
    const message_frame *frame = &source->frames[index];
    if (source->dispose != libzmq_message_dispose)
        return send_bytes(socket, frame->data, frame->size, more); // composed here, and small
    zmq_msg_t part;
    zmq_msg_init(&part);
    // Shares the bytes; the count of references is libzmq's, atomic.
    if (zmq_msg_copy(&part, &((const libzmq_message *)source)->parts[index]) != 0)
        return errno;
    return send_part(socket, &part, more);
}

/// Memory ran out within a message: end it, so that the next one does not become a part of it. The
/// peer drops what is left of it (its signature cannot be right).
static void cut_short(void *socket)
{
    zmq_msg_t part;
    zmq_msg_init(&part);
    send_part(socket, &part, false);
}

int libzmq_send(transport *self, const transport_send *send)
{
    libzmq_body *body = libzmq_of(self);
    void *socket = body->sockets[send->role];
    const message *source =
        send->message == MESSAGE_NONE ? NULL : message_get(self->messages, send->message);
    uint32_t last = source ? source->frame_count : 0;
    uint32_t left = send->prefix_count + (last > send->first_frame ? last - send->first_frame : 0u);
    uint32_t sent = 0;
    int error = 0;
    if (left == 0)
        return 0;
    if (send->to != ATOM_NONE)
        sent += (error = send_routing_id(self, socket, send->to)) == 0;
    for (uint32_t i = 0; i < send->prefix_count && error == 0; i++) {
        size_t size = 0;
        const uint8_t *bytes = atoms_bytes(self->names, send->prefix[i], &size);
        sent += (error = send_bytes(socket, bytes, size, --left > 0)) == 0;
    }
    for (uint32_t i = send->first_frame; i < last && error == 0; i++)
        sent += (error = send_frame(socket, source, i, --left > 0)) == 0;
    if (error == 0)
        self->counters.sent[send->role]++;
    else if (sent > 0)
        cut_short(socket);
    return error;
}

static void send_to_engine(transport *self, const transport_send *send)
{
    // First in, first out for each engine: nothing overtakes what is held.
    transport_hold *hold = libzmq_of(self)->hold;
    if (transport_hold_has(hold, send->to) || libzmq_send(self, send) != 0)
        transport_hold_append(self, hold, send);
}

void libzmq_send_all(transport *self, const transport_send *sends, uint32_t count)
{
    libzmq_body *body = libzmq_of(self);
    for (uint32_t i = 0; i < count; i++) {
        const transport_send *send = &sends[i];
        assert(send->role < TRANSPORT_ROLES && send->prefix_count <= 3);
        if (!body->sockets[send->role])
            continue;
        if (send->role == TRANSPORT_ENGINE)
            send_to_engine(self, send);
        else if (libzmq_send(self, send) != 0 && send->role == TRANSPORT_CLIENT)
            self->counters.dropped_client++;
        // A send may work off the command that says "there is something to read".
        body->unread |= 1u << send->role;
    }
    body->unread &= ~(1u << TRANSPORT_LOG);
}
