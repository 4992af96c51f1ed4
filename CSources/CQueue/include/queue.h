/// queue.h: a bounded lock-free ring of fixed-size elements between two threads.
///
/// For whatever crosses threads: I/O lanes and the scheduling thread, the scheduling thread and the
/// writer of the journal. One thread produces, one consumes; two rings make a dialogue. Elements
/// are filled and read where they lie, in batches, so a batch costs what an element costs.
///
///            head                          tail                 head + capacity
///     ... ----|------ the consumer's -------|------ the producer's ----|---- ...
///             peek, then release            reserve, then commit
///
/// Invariant: head <= tail <= head + capacity. Only the consumer writes head, only the producer
/// writes tail, and each touches only the slots of its own part.
///
/// ## Indexes
/// head and tail count elements for ever, in 64 bits; index i lies in slot i mod capacity. Neither
/// is ever reduced, so empty (tail = head) and full (tail = head + capacity) differ without a spare
/// slot. At 10^9 elements a second they wrap after 584 years, and may: differences are taken
/// modulo 2^64 and are at most capacity <= 2^31, and since capacity divides 2^64 the slot after
/// that of index 2^64 - 1 is that of index 0.
///
/// ## Why release and acquire suffice
/// Each index has one writer: there is nothing to agree on, and no read-modify-write.
///  1. Elements arrive whole. The producer fills slots, then stores tail with release; the consumer
///     loads tail with acquire, then reads them. A load that sees the store sees all before it.
///  2. Elements are not overwritten while they are read. The consumer reads slots, then stores head
///     with release; the producer loads head with acquire, then fills them anew. The same rule the
///     other way: the reads happen before the store, the store before the writes.
/// Each side reads its own index relaxed: it wrote the last value itself.
///
/// ## The cached indexes
/// Each side keeps the value that it last loaded of the other's index, and loads it again only when
/// that does not hold what is wanted: the cache line of the other side moves once a batch instead
/// of once an element. A cached index may lag, never lead, and lags on the safe side: an old head
/// shows too little room, an old tail too few elements. What it does show stays true, because only
/// the side that looks can make it false.
///
/// ## No ABA
/// That would take a cached index so old that the real one has gone around and means something
/// else. But a side stops where its cached index ends: tail never passes cached head + capacity,
/// head never passes cached tail. So cached head <= head <= tail <= cached head + capacity, and
/// likewise for the consumer: no cached index is ever more than capacity behind.
///
/// ## Sleep and wake
/// A consumer that has nothing to do blocks in the kernel, on an eventfd for instance. The producer
/// should pay for a system call only then. Both sides write one word and read the other's:
///
///     consumer, queue_will_sleep             producer
///     asleep = 1                             tail = tail + n      (queue_commit)
///     fence(seq_cst)                         fence(seq_cst)       (queue_needs_wake)
///     tail > head ? go on : block            asleep ? wake : go on
///
/// Lost wake-up: the consumer reads the old tail *and* the producer reads the old asleep. Release
/// and acquire allow that, as does any CPU with a store buffer: a store may become visible after a
/// later load of another word. The fences forbid it (Dekker). They stand in one total order S. If
/// the consumer's is first in S, the producer's load of asleep, after its own fence, sees 1 or what
/// was written later; if the producer's is first, the consumer's load of tail sees the commit or a
/// later one (C11, 7.17.3 paragraph 11: a write before a fence is seen by a read after a later
/// fence). So at least one of the two looks and finds.
///
/// What may be written to asleep after the 1 is a 0: by the producer, which then wakes; or by the
/// consumer in queue_awake, which then is awake and passes queue_will_sleep, with a new fence,
/// before it blocks again. The producer takes the 1 with an exchange: one system call per sleep,
/// however many commits follow. The exchange releases and queue_awake acquires, so a consumer
/// that was woken sees the commit that it was woken for, whatever it slept on.
///
/// A wake-up may come late, for elements that the consumer has found by itself: a loop around
/// blocking has to bear that anyway. A consumer of several rings announces its sleep to each, and
/// takes it back from all (queue_awake) when one of them is not empty.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct queue queue;
/// The largest capacity, in elements.
#define QUEUE_CAPACITY_MAX 0x80000000u

/// `element_size`: bytes, a multiple of 8, at least 8. `capacity`: elements, a power of two, at
/// most QUEUE_CAPACITY_MAX. Other values are refused, not rounded, so that a limit is the one that
/// was asked for. All memory there will ever be is allocated here, capacity * element_size bytes
/// and about 600 more; pages that were never used cost nothing. NULL with errno EINVAL (a value
/// that is refused) or ENOMEM. Elements are aligned to 8 bytes, or to 64 if their size is a
/// multiple of 64.
queue *queue_create(uint32_t element_size, uint32_t capacity);
/// Both sides have ended, or wait for each other (a join). Elements still in the ring are dropped.
void queue_destroy(queue *);
uint32_t queue_capacity(const queue *);

/// Producer. The next free slots, at most `want`, in `*got`: contiguous, so fewer than are free
/// where the ring ends; the next call goes on at its beginning. 0 (and NULL): the ring is full.
/// The same slots again until they are committed.
void *queue_reserve(queue *, uint32_t want, uint32_t *got);
/// Producer. Hands the first `count` reserved slots over. More than were reserved is our own error:
/// it traps if the ring has no such contiguous slots.
void queue_commit(queue *, uint32_t count);
/// Producer. Copies elements in, across the end of the ring too, and hands them over at once.
/// Returns how many: fewer than `count` when the ring is full after them.
uint32_t queue_push(queue *, const void *elements, uint32_t count);

/// Consumer. The oldest elements, at most `want`, in `*got`: contiguous, so fewer than there are
/// where the ring ends. 0 (and NULL): the ring is empty. Valid until they are released.
const void *queue_peek(queue *, uint32_t want, uint32_t *got);
/// Consumer. Gives the first `count` peeked slots back. Traps like queue_commit.
void queue_release(queue *, uint32_t count);
/// Consumer. Copies the oldest elements out, across the end of the ring too, and gives their slots
/// back at once. Returns how many: fewer than `count` when the ring is empty after them.
uint32_t queue_pop(queue *, void *elements, uint32_t count);

/// Consumer, before it blocks. True: the ring is empty and the producer has been told, so block;
/// afterwards call queue_awake. False: there are elements; the announcement is taken back, though
/// the producer may have seen it and wake for nothing.
bool queue_will_sleep(queue *);
/// Consumer, after it has blocked, whatever has woken it. Harmless when nothing was announced.
void queue_awake(queue *);
/// Producer, after each commit or push that a sleeping consumer has to learn of (once for several
/// commits will do). True: the consumer sleeps or is about to, so wake it. True once per sleep.
bool queue_needs_wake(queue *);

#ifdef __cplusplus
}
#endif
