/// internal.h: the parts of a journal behind journal.h.
///
///     journal.c     appending, on the scheduling thread
///     direct.c      small batches, written by the scheduling thread itself
///     folder.c      names, lock, the `sent` page
///     recover.c     reading a folder into a ledger
///     writer.c      the writing thread; writer_io.c: its io_uring or system calls
///     compact.c     the compacting thread
///     spare.c       segments that are written over
///
/// Hand-off: `batches` is a ring with one producer (scheduling thread, `handed`) and one consumer
/// (writer, `done`). A batch belongs to the producer unless done <= its turn < handed. The release
/// store of `handed` publishes the bytes, the release store of `done` gives them back; `asleep` and
/// `handed` are sequentially consistent, so that the writer sees the batch or the producer sees it
/// asleep.
///
/// The segment that is written to goes with the batches: it is the producer's while none is handed
/// over (done == handed), the writer's otherwise. Only the writer begins and ends one. What the
/// producer writes is synced by the writer: `written_sequence` and `ticking` are sequentially
/// consistent, so that the writer sees it or the producer sees that it must ring.
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "include/journal.h"

#define BATCHES 3u
/// A batch is handed over when the writer is free; above this the scheduling thread waits for it.
#define BATCH_SIZE_MAX (32ull << 20)
/// A batch that had to grow further than this is given back to the system.
#define BATCH_SIZE_KEPT (4ull << 20)
/// So many old segments are compacted whatever their size.
#define CLOSED_FILES_MAX 16u
/// So many segments that a base covers are kept to be written over: their pages are in memory, and
/// their blocks are there. Raising it costs a segment's room each; with fewer than are compacted at
/// once, what is written goes to fresh pages at several times the cost.
#define SPARES_MAX 4u
/// Zeros behind what was written last, where older records may follow.
#define END_SIZE      JOURNAL_RECORD_HEADER
#define NUMBER_DIGITS 16

typedef struct batch {
    uint8_t *data;
    uint64_t size;
    uint64_t capacity;
    uint64_t first_sequence;
    uint64_t last_sequence;
} batch;

typedef struct mapped_file {
    uint64_t number;
    journal_bytes bytes;
} mapped_file;

/// A segment that is not written to any more.
typedef struct closed_segment {
    uint64_t number;
    uint64_t size;
    uint64_t last_sequence;
} closed_segment;

/// `NNNN.spare`: a segment of this life that a base covers, to be written over.
typedef struct spare_segment {
    uint64_t number;
    uint64_t size;
} spare_segment;

/// Shared with the next life through the page cache.
typedef struct sent_page {
    uint64_t magic;
    _Atomic uint64_t sending;
    _Atomic uint64_t sent;
} sent_page;

struct journal {
    // Fixed after journal_open.
    char *folder;
    int folder_fd;
    int lock_fd;
    uint8_t id[16];
    uint64_t segment_size_max;
    uint64_t sync_ns;
    uint64_t created_us;
    bool plain_io;
    sent_page *sent;
    journal_findings found;
    journal_ledger *ledger;
    mapped_file *files;
    uint32_t file_count;

    // The scheduling thread's.
    uint64_t next_sequence;
    uint64_t uncommitted;     ///< records in the batch since its last COMMIT
    uint64_t direct_after_ns; ///< until then the disk is too slow to write here
    bool started;

    // Both threads'.
    batch batches[BATCHES];
    _Atomic uint32_t handed;
    _Atomic uint32_t done;
    _Atomic bool asleep;
    _Atomic bool ticking; ///< the writer looks at what is written by itself before long
    _Atomic bool stopping;
    _Atomic bool failing; ///< somebody is writing `failure`
    _Atomic bool failed;  ///< and it is written
    _Atomic bool noticed;
    _Atomic uint64_t written_sequence;
    _Atomic uint64_t synced_sequence;
    _Atomic bool producer_waits;
    int doorbell;  ///< eventfd: rung for the writer
    int free_bell; ///< eventfd: rung for a producer that waits
    char failure[1024];
    char notice[512];
    const char *io_name;

    // The writer's.
    void (*wake)(void *);
    void *wake_context;
    pthread_t writer;
    int segment_fd;
    uint64_t segment_number;
    uint64_t segment_size;      ///< of what was written to it
    uint64_t segment_extent;    ///< of its file: behind its records may be older ones
    uint64_t recovered_through; ///< segments up to it are of former lives
    spare_segment spares[SPARES_MAX];
    uint32_t spare_count;
    closed_segment *closed; ///< in order
    uint32_t closed_count;
    uint32_t closed_capacity;
    uint64_t base_number; ///< 0: none
    uint64_t base_size;
    pthread_t compactor;
    bool compacting;
    _Atomic bool compacted; ///< the compactor is done
    uint64_t compact_through;
    uint64_t compacted_size; ///< of the new base; 0: it failed
    spare_segment compacted_spares[SPARES_MAX];
    uint32_t compacted_spare_count;
    uint32_t compacted_spare_max;
};

// journal.c
/// Wakes whoever sleeps on the eventfd.
void journal_ring(int bell);

// folder.c
#define NAME_SIZE_MAX 32
void folder_name(char out[NAME_SIZE_MAX], uint64_t number, const char *suffix);
/// Says why a call on the folder or a file of it failed; `error` is an errno.
void folder_complain(journal_error *, const char *folder, const char *name, const char *what,
                     int error);
/// Whether the open file has been deleted: what is written to it is gone with this process.
bool folder_is_gone(int fd);
bool folder_open(journal *, journal_error *);
bool folder_map_sent(journal *, journal_error *);

typedef struct folder_list {
    uint64_t *bases;
    uint64_t *logs;
    uint32_t base_count;
    uint32_t log_count;
} folder_list;
/// In the order of their numbers; files of unfinished work are deleted.
bool folder_read(const journal *, folder_list *, journal_error *);
void folder_list_free(folder_list *);
/// The whole file, mapped. Size 0: `data` is NULL.
bool folder_map(const journal *, uint64_t number, const char *suffix, journal_bytes *out,
                journal_error *);
void folder_unmap(journal_bytes);
/// A new file with its header, or, under its name, a spare one (NULL: none) with a header and an
/// end; -1 with errno set.
int folder_create(const journal *, const char *name, const char *spare,
                  const journal_file_header *);

// recover.c
bool recover(journal *, journal_error *);
/// Reads a whole base into a ledger; NULL or what is wrong, at `*offset`.
const char *recover_base(journal_bytes, journal_ledger *, journal_file_header *, uint64_t *offset);

// direct.c
/// Writes the batch if that takes no time worth speaking of. False: it is for the writer.
bool direct_write(journal *, const batch *);

// writer.c
/// What is to be written of a batch: with an end behind it where older records may follow.
uint64_t writer_size_of(const journal *, const batch *);
/// All of it is written. False: to a file that is gone; the journal has failed.
bool writer_note_written(journal *, const batch *, uint64_t size);
void *writer_run(void *journal);
void writer_fail(journal *, const char *what, int error);

// compact.c
/// Starts a compaction if it is worth it, ends one that is done. On the writer's thread.
void compact_if_due(journal *);
/// Takes what a compaction that is done has left. On the writer's thread.
void compact_collect(journal *);
/// Waits for the compaction under way.
void compact_finish(journal *);

// spare.c
/// Keeps a segment to be written over; on the compacting thread. False: there are enough, or this
/// is no good one.
bool spare_keep(journal *, uint64_t number, uint64_t size);
/// The writer has what the compaction that has ended kept.
void spare_take(journal *);
/// A file for the next segment, a spare one if there is any. False, and errno.
bool spare_make_segment(journal *, const journal_file_header *);
/// Deletes the spare ones.
void spare_end(journal *);
