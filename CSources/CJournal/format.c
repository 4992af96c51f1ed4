/// format.c: file and record headers, written and read. Pure: bytes in, verdicts out.
///
/// Called by the appending side (seal), by recovery and compaction (read). Invariant: a record is
/// handed out only if its CRC, its journal id, its sequence and its place are right.
#include "include/journal_format.h"

#include "bytes.h"

/// Bytes that a search behind a bad record may check, per byte of the file: a file made so that
/// every place looks like a record must not cost the square of its size.
#define LOOK_BEHIND_BUDGET 16

void journal_file_header_write(uint8_t out[JOURNAL_FILE_HEADER], const journal_file_header *header)
{
    memset(out, 0, JOURNAL_FILE_HEADER);
    memcpy(out, JOURNAL_MAGIC, 8);
    put32(out + 8, JOURNAL_VERSION);
    put32(out + 12, header->kind);
    put64(out + 16, header->number);
    put64(out + 24, header->first_sequence);
    memcpy(out + 32, header->id, 16);
    put64(out + 48, header->created_us);
    put32(out + 60, journal_crc32c(0, out, 60));
}

const char *journal_file_header_read(journal_bytes file, journal_file_header *out)
{
    const uint8_t *at = file.data;
    if (file.size < JOURNAL_FILE_HEADER)
        return "shorter than a file header";
    if (memcmp(at, JOURNAL_MAGIC, 8) != 0)
        return "no journal file (wrong magic)";
    if (get32(at + 60) != journal_crc32c(0, at, 60))
        return "the file header's checksum is wrong";
    if (get32(at + 8) != JOURNAL_VERSION)
        return "written by another version of the journal";
    *out = (journal_file_header){
        .kind = get32(at + 12),
        .number = get64(at + 16),
        .first_sequence = get64(at + 24),
        .created_us = get64(at + 48),
    };
    memcpy(out->id, at + 32, 16);
    return NULL;
}

void journal_record_seal(uint8_t *record, uint8_t type, uint8_t flags, uint32_t task,
                         uint64_t sequence, uint64_t payload_size, const uint8_t id[16])
{
    record[4] = type;
    record[5] = flags;
    put16(record + 6, 0);
    put64(record + 8, payload_size);
    put64(record + 16, sequence);
    put32(record + 24, task);
    memcpy(record + 28, id, 4);
    uint64_t size = JOURNAL_RECORD_HEADER + journal_padded(payload_size);
    put32(record, journal_crc32c(0, record + 4, size - 4));
}

journal_reader journal_reader_of(journal_bytes file, const journal_file_header *header)
{
    journal_reader reader = {
        .file = file,
        .offset = JOURNAL_FILE_HEADER,
        .sequence = header->kind == JOURNAL_KIND_BASE ? 1 : header->first_sequence,
    };
    memcpy(reader.id, header->id, 16);
    return reader;
}

/// Reads the record at `offset`, whatever its sequence; `*checked` counts the bytes looked at.
static const char *examine(const journal_reader *reader, uint64_t offset, journal_record *out,
                           uint64_t *checked)
{
    const uint8_t *at = reader->file.data + offset;
    uint64_t room = reader->file.size - offset;
    if (room < JOURNAL_RECORD_HEADER)
        return "a record header is cut off";
    uint64_t size = get64(at + 8);
    if (size > room - JOURNAL_RECORD_HEADER || journal_padded(size) > room - JOURNAL_RECORD_HEADER)
        return "a record is cut off";
    if (memcmp(at + 28, reader->id, 4) != 0)
        return "a record of another journal";
    uint64_t whole = JOURNAL_RECORD_HEADER + journal_padded(size);
    *checked += whole;
    if (get32(at) != journal_crc32c(0, at + 4, whole - 4))
        return "a record's checksum is wrong";
    if (at[4] == 0 || at[4] > JOURNAL_TYPE_MAX || get16(at + 6) != 0)
        return "a record of an unknown type";
    *out = (journal_record){
        .type = at[4],
        .flags = at[5],
        .task = get32(at + 24),
        .sequence = get64(at + 16),
        .offset = offset,
        .payload = {at + JOURNAL_RECORD_HEADER, size},
    };
    return NULL;
}

journal_verdict journal_read(journal_reader *reader, journal_record *out)
{
    if (reader->offset == reader->file.size)
        return JOURNAL_AT_END;
    uint64_t checked = 0;
    reader->reason = examine(reader, reader->offset, out, &checked);
    if (!reader->reason && out->sequence != reader->sequence)
        reader->reason = "a record is missing (its sequence number is wrong)";
    if (reader->reason)
        return JOURNAL_BAD;
    reader->offset += JOURNAL_RECORD_HEADER + journal_padded(out->payload.size);
    reader->sequence++;
    return JOURNAL_RECORD;
}

journal_remains journal_look_behind(const journal_reader *reader)
{
    journal_remains remains = {0};
    uint64_t checked = 0, budget = reader->file.size * LOOK_BEHIND_BUDGET;
    uint64_t offset = reader->offset + 8;
    // Records are at least a header long: a sequence further on than that is no record's.
    uint64_t limit = reader->sequence + (reader->file.size - reader->offset) / 32;
    while (offset < reader->file.size && reader->file.size - offset >= JOURNAL_RECORD_HEADER) {
        journal_record record;
        uint64_t sequence = get64(reader->file.data + offset + 16);
        bool plausible = sequence >= reader->sequence && sequence <= limit && checked < budget;
        if (!plausible || examine(reader, offset, &record, &checked)) {
            offset += 8;
            continue;
        }
        remains.records++;
        if (record.type == JOURNAL_COMMIT && record.payload.size == JOURNAL_COMMIT_SIZE) {
            uint64_t synced = get64(record.payload.data);
            if (synced > remains.synced_sequence)
                remains.synced_sequence = synced;
        }
        offset += JOURNAL_RECORD_HEADER + journal_padded(record.payload.size);
    }
    return remains;
}

uint64_t journal_message_size(uint64_t name_size, uint64_t id_size, const journal_frame *frames,
                              uint32_t frame_count)
{
    uint64_t size = 8 + (uint64_t)frame_count * 8 + name_size + id_size;
    for (uint32_t i = 0; i < frame_count; i++)
        size += frames[i].size;
    return size;
}

static uint8_t *copy(uint8_t *out, const uint8_t *data, uint64_t size)
{
    if (size > 0)
        memcpy(out, data, size);
    return out + size;
}

void journal_message_write(uint8_t *out, journal_bytes name, journal_bytes id,
                           const journal_frame *frames, uint32_t frame_count)
{
    put16(out, (uint16_t)name.size);
    put16(out + 2, (uint16_t)frame_count);
    put32(out + 4, (uint32_t)id.size);
    out += 8;
    for (uint32_t i = 0; i < frame_count; i++, out += 8)
        put64(out, frames[i].size);
    out = copy(out, name.data, name.size);
    out = copy(out, id.data, id.size);
    for (uint32_t i = 0; i < frame_count; i++)
        out = copy(out, frames[i].data, frames[i].size);
}

bool journal_message_read(journal_bytes payload, journal_message *out)
{
    const uint8_t *at = payload.data;
    if (payload.size < 8)
        return false;
    uint64_t name_size = get16(at), frame_count = get16(at + 2), id_size = get32(at + 4);
    uint64_t left = payload.size - 8;
    if (left < frame_count * 8 + name_size + id_size)
        return false;
    left -= frame_count * 8 + name_size + id_size;
    for (uint64_t i = 0; i < frame_count; i++) {
        uint64_t size = get64(at + 8 + i * 8);
        if (size > left)
            return false;
        left -= size;
    }
    if (left != 0)
        return false;
    const uint8_t *name = at + 8 + frame_count * 8;
    *out = (journal_message){
        .name = {name, name_size},
        .id = {name + name_size, id_size},
        .sizes = at + 8,
        .frames = name + name_size + id_size,
        .frame_count = (uint32_t)frame_count,
    };
    return true;
}
