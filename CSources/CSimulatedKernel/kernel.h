/// kernel.h: the simulated kernel's data and the calls between its files.
///
///     kernel.c       files, the clock, faults       connection.c   the world's side
///     calls.c        the replaced calls             epoll.c        readiness and sleeping
///     crash.c        last words
///
/// Invariant: a file is in `files` from the call that made it to its close; a connection lives
/// until the process has closed it and the world has forgotten it.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/simulated_kernel.h"

typedef struct kernel_bytes {
    uint8_t *data;
    size_t first, end, capacity; ///< filled from `first` to `end`
} kernel_bytes;

typedef struct kernel_connection {
    simulated_state state;
    int32_t number;
    int fd; ///< -1: none (yet, or any more)
    uint16_t dialled_port;
    uint16_t listener_port;
    int connect_error;
    kernel_bytes received, sent;
    size_t receive_room, send_room;
    bool ended;      ///< nothing follows what was received
    int reset_error; ///< 0, or what a call gets once
    bool reset_told;
    bool was_full; ///< a send found no room
    bool changed;  ///< in the list of changes
    bool forgotten;
} kernel_connection;

typedef enum kernel_kind {
    KERNEL_NOTHING = 0,
    KERNEL_SOCKET, ///< neither bound nor connected
    KERNEL_LISTENER,
    KERNEL_STREAM,
    KERNEL_EPOLL,
    KERNEL_EVENT,
} kernel_kind;

typedef struct kernel_file {
    kernel_kind kind;
    uint16_t port;
    kernel_connection *connection;
    int32_t *backlog; ///< numbers waiting for accept4
    uint32_t backlog_count, backlog_capacity;
    uint64_t counter; ///< eventfd
    bool watched, marked;
    uint32_t interest;
    uint64_t data;
} kernel_file;

struct simulated_kernel {
    simulated_host host;
    simulated_faults faults;
    uint64_t random;
    uint64_t now_ns, wall_offset_ns;
    uint64_t calls;
    kernel_file files[SIMULATED_FILES_MAX];
    uint32_t file_end; ///< one past the highest ever used
    uint32_t open_count;
    uint32_t wait_start; ///< where the next wait begins to look: no file is always the first
    kernel_connection **connections;
    uint32_t connection_count, connection_capacity;
    int32_t *changes;
    uint32_t change_first, change_count, change_capacity;
};

/// kernel.c
void *kernel_grow(void *memory, size_t size);
void kernel_bytes_append(kernel_bytes *, const uint8_t *, size_t size);
size_t kernel_bytes_take(kernel_bytes *, uint8_t *out, size_t capacity);
static inline size_t kernel_bytes_size(const kernel_bytes *self)
{
    return self->end - self->first;
}
/// True in `per_million` of a million cases.
bool kernel_chance(simulated_kernel *, uint32_t per_million);
uint64_t kernel_random(simulated_kernel *);
/// A new descriptor, or -1 with EMFILE.
int kernel_open(simulated_kernel *, kernel_kind);
/// The open file of a descriptor, or NULL.
kernel_file *kernel_file_of(simulated_kernel *, int fd);
void kernel_mark(simulated_kernel *, int fd);
void kernel_close(simulated_kernel *, int fd);

/// connection.c
kernel_connection *kernel_connection_create(simulated_kernel *);
void kernel_connection_changed(simulated_kernel *, kernel_connection *);
void kernel_connection_release(simulated_kernel *, kernel_connection *);

/// epoll.c: see epoll_ctl(2) and epoll_wait(2); negative errno.
struct epoll_event;
int kernel_epoll_ctl(simulated_kernel *, int operation, int fd, const struct epoll_event *);
int kernel_epoll_wait(simulated_kernel *, struct epoll_event *, int capacity, uint64_t until_ns);
