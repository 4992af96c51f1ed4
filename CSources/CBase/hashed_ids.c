/// hashed_ids.c: the shards behind hashed_ids.h. Called by task_ids.c; the invariant is there.
#include "hashed_ids.h"

#include <stdlib.h>

#include "task_ids.h"

/// A shard grows by a half when it is four fifths full: 20 bytes a slot, 25 to 38 bytes an id.
#define SHARD_SLOTS_MIN 8u

void hashed_ids_free(hashed_ids *ids)
{
    for (uint32_t i = 0; i < HASHED_IDS_SHARDS; i++) {
        free(ids->shards[i].keys);
        free(ids->shards[i].indexes);
    }
}

/// Where a hash's probe starts: any capacity, not only powers of two, by multiply and shift.
static inline uint32_t shard_home(const hashed_shard *shard, hash_128 key)
{
    return (uint32_t)(((key.high >> 32) * shard->capacity) >> 32);
}

static inline const hashed_shard *shard_of(const hashed_ids *ids, hash_128 key)
{
    return &ids->shards[key.low % HASHED_IDS_SHARDS];
}

uint32_t hashed_ids_find(const hashed_ids *ids, hash_128 key)
{
    const hashed_shard *shard = shard_of(ids, key);
    if (!shard->count)
        return TASK_ID_NONE;
    for (uint32_t slot = shard_home(shard, key);;) {
        if (shard->indexes[slot] == TASK_ID_NONE)
            return TASK_ID_NONE;
        if (shard->keys[slot].low == key.low && shard->keys[slot].high == key.high)
            return shard->indexes[slot];
        if (++slot == shard->capacity)
            slot = 0;
    }
}

static void shard_place(hashed_shard *shard, hash_128 key, uint32_t index)
{
    uint32_t slot = shard_home(shard, key);
    while (shard->indexes[slot] != TASK_ID_NONE)
        if (++slot == shard->capacity)
            slot = 0;
    shard->keys[slot] = key;
    shard->indexes[slot] = index;
}

static bool shard_grow(hashed_ids *ids, hashed_shard *shard)
{
    uint64_t capacity = shard->capacity + (uint64_t)shard->capacity / 2;
    if (capacity < SHARD_SLOTS_MIN)
        capacity = SHARD_SLOTS_MIN;
    if (capacity >= UINT32_MAX)
        return false;
    hashed_shard grown = {
        .keys = malloc(capacity * sizeof *grown.keys),
        .indexes = malloc(capacity * sizeof *grown.indexes),
        .capacity = (uint32_t)capacity,
        .count = shard->count,
    };
    if (!grown.keys || !grown.indexes) {
        free(grown.keys);
        free(grown.indexes);
        return false;
    }
    memset(grown.indexes, 0xff, capacity * sizeof *grown.indexes);
    for (uint32_t slot = 0; slot < shard->capacity; slot++)
        if (shard->indexes[slot] != TASK_ID_NONE)
            shard_place(&grown, shard->keys[slot], shard->indexes[slot]);
    ids->memory += (capacity - shard->capacity) * (sizeof *grown.keys + sizeof *grown.indexes);
    free(shard->keys);
    free(shard->indexes);
    *shard = grown;
    return true;
}

bool hashed_ids_add(hashed_ids *ids, hash_128 key, uint32_t index)
{
    hashed_shard *shard = &ids->shards[key.low % HASHED_IDS_SHARDS];
    if (shard->count >= (uint64_t)shard->capacity * 4 / 5 && !shard_grow(ids, shard))
        return false;
    shard_place(shard, key, index);
    shard->count++;
    ids->count++;
    return true;
}
