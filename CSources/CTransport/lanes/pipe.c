/// pipe.c: see pipe.h. Called by front*.c and lane*.c, each for its side.
#include "pipe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAITING_MIN 64u

bool lane_pipe_open(lane_pipe *self, uint32_t size, int consumer_doorbell, int producer_doorbell)
{
    *self =
        (lane_pipe){.consumer_doorbell = consumer_doorbell, .producer_doorbell = producer_doorbell};
    self->ring = queue_create(sizeof(lane_record), size);
    return self->ring != NULL;
}

void lane_pipe_close(lane_pipe *self)
{
    if (self->ring)
        queue_destroy(self->ring);
    free(self->waiting);
    self->ring = NULL;
    self->waiting = NULL;
}

/// Nothing may be lost, and there is nobody to tell: as in hold.c.
static void grow(lane_pipe *self)
{
    uint32_t capacity = self->waiting_capacity ? self->waiting_capacity * 2 : WAITING_MIN;
    lane_record *waiting = malloc(capacity * sizeof *waiting);
    if (!waiting) {
        fputs("yardmaster: out of memory\n", stderr);
        abort();
    }
    for (uint32_t i = 0; i < self->waiting_count; i++)
        waiting[i] = self->waiting[(self->waiting_first + i) & (self->waiting_capacity - 1)];
    free(self->waiting);
    self->waiting = waiting;
    self->waiting_first = 0;
    self->waiting_capacity = capacity;
}

static lane_record *add_waiting(lane_pipe *self)
{
    if (self->waiting_count == self->waiting_capacity)
        grow(self);
    uint32_t at = self->waiting_first + self->waiting_count++;
    return &self->waiting[at & (self->waiting_capacity - 1)];
}

static void commit(lane_pipe *self)
{
    if (self->filled > 0) {
        if (self->finish)
            self->finish(self->finish_context, self->slots, self->filled);
        queue_commit(self->ring, self->filled);
    }
    self->filled = self->room = 0;
}

/// The next slot of the ring, or NULL.
static lane_record *next_slot(lane_pipe *self)
{
    if (self->filled == self->room) {
        commit(self);
        self->slots = queue_reserve(self->ring, LANE_PIPE_BATCH, &self->room);
        if (self->room == 0)
            return NULL;
    }
    return &self->slots[self->filled++];
}

lane_record *lane_pipe_add(lane_pipe *self)
{
    lane_record *record = self->waiting_count > 0 ? NULL : next_slot(self);
    if (!record)
        record = add_waiting(self);
    memset(record, 0, offsetof(lane_record, send));
    return record;
}

/// True when something moved.
static bool move_waiting(lane_pipe *self)
{
    bool moved = false;
    while (self->waiting_count > 0) {
        lane_record *slot = next_slot(self);
        if (!slot)
            break;
        *slot = self->waiting[self->waiting_first];
        self->waiting_first = (self->waiting_first + 1) & (self->waiting_capacity - 1);
        self->waiting_count--;
        moved = true;
    }
    return moved;
}

bool lane_pipe_publish(lane_pipe *self)
{
    bool moved = move_waiting(self);
    commit(self);
    return moved;
}

void lane_pipe_wake(lane_pipe *self)
{
    if (queue_needs_wake(self->ring))
        lane_doorbell_ring(self->consumer_doorbell);
}

bool lane_pipe_may_sleep(lane_pipe *self)
{
    if (self->waiting_count == 0)
        return true;
    atomic_store_explicit(&self->wants_room, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    if (!move_waiting(self))
        return true;
    atomic_store_explicit(&self->wants_room, 0, memory_order_relaxed);
    commit(self);
    lane_pipe_wake(self);
    return false;
}

lane_record *lane_pipe_peek(lane_pipe *self, uint32_t *count)
{
    // A slot is the consumer's alone until it is released.
    return (lane_record *)(uintptr_t)queue_peek(self->ring, UINT32_MAX, count);
}

void lane_pipe_release(lane_pipe *self, uint32_t count)
{
    queue_release(self->ring, count);
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&self->wants_room, memory_order_relaxed) != 0 &&
        atomic_exchange_explicit(&self->wants_room, 0, memory_order_relaxed) != 0)
        lane_doorbell_ring(self->producer_doorbell);
}

bool lane_pipe_take_rest(lane_pipe *self, lane_record *out)
{
    if (queue_pop(self->ring, out, 1) == 1)
        return true;
    if (self->waiting_count == 0)
        return false;
    *out = self->waiting[self->waiting_first];
    self->waiting_first = (self->waiting_first + 1) & (self->waiting_capacity - 1);
    self->waiting_count--;
    return true;
}

void lane_doorbell_ring(int fd)
{
    // A counter that is full has been rung.
    uint64_t one = 1;
    ssize_t written = write(fd, &one, sizeof one);
    (void)written;
}

void lane_doorbell_answer(int fd)
{
    uint64_t count;
    ssize_t got = read(fd, &count, sizeof count);
    (void)got;
}
