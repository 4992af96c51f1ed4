/// assembly.c: see assembly.h.
#include "assembly.h"

#include <stdlib.h>
#include <string.h>

#define SMALL_CAPACITY_MIN 4096u
/// More than this goes back to the pool after a message.
#define SMALL_CAPACITY_KEPT (16u << 10)
#define PARTS_MIN           16u
#define PARTS_KEPT          256u
/// Fewer bytes are copied for less than a receive of their own costs.
#define ROOM_SIZE_MIN (32u << 10)

static const char NO_MEMORY[] = "needs more memory than there is";

native_assembly *native_assembly_create(transport_pool *pool)
{
    native_assembly *self = calloc(1, sizeof *self);
    if (self)
        self->pool = pool;
    return self;
}

static void give_small(native_assembly *self)
{
    if (self->small)
        transport_pool_give(self->pool, self->small, self->small_class);
    self->small = NULL;
    self->small_capacity = 0;
}

void native_assembly_reset(native_assembly *self)
{
    for (uint32_t i = 0; i < self->large_count; i++)
        native_large_free(&self->large[i], self->pool);
    if (self->small_capacity > SMALL_CAPACITY_KEPT)
        give_small(self);
    if (self->part_capacity > PARTS_KEPT) {
        free(self->parts);
        self->parts = NULL;
        self->part_capacity = 0;
    }
    self->large_count = self->part_count = 0;
    self->small_used = 0;
    self->announced = self->taken = 0;
    self->head_size = 0;
    self->in_body = self->is_large = self->dropping = false;
}

void native_assembly_destroy(native_assembly *self)
{
    if (!self)
        return;
    native_assembly_reset(self);
    give_small(self);
    free(self->parts);
    free(self->large);
    free(self);
}

static bool reserve_small(native_assembly *self, size_t more)
{
    size_t wanted = self->small_used + more;
    if (wanted <= self->small_capacity)
        return true;
    size_t capacity = self->small_capacity ? self->small_capacity : SMALL_CAPACITY_MIN;
    while (capacity < wanted)
        capacity *= 2;
    uint32_t size_class;
    uint8_t *small = transport_pool_take(self->pool, capacity, &size_class);
    if (!small)
        return false;
    if (self->small_used > 0)
        memcpy(small, self->small, self->small_used);
    give_small(self);
    self->small = small;
    self->small_class = size_class;
    self->small_capacity = capacity;
    return true;
}

static bool add_large(native_assembly *self)
{
    if (self->large_count == self->large_capacity) {
        uint32_t capacity = self->large_capacity ? self->large_capacity * 2 : 4;
        native_large *large = realloc(self->large, capacity * sizeof *large);
        if (!large)
            return false;
        self->large = large;
        self->large_capacity = capacity;
    }
    self->large[self->large_count++] = (native_large){0};
    return true;
}

static bool add_part(native_assembly *self, native_part part)
{
    if (self->part_count == self->part_capacity) {
        uint32_t capacity = self->part_capacity ? self->part_capacity * 2 : PARTS_MIN;
        native_part *parts = realloc(self->parts, capacity * sizeof *parts);
        if (!parts)
            return false;
        self->parts = parts;
        self->part_capacity = capacity;
    }
    self->parts[self->part_count++] = part;
    return true;
}

/// Whether the frame's body is thrown away unread. Commands are always looked at.
static bool skips(const native_assembly *self)
{
    return self->dropping && !self->sealed && !(self->frame.flags & FRAME_COMMAND);
}

/// What the frame adds to its message: a seal does not count.
static uint64_t size_within(const native_assembly *self, const native_mechanism *mechanism)
{
    uint64_t overhead = mechanism ? mechanism->ops->seal_overhead : 0;
    return self->frame.size > overhead ? self->frame.size - overhead : 0;
}

static const char *begin_body(native_assembly *self, const native_mechanism *mechanism,
                              const native_sizes *sizes)
{
    uint64_t size = size_within(self, mechanism);
    if (self->frame.flags & FRAME_COMMAND) {
        if (self->frame.size > NATIVE_COMMAND_SIZE_MAX)
            return "sent a command of 64 KiB or more";
        if (size > sizes->frame_bytes_max)
            return "sent a frame larger than allowed";
    } else {
        if (size > sizes->frame_bytes_max)
            return "sent a frame larger than allowed";
        if (size > sizes->message_bytes_max - self->announced)
            return "sent a message larger than allowed";
        self->announced += size;
    }
    self->in_body = true;
    self->received = 0;
    self->is_large = self->frame.size >= NATIVE_LARGE_SIZE_MIN && !skips(self);
    if (self->is_large && !add_large(self))
        return NO_MEMORY;
    return NULL;
}

/// As many bytes of the head as are needed, and no more.
static native_read take_head(native_assembly *self, const native_mechanism *mechanism,
                             const native_sizes *sizes, native_bytes in)
{
    size_t wanted = self->head_size > 0 && (self->head[0] & FRAME_LONG) ? 9 : 2;
    size_t used = 0;
    while (used < in.size && self->head_size < wanted) {
        self->head[self->head_size++] = in.data[used++];
        wanted = self->head[0] & FRAME_LONG ? 9 : 2;
    }
    native_read head = native_head_read(self->head, self->head_size, &self->frame);
    if (!head.reason && head.used > 0) {
        self->head_size = 0;
        head.reason = begin_body(self, mechanism, sizes);
    }
    return (native_read){used, head.reason};
}

/// Room for all of a small frame at once: its announced size is not worth a second look.
static bool reserve_body(native_assembly *self)
{
    return self->is_large || reserve_small(self, (size_t)self->frame.size - (size_t)self->received);
}

static const char *take_body(native_assembly *self, const uint8_t *data, size_t size)
{
    if (size == 0 || skips(self))
        return NULL;
    if (!reserve_body(self))
        return NO_MEMORY;
    if (!self->is_large) {
        memcpy(self->small + self->small_used, data, size);
        self->small_used += size;
        return NULL;
    }
    native_large *large = &self->large[self->large_count - 1];
    size_t at = (size_t)self->received;
    while (size > 0) {
        // What is there is used up first: `data` may lie in it, and it may move.
        if (at == large->capacity && !native_large_reserve(large, self->pool, at, self->frame.size))
            return NO_MEMORY;
        size_t room = large->capacity - at < size ? large->capacity - at : size;
        if (data != large->data + at) // or they were received there
            memcpy(large->data + at, data, room);
        at += room;
        data += room;
        size -= room;
    }
    return NULL;
}

/// A sealed frame of a message that is being dropped.
static void drop_frame(native_assembly *self)
{
    self->taken -= self->frame.size;
    if (self->is_large)
        native_large_free(&self->large[--self->large_count], self->pool);
    else
        self->small_used -= (size_t)self->frame.size;
}

/// `sealed`: where the frame's body lies, all of it, if it was not taken in; else NULL.
static const char *end_frame(native_assembly *self, native_mechanism *mechanism,
                             uint32_t frames_max, const uint8_t *sealed, native_assembled *what,
                             native_bytes *command)
{
    self->in_body = false;
    uint8_t flags = self->frame.flags;
    if (skips(self)) {
        if (!(flags & FRAME_MORE))
            *what = NATIVE_ASSEMBLED_DROPPED;
        return NULL;
    }
    uint8_t *body = self->is_large ? self->large[self->large_count - 1].data
                                   : self->small + self->small_used - self->frame.size;
    native_bytes plain = {body, (size_t)self->frame.size};
    if (mechanism) {
        const char *reason = mechanism->ops->open(mechanism, sealed ? sealed : body,
                                                  (size_t)self->frame.size, body, &plain, &flags);
        if (reason)
            return reason;
    }
    if (flags & FRAME_COMMAND) {
        *command = plain;
        *what = NATIVE_ASSEMBLED_COMMAND;
        // Its bytes stay where they are until something is written behind them.
        if (self->is_large)
            return "sent a command of 64 KiB or more";
        self->small_used -= (size_t)self->frame.size;
        self->taken -= self->frame.size;
        return NULL;
    }
    if (self->dropping) {
        drop_frame(self);
    } else if (self->part_count == frames_max) {
        native_assembly_reset(self);
        self->dropping = true;
    } else {
        const uint8_t *base = self->is_large ? body : self->small;
        native_part part = {.offset = plain.size ? (size_t)(plain.data - base) : 0,
                            .size = plain.size,
                            .large = self->is_large ? self->large_count : 0};
        if (!add_part(self, part))
            return NO_MEMORY;
    }
    if (!(flags & FRAME_MORE))
        *what = self->dropping ? NATIVE_ASSEMBLED_DROPPED : NATIVE_ASSEMBLED_MESSAGE;
    return NULL;
}

native_read native_assembly_feed(native_assembly *self, native_mechanism *mechanism,
                                 const native_sizes *sizes, native_bytes in, native_assembled *what,
                                 native_bytes *command)
{
    native_read result = {0, NULL};
    *what = NATIVE_ASSEMBLED_NOTHING;
    self->sealed = mechanism != NULL;
    if (!self->in_body)
        result = take_head(self, mechanism, sizes, in);
    if (result.reason || !self->in_body)
        return result;
    uint64_t missing = self->frame.size - self->received;
    size_t size = in.size - result.used < missing ? in.size - result.used : (size_t)missing;
    const uint8_t *data = in.data + result.used, *sealed = NULL;
    if (mechanism && !self->is_large && size == self->frame.size) {
        // It is opened from where it lies: no copy.
        sealed = data;
        result.reason = reserve_body(self) ? NULL : NO_MEMORY;
        self->small_used += size;
    } else {
        result.reason = take_body(self, data, size);
    }
    result.used += size;
    self->received += size;
    self->taken += skips(self) ? 0 : size;
    if (!result.reason && self->received == self->frame.size)
        result.reason = end_frame(self, mechanism, sizes->frames_max, sealed, what, command);
    return result;
}

reactor_room native_assembly_room(native_assembly *self)
{
    if (!self->in_body)
        return (reactor_room){0};
    uint64_t missing = self->frame.size - self->received;
    if (!self->is_large)
        return (reactor_room){NULL, self->frame.size >= REACTOR_BUFFER_SIZE_MIN ? missing : 0};
    native_large *large = &self->large[self->large_count - 1];
    size_t at = (size_t)self->received;
    if (missing < ROOM_SIZE_MIN)
        return (reactor_room){0};
    if (large->capacity - at < ROOM_SIZE_MIN &&
        !native_large_reserve(large, self->pool, at, self->frame.size))
        return (reactor_room){0}; // whoever copies says so
    size_t left = large->capacity - at;
    return (reactor_room){large->data + at, left < missing ? left : (size_t)missing};
}

native_block *native_assembly_build(native_assembly *self)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < self->part_count; i++)
        bytes += self->parts[i].large ? 0 : self->parts[i].size;
    native_block *block = native_block_take(self->pool, self->part_count, bytes);
    if (!block)
        return NULL;
    uint8_t *at = native_block_bytes(block);
    for (uint32_t i = 0; i < self->part_count; i++) {
        native_part part = self->parts[i];
        block->head.bytes += part.size;
        if (part.large) {
            const uint8_t *data = self->large[part.large - 1].data + part.offset;
            block->head.frames[i] = (message_frame){data, part.size};
            continue;
        }
        if (part.size)
            memcpy(at, self->small + part.offset, part.size);
        block->head.frames[i] = (message_frame){at, part.size};
        at += part.size;
    }
    if (self->large_count > 0) {
        block->large = self->large;
        block->large_count = self->large_count;
        self->large = NULL;
        self->large_count = self->large_capacity = 0;
    }
    native_assembly_reset(self);
    return block;
}
