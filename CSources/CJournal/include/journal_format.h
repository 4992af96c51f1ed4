/// journal_format.h: what a journal looks like on disk, and the pure reader of its bytes.
///
/// A journal is a folder:
///
///     lock                     held with flock by the scheduler that writes; holds its process id
///     sent                     what has left the process (journal.h), mapped into memory
///     NNNNNNNNNNNNNNNN.log     a segment: what was appended; NN... is its number, in hex
///     NNNNNNNNNNNNNNNN.base    all that the segments up to that number said, compacted
///     *.new                    a file that was not finished; deleted at the next start
///     *.spare                  a segment that will be written over; deleted at the next start
///
/// A file is a header and records, little-endian, every record at a multiple of 8 bytes:
///
///     file header, 64 bytes    magic 8 | version 4 | kind 4 | number 8 | first sequence 8
///                              | journal id 16 | created_us 8 | 0 4 | CRC-32C of the 60 before 4
///     record header, 32 bytes  CRC-32C 4 | type 1 | flags 1 | 0 2 | payload size 8 | sequence 8
///                              | task 4 | journal id, first 4 bytes 4
///     payload, zeros to a multiple of 8
///
/// The CRC of a record covers everything behind it up to the end of the padding. Sequence numbers
/// count up by one through all segments; in a base, from one. A base ends with JOURNAL_END: it is
/// written whole, synced, and only then renamed into place.
///
/// The last segment may be an old one that is written over: behind its records come 32 zeros, then
/// what stood there, all of it with lower sequence numbers. It is cut off when the segment ends, or
/// at the next start.
///
/// Tasks are named by number: 0, 1, 2, ... in the order in which they were accepted or refused.
/// The number is the scheduler's TaskID and stays the same over restarts.
///
/// Torn or corrupt: a record that does not check is the torn end of what was being written, unless
/// a valid COMMIT behind it says that it had been synced: then the disk has changed its mind.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define JOURNAL_MAGIC         "YMJOURNL"
#define JOURNAL_VERSION       1u
#define JOURNAL_FILE_HEADER   64u
#define JOURNAL_RECORD_HEADER 32u
/// The size of a COMMIT's payload.
#define JOURNAL_COMMIT_SIZE 16u
#define JOURNAL_TASK_NONE   0xffffffffu

typedef enum journal_kind { JOURNAL_KIND_LOG = 1, JOURNAL_KIND_BASE = 2 } journal_kind;

typedef enum journal_type {
    /// A new task: a message with its client's routing id as `name` and its id.
    JOURNAL_ACCEPTED = 1,
    /// A task that was refused at once; its id is known from now on. A message of no frames.
    JOURNAL_REFUSED = 2,
    /// The task was given to the engine `name`.
    JOURNAL_ASSIGNED = 3,
    /// The engine `name` has the task no more and it has not ended: flags say why.
    JOURNAL_RETURNED = 4,
    /// The final reply: a message with the engine as `name` (empty: the scheduler itself failed
    /// the task) and the client's routing id as `id`; flags say how it ended and whether its client
    /// could be reached. Once more, with PARKED: the reply has not left after all.
    JOURNAL_FINISHED = 5,
    /// A parked reply has been handed over to its client, or given up.
    JOURNAL_DELIVERED = 6,
    /// The engine `name` answers a fence (see README.md, "Journal").
    JOURNAL_FENCES = 7,
    /// The end of a batch: 8 bytes, all records up to this sequence are on the disk; 8 bytes, all
    /// up to this one have left the process.
    JOURNAL_COMMIT = 8,
    /// In a base: the ids and fates of up to 4,096 tasks from `task` on (journal_ids.h).
    JOURNAL_IDS = 9,
    /// In a base: the engine `name`; the first is 0, the next 1, ...: IDS names them so.
    JOURNAL_ENGINE = 10,
    /// In a base: the last record.
    JOURNAL_END = 11,
} journal_type;
#define JOURNAL_TYPE_MAX JOURNAL_END

typedef enum journal_flags {
    /// RETURNED: it failed there and a retry was used up.
    JOURNAL_FLAG_FAILED = 1,
    /// RETURNED: it cannot run there (dependencies_met false). Neither flag: it never got there.
    JOURNAL_FLAG_UNMET = 2,
    /// FINISHED: it ended well.
    JOURNAL_FLAG_COMPLETED = 4,
    /// FINISHED: nobody knows yet where its client is.
    JOURNAL_FLAG_PARKED = 8,
} journal_flags;

/// Bytes that belong to somebody else.
typedef struct journal_bytes {
    const uint8_t *data;
    uint64_t size;
} journal_bytes;

typedef struct journal_file_header {
    uint32_t kind; ///< journal_kind
    uint32_t padding;
    uint64_t number;
    uint64_t first_sequence; ///< in a base: the sequence the next segment starts with
    uint64_t created_us;     ///< microseconds since 1970, for people
    uint8_t id[16];
} journal_file_header;

typedef struct journal_record {
    uint8_t type;
    uint8_t flags;
    uint32_t task;
    uint64_t sequence;
    uint64_t offset; ///< of the record's header in its file
    journal_bytes payload;
} journal_record;

/// CRC-32C (Castagnoli), continued from `crc` (0 at first): SSE4.2 or ARMv8 instructions where the
/// CPU has them.
uint32_t journal_crc32c(uint32_t crc, const void *bytes, size_t size);
/// The same from a table, whatever the CPU has.
uint32_t journal_crc32c_plain(uint32_t crc, const void *bytes, size_t size);

static inline uint64_t journal_padded(uint64_t size)
{
    return (size + 7) & ~(uint64_t)7;
}

void journal_file_header_write(uint8_t out[JOURNAL_FILE_HEADER], const journal_file_header *);
/// NULL, or what is wrong with it.
const char *journal_file_header_read(journal_bytes file, journal_file_header *out);

/// Fills in the header of a record whose payload and padding (zeros) stand behind it.
void journal_record_seal(uint8_t *record, uint8_t type, uint8_t flags, uint32_t task,
                         uint64_t sequence, uint64_t payload_size, const uint8_t id[16]);

typedef enum journal_verdict {
    JOURNAL_RECORD, ///< `journal_record` is filled in
    JOURNAL_AT_END, ///< no more bytes
    JOURNAL_BAD,    ///< the bytes at `offset` are no record
} journal_verdict;

typedef struct journal_reader {
    journal_bytes file;
    uint64_t offset;   ///< of the next record
    uint64_t sequence; ///< the one it must have
    uint8_t id[16];
    const char *reason; ///< BAD: what is wrong
} journal_reader;

/// Starts behind a header that was read.
journal_reader journal_reader_of(journal_bytes file, const journal_file_header *);
/// The next record. After BAD, the same again.
journal_verdict journal_read(journal_reader *, journal_record *out);

/// What stands behind the place where `journal_read` said BAD.
typedef struct journal_remains {
    uint64_t records;         ///< valid records behind it
    uint64_t synced_sequence; ///< the highest sequence that one of them says is on the disk
} journal_remains;
journal_remains journal_look_behind(const journal_reader *);

/// The payload of ACCEPTED, REFUSED and FINISHED:
///
///     name size 2 | frame count 2 | id size 4 | frame sizes, 8 each | name | id | frames
typedef struct journal_message {
    journal_bytes name;
    journal_bytes id;
    const uint8_t *sizes; ///< `frame_count` sizes of 8 bytes
    const uint8_t *frames;
    uint32_t frame_count;
    uint32_t padding;
} journal_message;

/// False when the payload is not one. Pure.
bool journal_message_read(journal_bytes payload, journal_message *out);

/// Frames to be written; as message_frame.
typedef struct journal_frame {
    const uint8_t *data;
    uint64_t size;
} journal_frame;
uint64_t journal_message_size(uint64_t name_size, uint64_t id_size, const journal_frame *frames,
                              uint32_t frame_count);
/// `out` has room for journal_message_size bytes.
void journal_message_write(uint8_t *out, journal_bytes name, journal_bytes id,
                           const journal_frame *frames, uint32_t frame_count);

#ifdef __cplusplus
}
#endif
