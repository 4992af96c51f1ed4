/// kernel.c: files, the clock and chance. See kernel.h.
#include "kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *kernel_grow(void *memory, size_t size)
{
    void *grown = realloc(memory, size);
    if (!grown) {
        fputs("simulated kernel: out of memory\n", stderr);
        abort();
    }
    return grown;
}

void kernel_bytes_append(kernel_bytes *self, const uint8_t *data, size_t size)
{
    if (self->first > 0 && self->end + size > self->capacity) {
        memmove(self->data, self->data + self->first, self->end - self->first);
        self->end -= self->first;
        self->first = 0;
    }
    if (self->end + size > self->capacity) {
        self->capacity = (self->end + size) * 2;
        self->data = kernel_grow(self->data, self->capacity);
    }
    if (size > 0)
        memcpy(self->data + self->end, data, size);
    self->end += size;
}

size_t kernel_bytes_take(kernel_bytes *self, uint8_t *out, size_t capacity)
{
    size_t size = self->end - self->first;
    if (size > capacity)
        size = capacity;
    if (size > 0)
        memcpy(out, self->data + self->first, size);
    self->first += size;
    if (self->first == self->end)
        self->first = self->end = 0;
    return size;
}

uint64_t kernel_random(simulated_kernel *self)
{
    // SplitMix64.
    uint64_t value = self->random += 0x9e3779b97f4a7c15ull;
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ull;
    value = (value ^ value >> 27) * 0x94d049bb133111ebull;
    return value ^ value >> 31;
}

bool kernel_chance(simulated_kernel *self, uint32_t per_million)
{
    return per_million > 0 && kernel_random(self) % 1000000 < per_million;
}

simulated_kernel *simulated_kernel_create(uint64_t seed, uint64_t now_ns, uint64_t wall_ns,
                                          simulated_host host)
{
    simulated_kernel *self = kernel_grow(NULL, sizeof *self);
    memset(self, 0, sizeof *self);
    self->host = host;
    self->random = seed;
    self->now_ns = now_ns;
    self->wall_offset_ns = wall_ns - now_ns;
    return self;
}

void simulated_kernel_destroy(simulated_kernel *self)
{
    for (uint32_t i = 0; i < self->connection_count; i++) {
        kernel_connection *connection = self->connections[i];
        if (!connection)
            continue;
        connection->state = SIMULATED_CLOSED;
        connection->forgotten = true;
        kernel_connection_release(self, connection);
    }
    for (uint32_t i = 0; i < self->file_end; i++)
        free(self->files[i].backlog);
    kernel_threads_destroy(self);
    disk_destroy(&self->disk);
    free(self->connections);
    free(self->changes);
    free(self);
}

uint64_t simulated_kernel_now_ns(const simulated_kernel *self)
{
    return self->now_ns;
}

void simulated_kernel_set_now(simulated_kernel *self, uint64_t now_ns)
{
    if (now_ns > self->now_ns)
        self->now_ns = now_ns;
}

void simulated_kernel_set_faults(simulated_kernel *self, simulated_faults faults)
{
    self->faults = faults;
}

uint32_t simulated_kernel_open_files(const simulated_kernel *self)
{
    return self->open_count;
}

uint64_t simulated_kernel_calls(const simulated_kernel *self)
{
    return self->calls;
}

int kernel_open(simulated_kernel *self, kernel_kind kind)
{
    kernel_called(self);
    if (self->dead) {
        errno = EMFILE;
        return -1;
    }
    uint32_t index = 0;
    while (index < SIMULATED_FILES_MAX && self->files[index].kind != KERNEL_NOTHING)
        index++;
    if (index == SIMULATED_FILES_MAX) {
        errno = EMFILE;
        return -1;
    }
    if (index >= self->file_end)
        self->file_end = index + 1;
    self->files[index] = (kernel_file){.kind = kind};
    self->open_count++;
    return SIMULATED_FD_FIRST + (int)index;
}

kernel_file *kernel_file_of(simulated_kernel *self, int fd)
{
    uint32_t index = (uint32_t)(fd - SIMULATED_FD_FIRST);
    if (fd < SIMULATED_FD_FIRST || index >= self->file_end)
        return NULL;
    return self->files[index].kind == KERNEL_NOTHING ? NULL : &self->files[index];
}

void kernel_mark(simulated_kernel *self, int fd)
{
    kernel_file *file = kernel_file_of(self, fd);
    if (file)
        file->marked = true;
}

void kernel_close(simulated_kernel *self, int fd)
{
    kernel_file *file = kernel_file_of(self, fd);
    // Those in the backlog learn that nobody listens any more.
    for (uint32_t i = 0; i < file->backlog_count; i++) {
        kernel_connection *waiting = self->connections[file->backlog[i]];
        if (!waiting)
            continue;
        waiting->state = SIMULATED_CLOSED;
        kernel_connection_changed(self, waiting);
        kernel_connection_release(self, waiting);
    }
    free(file->backlog);
    kernel_connection *connection = file->connection;
    *file = (kernel_file){.kind = KERNEL_NOTHING};
    self->open_count--;
    if (!connection)
        return;
    connection->fd = -1;
    connection->state = SIMULATED_CLOSED;
    kernel_connection_changed(self, connection);
    kernel_connection_release(self, connection);
}
