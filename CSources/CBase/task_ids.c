/// task_ids.c: the tables behind task_ids.h. Called by SchedulerWire, once or twice a message.
///
///     id ---> `<prefix>_<n>`, n in its run's window ---> that run (id_runs.c), exact, 4 bytes
///       \---> any other --------------------------------> by 128-bit keyed hash (hashed_ids.c)
///
/// Invariant: an id lies in exactly one of the two. The run is asked first, the hashes second,
/// and an id is added only after both said no; indexes count up and are never taken back.
#include "task_ids.h"

#include <stdlib.h>

#include "hash.h"
#include "hashed_ids.h"
#include "id_runs.h"

struct task_ids {
    hash_key key;
    uint32_t count;
    id_runs runs;
    hashed_ids hashed;
};

task_ids *task_ids_create(uint64_t hash_seed)
{
    task_ids *ids = calloc(1, sizeof *ids);
    if (!ids)
        return NULL;
    ids->key = hash_key_from_seed(hash_seed);
    if (!id_runs_init(&ids->runs, ids->key)) {
        free(ids);
        return NULL;
    }
    return ids;
}

void task_ids_destroy(task_ids *ids)
{
    if (!ids)
        return;
    id_runs_free(&ids->runs);
    hashed_ids_free(&ids->hashed);
    free(ids);
}

uint32_t task_ids_find(const task_ids *ids, const void *id, size_t size)
{
    id_parts parts;
    if (size == 0)
        return TASK_ID_NONE;
    if (id_split(id, size, &parts)) {
        uint32_t hash, slot;
        uint32_t run = id_runs_find(&ids->runs, &parts, &hash, &slot);
        const uint32_t *entry =
            run == ID_RUN_NONE ? NULL : id_run_entry(&ids->runs.runs[run], parts.n);
        if (entry && *entry != TASK_ID_NONE)
            return *entry;
    }
    if (!ids->hashed.count)
        return TASK_ID_NONE;
    return hashed_ids_find(&ids->hashed, hash_bytes_128(ids->key, id, size));
}

/// Keeps a new id under the next index: in its run when it fits, else by its hash.
static bool task_ids_add(task_ids *ids, const void *id, size_t size, const id_parts *parts,
                         uint32_t run, uint32_t *entry)
{
    if (run != ID_RUN_NONE && !entry)
        entry = id_runs_extend(&ids->runs, &ids->runs.runs[run], parts->n);
    if (!entry)
        return hashed_ids_add(&ids->hashed, hash_bytes_128(ids->key, id, size), ids->count);
    *entry = ids->count;
    ids->runs.runs[run].held++;
    return true;
}

uint32_t task_ids_intern(task_ids *ids, const void *id, size_t size, bool *is_new)
{
    id_parts parts;
    uint32_t *entry = NULL;
    uint32_t run = ID_RUN_NONE, hash = 0, slot = 0;
    *is_new = false;
    if (size == 0)
        return TASK_ID_NONE;
    bool split = id_split(id, size, &parts);
    if (split) {
        run = id_runs_find(&ids->runs, &parts, &hash, &slot);
        entry = run == ID_RUN_NONE ? NULL : id_run_entry(&ids->runs.runs[run], parts.n);
        if (entry && *entry != TASK_ID_NONE)
            return *entry;
    }
    if (ids->hashed.count) {
        uint32_t index = hashed_ids_find(&ids->hashed, hash_bytes_128(ids->key, id, size));
        if (index != TASK_ID_NONE)
            return index;
    }
    if (ids->count == TASK_ID_NONE)
        return TASK_ID_NONE;
    if (split && run == ID_RUN_NONE) {
        run = id_runs_create(&ids->runs, &parts, hash, slot);
        entry = run == ID_RUN_NONE ? NULL : id_run_entry(&ids->runs.runs[run], parts.n);
    }
    if (run != ID_RUN_NONE)
        ids->runs.last_run = run;
    if (!task_ids_add(ids, id, size, &parts, run, entry))
        return TASK_ID_NONE;
    *is_new = true;
    return ids->count++;
}

uint32_t task_ids_count(const task_ids *ids)
{
    return ids->count;
}

size_t task_ids_memory(const task_ids *ids)
{
    return sizeof *ids + ids->runs.memory + ids->hashed.memory;
}
