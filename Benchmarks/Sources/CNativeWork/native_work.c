/// native_work.c: see native_work.h. A transport made by hand: the parts of it that receiving and
/// sending touch, and no reactor.
#include "native_work.h"

#include <stdlib.h>
#include <string.h>

#include "../../../CSources/CTransport/native/body.h"

/// Sends of one turn.
#define TURN_SENDS 16u

struct native_work {
    transport transport;
    native_body body;
    native_connection connections[2], *table[2]; ///< client, engine
    uint8_t *read;                               ///< as many messages as fit
    size_t message_size;                         ///< on the wire
    uint32_t read_messages;
    uint32_t frame_count;
    uint64_t *frame_sizes;
    uint8_t *heads;          ///< room for those of one message
    message_handle received; ///< what is relayed
};

static void ignore(native_peer *peer, native_bytes bytes)
{
    (void)peer;
    (void)bytes; // the greeting and READY: nobody reads them here
}

static const char *ready(native_peer *peer, native_bytes identity)
{
    native_connection *connection = (native_connection *)peer;
    connection->ready = true;
    return native_route_add(connection, identity);
}

static const native_host HOST = {ready, native_queue_message, native_subscription, ignore,
                                 native_send_command};

static size_t write_frame(uint8_t *at, uint64_t size, const void *data, uint8_t flags)
{
    size_t head = frame_head_write(at, size, flags);
    if (size)
        memcpy(at + head, data, size);
    return head + size;
}

/// A DEALER's half of the handshake.
static bool shake_hands(native_connection *connection, const char *identity)
{
    uint8_t bytes[NATIVE_GREETING_SIZE + 128], ready_body[128];
    native_greeting_write(bytes, NATIVE_NULL.name, false);
    size_t size = native_command_begin(ready_body, "READY");
    size += native_property_write(ready_body + size, "Socket-Type", "DEALER", 6);
    size += native_property_write(ready_body + size, "Identity", identity, strlen(identity));
    size = NATIVE_GREETING_SIZE +
           write_frame(bytes + NATIVE_GREETING_SIZE, size, ready_body, FRAME_COMMAND);
    return !native_peer_feed(&connection->peer, (native_bytes){bytes, size}) && connection->ready;
}

static bool open_role(native_work *self, uint32_t index, transport_role which, const char *identity)
{
    native_role *role = &self->body.roles[which];
    role->exists = role->router = true;
    role->link = (native_link){.socket = NATIVE_ROUTER,
                               .server = true,
                               .mechanism = &NATIVE_NULL,
                               .sizes = {UINT64_MAX, UINT64_MAX, NATIVE_FRAMES_MAX},
                               .pool = self->body.pool};
    native_connection *connection = self->table[index] = &self->connections[index];
    connection->owner = &self->transport;
    connection->role = (uint8_t)which;
    connection->index = index;
    return native_link_set_metadata(&role->link, NULL) &&
           native_peer_open(&connection->peer, &role->link, &HOST) &&
           shake_hands(connection, identity);
}

static bool fill_read(native_work *self, const message_frame *frames)
{
    uint8_t *at = self->read;
    for (uint32_t i = 0; i < self->frame_count; i++) {
        if (frames[i].size + FRAME_HEAD_SIZE_MAX > NATIVE_WORK_READ_SIZE - self->message_size)
            return false;
        bool more = i + 1 < self->frame_count;
        self->frame_sizes[i] = frames[i].size;
        self->message_size += write_frame(at + self->message_size, frames[i].size, frames[i].data,
                                          more ? FRAME_MORE : 0);
    }
    self->read_messages = (uint32_t)(NATIVE_WORK_READ_SIZE / self->message_size);
    for (uint32_t i = 1; i < self->read_messages; i++)
        memcpy(at + i * self->message_size, at, self->message_size);
    return true;
}

static const char *feed(native_work *self, size_t from, size_t size)
{
    return native_peer_feed(&self->connections[0].peer, (native_bytes){self->read + from, size});
}

/// Keeps one message: what `native_work_relay` sends.
static bool receive_one(native_work *self)
{
    native_role *role = &self->body.roles[TRANSPORT_CLIENT];
    if (feed(self, 0, self->message_size) || !role->first)
        return false;
    self->received = message_adopt(self->transport.messages, &role->first->head);
    role->first = role->last = NULL;
    return self->received != MESSAGE_NONE;
}

native_work *native_work_create(const message_frame *frames, uint32_t count)
{
    native_work *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->transport.body = &self->body;
    self->transport.names = atoms_create(1);
    self->transport.messages = message_table_create(self->transport.names);
    self->body.pool = transport_pool_create(NATIVE_POOL_KEPT_BYTES_MAX);
    self->body.table = self->table;
    self->body.limits.engine_bytes_max = UINT64_MAX;
    self->read = malloc(NATIVE_WORK_READ_SIZE);
    self->frame_count = count;
    self->frame_sizes = calloc(count, sizeof *self->frame_sizes);
    self->heads = calloc(count, FRAME_HEAD_SIZE_MAX);
    bool ok = self->transport.names && self->transport.messages && self->body.pool && self->read &&
              self->frame_sizes && self->heads && fill_read(self, frames) &&
              open_role(self, 0, TRANSPORT_CLIENT, "d1c43d07-8f3a4fd5a20d8f7a1d5f4c1e") &&
              open_role(self, 1, TRANSPORT_ENGINE, "8f7a1d5f-4c1ed1c43d078f3a4fd5a20d") &&
              receive_one(self);
    if (ok)
        return self;
    native_work_destroy(self);
    return NULL;
}

void native_work_destroy(native_work *self)
{
    if (self->received != MESSAGE_NONE)
        message_release(self->transport.messages, self->received);
    for (uint32_t i = 0; i < 2; i++) {
        native_connection *connection = &self->connections[i];
        if (!self->table[i])
            continue;
        native_output_free(&connection->output, &self->body.chunks, self->transport.messages);
        native_route_remove(connection);
        native_peer_close(&connection->peer);
        free(self->body.roles[connection->role].link.metadata);
        free(self->body.roles[connection->role].routes);
    }
    native_chunks_free(&self->body.chunks);
    if (self->transport.messages)
        message_table_destroy(self->transport.messages);
    if (self->transport.names)
        atoms_destroy(self->transport.names);
    if (self->body.pool)
        transport_pool_destroy(self->body.pool);
    free(self->body.dirty);
    free(self->read);
    free(self->frame_sizes);
    free(self->heads);
    free(self);
}

/// Gives back what lies in the client role's queue. True when those are `count` messages, which
/// came in one piece or did not.
static bool give_back(native_work *self, uint32_t count, bool whole)
{
    bool right = true;
    for (native_block *block = self->body.roles[TRANSPORT_CLIENT].first; block;
         block = block->next) {
        right &= block->head.frame_count == self->frame_count && !block->head.wire != whole;
        count--;
    }
    native_drop_received(&self->transport, TRANSPORT_CLIENT);
    return right && count == 0;
}

bool native_work_receive_whole(native_work *self, uint32_t count)
{
    bool right = true;
    while (count > 0 && right) {
        uint32_t now = count < self->read_messages ? count : self->read_messages;
        right = !feed(self, 0, now * self->message_size) && give_back(self, now, true);
        count -= now;
    }
    return right;
}

bool native_work_receive_split(native_work *self, uint32_t count)
{
    size_t cut = 1;
    bool right = true;
    for (uint32_t i = 0; i < count && right; i++) {
        right = !feed(self, 0, cut) && !feed(self, cut, self->message_size - cut) &&
                give_back(self, 1, false);
        cut = (cut + 97) % (self->message_size - 1) + 1;
    }
    return right;
}

/// As if the kernel had taken all that is queued.
static void let_go(native_work *self, native_connection *connection)
{
    native_output_advance(&connection->output, &self->body.chunks, self->transport.messages,
                          connection->output.bytes);
    connection->dirty = false;
    self->body.dirty_count = 0;
}

bool native_work_relay(native_work *self, uint32_t count)
{
    native_connection *engine = &self->connections[1];
    size_t id_size;
    atoms_bytes(self->transport.names, self->connections[0].id, &id_size);
    transport_send send = {.role = TRANSPORT_ENGINE,
                           .prefix_count = 1,
                           .to = engine->id,
                           .prefix = {self->connections[0].id},
                           .message = self->received};
    bool right = true;
    while (count > 0 && right) {
        uint32_t now = count < TURN_SENDS ? count : TURN_SENDS;
        for (uint32_t i = 0; i < now; i++)
            right &= native_send_to_engine(&self->transport, &send) == 0;
        right &= engine->output.bytes == now * (2 + id_size + self->message_size);
        let_go(self, engine);
        count -= now;
    }
    return right;
}

bool native_work_write_heads(native_work *self, uint32_t count)
{
    size_t written = 0;
    for (uint32_t i = 0, frame = 0; i < count; i++) {
        if (frame == 0)
            written = 0;
        written += frame_head_write(self->heads + written, self->frame_sizes[frame], 0);
        frame = frame + 1 < self->frame_count ? frame + 1 : 0;
    }
    return written > 0;
}

bool native_work_read_heads(native_work *self, uint32_t count)
{
    size_t used = 0;
    bool right = true;
    for (uint32_t i = 0, frame = 0; i < count && right; i++) {
        native_head head;
        if (frame == 0)
            used = 0;
        // As within a read buffer: more follows.
        native_read read =
            native_head_read(self->heads + used, self->frame_count * FRAME_HEAD_SIZE_MAX, &head);
        used += read.used;
        right = !read.reason && head.size == self->frame_sizes[frame];
        frame = frame + 1 < self->frame_count ? frame + 1 : 0;
    }
    return right;
}
