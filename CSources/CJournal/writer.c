/// writer.c: the writing thread: batches into segments, synced as often as was asked for.
///
///     handed batch --write--> written_sequence --fdatasync--> synced_sequence
///
/// Invariant: a segment is synced whole before the next one is made, so that only the last can
/// have a torn end; nothing is counted as written or synced before the kernel said so.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "internal.h"
#include "writer_io.h"

typedef struct writer {
    journal *self;
    writer_io io;
    batch *writing;   ///< NULL: none
    uint64_t size;    ///< of what is to be written of it
    uint64_t written; ///< bytes of it
    bool in_flight;   ///< its write is under way
    bool is_blocked;  ///< the next batch waits for a sync
    bool syncing;
    uint64_t sync_target; ///< what is synced when the sync under way is done
    uint64_t
        dirty_since_ns; ///< when the oldest unsynced record was written; 0: nothing is unsynced
} writer;

void writer_fail(journal *self, const char *what, int error)
{
    // Both threads may find a reason; the first is told.
    if (atomic_exchange(&self->failing, true))
        return;
    journal_error text;
    folder_complain(&text, self->folder, "", what, error);
    snprintf(self->failure, sizeof self->failure, "%s", text.text);
    atomic_store_explicit(&self->failed, true, memory_order_release);
    if (self->wake)
        self->wake(self->wake_context);
}

static bool note_closed(journal *self, uint64_t last_sequence)
{
    if (self->closed_count == self->closed_capacity) {
        uint32_t capacity = self->closed_capacity * 2 + 16;
        closed_segment *closed = realloc(self->closed, capacity * sizeof *closed);
        if (!closed)
            return false;
        self->closed = closed;
        self->closed_capacity = capacity;
    }
    self->closed[self->closed_count++] =
        (closed_segment){self->segment_number, self->segment_size, last_sequence};
    return true;
}

/// Nothing but its records is left of the segment: it is not written to any more.
static bool end_segment(journal *self)
{
    bool is_longer = self->segment_extent > self->segment_size;
    if ((!is_longer || ftruncate(self->segment_fd, (off_t)self->segment_size) == 0) &&
        fdatasync(self->segment_fd) == 0) {
        self->segment_extent = self->segment_size;
        return true;
    }
    writer_fail(self, "sync a segment", errno);
    return false;
}

/// The present segment is full: synced, closed, and a new one begun. Rare enough to block.
static bool rotate(writer *w, uint64_t first_sequence)
{
    journal *self = w->self;
    if (!end_segment(self))
        return false;
    atomic_store_explicit(&self->synced_sequence, first_sequence - 1, memory_order_release);
    w->dirty_since_ns = 0;
    if (!note_closed(self, first_sequence - 1)) {
        writer_fail(self, "close a segment", ENOMEM);
        return false;
    }
    close(self->segment_fd);
    compact_collect(self);
    journal_file_header header = {.kind = JOURNAL_KIND_LOG,
                                  .number = self->segment_number + 1,
                                  .first_sequence = first_sequence,
                                  .created_us = self->created_us};
    memcpy(header.id, self->id, sizeof header.id);
    if (!spare_make_segment(self, &header)) {
        writer_fail(self, "make a segment", errno);
        return false;
    }
    self->segment_number = header.number;
    self->segment_size = JOURNAL_FILE_HEADER;
    compact_if_due(self);
    return true;
}

uint64_t writer_size_of(const journal *self, const batch *b)
{
    return b->size + (self->segment_size + b->size < self->segment_extent ? END_SIZE : 0);
}

bool writer_note_written(journal *self, const batch *b, uint64_t size)
{
    if (folder_is_gone(self->segment_fd)) {
        // Writing works, and keeps nothing: nobody may be promised anything.
        writer_fail(self, "find its files", ENOLINK);
        return false;
    }
    if (self->segment_extent < self->segment_size + size)
        self->segment_extent = self->segment_size + size;
    self->segment_size += b->size;
    atomic_store_explicit(&self->written_sequence, b->last_sequence, memory_order_seq_cst);
    return true;
}

static void write_on(writer *w)
{
    journal *self = w->self;
    w->in_flight = true;
    bool syncs = writer_io_write(&w->io, self->segment_fd, w->writing->data + w->written,
                                 w->size - w->written, self->segment_size + w->written,
                                 self->sync_ns == JOURNAL_SYNC_ALWAYS);
    if (syncs) {
        w->syncing = true;
        w->sync_target = w->writing->last_sequence;
    }
}

static void begin_batch(writer *w)
{
    journal *self = w->self;
    uint32_t done = atomic_load_explicit(&self->done, memory_order_relaxed);
    if (done == atomic_load_explicit(&self->handed, memory_order_seq_cst))
        return;
    batch *next = &self->batches[done % BATCHES];
    bool is_full = self->segment_size > JOURNAL_FILE_HEADER &&
                   self->segment_size + next->size > self->segment_size_max;
    // With `always` each write has a sync linked to it, and there is one target of syncs: one batch
    // at a time, or the end of its sync would be taken for that of the next batch.
    w->is_blocked = w->syncing && (is_full || self->sync_ns == JOURNAL_SYNC_ALWAYS);
    if (w->is_blocked || (is_full && !rotate(w, next->first_sequence)))
        return;
    w->writing = next;
    w->written = 0;
    w->size = writer_size_of(self, next);
    memset(next->data + next->size, 0, w->size - next->size);
    write_on(w);
}

static void tell_of_room(journal *self)
{
    uint64_t one = 1;
    if (atomic_load(&self->producer_waits) && write(self->free_bell, &one, sizeof one) < 0)
        return; // full of earlier rings
}

static void take_write(writer *w)
{
    journal *self = w->self;
    w->io.write_done = false;
    w->in_flight = false;
    if (w->io.write_result == -EINTR || w->io.write_result == -EAGAIN)
        w->io.write_result = 0;
    else if (w->io.write_result <= 0) {
        int error = w->io.write_result == 0 ? ENOSPC : (int)-w->io.write_result;
        writer_fail(self, "write", error);
        return;
    }
    w->written += (uint64_t)w->io.write_result;
    if (w->written < w->size)
        return; // it is written on once the sync that was linked to it has come back
    if (!writer_note_written(self, w->writing, w->size))
        return;
    if (w->dirty_since_ns == 0)
        w->dirty_since_ns = clock_now_ns();
    w->writing = NULL;
    atomic_fetch_add(&self->done, 1);
    tell_of_room(self);
    if (self->sync_ns != JOURNAL_SYNC_ALWAYS)
        self->wake(self->wake_context);
}

static void take_sync(writer *w)
{
    journal *self = w->self;
    w->io.sync_done = false;
    w->syncing = false;
    if (w->io.sync_result == -ECANCELED || w->io.sync_result == -EINTR)
        return; // its write was short, or it is due again
    if (w->io.sync_result < 0) {
        writer_fail(self, "sync", (int)-w->io.sync_result);
        return;
    }
    uint64_t written = atomic_load_explicit(&self->written_sequence, memory_order_relaxed);
    atomic_store_explicit(&self->synced_sequence, w->sync_target, memory_order_release);
    w->dirty_since_ns = written > w->sync_target ? clock_now_ns() : 0;
    if (self->sync_ns == JOURNAL_SYNC_ALWAYS)
        self->wake(self->wake_context);
}

/// When the next sync is due; UINT64_MAX: not by time.
static uint64_t sync_due_ns(const writer *w)
{
    uint64_t interval = w->self->sync_ns;
    if (w->dirty_since_ns == 0 || w->syncing)
        return UINT64_MAX;
    if (atomic_load(&w->self->stopping) || interval == JOURNAL_SYNC_ALWAYS)
        return 0;
    return interval == JOURNAL_SYNC_OFF ? UINT64_MAX : w->dirty_since_ns + interval;
}

static bool is_idle(const writer *w)
{
    const journal *self = w->self;
    return !w->writing && !w->syncing && w->dirty_since_ns == 0 &&
           atomic_load(&self->done) == atomic_load(&self->handed);
}

/// Something is written and will be synced after a while: when by, if nobody has said so yet.
static void look_at_written(writer *w)
{
    const journal *self = w->self;
    if (w->dirty_since_ns == 0 && !w->syncing &&
        atomic_load_explicit(&self->written_sequence, memory_order_seq_cst) >
            atomic_load_explicit(&self->synced_sequence, memory_order_relaxed))
        w->dirty_since_ns = clock_now_ns();
}

static void sleep_until(writer *w, uint64_t due_ns)
{
    journal *self = w->self;
    uint64_t now = due_ns == UINT64_MAX ? 0 : clock_now_ns();
    uint64_t timeout = due_ns == UINT64_MAX ? UINT64_MAX : due_ns > now ? due_ns - now : 0;
    atomic_store_explicit(&self->asleep, true, memory_order_seq_cst);
    atomic_store_explicit(&self->ticking, due_ns != UINT64_MAX || w->syncing, memory_order_seq_cst);
    // What was handed over or written before it could see us asleep.
    bool waiting = !w->writing && !w->is_blocked &&
                   atomic_load_explicit(&self->handed, memory_order_seq_cst) !=
                       atomic_load_explicit(&self->done, memory_order_relaxed);
    uint64_t was_dirty_ns = w->dirty_since_ns;
    look_at_written(w);
    waiting = waiting || w->dirty_since_ns != was_dirty_ns;
    if (!waiting && !(atomic_load(&self->stopping) && is_idle(w)))
        writer_io_wait(&w->io, timeout);
    atomic_store_explicit(&self->asleep, false, memory_order_relaxed);
}

void *writer_run(void *context)
{
    journal *self = context;
    writer w = {.self = self};
    writer_io_open(&w.io, self->doorbell, self->plain_io);
    self->io_name = w.io.uring ? "uring" : "plain";
    compact_if_due(self);
    while (!atomic_load(&self->failed)) {
        if (w.io.write_done)
            take_write(&w);
        if (w.io.sync_done)
            take_sync(&w);
        if (atomic_load(&self->failed))
            break;
        if (w.writing && !w.in_flight && !w.syncing)
            write_on(&w);
        else if (!w.writing)
            begin_batch(&w);
        look_at_written(&w);
        uint64_t due = sync_due_ns(&w);
        if (due != UINT64_MAX && due <= clock_now_ns()) {
            w.syncing = true;
            w.sync_target = atomic_load(&self->written_sequence);
            writer_io_sync(&w.io, self->segment_fd);
        } else if (atomic_load(&self->stopping) && is_idle(&w)) {
            break;
        } else {
            sleep_until(&w, due);
        }
    }
    writer_io_close(&w.io);
    if (!atomic_load(&self->failed))
        end_segment(self);
    compact_finish(self);
    spare_end(self);
    return NULL;
}
