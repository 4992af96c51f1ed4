/// queue.c: the ring behind queue.h, which has the whole argument. Called by the two threads that a
/// ring joins, each through its own half of the functions.
///
///     | slots, mask, size | tail, cached head | head, cached tail | asleep | slots ...
///       never written       producer's          consumer's          both's
///
/// Invariant: cached head <= head <= cached tail <= tail <= cached head + capacity, modulo 2^64;
/// each atomic says beside it who writes it.
#include "queue.h"

#include <errno.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "queue_testing.h"

/// Two cache lines of x86, which fetches them in pairs; one line of some ARM CPUs.
#define QUEUE_LINE_BYTES 128

struct queue {
    alignas(QUEUE_LINE_BYTES) uint8_t *slots;
    uint64_t mask; ///< capacity - 1
    size_t element_size;

    alignas(QUEUE_LINE_BYTES) _Atomic uint64_t tail; ///< written by the producer
    uint64_t cached_head;                            ///< producer's own

    alignas(QUEUE_LINE_BYTES) _Atomic uint64_t head; ///< written by the consumer
    uint64_t cached_tail;                            ///< consumer's own

    alignas(QUEUE_LINE_BYTES) _Atomic uint32_t asleep; ///< 1 by the consumer, 0 by both
};
_Static_assert(sizeof(queue) == 4 * QUEUE_LINE_BYTES, "the slots begin on a line of their own");

queue *queue_create_at(uint32_t element_size, uint32_t capacity, uint64_t first_index)
{
    if (element_size == 0 || element_size % 8 != 0 || capacity == 0 ||
        (capacity & (capacity - 1)) != 0) {
        errno = EINVAL;
        return NULL;
    }
    size_t bytes;
    if (__builtin_mul_overflow((size_t)element_size, (size_t)capacity, &bytes) ||
        __builtin_add_overflow(bytes, sizeof(queue) + QUEUE_LINE_BYTES - 1, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    queue *ring = aligned_alloc(QUEUE_LINE_BYTES, bytes / QUEUE_LINE_BYTES * QUEUE_LINE_BYTES);
    if (!ring) {
        errno = ENOMEM;
        return NULL;
    }
    ring->slots = (uint8_t *)(ring + 1);
    ring->mask = capacity - 1;
    ring->element_size = element_size;
    ring->cached_head = first_index;
    ring->cached_tail = first_index;
    atomic_init(&ring->tail, first_index);
    atomic_init(&ring->head, first_index);
    atomic_init(&ring->asleep, 0);
    return ring;
}

queue *queue_create(uint32_t element_size, uint32_t capacity)
{
    return queue_create_at(element_size, capacity, 0);
}

void queue_destroy(queue *ring)
{
    free(ring);
}

uint32_t queue_capacity(const queue *ring)
{
    return (uint32_t)(ring->mask + 1);
}

static inline uint8_t *queue_slot(const queue *ring, uint64_t index)
{
    return ring->slots + (size_t)(index & ring->mask) * ring->element_size;
}

/// `count`, or the slots from `index` to the end of the ring if those are fewer.
static inline uint64_t queue_contiguous(const queue *ring, uint64_t index, uint64_t count)
{
    uint64_t to_end = ring->mask + 1 - (index & ring->mask);
    return count < to_end ? count : to_end;
}

/// Free slots at `tail`, at most `want`: looks at the other side only when the cache falls short.
static inline uint64_t queue_room(queue *ring, uint64_t tail, uint64_t want)
{
    uint64_t room = ring->mask + 1 - (tail - ring->cached_head);
    if (room < want) {
        ring->cached_head = atomic_load_explicit(&ring->head, memory_order_acquire);
        room = ring->mask + 1 - (tail - ring->cached_head);
    }
    return room < want ? room : want;
}

/// Elements at `head`, at most `want`: the mirror image of queue_room.
static inline uint64_t queue_filled(queue *ring, uint64_t head, uint64_t want)
{
    uint64_t filled = ring->cached_tail - head;
    if (filled < want) {
        ring->cached_tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
        filled = ring->cached_tail - head;
    }
    return filled < want ? filled : want;
}

void *queue_reserve(queue *ring, uint32_t want, uint32_t *got)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    *got = (uint32_t)queue_room(ring, tail, queue_contiguous(ring, tail, want));
    return *got ? queue_slot(ring, tail) : NULL;
}

void queue_commit(queue *ring, uint32_t count)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (count > ring->mask + 1 - (tail - ring->cached_head) ||
        count > queue_contiguous(ring, tail, count))
        __builtin_trap();
    atomic_store_explicit(&ring->tail, tail + count, memory_order_release);
}

uint32_t queue_push(queue *ring, const void *elements, uint32_t count)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    uint64_t room = queue_room(ring, tail, count);
    if (room == 0)
        return 0;
    size_t first = (size_t)queue_contiguous(ring, tail, room) * ring->element_size;
    memcpy(queue_slot(ring, tail), elements, first);
    size_t rest = (size_t)room * ring->element_size - first;
    if (rest)
        memcpy(ring->slots, (const uint8_t *)elements + first, rest);
    atomic_store_explicit(&ring->tail, tail + room, memory_order_release);
    return (uint32_t)room;
}

const void *queue_peek(queue *ring, uint32_t want, uint32_t *got)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    *got = (uint32_t)queue_filled(ring, head, queue_contiguous(ring, head, want));
    return *got ? queue_slot(ring, head) : NULL;
}

void queue_release(queue *ring, uint32_t count)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (count > ring->cached_tail - head || count > queue_contiguous(ring, head, count))
        __builtin_trap();
    atomic_store_explicit(&ring->head, head + count, memory_order_release);
}

uint32_t queue_pop(queue *ring, void *elements, uint32_t count)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    uint64_t filled = queue_filled(ring, head, count);
    if (filled == 0)
        return 0;
    size_t first = (size_t)queue_contiguous(ring, head, filled) * ring->element_size;
    memcpy(elements, queue_slot(ring, head), first);
    size_t rest = (size_t)filled * ring->element_size - first;
    if (rest)
        memcpy((uint8_t *)elements + first, ring->slots, rest);
    atomic_store_explicit(&ring->head, head + filled, memory_order_release);
    return (uint32_t)filled;
}

bool queue_will_sleep(queue *ring)
{
    atomic_store_explicit(&ring->asleep, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&ring->tail, memory_order_relaxed) ==
        atomic_load_explicit(&ring->head, memory_order_relaxed))
        return true;
    atomic_store_explicit(&ring->asleep, 0, memory_order_relaxed);
    return false;
}

void queue_awake(queue *ring)
{
    atomic_exchange_explicit(&ring->asleep, 0, memory_order_acquire);
}

bool queue_needs_wake(queue *ring)
{
    atomic_thread_fence(memory_order_seq_cst);
    return atomic_load_explicit(&ring->asleep, memory_order_relaxed) != 0 &&
           atomic_exchange_explicit(&ring->asleep, 0, memory_order_release) != 0;
}

bool queue_check(const queue *ring)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    uint64_t base = ring->cached_head;
    return head - base <= ring->cached_tail - base && ring->cached_tail - base <= tail - base &&
           tail - base <= ring->mask + 1;
}
