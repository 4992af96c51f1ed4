/// connection.c: connections as the world sees them. See simulated_kernel.h.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

#define ROOM_FIRST (64u << 10)

kernel_connection *kernel_connection_create(simulated_kernel *self)
{
    if (self->connection_count == self->connection_capacity) {
        self->connection_capacity = self->connection_capacity ? self->connection_capacity * 2 : 64;
        self->connections =
            kernel_grow(self->connections, self->connection_capacity * sizeof *self->connections);
    }
    kernel_connection *connection = kernel_grow(NULL, sizeof *connection);
    *connection = (kernel_connection){.state = SIMULATED_OPEN,
                                      .number = (int32_t)self->connection_count,
                                      .fd = -1,
                                      .receive_room = ROOM_FIRST,
                                      .send_room = ROOM_FIRST};
    self->connections[self->connection_count++] = connection;
    return connection;
}

void kernel_connection_changed(simulated_kernel *self, kernel_connection *connection)
{
    if (connection->changed || connection->forgotten)
        return;
    if (self->change_first + self->change_count == self->change_capacity) {
        if (self->change_first > 0)
            memmove(self->changes, self->changes + self->change_first,
                    self->change_count * sizeof *self->changes);
        self->change_first = 0;
        if (self->change_count == self->change_capacity) {
            self->change_capacity = self->change_capacity ? self->change_capacity * 2 : 64;
            self->changes =
                kernel_grow(self->changes, self->change_capacity * sizeof *self->changes);
        }
    }
    connection->changed = true;
    self->changes[self->change_first + self->change_count++] = connection->number;
}

void kernel_connection_release(simulated_kernel *self, kernel_connection *connection)
{
    if (connection->state != SIMULATED_CLOSED || !connection->forgotten)
        return;
    self->connections[connection->number] = NULL;
    free(connection->received.data);
    free(connection->sent.data);
    free(connection);
}

static kernel_file *listener_of(simulated_kernel *self, uint16_t port, int *fd)
{
    for (uint32_t i = 0; i < self->file_end; i++) {
        if (self->files[i].kind == KERNEL_LISTENER && self->files[i].port == port) {
            *fd = SIMULATED_FD_FIRST + (int)i;
            return &self->files[i];
        }
    }
    return NULL;
}

int32_t simulated_dial(simulated_kernel *self, uint16_t port)
{
    int fd = -1;
    kernel_file *listener = listener_of(self, port, &fd);
    if (!listener)
        return -ECONNREFUSED;
    kernel_connection *connection = kernel_connection_create(self);
    connection->listener_port = port;
    if (listener->backlog_count == listener->backlog_capacity) {
        listener->backlog_capacity =
            listener->backlog_capacity ? listener->backlog_capacity * 2 : 8;
        listener->backlog =
            kernel_grow(listener->backlog, listener->backlog_capacity * sizeof *listener->backlog);
    }
    listener->backlog[listener->backlog_count++] = connection->number;
    kernel_mark(self, fd);
    return connection->number;
}

int32_t simulated_next_changed(simulated_kernel *self)
{
    while (self->change_count > 0) {
        int32_t number = self->changes[self->change_first++];
        self->change_count--;
        kernel_connection *connection = self->connections[number];
        if (!connection || connection->forgotten)
            continue;
        connection->changed = false;
        return number;
    }
    return -1;
}

simulated_state simulated_state_of(const simulated_kernel *self, int32_t number)
{
    const kernel_connection *connection = self->connections[number];
    return connection ? connection->state : SIMULATED_CLOSED;
}

bool simulated_died(const simulated_kernel *self, int32_t number)
{
    const kernel_connection *connection = self->connections[number];
    return connection && connection->died;
}

uint16_t simulated_dialled_port(const simulated_kernel *self, int32_t number)
{
    return self->connections[number]->dialled_port;
}

void simulated_answer(simulated_kernel *self, int32_t number, int error)
{
    kernel_connection *connection = self->connections[number];
    if (connection->state != SIMULATED_CONNECTING)
        return;
    connection->connect_error = error;
    if (error == 0)
        connection->state = SIMULATED_OPEN;
    kernel_mark(self, connection->fd);
}

size_t simulated_deliver(simulated_kernel *self, int32_t number, const uint8_t *data, size_t size)
{
    kernel_connection *connection = self->connections[number];
    size_t held = kernel_bytes_size(&connection->received);
    size_t room = connection->receive_room > held ? connection->receive_room - held : 0;
    if (connection->state == SIMULATED_CLOSED || connection->ended || connection->reset_error)
        return size; // into the void
    size_t taken = size < room ? size : room;
    if (taken == 0)
        return 0;
    kernel_bytes_append(&connection->received, data, taken);
    kernel_mark(self, connection->fd);
    return taken;
}

void simulated_end(simulated_kernel *self, int32_t number)
{
    kernel_connection *connection = self->connections[number];
    connection->ended = true;
    kernel_mark(self, connection->fd);
}

void simulated_reset(simulated_kernel *self, int32_t number, int error)
{
    kernel_connection *connection = self->connections[number];
    connection->reset_error = error;
    connection->sent.first = connection->sent.end = 0;
    kernel_mark(self, connection->fd);
}

size_t simulated_collect(simulated_kernel *self, int32_t number, uint8_t *out, size_t capacity)
{
    kernel_connection *connection = self->connections[number];
    size_t size = kernel_bytes_take(&connection->sent, out, capacity);
    if (connection->was_full && kernel_bytes_size(&connection->sent) < connection->send_room) {
        connection->was_full = false;
        kernel_mark(self, connection->fd);
    }
    return size;
}

size_t simulated_uncollected(const simulated_kernel *self, int32_t number)
{
    return kernel_bytes_size(&self->connections[number]->sent);
}

void simulated_set_room(simulated_kernel *self, int32_t number, size_t receive, size_t send)
{
    self->connections[number]->receive_room = receive;
    self->connections[number]->send_room = send;
}

void simulated_forget(simulated_kernel *self, int32_t number)
{
    kernel_connection *connection = self->connections[number];
    connection->forgotten = true;
    kernel_connection_release(self, connection);
}
