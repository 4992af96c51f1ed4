/// writer_io.h: how the writer's bytes reach the disk: io_uring, or plain system calls.
///
/// At most one write and one sync are under way. Results: >= 0 bytes or success, else -errno.
/// Invariant: a plain call is complete when it returns; a call of the ring when `writer_io_wait`
/// says so.
#pragma once
#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct writer_io {
    bool uring;
    int doorbell;
    bool write_done;
    bool sync_done;
    int64_t write_result;
    int64_t sync_result;
    bool doorbell_armed;
    uint64_t doorbell_count;
    struct io_uring ring;
} writer_io;

void writer_io_open(writer_io *, int doorbell, bool plain);
void writer_io_close(writer_io *);
/// Writes; with `sync`, syncs the file behind it. True: a sync was asked for and is reported, too.
bool writer_io_write(writer_io *, int fd, const uint8_t *data, uint64_t size, uint64_t offset,
                     bool sync);
void writer_io_sync(writer_io *, int fd);
/// Returns when something is done, the doorbell rang, or `timeout_ns` is over (UINT64_MAX: never).
void writer_io_wait(writer_io *, uint64_t timeout_ns);
