/// message.c: the table behind message.h. Called by the transports, SchedulerWire and the daemon.
///
///     slot of a live message   the message's address (even)
///     slot of a free index     | next free index: 26 | generation: 6 | 1 |
///
/// Invariant: a slot is odd exactly when its index is free, and a live message's own `handle`
/// names its slot. Index 0 is never used.
#include "message.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "frame_head.h"

#define MESSAGE_SLOTS_MIN 256u
/// Composed messages up to this many bytes in all are pooled, and this many at most are kept.
#define COMPOSED_SIZE      1024u
#define COMPOSED_SPARE_MAX 4096u

/// A message of the scheduler's own: head, frames, bytes, in one allocation.
typedef struct composed {
    message head;
    message_table *table;
    struct composed *next; ///< in the pool
    size_t size;           ///< of the allocation
    message_frame frames[];
} composed;

struct message_table {
    message_table_view view; // first: the inline functions of message.h read it
    atoms *names;
    uint64_t bytes;
    uint32_t capacity;
    uint32_t first_free; ///< 0 when none
    uint32_t alive;
    uint32_t spare_count;
    composed *spare; ///< COMPOSED_SIZE each
};

static inline uintptr_t message_free_slot(uint32_t next, uint32_t generation)
{
    return ((uintptr_t)next << 7) | ((uintptr_t)generation << 1) | 1;
}

message_table *message_table_create(atoms *names)
{
    message_table *table = calloc(1, sizeof *table);
    if (!table)
        return NULL;
    table->names = names;
    table->capacity = MESSAGE_SLOTS_MIN;
    table->view.slots = malloc(MESSAGE_SLOTS_MIN * sizeof *table->view.slots);
    if (!table->view.slots) {
        free(table);
        return NULL;
    }
    table->view.slots[0] = message_free_slot(0, 0);
    table->view.slot_count = 1;
    return table;
}

void message_table_destroy(message_table *table)
{
    if (!table)
        return;
    assert(table->alive == 0 && "a message outlives its table");
    while (table->spare) {
        composed *each = table->spare;
        table->spare = each->next;
        free(each);
    }
    free(table->view.slots);
    free(table);
}

/// A free index and, in `*generation`, the one its next handle carries; 0 when there is none.
static uint32_t message_take_index(message_table *table, uint32_t *generation)
{
    uint32_t index = table->first_free;
    if (index) {
        uintptr_t slot = table->view.slots[index];
        table->first_free = (uint32_t)(slot >> 7);
        *generation = (uint32_t)(slot >> 1) & 63;
        return index;
    }
    *generation = 0;
    if (table->view.slot_count == table->capacity) {
        if (table->capacity == 1u << MESSAGE_INDEX_BITS)
            return 0;
        size_t capacity = (size_t)table->capacity * 2;
        uintptr_t *slots = realloc(table->view.slots, capacity * sizeof *slots);
        if (!slots)
            return 0;
        table->view.slots = slots;
        table->capacity = (uint32_t)capacity;
    }
    return table->view.slot_count++;
}

message_handle message_adopt(message_table *table, message *m)
{
    uint32_t generation;
    uint32_t index = message_take_index(table, &generation);
    if (!index)
        return MESSAGE_NONE;
    if (m->bytes == 0)
        for (uint32_t i = 0; i < m->frame_count; i++)
            m->bytes += m->frames[i].size;
    m->references = 1;
    m->handle = generation << MESSAGE_INDEX_BITS | index;
    table->view.slots[index] = (uintptr_t)m;
    table->bytes += m->bytes;
    table->alive++;
    return m->handle;
}

void message_end(message_table *table, message *m)
{
    uint32_t index = m->handle & ((1u << MESSAGE_INDEX_BITS) - 1);
    uint32_t generation = (m->handle >> MESSAGE_INDEX_BITS) + 1;
    table->view.slots[index] = message_free_slot(table->first_free, generation & 63);
    table->first_free = index;
    table->bytes -= m->bytes;
    table->alive--;
    if (m->origin != ATOM_NONE)
        atoms_release(table->names, m->origin);
    m->dispose(m);
}

static void message_dispose_composed(message *m)
{
    composed *self = (composed *)m;
    message_table *table = self->table;
    if (self->size != COMPOSED_SIZE || table->spare_count == COMPOSED_SPARE_MAX) {
        free(self);
        return;
    }
    self->next = table->spare;
    table->spare = self;
    table->spare_count++;
}

/// With frames that are not filled in.
static composed *take_composed(message_table *table, uint16_t count, size_t size)
{
    size_t head = sizeof(composed) + count * sizeof(message_frame);
    if (__builtin_add_overflow(size, head, &size))
        return NULL;
    composed *self;
    if (size <= COMPOSED_SIZE && table->spare) {
        self = table->spare;
        table->spare = self->next;
        table->spare_count--;
    } else {
        size = size < COMPOSED_SIZE ? COMPOSED_SIZE : size;
        self = malloc(size);
        if (!self)
            return NULL;
        self->size = size;
    }
    self->head = (message){
        .frames = self->frames, .dispose = message_dispose_composed, .frame_count = count};
    self->table = table;
    return self;
}

message *message_begin(message_table *table, uint16_t count, size_t size, uint8_t **bytes)
{
    composed *self = take_composed(table, count, size);
    if (!self)
        return NULL;
    memset(self->frames, 0, count * sizeof *self->frames);
    *bytes = (uint8_t *)(self->frames + count);
    return &self->head;
}

message *message_begin_wire(message_table *table, const message_opening *opening, size_t size,
                            uint8_t **bytes)
{
    size_t head_size = frame_head_size(size), whole;
    if (__builtin_add_overflow(opening->wire_size + head_size, size, &whole))
        return NULL;
    uint16_t count = opening->count;
    composed *self = take_composed(table, count + 1, whole);
    if (!self)
        return NULL;
    uint8_t *wire = (uint8_t *)(self->frames + count + 1), *last = wire + opening->wire_size;
    memcpy(wire, opening->wire, opening->wire_size);
    for (uint32_t i = 0; i < count; i++)
        self->frames[i] = (message_frame){wire + (opening->frames[i].data - opening->wire),
                                          opening->frames[i].size};
    last += frame_head_write(last, size, 0);
    self->frames[count] = (message_frame){last, size};
    self->head.wire = wire;
    *bytes = last;
    return &self->head;
}

message_handle message_compose(message_table *table, const message_frame *frames, uint16_t count)
{
    size_t size = 0;
    uint8_t *bytes;
    for (uint32_t i = 0; i < count; i++)
        if (__builtin_add_overflow(size, frames[i].size, &size))
            return MESSAGE_NONE;
    message *m = message_begin(table, count, size, &bytes);
    if (!m)
        return MESSAGE_NONE;
    for (uint32_t i = 0; i < count; i++) {
        if (frames[i].size)
            memcpy(bytes, frames[i].data, frames[i].size);
        m->frames[i] = (message_frame){bytes, frames[i].size};
        bytes += frames[i].size;
    }
    message_handle handle = message_adopt(table, m);
    if (handle == MESSAGE_NONE)
        m->dispose(m);
    return handle;
}

/// How far ahead a message is brought into the cache: long enough for it to arrive.
#define RELEASE_AHEAD 6u

void message_release_all(message_table *table, const message_handle *handles, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i + RELEASE_AHEAD < count)
            message_prefetch(table, handles[i + RELEASE_AHEAD]);
        message_release(table, handles[i]);
    }
}

uint32_t message_table_count(const message_table *table)
{
    return table->alive;
}

uint64_t message_table_bytes(const message_table *table)
{
    return table->bytes;
}
