/// id_runs.c: the runs behind id_runs.h. Called by task_ids.c; picture and invariant are there.
#include "id_runs.h"

#include <stdlib.h>
#include <string.h>

#define ID_RUN_FIRST_ENTRIES_MIN 8u
#define ID_RUN_WINDOW            256u
#define RUN_DIGITS_MAX           9u
/// Longer prefixes are hashed: they would make the prefix store, which is exact, the larger part.
#define RUN_PREFIX_SIZE_MAX 256u
#define PREFIX_SLOTS_MIN    64u
#define PREFIX_CHUNK_SIZE   16384u

struct prefix_chunk {
    struct prefix_chunk *next;
    uint8_t bytes[PREFIX_CHUNK_SIZE];
};

bool id_runs_init(id_runs *ids, hash_key key)
{
    ids->key = key;
    ids->slot_mask = PREFIX_SLOTS_MIN - 1;
    ids->last_run = ID_RUN_NONE;
    ids->slots = calloc(PREFIX_SLOTS_MIN, sizeof *ids->slots);
    ids->memory = PREFIX_SLOTS_MIN * sizeof *ids->slots;
    return ids->slots != NULL;
}

void id_runs_free(id_runs *ids)
{
    for (uint32_t i = 0; i < ids->run_count; i++) {
        for (uint32_t p = 0; p < ids->runs[i].page_count; p++)
            free(ids->runs[i].pages[p]);
        free(ids->runs[i].pages);
        free(ids->runs[i].first);
    }
    while (ids->chunk) {
        prefix_chunk *next = ids->chunk->next;
        free(ids->chunk);
        ids->chunk = next;
    }
    free(ids->runs);
    free(ids->slots);
}

bool id_split(const uint8_t *id, size_t size, id_parts *parts)
{
    uint32_t n = 0, scale = 1, digits = 0;
    size_t at = size;
    while (at > 0 && digits < RUN_DIGITS_MAX) {
        uint32_t digit = (uint32_t)id[at - 1] - '0';
        if (digit > 9)
            break;
        n += digit * scale;
        scale *= 10;
        at--;
        digits++;
    }
    if (digits == 0 || at == 0 || id[at - 1] != '_' || at - 1 > RUN_PREFIX_SIZE_MAX)
        return false;
    if (digits > 1 && id[at] == '0')
        return false; // "x_07" and "x_7" are two ids
    *parts = (id_parts){id, (uint32_t)(at - 1), n};
    return true;
}

static inline bool run_has_prefix(const id_run *run, const id_parts *parts)
{
    return run->prefix_size == parts->prefix_size &&
           !memcmp(run->prefix, parts->prefix, parts->prefix_size);
}

/// The run of this prefix, or ID_RUN_NONE and in `*slot` where its slot belongs.
static uint32_t prefix_find(const id_runs *ids, const id_parts *parts, uint32_t hash,
                            uint32_t *slot)
{
    for (*slot = hash & ids->slot_mask;; *slot = (*slot + 1) & ids->slot_mask) {
        prefix_slot s = ids->slots[*slot];
        if (!s.run_plus_one)
            return ID_RUN_NONE;
        if (s.hash == hash && run_has_prefix(&ids->runs[s.run_plus_one - 1], parts))
            return s.run_plus_one - 1;
    }
}

uint32_t id_runs_find(const id_runs *ids, const id_parts *parts, uint32_t *hash, uint32_t *slot)
{
    if (ids->last_run != ID_RUN_NONE && run_has_prefix(&ids->runs[ids->last_run], parts))
        return ids->last_run;
    *hash = (uint32_t)hash_bytes(ids->key, parts->prefix, parts->prefix_size);
    return prefix_find(ids, parts, *hash, slot);
}

/// Makes room for one more run in the slots and the array; false when memory is short.
static bool run_reserve(id_runs *ids, uint32_t hash, uint32_t *slot)
{
    if (ids->run_count == ids->run_capacity) {
        size_t capacity = ids->run_capacity ? (size_t)ids->run_capacity * 2 : 16;
        if (capacity > UINT32_MAX / 4)
            return false;
        id_run *runs = realloc(ids->runs, capacity * sizeof *runs);
        if (!runs)
            return false;
        ids->memory += (capacity - ids->run_capacity) * sizeof *runs;
        ids->runs = runs;
        ids->run_capacity = (uint32_t)capacity;
    }
    if (ids->run_count <= ids->slot_mask / 2)
        return true;
    uint32_t mask = ids->slot_mask * 2 + 1;
    prefix_slot *slots = calloc((size_t)mask + 1, sizeof *slots);
    if (!slots)
        return false;
    for (uint32_t i = 0; i <= ids->slot_mask; i++) {
        if (!ids->slots[i].run_plus_one)
            continue;
        uint32_t to = ids->slots[i].hash & mask;
        while (slots[to].run_plus_one)
            to = (to + 1) & mask;
        slots[to] = ids->slots[i];
    }
    ids->memory += ((size_t)mask - ids->slot_mask) * sizeof *slots;
    free(ids->slots);
    ids->slots = slots;
    ids->slot_mask = mask;
    for (*slot = hash & mask; slots[*slot].run_plus_one; *slot = (*slot + 1) & mask)
        ;
    return true;
}

static const uint8_t *prefix_store(id_runs *ids, const id_parts *parts)
{
    if (!ids->chunk || ids->chunk_used + parts->prefix_size > PREFIX_CHUNK_SIZE) {
        prefix_chunk *chunk = malloc(sizeof *chunk);
        if (!chunk)
            return NULL;
        ids->memory += sizeof *chunk;
        chunk->next = ids->chunk;
        ids->chunk = chunk;
        ids->chunk_used = 0;
    }
    uint8_t *bytes = ids->chunk->bytes + ids->chunk_used;
    memcpy(bytes, parts->prefix, parts->prefix_size);
    ids->chunk_used += parts->prefix_size;
    return bytes;
}

/// A page of entries that were not seen yet.
static uint32_t *page_create(id_runs *ids, uint32_t entries)
{
    uint32_t *page = malloc(entries * sizeof *page);
    if (!page)
        return NULL;
    memset(page, 0xff, entries * sizeof *page);
    ids->memory += entries * sizeof *page;
    return page;
}

uint32_t id_runs_create(id_runs *ids, const id_parts *parts, uint32_t hash, uint32_t slot)
{
    if (!run_reserve(ids, hash, &slot))
        return ID_RUN_NONE;
    const uint8_t *prefix = prefix_store(ids, parts);
    uint32_t *first = prefix ? page_create(ids, ID_RUN_FIRST_ENTRIES_MIN) : NULL;
    if (!first)
        return ID_RUN_NONE;
    uint32_t run = ids->run_count++;
    ids->runs[run] = (id_run){
        .prefix = prefix,
        .prefix_size = parts->prefix_size,
        .first = first,
        .first_entries = ID_RUN_FIRST_ENTRIES_MIN,
        .base = parts->n & ~(ID_RUN_FIRST_ENTRIES_MIN - 1),
    };
    ids->slots[slot] = (prefix_slot){hash, run + 1};
    return run;
}

static bool run_grow_first(id_runs *ids, id_run *run, uint32_t offset)
{
    uint32_t entries = run->first_entries;
    while (entries <= offset)
        entries *= 2;
    uint32_t *first = realloc(run->first, entries * sizeof *first);
    if (!first)
        return false;
    memset(first + run->first_entries, 0xff, (entries - run->first_entries) * sizeof *first);
    ids->memory += (entries - run->first_entries) * sizeof *first;
    run->first = first;
    run->first_entries = entries;
    return true;
}

static bool run_grow_pages(id_runs *ids, id_run *run, uint32_t page)
{
    if (page >= run->page_count) {
        // A quarter more each time: the directory stays under one byte an id.
        uint32_t count = page + 1 + page / 4;
        uint32_t **pages = realloc(run->pages, count * sizeof *pages);
        if (!pages)
            return false;
        memset(pages + run->page_count, 0, (count - run->page_count) * sizeof *pages);
        ids->memory += (count - run->page_count) * sizeof *pages;
        run->pages = pages;
        run->page_count = count;
    }
    if (!run->pages[page])
        run->pages[page] = page_create(ids, ID_RUN_PAGE_ENTRIES);
    return run->pages[page] != NULL;
}

uint32_t *id_runs_extend(id_runs *ids, id_run *run, uint32_t n)
{
    uint64_t end = (uint64_t)run->base + 2 * (uint64_t)run->held + ID_RUN_WINDOW;
    if (n < run->base || n >= end)
        return NULL;
    uint32_t offset = n - run->base;
    bool room = offset < ID_RUN_PAGE_ENTRIES
                    ? run_grow_first(ids, run, offset)
                    : run_grow_pages(ids, run, offset / ID_RUN_PAGE_ENTRIES - 1);
    return room ? id_run_entry(run, n) : NULL;
}
