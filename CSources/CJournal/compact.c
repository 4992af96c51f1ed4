/// compact.c: old segments become one base: ids and fates packed, waiting and running tasks and
/// undelivered replies copied, everything else forgotten.
///
/// A thread of its own, at most one at a time, started and ended by the writer. It reads closed
/// files only and takes no part in what is being appended.
///
/// Cost: a base is rewritten when the closed segments together are as large as it is (and at least
/// one segment's size), so every byte is copied a bounded number of times, and the folder holds at
/// most about three times what the base does.
///
/// Invariant: the new base is whole, synced and renamed before anything it covers is deleted.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "internal.h"
#include "ledger.h"

#define WRITE_BUFFER_SIZE (1u << 20)

typedef struct compaction {
    journal *self;
    const char *what; ///< the step that failed
    int error;
    journal_ledger *ledger;
    mapped_file *files;
    uint32_t file_count;
    uint64_t next_sequence; ///< of the segment behind the base
    int fd;
    byte_sink out;
    uint64_t written;
    uint64_t sequence;
} compaction;

static bool failed(compaction *c, const char *what, int error)
{
    c->what = what;
    c->error = error;
    return false;
}

static bool map(compaction *c, uint64_t number, const char *suffix, journal_bytes *bytes)
{
    journal_error ignored;
    if (!folder_map(c->self, number, suffix, bytes, &ignored))
        return failed(c, "read a closed file for compaction", errno ? errno : EIO);
    c->files[c->file_count++] = (mapped_file){number, *bytes};
    return true;
}

static bool read_segment(compaction *c, uint64_t number)
{
    journal_bytes bytes;
    if (!map(c, number, "log", &bytes))
        return false;
    journal_file_header header;
    if (journal_file_header_read(bytes, &header))
        return failed(c, "read a closed segment", EIO);
    journal_reader reader = journal_reader_of(bytes, &header);
    journal_record record;
    journal_verdict verdict;
    while ((verdict = journal_read(&reader, &record)) == JOURNAL_RECORD) {
        if (journal_ledger_apply(c->ledger, JOURNAL_KIND_LOG, &record))
            return failed(c, "read a closed segment", EIO);
    }
    c->next_sequence = reader.sequence;
    return verdict == JOURNAL_AT_END || failed(c, "read a closed segment", EIO);
}

static bool read_files(compaction *c, uint64_t base, uint64_t through)
{
    c->files = calloc(through - base + 1, sizeof *c->files);
    c->ledger = journal_ledger_create(UINT64_MAX);
    if (!c->files || !c->ledger)
        return failed(c, "compact", ENOMEM);
    if (base > 0) {
        journal_bytes bytes;
        journal_file_header header;
        uint64_t offset;
        if (!map(c, base, "base", &bytes))
            return false;
        if (recover_base(bytes, c->ledger, &header, &offset))
            return failed(c, "read the base", EIO);
    }
    for (uint64_t number = base + 1; number <= through; number++) {
        if (!read_segment(c, number))
            return false;
    }
    return true;
}

// MARK: writing

static bool flush(compaction *c)
{
    uint64_t at = 0;
    while (at < c->out.size) {
        ssize_t written = write(c->fd, c->out.data + at, c->out.size - at);
        if (written < 0 && errno != EINTR)
            return failed(c, "write a base", errno);
        at += written > 0 ? (uint64_t)written : 0;
    }
    c->written += at;
    c->out.size = 0;
    return true;
}

/// Room for a record's header, at the end of `out`; its payload follows.
static uint64_t begin_record(compaction *c)
{
    sink_extend(&c->out, JOURNAL_RECORD_HEADER);
    return c->out.size - JOURNAL_RECORD_HEADER;
}

static bool end_record(compaction *c, uint64_t start, journal_type type, uint8_t flags,
                       uint32_t task)
{
    uint64_t size = c->out.size - start - JOURNAL_RECORD_HEADER;
    uint8_t *padding = sink_extend(&c->out, journal_padded(size) - size);
    if (c->out.failed)
        return failed(c, "write a base", ENOMEM);
    memset(padding, 0, journal_padded(size) - size);
    journal_record_seal(c->out.data + start, (uint8_t)type, flags, task, ++c->sequence, size,
                        c->self->id);
    return c->out.size < WRITE_BUFFER_SIZE || flush(c);
}

static bool put_record(compaction *c, journal_type type, uint8_t flags, uint32_t task,
                       journal_bytes payload)
{
    uint64_t start = begin_record(c);
    uint8_t *out = sink_extend(&c->out, payload.size);
    if (out && payload.size > 0)
        memcpy(out, payload.data, payload.size);
    return end_record(c, start, type, flags, task);
}

static bool put_page(compaction *c, uint32_t index)
{
    ledger_page *page = &c->ledger->pages[index];
    uint32_t number = index * IDS_PER_RECORD;
    // As it lay in the last base: engines keep their numbers.
    if (!page->entries)
        return put_record(c, JOURNAL_IDS, 0, number, page->packed);
    id_fate *fates = calloc(IDS_PER_RECORD, sizeof *fates);
    if (!fates)
        return failed(c, "write a base", ENOMEM);
    for (uint32_t i = 0; i < page->count; i++) {
        const ledger_entry *entry = &page->entries[i];
        fates[i] = (id_fate){entry->id, entry->id_size, entry->engine, entry->state};
    }
    uint64_t start = begin_record(c);
    ids_write(&c->out, fates, page->count);
    free(fates);
    return end_record(c, start, JOURNAL_IDS, 0, number);
}

static bool put_live(compaction *c, uint32_t number, const ledger_entry *entry)
{
    const ledger_live *live = &c->ledger->live[entry->live];
    const ledger_engine *engines = c->ledger->engines;
    if (live->reply.size > 0)
        return put_record(c, JOURNAL_FINISHED, JOURNAL_FLAG_PARKED, number, live->reply);
    bool ok = put_record(c, JOURNAL_ACCEPTED, 0, number, live->accepted);
    for (uint32_t i = 0; ok && i < live->attempt_count; i++) {
        journal_attempt attempt = live->attempts[i];
        ok = put_record(c, JOURNAL_RETURNED, (uint8_t)attempt.flags, number,
                        engines[attempt.engine].name);
    }
    if (ok && entry->state == JOURNAL_RUNNING)
        ok = put_record(c, JOURNAL_ASSIGNED, 0, number, engines[entry->engine].name);
    return ok;
}

static bool put_all(compaction *c)
{
    journal_ledger *ledger = c->ledger;
    bool ok = true;
    for (uint32_t i = 0; ok && i < ledger->engine_count; i++) {
        ok = put_record(c, JOURNAL_ENGINE, 0, JOURNAL_TASK_NONE, ledger->engines[i].name);
        if (ok && ledger->engines[i].fences)
            ok = put_record(c, JOURNAL_FENCES, 0, JOURNAL_TASK_NONE, ledger->engines[i].name);
    }
    for (uint32_t i = 0; ok && i < ledger->page_count; i++)
        ok = put_page(c, i);
    for (uint32_t i = 0; ok && i < ledger->page_count; i++) {
        const ledger_page *page = &ledger->pages[i];
        for (uint32_t e = 0; ok && page->entries && e < page->count; e++) {
            if (page->entries[e].live != NO_LIVE)
                ok = put_live(c, i * IDS_PER_RECORD + e, &page->entries[e]);
        }
    }
    return ok && put_record(c, JOURNAL_END, 0, JOURNAL_TASK_NONE, (journal_bytes){0}) && flush(c);
}

static bool write_base(compaction *c, uint64_t through)
{
    journal *self = c->self;
    char unfinished[NAME_SIZE_MAX], name[NAME_SIZE_MAX];
    folder_name(unfinished, through, "new");
    folder_name(name, through, "base");
    journal_file_header header = {.kind = JOURNAL_KIND_BASE,
                                  .number = through,
                                  .first_sequence = c->next_sequence,
                                  .created_us = self->created_us};
    memcpy(header.id, self->id, sizeof header.id);
    unlinkat(self->folder_fd, unfinished, 0);
    c->fd = folder_create(self, unfinished, NULL, &header);
    if (c->fd < 0 || lseek(c->fd, JOURNAL_FILE_HEADER, SEEK_SET) < 0)
        return failed(c, "make a base", errno);
    if (!put_all(c))
        return false;
    if (fsync(c->fd) != 0 || renameat(self->folder_fd, unfinished, self->folder_fd, name) != 0 ||
        fsync(self->folder_fd) != 0)
        return failed(c, "finish a base", errno);
    self->compacted_size = c->written + JOURNAL_FILE_HEADER;
    return true;
}

static void delete_covered(const compaction *c, uint64_t old_base)
{
    journal *self = c->self;
    char name[NAME_SIZE_MAX];
    // What cannot be deleted now is at the next start.
    if (old_base > 0) {
        folder_name(name, old_base, "base");
        unlinkat(self->folder_fd, name, 0);
    }
    for (uint32_t i = old_base > 0; i < c->file_count; i++) {
        if (spare_keep(self, c->files[i].number, c->files[i].bytes.size))
            continue;
        folder_name(name, c->files[i].number, "log");
        unlinkat(self->folder_fd, name, 0);
    }
}

static void tell_failure(journal *self, const compaction *c)
{
    if (atomic_load(&self->noticed))
        return;
    journal_error error;
    folder_complain(&error, self->folder, "", c->what, c->error);
    snprintf(self->notice, sizeof self->notice,
             "%.400s (old segments stay; the next full segment tries again)", error.text);
    atomic_store_explicit(&self->noticed, true, memory_order_release);
}

static void *run(void *context)
{
    journal *self = context;
    uint64_t base = self->base_number, through = self->compact_through;
    compaction c = {.self = self, .fd = -1};
    self->compacted_size = 0;
    self->compacted_spare_count = 0;
    if (read_files(&c, base, through) && write_base(&c, through))
        delete_covered(&c, base);
    else
        tell_failure(self, &c);
    if (c.fd >= 0)
        close(c.fd);
    for (uint32_t i = 0; i < c.file_count; i++)
        folder_unmap(c.files[i].bytes);
    journal_ledger_destroy(c.ledger);
    free(c.files);
    free(c.out.data);
    atomic_store_explicit(&self->compacted, true, memory_order_release);
    return NULL;
}

void compact_finish(journal *self)
{
    if (!self->compacting)
        return;
    pthread_join(self->compactor, NULL);
    self->compacting = false;
    if (self->compacted_size == 0)
        return;
    self->base_number = self->compact_through;
    self->base_size = self->compacted_size;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < self->closed_count; i++) {
        if (self->closed[i].number > self->base_number)
            self->closed[kept++] = self->closed[i];
    }
    self->closed_count = kept;
    spare_take(self);
}

void compact_collect(journal *self)
{
    if (self->compacting && atomic_load_explicit(&self->compacted, memory_order_acquire))
        compact_finish(self);
}

void compact_if_due(journal *self)
{
    compact_collect(self);
    if (self->compacting)
        return;
    // What has not left yet may have to be told again after a crash: it stays as it is.
    uint64_t sent = atomic_load(&self->sent->sent), size = 0;
    uint32_t count = 0;
    while (count < self->closed_count && self->closed[count].last_sequence <= sent)
        size += self->closed[count++].size;
    uint64_t enough =
        self->base_size > self->segment_size_max ? self->base_size : self->segment_size_max;
    // A segment ends a little before its full size.
    if (count == 0 || (size < enough - enough / 4 && count < CLOSED_FILES_MAX))
        return;
    self->compact_through = self->closed[count - 1].number;
    self->compacted_spare_max = SPARES_MAX - self->spare_count;
    atomic_store(&self->compacted, false);
    self->compacting = pthread_create(&self->compactor, NULL, run, self) == 0;
}
