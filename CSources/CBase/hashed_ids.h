/// hashed_ids.h: 128-bit keyed hashes to task indexes, for ids that fit no run.
///
/// Called by task_ids.c only. The hash stands for the id: with a secret key, two of 2^32 ids
/// collide with a chance of 2^-65, and nobody can look for such a pair.
///
/// 256 shards, each an open table that grows on its own: a growth moves 1/256 of the ids, so that
/// ten million ids never stop the scheduler for a full rehash.
///
/// Invariant: within a shard, a hash is reachable from its home slot without crossing an empty one.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hash.h"

#define HASHED_IDS_SHARDS 256

typedef struct hashed_shard {
    hash_128 *keys;
    uint32_t *indexes; ///< TASK_ID_NONE where the slot is empty
    uint32_t capacity;
    uint32_t count;
} hashed_shard;

typedef struct hashed_ids {
    uint64_t count;
    size_t memory; ///< bytes of all shards' tables
    hashed_shard shards[HASHED_IDS_SHARDS];
} hashed_ids;

void hashed_ids_free(hashed_ids *);
/// The index of this hash, or TASK_ID_NONE.
uint32_t hashed_ids_find(const hashed_ids *, hash_128 key);
/// Adds a hash that is not there yet; false when memory is short.
bool hashed_ids_add(hashed_ids *, hash_128 key, uint32_t index);
