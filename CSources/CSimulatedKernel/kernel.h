/// kernel.h: the simulated kernel's data and the calls between its files.
///
///     kernel.c       files, the clock, faults       connection.c   the world's side
///     calls.c        the replaced calls, sockets    epoll.c        readiness and sleeping
///     disk.c         a folder and its files         disk_calls.c   the replaced calls on them
///     threads.c      threads that take turns        death.c        the end of a process
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
    bool died; ///< the process ended without closing it
} kernel_connection;

/// A file of the folder, with a name or without.
typedef struct disk_file {
    uint8_t *data; ///< what a process reads: the page cache
    size_t size, capacity;
    uint8_t *durable; ///< what a loss of power leaves at least
    size_t durable_size, durable_capacity;
    size_t dirty_first, dirty_end; ///< written since it was synced; empty: nothing
    struct disk_file *next;        ///< of all there ever were
} disk_file;

#define DISK_NAME_MAX 32
typedef struct disk_entry {
    char name[DISK_NAME_MAX];
    disk_file *file;
} disk_entry;

/// `name` is `file` from now on, and `gone` nothing; either may be left out. At once.
typedef struct disk_change {
    char name[DISK_NAME_MAX];
    char gone[DISK_NAME_MAX];
    disk_file *file;
} disk_change;

typedef struct disk_folder {
    disk_entry *entries;
    uint32_t count, capacity;
} disk_folder;

/// Outlives the processes that use it.
typedef struct simulated_disk {
    bool is_made; ///< mkdir was called
    disk_folder now, durable;
    disk_change *changes; ///< between the two, in order
    uint32_t change_count, change_capacity;
    disk_file *files;
    disk_file *mapped;         ///< the one file that the process has mapped to write to it
    uint8_t *mapping;          ///< its bytes, for the time being
    uint8_t mapped_before[64]; ///< what stood there at the last call
} simulated_disk;

typedef enum kernel_kind {
    KERNEL_NOTHING = 0,
    KERNEL_SOCKET, ///< neither bound nor connected
    KERNEL_LISTENER,
    KERNEL_STREAM,
    KERNEL_EPOLL,
    KERNEL_EVENT,
    KERNEL_DISK_FILE,
    KERNEL_FOLDER,
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
    disk_file *disk_file;
    size_t offset;
} kernel_file;

/// A thread that the process made. It runs when the first one waits, and now and then between.
typedef struct kernel_thread kernel_thread;
#define KERNEL_THREADS_MAX 8

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
    simulated_disk disk;
    struct disk_listing *listing; ///< the folder that is being read
    kernel_thread *threads[KERNEL_THREADS_MAX];
    kernel_thread *running; ///< NULL: the first one
    bool dead;
    uint64_t calls_left; ///< until the process is killed; 0: it is not to be
    bool loses_power;    ///< and the machine with it
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

/// disk.c
void disk_write(disk_file *, const uint8_t *data, size_t size, size_t offset);
void disk_truncate(disk_file *, size_t size);
/// What was written between is on the disk.
void disk_sync(disk_file *, size_t dirty_first, size_t dirty_end);
disk_file *disk_find(const simulated_disk *, const char *name);
disk_file *disk_create(simulated_disk *, const char *name);
/// The folder: see disk_change.
void disk_change_folder(simulated_disk *, const char *name, disk_file *, const char *gone);
void disk_sync_folder(simulated_disk *);
/// From now on its bytes are the process's memory.
void disk_map(simulated_disk *, disk_file *, void *mapping);
/// What the process had mapped is a file again, with these bytes.
void disk_unmap(simulated_disk *, const uint8_t *bytes);
void disk_lose_power(simulated_kernel *);
void disk_destroy(simulated_disk *);

/// threads.c
/// Runs every other thread until it waits; from the first one only.
void kernel_run_threads(simulated_kernel *);
/// When the next of them is to be run; UINT64_MAX: something else must happen before.
uint64_t kernel_threads_until(const simulated_kernel *);
/// The calling thread waits until then, or until the file can be read (-1: no file).
void kernel_wait(simulated_kernel *, uint64_t until_ns, int fd);
/// The calling thread, if it is not the first, spends this time in a call that writes `size` bytes
/// of `data` to a file: a death in it leaves some of them. False: it died.
bool kernel_write_slowly(simulated_kernel *, disk_file *, const uint8_t *data, size_t size,
                         size_t offset, uint64_t duration_ns);
/// What was being written when the process died.
void kernel_tear_writes(simulated_kernel *);
void kernel_threads_destroy(simulated_kernel *);

/// death.c
/// Every call of the process passes here before it is answered.
void kernel_called(simulated_kernel *);
void kernel_die(simulated_kernel *);
