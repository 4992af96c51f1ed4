/// direct.c: a small batch, written by the scheduling thread itself.
///
/// A write into the page cache takes microseconds. Handing it to another thread and being woken
/// again costs ten times that, and twice if io_uring, which hands buffered writes to a worker of
/// the kernel on most file systems, is in between. Large batches, where the copy itself takes
/// longer, go to the writer, as does everything that is to be on the disk first (`always`).
///
/// Invariant: the scheduling thread waits for a slow disk in a small part of its time at most.
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "internal.h"

/// More than the records of a turn of common messages (perf/journal.py, 1,024 in flight: 0.67 of
/// the rate without a journal; with 256 KiB, which many turns exceed, 0.59). So much is copied in
/// 0.2 ms.
#define DIRECT_SIZE_MAX (1u << 20)
/// A write that takes longer has waited: the kernel holds writers back, or the disk is asked.
#define SLOW_NS 1000000u
/// After it the writer has so many times as long.
#define SLOW_PAUSE 20u

static bool is_for_us(const journal *self, const batch *b)
{
    if (self->sync_ns == JOURNAL_SYNC_ALWAYS || b->size > DIRECT_SIZE_MAX ||
        atomic_load_explicit(&self->done, memory_order_acquire) !=
            atomic_load_explicit(&self->handed, memory_order_relaxed))
        return false;
    // Only the writer begins a segment.
    return self->segment_size + b->size <= self->segment_size_max;
}

static bool write_all(journal *self, const batch *b, uint64_t size)
{
    uint64_t at = 0;
    while (at < size) {
        ssize_t written =
            pwrite(self->segment_fd, b->data + at, size - at, (off_t)(self->segment_size + at));
        if (written < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (written <= 0) {
            writer_fail(self, "write", written == 0 ? ENOSPC : errno);
            return false;
        }
        at += (uint64_t)written;
    }
    return true;
}

bool direct_write(journal *self, const batch *b)
{
    if (!is_for_us(self, b))
        return false;
    uint64_t began_ns = clock_now_ns();
    if (began_ns < self->direct_after_ns)
        return false;
    uint64_t size = writer_size_of(self, b);
    memset(b->data + b->size, 0, size - b->size);
    // Failed, there is nothing to be done by the writer either.
    if (!write_all(self, b, size) || !writer_note_written(self, b, size))
        return true;
    uint64_t now_ns = clock_now_ns();
    if (now_ns - began_ns > SLOW_NS)
        self->direct_after_ns = now_ns + (now_ns - began_ns) * SLOW_PAUSE;
    if (self->sync_ns != JOURNAL_SYNC_OFF &&
        !atomic_load_explicit(&self->ticking, memory_order_seq_cst))
        journal_ring(self->doorbell);
    return true;
}
