/// ids.h: the payload of JOURNAL_IDS: ids and fates of up to 4,096 tasks, about five bytes each.
///
///     count 4 | prefix count 4 | prefixes: size, bytes | ids
///     id:  0, size, bytes              one that does not end in `_<n>`
///          prefix + 1, step            `<prefix>_<n>`: n is the prefix's last n + 1 + step
///     then its fate: engine << 2 | journal_state (engine 0 where there is none)
///
/// Sizes, prefixes, steps (zigzag) and fates are LEB128 numbers. For ledger.c and compact.c.
/// Invariant: what was written reads back; other bytes end in `false`, never beyond the payload.
#pragma once
#include "include/journal_ledger.h"

#define IDS_PER_RECORD 4096u

/// Bytes that grow; `failed` once memory was short.
typedef struct byte_sink {
    uint8_t *data;
    uint64_t size;
    uint64_t capacity;
    bool failed;
} byte_sink;

/// Room for `size` more bytes, counted as used; NULL when memory is short.
uint8_t *sink_extend(byte_sink *, uint64_t size);

typedef struct id_fate {
    const uint8_t *id;
    uint32_t id_size;
    uint32_t engine; ///< JOURNAL_ENGINE_NONE where there is none
    uint8_t state;   ///< journal_state; JOURNAL_RUNNING is written as JOURNAL_WAITING
} id_fate;

/// Appends the payload for `count` tasks, at most IDS_PER_RECORD.
void ids_write(byte_sink *, const id_fate *, uint32_t count);

typedef struct id_prefix {
    const uint8_t *data;
    uint64_t size;
    int64_t last;
} id_prefix;

typedef struct ids_reader {
    const uint8_t *at;
    const uint8_t *end;
    id_prefix *prefixes;
    uint32_t prefix_count;
    uint32_t left;
    /// The id just read, put together.
    uint8_t *text;
    uint64_t text_capacity;
} ids_reader;

/// False when the payload is none or memory is short. Ended by ids_close in any case.
bool ids_open(ids_reader *, journal_bytes payload);
/// The next id; its bytes are valid until the next call. False when it cannot be read.
bool ids_next(ids_reader *, id_fate *out);
void ids_close(ids_reader *);
