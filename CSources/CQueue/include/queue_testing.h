/// queue_testing.h: what the tests of the ring need beyond queue.h; the scheduler itself never
/// includes it.
///
/// Invariant: nothing here changes what a ring does, only where its indexes begin.
#pragma once
#include "queue.h"

#ifdef __cplusplus
extern "C" {
#endif

/// A ring whose head and tail begin at `first_index`: any place in it, and near 2^64.
queue *queue_create_at(uint32_t element_size, uint32_t capacity, uint64_t first_index);
/// True when indexes and cached indexes are in the order that queue.h promises. Only while neither
/// side is at work.
bool queue_check(const queue *);

#ifdef __cplusplus
}
#endif
