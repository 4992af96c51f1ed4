/// pipe.h: a ring of records (queue.h) that never loses one and never makes its producer wait: what
/// the ring has no room for stands in the producer's own list until there is. Internal to lanes/.
///
///     producer   waiting (list) --> ring -- peek, release -->   consumer
///                <-- the consumer's doorbell         the producer's doorbell -->
///
/// Both sides may sleep in their reactor, on their doorbell, an eventfd.
///  - The consumer sleeps when the ring is empty: queue.h's protocol.
///  - The producer sleeps with a list that does not fit: the mirror image. It writes wants_room,
///    fences, and looks for room once more; the consumer gives slots back, fences, and looks at
///    wants_room. The fences stand in one order, so at least one of the two finds what the other
///    wrote: the producer finds room, or the consumer rings. (queue.h has the argument in full;
///    here, too, an exchange takes the 1, so one ring answers one sleep.)
///
/// Two pipes between two threads cannot end in both waiting for the other: neither ever waits for
/// room while there is something to read.
///
/// Invariant: records arrive in the order in which they were added; the list is empty or the ring
/// was full when it was last looked at.
#pragma once
#include <stdatomic.h>

#include "queue.h"
#include "record.h"

/// Records published at once, at most: their slots are filled before the consumer sees the first.
#define LANE_PIPE_BATCH 64u
/// Records in a ring: half a MiB each way for each lane.
#define LANE_PIPE_SIZE 4096u

typedef struct lane_pipe {
    queue *ring;
    int consumer_doorbell, producer_doorbell;
    // The producer's.
    _Alignas(128) lane_record *slots; ///< reserved
    uint32_t room, filled;
    /// NULL, or called with records that are complete, before the consumer sees them.
    void (*finish)(void *context, lane_record *records, uint32_t count);
    void *finish_context;
    lane_record *waiting; ///< a ring of its own
    uint32_t waiting_first, waiting_count, waiting_capacity;
    // Both's.
    _Alignas(128) _Atomic uint32_t wants_room; ///< 1 by the producer, 0 by both
} lane_pipe;

/// The doorbells stay the caller's. False: out of memory.
bool lane_pipe_open(lane_pipe *, uint32_t size, int consumer_doorbell, int producer_doorbell);
/// Both sides have ended, and everything has been taken.
void lane_pipe_close(lane_pipe *);

/// Producer. The next record, zeroed but for its union, to be filled in before the next call.
lane_record *lane_pipe_add(lane_pipe *);
/// Producer. The consumer sees everything that was added, as far as there is room. True: some of it
/// had waited for room.
bool lane_pipe_publish(lane_pipe *);
/// Producer. Wakes the consumer if it sleeps.
void lane_pipe_wake(lane_pipe *);
/// Producer. True while records wait for room: add no more than must be.
static inline bool lane_pipe_is_full(const lane_pipe *self)
{
    return self->waiting_count > 0;
}
/// Producer, before it sleeps: false when there was room after all, and something moved.
bool lane_pipe_may_sleep(lane_pipe *);

/// Consumer. The oldest records, contiguous; 0: none. They are the consumer's, which may write to
/// them, until it gives them back.
lane_record *lane_pipe_peek(lane_pipe *, uint32_t *count);
/// Consumer. Gives back the first `count`, and wakes a producer that waits for room.
void lane_pipe_release(lane_pipe *, uint32_t count);

/// When both sides have ended: the oldest record that was never read, or NULL.
bool lane_pipe_take_rest(lane_pipe *, lane_record *out);

/// An eventfd's bell: rung by anyone, answered by its owner.
void lane_doorbell_ring(int fd);
void lane_doorbell_answer(int fd);
