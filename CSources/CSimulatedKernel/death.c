/// death.c: a process that is killed, and what is left of it. See simulated_kernel.h.
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

/// At one call in so many the first thread makes way for the others.
#define GIVES_WAY_PER_MILLION 20000

static void note_mapped(simulated_disk *disk)
{
    if (disk->mapped && disk->mapped->size <= sizeof disk->mapped_before)
        memcpy(disk->mapped_before, disk->mapping, disk->mapped->size);
}

/// A process dies between two calls, too: what it has stored since the last may not be there yet.
static void unmap(simulated_kernel *self)
{
    simulated_disk *disk = &self->disk;
    bool is_small = disk->mapped && disk->mapped->size <= sizeof disk->mapped_before;
    bool is_before = is_small && kernel_chance(self, 500000);
    disk_unmap(disk, is_before ? disk->mapped_before : disk->mapping);
}

void kernel_called(simulated_kernel *self)
{
    self->calls++;
    if (self->dead)
        return;
    if (self->calls_left > 0 && --self->calls_left == 0) {
        kernel_die(self);
        return;
    }
    note_mapped(&self->disk);
    if (!self->running && self->threads[0] && kernel_chance(self, GIVES_WAY_PER_MILLION))
        kernel_run_threads(self);
}

static void close_of(simulated_kernel *self, kernel_connection *connection)
{
    // Who closes with something unread resets the connection: what it had sent may go with it.
    bool is_reset = kernel_bytes_size(&connection->received) > 0 && kernel_chance(self, 500000);
    if (is_reset || self->loses_power)
        connection->sent.first = connection->sent.end = 0;
    connection->fd = -1;
    connection->died = true;
    connection->state = SIMULATED_CLOSED;
    kernel_connection_changed(self, connection);
    kernel_connection_release(self, connection);
}

void kernel_die(simulated_kernel *self)
{
    self->dead = true;
    self->calls_left = 0;
    kernel_tear_writes(self);
    unmap(self);
    if (self->loses_power)
        disk_lose_power(self);
    for (uint32_t i = 0; i < self->file_end; i++) {
        kernel_file *file = &self->files[i];
        for (uint32_t b = 0; b < file->backlog_count; b++) {
            kernel_connection *waiting = self->connections[file->backlog[b]];
            if (waiting)
                close_of(self, waiting);
        }
        free(file->backlog);
        if (file->connection)
            close_of(self, file->connection);
        *file = (kernel_file){.kind = KERNEL_NOTHING};
    }
    self->open_count = 0;
}

void simulated_kill(simulated_kernel *self, uint64_t calls, bool loses_power)
{
    if (self->dead)
        return;
    self->loses_power = loses_power;
    self->calls_left = calls;
    if (calls == 0)
        kernel_die(self);
}

void simulated_spare(simulated_kernel *self)
{
    self->calls_left = 0;
}

bool simulated_is_dead(const simulated_kernel *self)
{
    return self->dead;
}

void simulated_revive(simulated_kernel *self)
{
    kernel_threads_destroy(self);
    self->dead = false;
}
