/// journal.c: fuzz target: a journal's files (journal_format.h, journal_ledger.h) and what recovery
/// makes of their bytes, without a folder.
///
///     input   options: 1 | the file
///     options 1: the checksums of header and records are mended first, so that the bytes behind
///             them are reached; 2: the file is a base, whatever its header says
///
/// Checked: the reader stays within the file, goes on by whole records and says why it stops; every
/// message it finds, written again, is the same bytes; the ledger refuses or takes each record and
/// then names only tasks, engines and replies that lie within the file.
#include "fuzz.h"

#include "../../CSources/CJournal/bytes.h"
#include "../../CSources/CJournal/include/journal_ledger.h"

enum { MENDS = 1, IS_BASE = 2 };

static bool is_within(journal_bytes inner, journal_bytes outer)
{
    return inner.size == 0 || (inner.data >= outer.data && inner.size <= outer.size &&
                               inner.data - outer.data <= (ptrdiff_t)(outer.size - inner.size));
}

/// Seals the header, and record after record as far as their sizes lead.
static void mend(uint8_t *file, size_t size, uint8_t options)
{
    if (size < JOURNAL_FILE_HEADER)
        return;
    uint32_t kind = options & IS_BASE ? JOURNAL_KIND_BASE : JOURNAL_KIND_LOG;
    journal_file_header header = {.kind = kind, .number = 1, .first_sequence = 1};
    memcpy(header.id, file + 32, sizeof header.id);
    journal_file_header_write(file, &header);
    uint64_t at = JOURNAL_FILE_HEADER, sequence = 1;
    while (size - at >= JOURNAL_RECORD_HEADER) {
        uint8_t *record = file + at;
        uint64_t left = size - at - JOURNAL_RECORD_HEADER, payload = get64(record + 8);
        if (payload > left || journal_padded(payload) > left)
            return;
        memset(record + JOURNAL_RECORD_HEADER + payload, 0, journal_padded(payload) - payload);
        journal_record_seal(record, record[4], record[5], get32(record + 24), sequence++, payload,
                            header.id);
        at += JOURNAL_RECORD_HEADER + journal_padded(payload);
    }
}

/// A payload that reads as a message is one that the writer writes.
static void check_message(journal_bytes payload, journal_bytes file)
{
    journal_message message;
    if (!journal_message_read(payload, &message))
        return;
    FUZZ_REQUIRE(is_within(message.name, file) && is_within(message.id, file), "name or id");
    journal_frame *frames = calloc(message.frame_count + 1, sizeof *frames);
    FUZZ_REQUIRE(frames, "no memory for %u frames", message.frame_count);
    const uint8_t *at = message.frames;
    for (uint32_t i = 0; i < message.frame_count; i++) {
        frames[i] = (journal_frame){at, get64(message.sizes + 8 * (size_t)i)};
        FUZZ_REQUIRE(is_within((journal_bytes){at, frames[i].size}, payload), "frame %u", i);
        at += frames[i].size;
    }
    uint64_t size =
        journal_message_size(message.name.size, message.id.size, frames, message.frame_count);
    FUZZ_REQUIRE(size == payload.size, "%llu bytes again, not %llu", (unsigned long long)size,
                 (unsigned long long)payload.size);
    uint8_t *again = fuzz_copy(payload.data, size);
    memset(again, 0, size);
    journal_message_write(again, message.name, message.id, frames, message.frame_count);
    FUZZ_REQUIRE(memcmp(again, payload.data, size) == 0, "other bytes when written again");
    free(again);
    free(frames);
}

/// What the ledger says can be read to its last byte.
static void check_ledger(journal_ledger *ledger, journal_bytes file)
{
    uint32_t engines = journal_ledger_engine_count(ledger), next = 0, count = 0, live = 0;
    journal_task task;
    while (journal_ledger_next(ledger, &next, &task)) {
        count++;
        FUZZ_REQUIRE(task.state <= JOURNAL_RUNNING, "state %u", task.state);
        FUZZ_REQUIRE(task.engine < engines || task.engine == JOURNAL_ENGINE_NONE, "engine %u of %u",
                     task.engine, engines);
        FUZZ_REQUIRE(is_within(task.accepted, file) && is_within(task.reply, file), "task %u",
                     task.number);
        free(fuzz_copy(task.id.data, task.id.size));
        live += task.state == JOURNAL_WAITING || task.state == JOURNAL_RUNNING;
        for (uint32_t i = 0; i < task.attempt_count; i++)
            FUZZ_REQUIRE(task.attempts[i].engine < engines, "attempt at engine %u of %u",
                         task.attempts[i].engine, engines);
    }
    FUZZ_REQUIRE(count <= journal_ledger_count(ledger), "%u tasks of %u", count,
                 journal_ledger_count(ledger));
    FUZZ_REQUIRE(live >= journal_ledger_live_count(ledger), "%u live of %u", live,
                 journal_ledger_live_count(ledger));
    for (uint32_t i = 0; i < engines; i++)
        FUZZ_REQUIRE(is_within(journal_ledger_engine(ledger, i), file), "engine %u", i);
}

static void check_remains(journal_reader *reader)
{
    uint64_t offset = reader->offset;
    journal_record record;
    FUZZ_REQUIRE(reader->reason && *reader->reason, "no reason at %llu",
                 (unsigned long long)offset);
    FUZZ_REQUIRE(journal_read(reader, &record) == JOURNAL_BAD && reader->offset == offset,
                 "another answer the second time");
    journal_remains remains = journal_look_behind(reader);
    FUZZ_REQUIRE(remains.records <= reader->file.size / JOURNAL_RECORD_HEADER, "%llu records",
                 (unsigned long long)remains.records);
}

static void check_file(journal_bytes file)
{
    journal_file_header header = {0};
    const char *wrong = journal_file_header_read(file, &header);
    if (wrong) {
        FUZZ_REQUIRE(*wrong, "a header without a reason");
        return;
    }
    journal_ledger *ledger = journal_ledger_create(0);
    FUZZ_REQUIRE(ledger, "no memory for a ledger");
    journal_reader reader = journal_reader_of(file, &header);
    journal_record record;
    journal_verdict verdict;
    bool is_taken = true;
    uint64_t before = reader.offset;
    while ((verdict = journal_read(&reader, &record)) == JOURNAL_RECORD) {
        FUZZ_REQUIRE(record.offset == before && is_within(record.payload, file),
                     "a record's place");
        before += JOURNAL_RECORD_HEADER + journal_padded(record.payload.size);
        FUZZ_REQUIRE(reader.offset == before && before <= file.size, "a record's end");
        check_message(record.payload, file);
        // Recovery stops at the first that the ledger refuses.
        if (is_taken) {
            wrong = journal_ledger_apply(ledger, header.kind, &record);
            FUZZ_REQUIRE(!wrong || *wrong, "refused without a reason");
            is_taken = !wrong;
        }
    }
    if (verdict == JOURNAL_BAD)
        check_remains(&reader);
    else
        FUZZ_REQUIRE(reader.offset == file.size, "ends at %llu of %llu",
                     (unsigned long long)reader.offset, (unsigned long long)file.size);
    if (is_taken)
        check_ledger(ledger, file);
    journal_ledger_destroy(ledger);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, size};
    uint8_t options = fuzz_byte(&in);
    uint8_t *file = fuzz_copy(in.data, in.size);
    if (options & MENDS)
        mend(file, in.size, options);
    check_file((journal_bytes){file, in.size});
    free(file);
    return 0;
}
