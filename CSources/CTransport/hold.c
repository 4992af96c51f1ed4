/// hold.c: sends for engines that the hub has announced and that have not connected yet. Called by
/// the bodies' senders and by the turn's timer.
///
///     buckets[engine] -> queue -> queue          every queue is also in one ring, tried in turn
///                          first -> held -> held -> last
///
/// Invariant: a queue is never empty; `bytes` is the sum over all that is held; each held send owns
/// a reference of its message, of its prefix atoms and of its engine's atom.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "hold.h"

typedef struct held {
    struct held *next;
    uint64_t expires_ns;
    uint64_t bytes;
    transport_send send;
} held;

typedef struct held_queue {
    struct held_queue *bucket_next;
    struct held_queue *ring_next, *ring_previous;
    held *first, *last;
    atom engine;
} held_queue;

struct transport_hold {
    held_queue *buckets[HOLD_BUCKETS];
    held_queue *ring; ///< the next queue to be tried
    uint32_t queue_count;
    transport_hold_send send;
    uint64_t hold_ns, bytes_max, bytes;
    uint64_t retry_ns;                ///< the next try
    held *failed_first, *failed_last; ///< to be reported; only tag and engine are left of them
    held *lent;                       ///< reported by this turn: their atoms live until the next
};

/// A few dozen bytes: when not even they can be had there is nothing sensible left to do.
static void *allocate(size_t size)
{
    void *memory = calloc(1, size);
    if (!memory) {
        fputs("yardmaster: out of memory\n", stderr);
        abort();
    }
    return memory;
}

transport_hold *transport_hold_create(uint64_t hold_ns, uint64_t hold_bytes_max,
                                      transport_hold_send send)
{
    transport_hold *hold = calloc(1, sizeof *hold);
    if (hold) {
        hold->hold_ns = hold_ns;
        hold->bytes_max = hold_bytes_max;
        hold->send = send;
    }
    return hold;
}

static held_queue **slot_of(transport_hold *hold, atom engine)
{
    held_queue **slot = &hold->buckets[engine % HOLD_BUCKETS];
    while (*slot && (*slot)->engine != engine)
        slot = &(*slot)->bucket_next;
    return slot;
}

bool transport_hold_has(const transport_hold *hold, atom engine)
{
    return hold->queue_count > 0 && *slot_of((transport_hold *)(uintptr_t)hold, engine) != NULL;
}

static held_queue *queue_of(transport_hold *hold, atom engine)
{
    held_queue **slot = slot_of(hold, engine);
    if (*slot)
        return *slot;
    held_queue *queue = *slot = allocate(sizeof *queue);
    queue->engine = engine;
    if (hold->queue_count++ == 0) {
        hold->ring = queue->ring_next = queue->ring_previous = queue;
        hold->retry_ns = transport_now_ns() + HOLD_RETRY_NS;
        return queue;
    }
    queue->ring_next = hold->ring;
    queue->ring_previous = hold->ring->ring_previous;
    queue->ring_previous->ring_next = hold->ring->ring_previous = queue;
    return queue;
}

static void remove_queue(transport_hold *hold, held_queue *queue)
{
    *slot_of(hold, queue->engine) = queue->bucket_next;
    queue->ring_previous->ring_next = queue->ring_next;
    queue->ring_next->ring_previous = queue->ring_previous;
    if (hold->ring == queue)
        hold->ring = queue->ring_next;
    if (--hold->queue_count == 0)
        hold->ring = NULL;
    free(queue);
}

static held *pop(transport_hold *hold, held_queue *queue)
{
    held *item = queue->first;
    queue->first = item->next;
    item->next = NULL;
    hold->bytes -= item->bytes;
    return item;
}

/// Everything but the engine's atom.
static void release_content(transport *self, held *item)
{
    for (uint32_t i = 0; i < item->send.prefix_count; i++)
        atoms_release(self->names, item->send.prefix[i]);
    if (item->send.message != MESSAGE_NONE)
        message_release(self->messages, item->send.message);
}

static void release(transport *self, held *item)
{
    if (item->send.to != ATOM_NONE)
        atoms_release(self->names, item->send.to);
    free(item);
}

static void fail(transport *self, transport_hold *hold, held *item)
{
    release_content(self, item);
    self->counters.undeliverable++;
    if (hold->failed_last)
        hold->failed_last->next = item;
    else
        hold->failed_first = item;
    hold->failed_last = item;
}

static uint64_t bytes_of(const transport *self, const transport_send *send)
{
    uint64_t bytes = sizeof(held);
    if (send->message == MESSAGE_NONE)
        return bytes;
    const message *source = message_get(self->messages, send->message);
    for (uint32_t i = send->first_frame; i < source->frame_count; i++)
        bytes += source->frames[i].size;
    return bytes;
}

void transport_hold_append(transport *self, transport_hold *hold, const transport_send *send)
{
    held *item = allocate(sizeof *item);
    item->send = *send;
    item->bytes = bytes_of(self, send);
    if (send->to != ATOM_NONE)
        atoms_retain(self->names, send->to);
    for (uint32_t i = 0; i < send->prefix_count; i++)
        atoms_retain(self->names, send->prefix[i]);
    if (send->message != MESSAGE_NONE)
        message_retain(self->messages, send->message);
    if (hold->hold_ns == 0 || item->bytes > hold->bytes_max ||
        hold->bytes > hold->bytes_max - item->bytes) {
        fail(self, hold, item);
        return;
    }
    uint64_t now_ns = transport_now_ns();
    item->expires_ns = hold->hold_ns < UINT64_MAX - now_ns ? now_ns + hold->hold_ns : UINT64_MAX;
    held_queue *queue = queue_of(hold, send->to);
    if (queue->first)
        queue->last->next = item;
    else
        queue->first = item;
    queue->last = item;
    hold->bytes += item->bytes;
    self->counters.held++;
}

uint64_t transport_hold_deadline_ns(const transport_hold *hold)
{
    return hold->queue_count > 0 ? hold->retry_ns : UINT64_MAX;
}

/// Sends what can be sent now, gives up what has waited too long, from the front.
static void serve(transport *self, transport_hold *hold, held_queue *queue, uint64_t now_ns)
{
    while (queue->first && hold->send(self, &queue->first->send) == 0) {
        held *item = pop(hold, queue);
        release_content(self, item);
        release(self, item);
    }
    while (queue->first && queue->first->expires_ns <= now_ns)
        fail(self, hold, pop(hold, queue));
    if (!queue->first)
        remove_queue(hold, queue);
}

void transport_hold_serve(transport *self, transport_hold *hold, atom engine)
{
    if (transport_hold_has(hold, engine))
        serve(self, hold, *slot_of(hold, engine), 0);
}

void transport_hold_retry(transport *self, transport_hold *hold, uint64_t now_ns)
{
    uint32_t tries = hold->queue_count < HOLD_RETRIES_MAX ? hold->queue_count : HOLD_RETRIES_MAX;
    for (uint32_t i = 0; i < tries; i++) {
        held_queue *queue = hold->ring;
        hold->ring = queue->ring_next;
        serve(self, hold, queue, now_ns);
    }
    hold->retry_ns = now_ns + HOLD_RETRY_NS;
}

bool transport_hold_has_failed(const transport_hold *hold)
{
    return hold->failed_first != NULL;
}

uint32_t transport_hold_gather(transport_hold *hold, transport_event *events, uint32_t capacity)
{
    uint32_t count = 0;
    while (hold->failed_first && count < capacity) {
        held *item = hold->failed_first;
        hold->failed_first = item->next;
        if (!hold->failed_first)
            hold->failed_last = NULL;
        events[count++] = (transport_event){
            .kind = TRANSPORT_UNDELIVERABLE,
            .role = TRANSPORT_ENGINE,
            .peer = item->send.to,
            .tag = item->send.tag,
        };
        item->next = hold->lent;
        hold->lent = item;
    }
    return count;
}

void transport_hold_begin_turn(transport *self, transport_hold *hold)
{
    while (hold->lent) {
        held *item = hold->lent;
        hold->lent = item->next;
        release(self, item);
    }
}

void transport_hold_destroy(transport *self, transport_hold *hold)
{
    transport_hold_begin_turn(self, hold);
    while (hold->ring)
        serve(self, hold, hold->ring, UINT64_MAX);
    hold->lent = hold->failed_first;
    transport_hold_begin_turn(self, hold);
    free(hold);
}
