/// block.c: see block.h.
#include "block.h"

#include <stdlib.h>
#include <string.h>

/// From here on memory is mapped, so that it grows without a copy.
#define MAPPED_SIZE_MIN (1u << 20)

native_block *native_block_take(transport_pool *pool, uint32_t frame_count, size_t bytes)
{
    size_t size = sizeof(native_block) + frame_count * sizeof(message_frame) + bytes;
    uint32_t size_class;
    native_block *block = transport_pool_take(pool, size, &size_class);
    if (!block)
        return NULL;
    *block = (native_block){
        .head = {.frames = (message_frame *)(block + 1),
                 .dispose = native_block_dispose,
                 .frame_count = (uint16_t)frame_count,
                 .body = TRANSPORT_BODY_NATIVE},
        .pool = pool,
        .size_class = size_class,
    };
    return block;
}

void native_block_dispose(message *head)
{
    native_block *block = (native_block *)head;
    for (uint32_t i = 0; i < block->large_count; i++)
        native_large_free(&block->large[i], block->pool);
    free(block->large);
    transport_pool_give(block->pool, block, block->size_class);
}

static bool is_mapped(const native_large *self)
{
    return self->capacity >= MAPPED_SIZE_MIN;
}

/// From malloc's memory to a region, with the first `used` bytes.
static bool move_to_region(native_large *self, size_t used, size_t capacity)
{
    pool_region region = {0};
    if (!pool_region_grow(&region, capacity))
        return false;
    if (used > 0)
        memcpy(region.data, self->data, used);
    free(self->data);
    *self = region;
    return true;
}

bool native_large_reserve(native_large *self, transport_pool *pool, size_t used, uint64_t wanted)
{
    if (wanted <= self->capacity)
        return true;
    if (!self->data && wanted >= MAPPED_SIZE_MIN && transport_pool_take_region(pool, wanted, self))
        return true;
    uint64_t ahead = used / 4 > NATIVE_LARGE_STEP ? used / 4 : NATIVE_LARGE_STEP;
    uint64_t capacity = wanted - used > ahead ? used + ahead : wanted;
    if (capacity <= self->capacity)
        return true; // enough for now
    if (is_mapped(self))
        return pool_region_grow(self, capacity);
    if (capacity >= MAPPED_SIZE_MIN)
        return move_to_region(self, used, capacity);
    uint8_t *data = realloc(self->data, capacity);
    if (!data)
        return false;
    *self = (native_large){data, capacity};
    return true;
}

void native_large_free(native_large *self, transport_pool *pool)
{
    if (is_mapped(self))
        transport_pool_give_region(pool, *self);
    else
        free(self->data);
    *self = (native_large){0};
}
