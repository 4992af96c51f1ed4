/// journal.c: opening, appending and closing, on the scheduling thread.
///
/// Invariant: a batch ends with a COMMIT whenever it is handed over, and records leave in the order
/// of their sequence numbers.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bytes.h"
#include "internal.h"

#define BATCH_SIZE_FIRST (256u << 10)

static void destroy(journal *self)
{
    journal_forget_recovered(self);
    for (uint32_t i = 0; i < BATCHES; i++)
        free(self->batches[i].data);
    if (self->sent)
        munmap(self->sent, sizeof *self->sent);
    const int fds[] = {self->segment_fd, self->doorbell, self->free_bell, self->lock_fd,
                       self->folder_fd};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    free(self->closed);
    free(self->folder);
    free(self);
}

journal *journal_open(const journal_config *config, journal_error *error)
{
    error->text[0] = '\0';
    journal *self = calloc(1, sizeof *self);
    if (self) {
        self->folder_fd = self->lock_fd = self->segment_fd = -1;
        self->doorbell = self->free_bell = -1;
        self->folder = strdup(config->folder);
    }
    if (!self || !self->folder) {
        folder_complain(error, config->folder, "", "begin", ENOMEM);
        free(self);
        return NULL;
    }
    memcpy(self->id, config->id, sizeof self->id);
    self->segment_size_max =
        config->segment_size_max ? config->segment_size_max : JOURNAL_SEGMENT_SIZE;
    self->sync_ns = config->sync_ns;
    self->created_us = config->now_us;
    self->plain_io = config->plain_io;
    self->io_name = "plain";
    self->next_sequence = 1;
    self->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->free_bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool ok = self->doorbell >= 0 && self->free_bell >= 0;
    if (!ok)
        folder_complain(error, self->folder, "", "begin", errno);
    if (!ok || !folder_open(self, error) || !folder_map_sent(self, error) ||
        !recover(self, error)) {
        destroy(self);
        return NULL;
    }
    return self;
}

const journal_findings *journal_found(const journal *self)
{
    return &self->found;
}

journal_ledger *journal_recovered(const journal *self)
{
    return self->ledger;
}

void journal_forget_recovered(journal *self)
{
    journal_ledger_destroy(self->ledger);
    self->ledger = NULL;
    for (uint32_t i = 0; i < self->file_count; i++)
        folder_unmap(self->files[i].bytes);
    free(self->files);
    self->files = NULL;
    self->file_count = 0;
}

bool journal_start(journal *self, void (*wake)(void *), void *context, journal_error *error)
{
    self->wake = wake;
    self->wake_context = context;
    atomic_store(&self->written_sequence, self->next_sequence - 1);
    atomic_store(&self->synced_sequence, self->next_sequence - 1);
    // The first segment is there before anything is promised: a folder that cannot be written to is
    // told at the start.
    char name[NAME_SIZE_MAX];
    journal_file_header header = {.kind = JOURNAL_KIND_LOG,
                                  .number = self->segment_number + 1,
                                  .first_sequence = self->next_sequence,
                                  .created_us = self->created_us};
    memcpy(header.id, self->id, sizeof header.id);
    folder_name(name, header.number, "log");
    self->segment_fd = folder_create(self, name, NULL, &header);
    if (self->segment_fd < 0) {
        folder_complain(error, self->folder, name, "make", errno);
        return false;
    }
    self->recovered_through = self->segment_number;
    self->segment_number = header.number;
    self->segment_size = self->segment_extent = JOURNAL_FILE_HEADER;
    int rc = pthread_create(&self->writer, NULL, writer_run, self);
    if (rc != 0)
        folder_complain(error, self->folder, "", "start the writing thread", rc);
    self->started = rc == 0;
    return self->started;
}

const char *journal_io_name(const journal *self)
{
    return self->io_name;
}

// MARK: appending

static batch *filling(journal *self)
{
    return &self->batches[atomic_load_explicit(&self->handed, memory_order_relaxed) % BATCHES];
}

/// Whether one more batch can be handed over while the next one is filled.
static bool has_room(journal *self)
{
    uint32_t handed = atomic_load_explicit(&self->handed, memory_order_relaxed);
    return handed - atomic_load_explicit(&self->done, memory_order_acquire) < BATCHES - 1;
}

void journal_ring(int bell)
{
    uint64_t one = 1;
    // It can only be full of earlier rings: the sleeper wakes all the same.
    if (write(bell, &one, sizeof one) < 0)
        return;
}

static void hand_over(journal *self)
{
    atomic_fetch_add_explicit(&self->handed, 1, memory_order_seq_cst);
    if (atomic_load_explicit(&self->asleep, memory_order_seq_cst))
        journal_ring(self->doorbell);
    // The writer has had this one: it may have grown for a huge message.
    batch *next = filling(self);
    if (next->capacity > BATCH_SIZE_KEPT) {
        free(next->data);
        *next = (batch){0};
    }
    next->size = 0;
}

static void wait_for_room(journal *self)
{
    atomic_store(&self->producer_waits, true);
    while (!has_room(self) && !atomic_load(&self->failed)) {
        struct pollfd bell = {.fd = self->free_bell, .events = POLLIN};
        uint64_t count;
        // The time is a belt to the braces: a ring is never lost.
        if (poll(&bell, 1, 1000) > 0 && read(self->free_bell, &count, sizeof count) < 0)
            continue;
    }
    atomic_store(&self->producer_waits, false);
}

/// Room for a record at the end of the batch, and for an end behind it; memory that is short ends
/// the journal, not a promise.
static uint8_t *extend(journal *self, uint64_t size)
{
    batch *b = filling(self);
    if (b->size + size + END_SIZE > b->capacity) {
        uint64_t capacity = b->capacity ? b->capacity * 2 : BATCH_SIZE_FIRST;
        while (capacity < b->size + size + END_SIZE)
            capacity *= 2;
        uint8_t *data = realloc(b->data, capacity);
        if (!data)
            return NULL;
        b->data = data;
        b->capacity = capacity;
    }
    b->size += size;
    return b->data + b->size - size;
}

static uint8_t *begin_record(journal *self, uint64_t payload_size)
{
    uint64_t padded = journal_padded(payload_size);
    uint8_t *record = NULL;
    if (!atomic_load_explicit(&self->failed, memory_order_relaxed))
        record = extend(self, JOURNAL_RECORD_HEADER + padded);
    if (!record)
        return NULL;
    memset(record + JOURNAL_RECORD_HEADER + payload_size, 0, padded - payload_size);
    return record;
}

static void end_record(journal *self, uint8_t *record, journal_type type, uint8_t flags,
                       uint32_t task, uint64_t payload_size)
{
    batch *b = filling(self);
    uint64_t sequence = self->next_sequence++;
    journal_record_seal(record, (uint8_t)type, flags, task, sequence, payload_size, self->id);
    if (record == b->data)
        b->first_sequence = sequence;
    b->last_sequence = sequence;
    self->uncommitted++;
}

void journal_append_message(journal *self, journal_type type, uint8_t flags, uint32_t task,
                            journal_bytes name, journal_bytes id, const journal_frame *frames,
                            uint32_t frame_count)
{
    uint64_t size = journal_message_size(name.size, id.size, frames, frame_count);
    uint8_t *record = begin_record(self, size);
    if (!record) {
        writer_fail(self, "remember a task", ENOMEM);
        return;
    }
    journal_message_write(record + JOURNAL_RECORD_HEADER, name, id, frames, frame_count);
    end_record(self, record, type, flags, task, size);
}

void journal_append_name(journal *self, journal_type type, uint8_t flags, uint32_t task,
                         journal_bytes name)
{
    uint8_t *record = begin_record(self, name.size);
    if (!record) {
        writer_fail(self, "remember a task", ENOMEM);
        return;
    }
    if (name.size > 0)
        memcpy(record + JOURNAL_RECORD_HEADER, name.data, name.size);
    end_record(self, record, type, flags, task, name.size);
}

static void append_commit(journal *self)
{
    uint8_t *record = begin_record(self, JOURNAL_COMMIT_SIZE);
    if (!record)
        return;
    put64(record + JOURNAL_RECORD_HEADER, journal_synced(self));
    put64(record + JOURNAL_RECORD_HEADER + 8, atomic_load(&self->sent->sent));
    end_record(self, record, JOURNAL_COMMIT, 0, JOURNAL_TASK_NONE, JOURNAL_COMMIT_SIZE);
    self->uncommitted = 0;
}

uint64_t journal_commit(journal *self)
{
    if (self->uncommitted > 0)
        append_commit(self);
    if (filling(self)->size > 0 && !atomic_load_explicit(&self->failed, memory_order_relaxed)) {
        if (direct_write(self, filling(self))) {
            filling(self)->size = 0;
            return self->next_sequence - 1;
        }
        if (!has_room(self) && filling(self)->size > BATCH_SIZE_MAX)
            wait_for_room(self);
        if (has_room(self))
            hand_over(self);
    }
    return self->next_sequence - 1;
}

uint64_t journal_released(const journal *self)
{
    return self->sync_ns == JOURNAL_SYNC_ALWAYS
               ? atomic_load_explicit(&self->synced_sequence, memory_order_acquire)
               : atomic_load_explicit(&self->written_sequence, memory_order_acquire);
}

uint64_t journal_synced(const journal *self)
{
    return atomic_load_explicit(&self->synced_sequence, memory_order_acquire);
}

void journal_note_sending(journal *self, uint64_t sequence)
{
    atomic_store_explicit(&self->sent->sending, sequence, memory_order_release);
}

void journal_note_sent(journal *self, uint64_t sequence)
{
    atomic_store_explicit(&self->sent->sent, sequence, memory_order_release);
}

bool journal_failed(const journal *self, char *text, size_t text_size)
{
    if (!atomic_load_explicit(&self->failed, memory_order_acquire))
        return false;
    snprintf(text, text_size, "%s", self->failure);
    return true;
}

bool journal_next_notice(journal *self, char *text, size_t text_size)
{
    if (!atomic_load_explicit(&self->noticed, memory_order_acquire))
        return false;
    snprintf(text, text_size, "%s", self->notice);
    atomic_store_explicit(&self->noticed, false, memory_order_release);
    return true;
}

bool journal_close(journal *self)
{
    bool complete = true;
    if (self->started) {
        if (self->uncommitted > 0)
            append_commit(self);
        if (filling(self)->size > 0) {
            wait_for_room(self);
            if (has_room(self))
                hand_over(self);
        }
        atomic_store(&self->stopping, true);
        journal_ring(self->doorbell);
        pthread_join(self->writer, NULL);
        complete = !atomic_load(&self->failed);
    }
    destroy(self);
    return complete;
}
