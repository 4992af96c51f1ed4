/// output.c: see output.h.
#include "output.h"

#include <stdlib.h>
#include <string.h>

#define SEGMENTS_MIN 8u
/// A send takes 32 bits of size.
#define VECTOR_SIZE_MAX (1u << 30)

static native_chunk *chunk_take(native_chunks *pool, size_t size)
{
    native_chunk *chunk = pool->free;
    if (size <= NATIVE_CHUNK_SIZE && chunk) {
        pool->free = chunk->next_free;
        pool->free_count--;
    } else {
        size_t capacity = size > NATIVE_CHUNK_SIZE ? size : NATIVE_CHUNK_SIZE;
        chunk = capacity <= UINT32_MAX ? malloc(sizeof *chunk + capacity) : NULL;
        if (!chunk)
            return NULL;
        chunk->capacity = (uint32_t)capacity;
    }
    chunk->used = 0;
    chunk->segments = 1;
    return chunk;
}

static void chunk_release(native_chunks *pool, native_chunk *chunk)
{
    if (--chunk->segments > 0)
        return;
    if (chunk->capacity != NATIVE_CHUNK_SIZE || pool->free_count >= NATIVE_CHUNKS_KEPT_MAX) {
        free(chunk);
        return;
    }
    chunk->next_free = pool->free;
    pool->free = chunk;
    pool->free_count++;
}

void native_chunks_free(native_chunks *pool)
{
    while (pool->free) {
        native_chunk *chunk = pool->free;
        pool->free = chunk->next_free;
        free(chunk);
    }
    pool->free_count = 0;
}

static native_segment *segment_at(const native_output *self, uint32_t index)
{
    return &self->ring[(self->first + index) & (self->capacity - 1)];
}

static bool push(native_output *self, native_segment segment)
{
    if (self->count == self->capacity) {
        uint32_t capacity = self->capacity ? self->capacity * 2 : SEGMENTS_MIN;
        native_segment *ring = malloc(capacity * sizeof *ring);
        if (!ring)
            return false;
        for (uint32_t i = 0; i < self->count; i++)
            ring[i] = *segment_at(self, i);
        free(self->ring);
        self->ring = ring;
        self->first = 0;
        self->capacity = capacity;
    }
    self->count++;
    *segment_at(self, self->count - 1) = segment;
    self->open = NULL; // it was another one, or lay in a smaller ring
    return true;
}

/// The tail chunk with room for `size` more, or a new one. A frame may be split between chunks only
/// by native_output_copy.
static native_chunk *tail_for(native_output *self, native_chunks *pool, size_t size)
{
    native_chunk *tail = self->tail;
    if (tail && tail->capacity - tail->used >= size)
        return tail;
    native_chunk *chunk = chunk_take(pool, size);
    if (!chunk)
        return NULL;
    if (tail)
        chunk_release(pool, tail);
    self->tail = chunk;
    self->open = NULL;
    return chunk;
}

/// Makes the next `size` bytes of the tail part of the queue.
static uint8_t *extend(native_output *self, native_chunk *tail, size_t size)
{
    uint8_t *bytes = tail->bytes + tail->used;
    if (self->open) {
        self->open->size += size;
    } else {
        if (!push(self, (native_segment){.data = bytes, .size = size, .chunk = tail}))
            return NULL;
        tail->segments++;
        self->open = segment_at(self, self->count - 1);
    }
    tail->used += (uint32_t)size;
    self->bytes += size;
    return bytes;
}

uint8_t *native_output_reserve_anew(native_output *self, native_chunks *pool, size_t size)
{
    native_chunk *tail = tail_for(self, pool, size);
    return tail ? extend(self, tail, size) : NULL;
}

bool native_output_copy(native_output *self, native_chunks *pool, const void *data, size_t size)
{
    const uint8_t *from = data;
    while (size > 0) {
        native_chunk *tail = tail_for(self, pool, 1);
        if (!tail)
            return false;
        size_t room = tail->capacity - tail->used;
        size_t part = size < room ? size : room;
        uint8_t *to = extend(self, tail, part);
        if (!to)
            return false;
        memcpy(to, from, part);
        from += part;
        size -= part;
    }
    return true;
}

bool native_output_refer(native_output *self, message_table *messages, message_handle message,
                         const uint8_t *data, size_t size)
{
    if (!push(self, (native_segment){.data = data, .size = size, .message = message}))
        return false;
    message_retain(messages, message);
    self->bytes += size;
    return true;
}

static bool seal_frame(native_output *self, native_chunks *pool, native_mechanism *mechanism,
                       uint8_t flags, native_bytes body)
{
    size_t size = body.size + mechanism->ops->seal_overhead;
    // The inner flags say MORE and COMMAND; outside, every sealed frame is a message of its own.
    uint8_t head[FRAME_HEAD_SIZE_MAX];
    size_t head_size = frame_head_write(head, size, 0);
    uint8_t *out = native_output_reserve(self, pool, head_size + size);
    if (!out)
        return false;
    memcpy(out, head, head_size);
    mechanism->ops->seal(mechanism, flags, body, out + head_size);
    return true;
}

bool native_output_frame(native_output *self, native_chunks *pool, message_table *messages,
                         native_mechanism *mechanism, uint8_t flags, native_bytes body,
                         message_handle source)
{
    if (mechanism->ops->seal)
        return seal_frame(self, pool, mechanism, flags, body);
    uint8_t head[FRAME_HEAD_SIZE_MAX];
    size_t head_size = frame_head_write(head, body.size, flags);
    if (!native_output_copy(self, pool, head, head_size))
        return false;
    if (source == MESSAGE_NONE || body.size <= NATIVE_COPY_SIZE_MAX)
        return native_output_copy(self, pool, body.data, body.size);
    return native_output_refer(self, messages, source, body.data, body.size);
}

uint32_t native_output_vectors(const native_output *self, struct iovec *vectors, uint32_t capacity)
{
    uint32_t count = self->count < capacity ? self->count : capacity;
    for (uint32_t i = 0; i < count; i++) {
        const native_segment *segment = segment_at(self, i);
        vectors[i] = (struct iovec){(void *)(uintptr_t)segment->data, (size_t)segment->size};
        if (segment->size > VECTOR_SIZE_MAX) {
            vectors[i].iov_len = VECTOR_SIZE_MAX;
            return i + 1;
        }
    }
    return count;
}

static void drop_first(native_output *self, native_chunks *pool, message_table *messages)
{
    native_segment segment = *segment_at(self, 0);
    if (self->count == 1)
        self->open = NULL;
    self->first = (self->first + 1) & (self->capacity - 1);
    self->count--;
    self->bytes -= segment.size;
    if (segment.chunk)
        chunk_release(pool, segment.chunk);
    else
        message_release(messages, segment.message);
}

static void let_go_of_tail(native_output *self, native_chunks *pool)
{
    if (self->count > 0)
        return;
    if (self->tail)
        chunk_release(pool, self->tail);
    self->tail = NULL;
    self->messages = 0;
}

void native_output_advance(native_output *self, native_chunks *pool, message_table *messages,
                           uint64_t size)
{
    while (size > 0) {
        native_segment *first = segment_at(self, 0);
        if (size < first->size) {
            first->data += size;
            first->size -= size;
            self->bytes -= size;
            return;
        }
        size -= first->size;
        drop_first(self, pool, messages);
    }
    let_go_of_tail(self, pool);
}

void native_output_free(native_output *self, native_chunks *pool, message_table *messages)
{
    while (self->count > 0)
        drop_first(self, pool, messages);
    let_go_of_tail(self, pool);
    free(self->ring);
    *self = (native_output){0};
}
