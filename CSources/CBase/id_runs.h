/// id_runs.h: ids of the shape `<prefix>_<n>`, exactly, at about four bytes each.
///
/// Called by task_ids.c only.
///
///     prefix slots         run of that prefix:    base       base+256   base+512
///     (keyed hash) ------> first page (8 to 256)  [.......]  [.......]  [ NULL ]
///                          one u32 index a number; TASK_ID_NONE where that id was not seen
///
/// Window: base <= n < base + 2 * (ids the run holds) + 256. So a run's pages are filled to about
/// a half at worst: 8 bytes an id, and 256 entries on top. A run's first page starts small
/// because its prefix may never be seen again.
///
/// Invariant: an entry is set once, and where it lies never changes.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hash.h"

#define ID_RUN_NONE UINT32_MAX

/// Entries of a page; a bigger one wastes more on runs with few ids.
#define ID_RUN_PAGE_ENTRIES 256u

typedef struct id_run {
    const uint8_t *prefix; ///< in a prefix chunk
    uint32_t *first;       ///< first page: `first_entries` indexes, TASK_ID_NONE where not seen
    uint32_t **pages;      ///< later pages (pages[0] is `base + 256`), NULL where nothing was seen
    uint32_t prefix_size;
    uint32_t first_entries;
    uint32_t page_count;
    uint32_t base; ///< the n of first[0]
    uint32_t held; ///< ids in this run
    uint32_t padding;
} id_run;

typedef struct prefix_slot {
    uint32_t hash;
    uint32_t run_plus_one; ///< 0 when empty
} prefix_slot;

typedef struct prefix_chunk prefix_chunk;

typedef struct id_runs {
    hash_key key;
    id_run *runs;
    uint32_t run_count;
    uint32_t run_capacity;
    prefix_slot *slots;
    uint32_t slot_mask;
    uint32_t last_run; ///< the run used last: messages come in bursts of one session
    prefix_chunk *chunk;
    uint32_t chunk_used;
    size_t memory; ///< bytes of everything below this structure
} id_runs;

typedef struct id_parts {
    const uint8_t *prefix;
    uint32_t prefix_size;
    uint32_t n;
} id_parts;

/// Splits an id; false for every one that has not exactly that shape.
bool id_split(const uint8_t *id, size_t size, id_parts *parts);

bool id_runs_init(id_runs *, hash_key key);
void id_runs_free(id_runs *);
/// The run of this prefix, or ID_RUN_NONE with the hash and the slot where it would go.
uint32_t id_runs_find(const id_runs *, const id_parts *, uint32_t *hash, uint32_t *slot);
/// An empty run for a new prefix, starting at n or a little below (neighbours may come in
/// disorder). ID_RUN_NONE when memory is short.
uint32_t id_runs_create(id_runs *, const id_parts *, uint32_t hash, uint32_t slot);
/// Room for n in the run, when n lies in its window; NULL otherwise or when memory is short.
uint32_t *id_runs_extend(id_runs *, id_run *, uint32_t n);

/// Where the run keeps n, or NULL where it has no room for it (yet).
static inline uint32_t *id_run_entry(const id_run *run, uint32_t n)
{
    uint32_t offset = n - run->base; // an n below the base wraps to more than any page has
    if (offset < run->first_entries)
        return &run->first[offset];
    uint32_t page = offset / ID_RUN_PAGE_ENTRIES - 1; // page 0, still small: wraps likewise
    if (page >= run->page_count || !run->pages[page])
        return NULL;
    return &run->pages[page][offset % ID_RUN_PAGE_ENTRIES];
}
