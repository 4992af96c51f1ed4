/// ledger.h: the ledger's inside, for ledger.c and for compact.c, which writes it out.
///
/// Invariant: a page is packed or expanded, never both; an entry has a live record exactly while
/// the task waits, runs, or has a reply that is kept.
#pragma once
#include "ids.h"

#define NO_LIVE UINT32_MAX

typedef struct ledger_entry {
    const uint8_t *id;
    uint32_t id_size;
    uint32_t engine;
    uint32_t live;
    uint8_t state;
    uint8_t padding[3];
} ledger_entry;

typedef struct ledger_live {
    journal_bytes accepted;
    journal_bytes reply;
    uint64_t accepted_sequence;
    uint64_t assigned_sequence;
    uint64_t reply_sequence;
    journal_attempt *attempts;
    uint32_t attempt_count;
    uint32_t next_free;
    bool parked;
} ledger_live;

typedef struct ledger_page {
    journal_bytes packed;  ///< the payload of JOURNAL_IDS, or empty
    ledger_entry *entries; ///< IDS_PER_RECORD of them, or NULL
    uint8_t *texts;        ///< ids that had to be put together
    uint32_t count;
} ledger_page;

typedef struct ledger_engine {
    journal_bytes name;
    bool fences;
} ledger_engine;

struct journal_ledger {
    ledger_page *pages;
    uint32_t page_count;
    uint32_t page_capacity;
    uint32_t count;
    ledger_live *live;
    uint32_t live_used;
    uint32_t live_capacity;
    uint32_t live_free;
    uint32_t live_count;  ///< tasks that wait or run
    uint32_t reply_count; ///< replies kept
    ledger_engine *engines;
    uint32_t engine_count;
    uint32_t engine_capacity;
    uint32_t *engine_slots; ///< index + 1, by hash of the name
    uint32_t engine_slot_mask;
    uint64_t sent_sequence;
    bool ended; ///< JOURNAL_END was seen in the present base
    ids_reader walk;
    uint32_t walk_page;
};

/// Makes an expanded page of a packed one; false when it does not read or memory is short.
bool ledger_expand(journal_ledger *, ledger_page *);
