/// recover.c: a folder's files, read in order into a ledger; what to do about a bad record.
///
/// Called by journal_open. Invariant: nothing in the folder is changed before everything that is to
/// be kept has been read and found good.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "internal.h"

typedef struct recovery {
    journal *self;
    journal_error *error;
    folder_list list;
    uint32_t first_log;     ///< the first that the base does not cover
    uint64_t next_sequence; ///< of the next record
    bool has_id;
    bool is_cut;
    uint32_t cut_log; ///< index of the torn segment
    uint64_t cut_at;  ///< bytes of it to keep
} recovery;

static bool damaged(recovery *r, uint64_t number, const char *suffix, uint64_t offset,
                    const char *why)
{
    char name[NAME_SIZE_MAX];
    folder_name(name, number, suffix);
    bool is_log = strcmp(suffix, "log") == 0;
    char remedy[256] = "";
    if (is_log)
        snprintf(remedy, sizeof remedy,
                 " (to keep what stands before the damage: truncate -s %" PRIu64
                 " %s, delete the .log files after it)",
                 offset, name);
    snprintf(r->error->text, sizeof r->error->text,
             "the journal in %s is damaged: %s, byte %" PRIu64 ": %s. Nothing was changed. Restore "
             "the folder from a copy, or move it away to start without its tasks%s",
             r->self->folder, name, offset, why, remedy);
    return false;
}

static bool keep_mapped(recovery *r, uint64_t number, const char *suffix, journal_bytes *bytes)
{
    journal *self = r->self;
    if (!folder_map(self, number, suffix, bytes, r->error))
        return false;
    mapped_file *files = realloc(self->files, (self->file_count + 1) * sizeof *files);
    if (!files) {
        folder_unmap(*bytes);
        folder_complain(r->error, self->folder, "", "read the files", ENOMEM);
        return false;
    }
    self->files = files;
    files[self->file_count++] = (mapped_file){number, *bytes};
    self->found.files++;
    self->found.bytes += bytes->size;
    return true;
}

const char *recover_base(journal_bytes bytes, journal_ledger *ledger, journal_file_header *header,
                         uint64_t *offset)
{
    *offset = 0;
    const char *wrong = journal_file_header_read(bytes, header);
    if (wrong)
        return wrong;
    if (header->kind != JOURNAL_KIND_BASE)
        return "it is no base";
    journal_reader reader = journal_reader_of(bytes, header);
    journal_record record = {0};
    for (;;) {
        *offset = reader.offset;
        journal_verdict verdict = journal_read(&reader, &record);
        if (verdict == JOURNAL_BAD)
            return reader.reason;
        if (verdict == JOURNAL_AT_END)
            return record.type == JOURNAL_END ? NULL : "its end is missing";
        wrong = journal_ledger_apply(ledger, JOURNAL_KIND_BASE, &record);
        if (wrong)
            return wrong;
    }
}

static bool read_base(recovery *r)
{
    journal *self = r->self;
    if (r->list.base_count == 0)
        return true;
    uint64_t number = r->list.bases[r->list.base_count - 1];
    journal_bytes bytes;
    if (!keep_mapped(r, number, "base", &bytes))
        return false;
    journal_file_header header = {0};
    uint64_t offset;
    const char *wrong = recover_base(bytes, self->ledger, &header, &offset);
    if (!wrong && header.number != number)
        wrong = "it has another file's name";
    if (wrong)
        return damaged(r, number, "base", offset, wrong);
    memcpy(self->id, header.id, sizeof self->id);
    r->has_id = true;
    r->next_sequence = header.first_sequence;
    self->base_number = number;
    self->base_size = bytes.size;
    return true;
}

/// The highest sequence that what stands behind the bad place says is on the disk.
static bool synced_behind(recovery *r, uint32_t log, const journal_reader *bad, uint64_t *synced)
{
    journal_remains remains = journal_look_behind(bad);
    *synced = remains.synced_sequence;
    r->self->found.cut_records = remains.records;
    r->self->found.cut_bytes = bad->file.size - bad->offset;
    for (uint32_t i = log + 1; i < r->list.log_count; i++) {
        journal_bytes bytes;
        if (!folder_map(r->self, r->list.logs[i], "log", &bytes, r->error))
            return false;
        journal_reader reader = {.file = bytes, .sequence = bad->sequence};
        memcpy(reader.id, r->self->id, sizeof reader.id);
        // Headers are no records: the search steps over them.
        remains = journal_look_behind(&reader);
        folder_unmap(bytes);
        if (remains.synced_sequence > *synced)
            *synced = remains.synced_sequence;
        r->self->found.cut_records += remains.records;
        r->self->found.cut_bytes += bytes.size;
    }
    return true;
}

/// Where writing had got to in a segment whose file is longer: nothing of ours follows.
static bool is_end(const recovery *r, uint32_t log, const journal_reader *bad)
{
    static const uint8_t end[END_SIZE];
    return log + 1 == r->list.log_count && r->self->found.cut_records == 0 &&
           bad->file.size - bad->offset >= END_SIZE &&
           memcmp(bad->file.data + bad->offset, end, END_SIZE) == 0;
}

/// A bad place: the end of the journal, torn or not, or damage.
static bool judge(recovery *r, uint32_t log, const journal_reader *bad)
{
    uint64_t number = r->list.logs[log], synced;
    if (!synced_behind(r, log, bad, &synced))
        return false;
    if (synced >= bad->sequence) {
        char why[200];
        snprintf(why, sizeof why, "%s, though record %" PRIu64 " was once safely on the disk",
                 bad->reason, bad->sequence);
        return damaged(r, number, "log", bad->offset, why);
    }
    r->is_cut = true;
    r->cut_log = log;
    r->cut_at = bad->offset;
    if (is_end(r, log, bad)) {
        r->self->found.cut_bytes = 0;
        return true;
    }
    char name[NAME_SIZE_MAX];
    folder_name(name, number, "log");
    snprintf(r->self->found.cut_note, sizeof r->self->found.cut_note, "%s, byte %" PRIu64 ": %s",
             name, bad->offset, bad->reason);
    return true;
}

static bool judge_header(recovery *r, uint32_t log, journal_bytes bytes, const char *wrong)
{
    journal_reader bad = {.file = bytes, .sequence = r->next_sequence, .reason = wrong};
    memcpy(bad.id, r->self->id, sizeof bad.id);
    // Without any other file nothing says whose records these are.
    bool can_be_torn = bytes.size <= JOURNAL_FILE_HEADER || r->has_id;
    bool is_newer = bytes.size >= JOURNAL_FILE_HEADER &&
                    memcmp(bytes.data, JOURNAL_MAGIC, 8) == 0 &&
                    get32(bytes.data + 60) == journal_crc32c(0, bytes.data, 60);
    if (!can_be_torn || is_newer)
        return damaged(r, r->list.logs[log], "log", 0, wrong);
    return judge(r, log, &bad);
}

static bool read_log(recovery *r, uint32_t log)
{
    journal *self = r->self;
    uint64_t number = r->list.logs[log];
    journal_bytes bytes;
    if (!keep_mapped(r, number, "log", &bytes))
        return false;
    journal_file_header header;
    const char *wrong = journal_file_header_read(bytes, &header);
    if (wrong)
        return judge_header(r, log, bytes, wrong);
    if (header.kind != JOURNAL_KIND_LOG || header.number != number)
        return damaged(r, number, "log", 0, "it has another file's name");
    if (r->has_id && memcmp(header.id, self->id, sizeof self->id) != 0)
        return damaged(r, number, "log", 0, "it belongs to another journal");
    memcpy(self->id, header.id, sizeof self->id);
    r->has_id = true;
    if (header.first_sequence != r->next_sequence)
        return damaged(r, number, "log", 0, "records before it are missing");
    journal_reader reader = journal_reader_of(bytes, &header);
    journal_record record;
    journal_verdict verdict;
    while ((verdict = journal_read(&reader, &record)) == JOURNAL_RECORD) {
        wrong = journal_ledger_apply(self->ledger, JOURNAL_KIND_LOG, &record);
        if (wrong)
            return damaged(r, number, "log", record.offset, wrong);
        self->found.records++;
        if (record.type == JOURNAL_COMMIT) {
            uint64_t sent = get64(record.payload.data + 8);
            if (sent > self->found.sent_sequence)
                self->found.sent_sequence = sent;
        }
    }
    r->next_sequence = reader.sequence;
    return verdict == JOURNAL_AT_END || judge(r, log, &reader);
}

static bool remove_file(recovery *r, uint64_t number, const char *suffix)
{
    char name[NAME_SIZE_MAX];
    folder_name(name, number, suffix);
    if (unlinkat(r->self->folder_fd, name, 0) == 0)
        return true;
    folder_complain(r->error, r->self->folder, name, "delete", errno);
    return false;
}

static bool cut_torn_end(recovery *r)
{
    char name[NAME_SIZE_MAX];
    folder_name(name, r->list.logs[r->cut_log], "log");
    // Last first: a crash in between leaves what this start has found.
    for (uint32_t i = r->list.log_count; i-- > r->cut_log + 1;) {
        if (!remove_file(r, r->list.logs[i], "log"))
            return false;
    }
    r->list.log_count = r->cut_log + 1;
    if (r->cut_at <= JOURNAL_FILE_HEADER) {
        r->list.log_count--;
        return remove_file(r, r->list.logs[r->cut_log], "log");
    }
    int fd = openat(r->self->folder_fd, name, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && ftruncate(fd, (off_t)r->cut_at) == 0 && fsync(fd) == 0;
    if (!ok)
        folder_complain(r->error, r->self->folder, name, "cut the torn end off", errno);
    if (fd >= 0)
        close(fd);
    return ok;
}

/// What a compaction that was interrupted left behind, and the torn end.
static bool clean_up(recovery *r)
{
    for (uint32_t i = 0; i + 1 < r->list.base_count; i++) {
        if (!remove_file(r, r->list.bases[i], "base"))
            return false;
    }
    for (uint32_t i = 0; i < r->first_log; i++) {
        if (!remove_file(r, r->list.logs[i], "log"))
            return false;
    }
    if (r->is_cut && !cut_torn_end(r))
        return false;
    if (fsync(r->self->folder_fd) == 0)
        return true;
    folder_complain(r->error, r->self->folder, "", "sync the folder", errno);
    return false;
}

/// What is taken over counts as on the disk from now on. A process that was killed may have left
/// its last segment in the page cache alone; all before were synced when the next one was made.
static bool sync_last(recovery *r)
{
    if (r->list.log_count == r->first_log)
        return true;
    char name[NAME_SIZE_MAX];
    folder_name(name, r->list.logs[r->list.log_count - 1], "log");
    int fd = openat(r->self->folder_fd, name, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && fdatasync(fd) == 0;
    if (!ok)
        folder_complain(r->error, r->self->folder, name, "sync", errno);
    if (fd >= 0)
        close(fd);
    return ok;
}

/// The segments that stay become old ones: they are never appended to again.
static bool close_segments(recovery *r)
{
    journal *self = r->self;
    uint32_t count = r->list.log_count - r->first_log;
    self->closed = calloc(count + 1, sizeof *self->closed);
    if (!self->closed)
        return false;
    self->closed_capacity = count + 1;
    self->segment_number = self->base_number;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t number = r->list.logs[r->first_log + i];
        uint64_t size = 0;
        for (uint32_t f = 0; f < self->file_count; f++) {
            if (self->files[f].number == number)
                size = self->files[f].bytes.size;
        }
        if (r->is_cut && r->first_log + i == r->cut_log)
            size = r->cut_at;
        self->closed[self->closed_count++] = (closed_segment){number, size, r->next_sequence - 1};
        self->segment_number = number;
    }
    return true;
}

static bool read_all(recovery *r)
{
    journal *self = r->self;
    if (!folder_read(self, &r->list, r->error) || !read_base(r))
        return false;
    while (r->first_log < r->list.log_count && r->list.logs[r->first_log] <= self->base_number)
        r->first_log++;
    uint64_t expected = self->base_number + 1;
    for (uint32_t i = r->first_log; i < r->list.log_count && !r->is_cut; i++, expected++) {
        if (r->list.logs[i] != expected)
            return damaged(r, expected, "log", 0, "it is missing");
        if (!read_log(r, i))
            return false;
    }
    if (!clean_up(r) || !sync_last(r))
        return false;
    if (!close_segments(r)) {
        folder_complain(r->error, self->folder, "", "read the files", ENOMEM);
        return false;
    }
    return true;
}

bool recover(journal *self, journal_error *error)
{
    recovery r = {.self = self, .error = error, .next_sequence = 1};
    self->found.sending_sequence = atomic_load(&self->sent->sending);
    self->found.sent_sequence = atomic_load(&self->sent->sent);
    self->ledger = journal_ledger_create(self->found.sent_sequence);
    if (!self->ledger) {
        folder_complain(error, self->folder, "", "read the files", ENOMEM);
        return false;
    }
    bool ok = read_all(&r);
    folder_list_free(&r.list);
    if (!ok)
        return false;
    // A page that is newer than the records behind it (a power loss) speaks of what was cut off.
    journal_findings *found = &self->found;
    found->last_sequence = r.next_sequence - 1;
    if (found->sent_sequence > found->last_sequence)
        found->sent_sequence = found->last_sequence;
    if (found->sending_sequence > found->last_sequence)
        found->sending_sequence = found->last_sequence;
    if (found->sending_sequence < found->sent_sequence)
        found->sending_sequence = found->sent_sequence;
    atomic_store(&self->sent->sending, found->sending_sequence);
    atomic_store(&self->sent->sent, found->sent_sequence);
    self->next_sequence = r.next_sequence;
    return true;
}
