/// task_ids.h: message ids to dense task indexes, for as long as the scheduler lives.
///
/// ipyparallel's ids look like `<session>_<pid>_<n>` with n counting up: such an id (any prefix,
/// then `_` and 1 to 9 decimal digits without a leading zero) is stored exactly, as one 4-byte
/// entry in its prefix's run. Any other id is kept as a 128-bit keyed hash (about 30 bytes), as is
/// one whose n lies far outside its prefix's run, so that sparse ids cannot cost a page each.
/// A prefix costs about 150 bytes once. Not stored exactly: prefixes of more than 256 bytes.
///
/// Invariant: indexes are handed out 0, 1, 2, ... in order of first sight and never reused: a
/// finished task stays known because `after` and `follow` may name it later.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct task_ids task_ids;
#define TASK_ID_NONE UINT32_MAX

task_ids *task_ids_create(uint64_t hash_seed);
void task_ids_destroy(task_ids *);
/// The index of this id, a new one if it was never seen (`*is_new` says so).
/// TASK_ID_NONE when size is 0, all 2^32 - 1 indexes are used, or memory is short.
uint32_t task_ids_intern(task_ids *, const void *id, size_t size, bool *is_new);
/// The index of this id, or TASK_ID_NONE if it was never seen.
uint32_t task_ids_find(const task_ids *, const void *id, size_t size);
/// Ids known.
uint32_t task_ids_count(const task_ids *);
/// Bytes of memory held, for the promise of 16 bytes a finished task.
size_t task_ids_memory(const task_ids *);

#ifdef __cplusplus
}
#endif
