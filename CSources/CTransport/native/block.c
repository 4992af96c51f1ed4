/// block.c: see block.h.
#include "block.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/// Classes: every 64 bytes up to 1 KiB, then 8 steps a doubling up to 128 KiB; larger blocks are
/// not kept.
#define FINE_CLASSES     16u
#define CLASSES          (FINE_CLASSES + 7u * 8u)
#define CLASS_NONE       UINT32_MAX
#define CLASSED_SIZE_MAX (128u << 10)
/// From here on memory is mapped, so that it grows without a copy.
#define MAPPED_SIZE_MIN (1u << 20)

struct native_pool {
    native_block *free[CLASSES];
    uint64_t kept_bytes;
    uint64_t alive;
    bool orphaned; ///< the transport was closed
};

static uint32_t class_of(size_t size)
{
    if (size <= 1024)
        return (uint32_t)((size - 1) / 64);
    if (size > CLASSED_SIZE_MAX)
        return CLASS_NONE;
    uint32_t exponent = 31u - (uint32_t)__builtin_clz((uint32_t)size - 1);
    return FINE_CLASSES + (exponent - 10) * 8 + (((uint32_t)size - 1) >> (exponent - 3)) - 8;
}

static size_t class_size(uint32_t size_class)
{
    if (size_class < FINE_CLASSES)
        return (size_class + 1) * 64u;
    uint32_t exponent = 10 + (size_class - FINE_CLASSES) / 8;
    uint32_t step = (size_class - FINE_CLASSES) % 8 + 8;
    return (size_t)(step + 1) << (exponent - 3);
}

native_pool *native_pool_create(void)
{
    return calloc(1, sizeof(native_pool));
}

void native_pool_destroy(native_pool *pool)
{
    for (uint32_t i = 0; i < CLASSES; i++) {
        while (pool->free[i]) {
            native_block *block = pool->free[i];
            pool->free[i] = block->next;
            free(block);
        }
    }
    pool->kept_bytes = 0;
    pool->orphaned = true;
    if (pool->alive == 0)
        free(pool);
}

native_block *native_block_take(native_pool *pool, uint32_t frame_count, size_t bytes)
{
    size_t size = sizeof(native_block) + frame_count * sizeof(message_frame) + bytes;
    uint32_t size_class = class_of(size);
    native_block *block = size_class == CLASS_NONE ? NULL : pool->free[size_class];
    if (block) {
        pool->free[size_class] = block->next;
        pool->kept_bytes -= class_size(size_class);
    } else {
        block = malloc(size_class == CLASS_NONE ? size : class_size(size_class));
        if (!block)
            return NULL;
    }
    *block = (native_block){
        .head = {.frames = (message_frame *)(block + 1),
                 .dispose = native_block_dispose,
                 .frame_count = (uint16_t)frame_count,
                 .body = TRANSPORT_BODY_NATIVE},
        .pool = pool,
        .size_class = size_class,
    };
    pool->alive++;
    return block;
}

void native_block_dispose(message *head)
{
    native_block *block = (native_block *)head;
    native_pool *pool = block->pool;
    for (uint32_t i = 0; i < block->large_count; i++)
        native_large_free(&block->large[i]);
    free(block->large);
    pool->alive--;
    size_t size = block->size_class == CLASS_NONE ? 0 : class_size(block->size_class);
    if (size && !pool->orphaned && pool->kept_bytes + size <= NATIVE_POOL_KEPT_BYTES_MAX) {
        block->next = pool->free[block->size_class];
        pool->free[block->size_class] = block;
        pool->kept_bytes += size;
        return;
    }
    free(block);
    if (pool->orphaned && pool->alive == 0)
        free(pool);
}

static bool is_mapped(const native_large *self)
{
    return self->capacity >= MAPPED_SIZE_MIN;
}

/// Mapped memory grows by moving pages, not bytes.
static uint8_t *map(native_large *self, size_t capacity)
{
    void *data = is_mapped(self) ? mremap(self->data, self->capacity, capacity, MREMAP_MAYMOVE)
                                 : mmap(NULL, capacity, PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return data == MAP_FAILED ? NULL : data;
}

bool native_large_reserve(native_large *self, size_t used, uint64_t wanted)
{
    if (wanted <= self->capacity)
        return true;
    uint64_t ahead = used / 4 > NATIVE_LARGE_STEP ? used / 4 : NATIVE_LARGE_STEP;
    uint64_t capacity = wanted - used > ahead ? used + ahead : wanted;
    if (capacity <= self->capacity)
        return true; // enough for now
    uint8_t *data = NULL;
    if (capacity < MAPPED_SIZE_MIN) {
        data = realloc(self->data, capacity);
    } else {
        capacity = (capacity + 4095) & ~(uint64_t)4095;
        data = map(self, capacity);
        if (data && self->data && !is_mapped(self)) {
            memcpy(data, self->data, used);
            free(self->data);
        }
    }
    if (!data)
        return false;
    *self = (native_large){data, capacity};
    return true;
}

void native_large_free(native_large *self)
{
    if (is_mapped(self))
        munmap(self->data, self->capacity);
    else
        free(self->data);
    *self = (native_large){0};
}
