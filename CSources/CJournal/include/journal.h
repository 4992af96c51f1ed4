/// journal.h: what the scheduler writes down so that its next life knows everything.
///
///     journal_open    locks the folder, reads it, cuts a torn end      -> a ledger
///     journal_start   from here on records can be appended
///     a turn          journal_append_... ; journal_commit -> sequence
///     later           journal_released() >= sequence: what the turn sends may leave
///     journal_close   everything is written and synced
///
/// The scheduling thread copies records into a batch. A small one it writes itself, into the page
/// cache, in microseconds; it never waits for a disk, unless 32 MiB wait already or, in a
/// twentieth of its time, the kernel makes it. A thread of the journal's own syncs, writes large
/// batches and all that is to be synced first, through io_uring (plain system calls where it is
/// refused), and wakes the scheduling thread; another, now and then, compacts old segments into a
/// base. Segments that are not needed any more are written over.
///
/// After a failed write nothing is released any more: whoever asks gets the reason, and stops.
/// What has left the process is on the disk or in the kernel's cache in any case.
///
/// Every function but journal_close and the two threads' own belongs to the scheduling thread.
#pragma once
#include "journal_format.h"
#include "journal_ledger.h"

#ifdef __cplusplus
extern "C" {
#endif

/// journal_config.sync_ns: a batch is released once it is on the disk / whenever the kernel likes.
#define JOURNAL_SYNC_ALWAYS 0ull
#define JOURNAL_SYNC_OFF    0xffffffffffffffffull
/// A segment's size, at which the next one is begun. Larger: fewer compactions, more to read at a
/// start.
#define JOURNAL_SEGMENT_SIZE (64ull << 20)

typedef struct journal_config {
    const char *folder;        ///< made if it is not there; its parent must be
    uint64_t segment_size_max; ///< 0: JOURNAL_SEGMENT_SIZE
    uint64_t sync_ns;          ///< longest time a batch may be unsynced; or one of the above
    uint64_t now_us;           ///< microseconds since 1970, for file headers
    uint8_t id[16];            ///< of a journal that is begun now: random bytes
    bool plain_io;             ///< no io_uring
} journal_config;

typedef struct journal_error {
    char text[1024]; ///< one line: what, where, why, what to do
} journal_error;

/// What was found at the start.
typedef struct journal_findings {
    uint64_t files;
    uint64_t bytes;
    uint64_t records;
    uint64_t last_sequence;
    /// All replies recorded up to `sending` were handed to their clients' sockets, or were about
    /// to be; all that was recorded up to `sent` had left some time before the end.
    uint64_t sending_sequence;
    uint64_t sent_sequence;
    uint64_t cut_bytes;   ///< of the torn end; 0: there was none
    uint64_t cut_records; ///< whole records behind a torn one, which went with it
    char cut_note[256];   ///< file, place and reason, for the log
} journal_findings;

typedef struct journal journal;

/// Locks and reads the folder. NULL and `error` filled in: another scheduler has it, it cannot be
/// read or written, or it is damaged in the middle (nothing is changed then).
journal *journal_open(const journal_config *, journal_error *error);
const journal_findings *journal_found(const journal *);
/// What the records add up to; NULL once forgotten.
journal_ledger *journal_recovered(const journal *);
/// Gives the ledger and the files under it back.
void journal_forget_recovered(journal *);

/// Begins a new segment and starts the thread. `wake(context)` is called from that thread when
/// journal_released has changed or writing has failed. False and `error` filled in.
bool journal_start(journal *, void (*wake)(void *), void *context, journal_error *error);

/// A record whose payload is a message; name up to 65,535 bytes, id up to 4 GiB.
void journal_append_message(journal *, journal_type, uint8_t flags, uint32_t task,
                            journal_bytes name, journal_bytes id, const journal_frame *frames,
                            uint32_t frame_count);
/// A record whose payload is a name, or nothing.
void journal_append_name(journal *, journal_type, uint8_t flags, uint32_t task, journal_bytes name);
/// The end of a turn: writes the batch, or hands it over if the writer is free. Returns the latest
/// sequence.
uint64_t journal_commit(journal *);
/// What was committed up to this sequence may leave the process.
uint64_t journal_released(const journal *);
/// What is on the disk.
uint64_t journal_synced(const journal *);
/// Replies up to this sequence are about to be handed to their sockets.
void journal_note_sending(journal *, uint64_t sequence);
/// Everything up to this sequence left some time ago.
void journal_note_sent(journal *, uint64_t sequence);
/// True and the reason, once, when writing has failed.
bool journal_failed(const journal *, char *text, size_t text_size);
/// The next thing worth a line in the log (a compaction that did not work). False: nothing new.
bool journal_next_notice(journal *, char *text, size_t text_size);
/// "uring" or "plain".
const char *journal_io_name(const journal *);

/// Writes and syncs what was committed, ends the threads, gives the lock back. True: all is on the
/// disk.
bool journal_close(journal *);

#ifdef __cplusplus
}
#endif
