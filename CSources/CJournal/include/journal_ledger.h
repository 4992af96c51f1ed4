/// journal_ledger.h: what a journal's records add up to. Fed by recovery and by compaction.
///
///     pages[number >> 12]   either a JOURNAL_IDS record as it lies in a base, untouched, or
///                           4,096 entries: an id, how the task stands, and where
///     live[entry.live]      one for each task that waits, runs, or has a reply to be delivered
///     engines[index]        names, each once
///
/// Pure: no I/O, no clock. All bytes are borrowed from the files that were read: they must stay
/// mapped while the ledger is used.
#pragma once
#include "journal_format.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum journal_state {
    JOURNAL_WAITING = 0,
    JOURNAL_COMPLETED = 1,
    JOURNAL_FAILED = 2,
    /// Failed by the scheduler, or refused: it ran nowhere.
    JOURNAL_FAILED_NOWHERE = 3,
    JOURNAL_RUNNING = 4,
} journal_state;

#define JOURNAL_ENGINE_NONE 0xffffffffu

/// A run that ended without a final reply.
typedef struct journal_attempt {
    uint32_t engine;
    uint32_t flags; ///< JOURNAL_FLAG_FAILED or JOURNAL_FLAG_UNMET
} journal_attempt;

typedef struct journal_task {
    journal_bytes id;       ///< valid until the next call of journal_ledger_next
    journal_bytes accepted; ///< the payload of ACCEPTED while it waits or runs, else empty
    journal_bytes reply;    ///< the payload of FINISHED while somebody may not have it, else empty
    uint64_t accepted_sequence; ///< of ACCEPTED; 0: long ago
    uint64_t assigned_sequence; ///< of ASSIGNED, likewise
    uint64_t reply_sequence;    ///< of FINISHED, likewise
    const journal_attempt *attempts;
    uint32_t attempt_count;
    uint32_t number;
    uint32_t engine; ///< where it runs or ran; JOURNAL_ENGINE_NONE
    uint8_t state;   ///< journal_state
    uint8_t parked;  ///< the reply waits for its client
    uint8_t padding[2];
} journal_task;

typedef struct journal_ledger journal_ledger;

/// `sent_sequence`: replies recorded up to it have left and need not be kept, parked ones
/// excepted. NULL when memory is short.
journal_ledger *journal_ledger_create(uint64_t sent_sequence);
void journal_ledger_destroy(journal_ledger *);
/// Applies the next record of a file of this kind. NULL, or what is wrong with it.
const char *journal_ledger_apply(journal_ledger *, journal_kind, const journal_record *);

/// Tasks known; of those, waiting or running; replies kept.
uint32_t journal_ledger_count(const journal_ledger *);
uint32_t journal_ledger_live_count(const journal_ledger *);
uint32_t journal_ledger_reply_count(const journal_ledger *);
uint32_t journal_ledger_engine_count(const journal_ledger *);
journal_bytes journal_ledger_engine(const journal_ledger *, uint32_t engine);
/// Whether this engine has answered a fence.
bool journal_ledger_engine_fences(const journal_ledger *, uint32_t engine);

/// Goes through all tasks in the order of their numbers: true while there is one. `*next` starts
/// at 0 and is the ledger's to change.
bool journal_ledger_next(journal_ledger *, uint32_t *next, journal_task *out);

#ifdef __cplusplus
}
#endif
