/// pool.h: memory of received messages, recycled by size. Called by native/block.c, zmq/pool.c and
/// message_release.
///
/// Sizes: every 64 bytes up to 1 KiB, then 8 steps a doubling up to 128 KiB; larger blocks are not
/// kept. Large frames have mapped *regions*, of which some are kept, too: their pages are there,
/// while those of a new one cost more than copying into them.
///
/// Invariant: a block is in exactly one place: in use (counted in `alive`) or in the free list of
/// its class; the pool itself lives until its owner has let go and `alive` is 0.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define POOL_FINE_CLASSES     16u
#define POOL_CLASSES          (POOL_FINE_CLASSES + 7u * 8u)
#define POOL_CLASS_NONE       UINT32_MAX
#define POOL_CLASSED_SIZE_MAX (128u << 10)
#define POOL_REGIONS_MAX      32u
/// Bytes of regions that are kept, in times of those of blocks.
#define POOL_REGIONS_SHARE 2u

/// What a block is while nobody uses it.
typedef struct pool_free_block {
    struct pool_free_block *next;
} pool_free_block;

/// Mapped memory; `capacity` is a number of pages.
typedef struct pool_region {
    uint8_t *data;
    size_t capacity;
} pool_region;

typedef struct transport_pool {
    pool_free_block *free[POOL_CLASSES];
    uint64_t kept_bytes, kept_bytes_max;
    pool_region regions[POOL_REGIONS_MAX]; ///< unused
    uint32_t region_count;
    uint64_t region_bytes;
    uint64_t alive;
    bool orphaned; ///< the transport was closed
} transport_pool;

/// NULL: out of memory.
transport_pool *transport_pool_create(uint64_t kept_bytes_max);
/// Frees what is unused now, and the rest when the last block in use is given back.
void transport_pool_destroy(transport_pool *);

/// A region that was kept, not cleared: the smallest that holds `wanted`, if it is not over twice
/// as large, else the largest that is smaller. False: there is none.
bool transport_pool_take_region(transport_pool *, uint64_t wanted, pool_region *out);
/// At least `capacity` bytes: mapped, or made larger by moving pages, not bytes. False: out of
/// memory, and nothing changed.
bool pool_region_grow(pool_region *, size_t capacity);
/// Keeps a region, or unmaps it.
void transport_pool_give_region(transport_pool *, pool_region);

static inline uint32_t pool_class_of(size_t size)
{
    if (size <= 1024)
        return size == 0 ? 0 : (uint32_t)((size - 1) / 64);
    if (size > POOL_CLASSED_SIZE_MAX)
        return POOL_CLASS_NONE;
    uint32_t exponent = 31u - (uint32_t)__builtin_clz((uint32_t)size - 1);
    return POOL_FINE_CLASSES + (exponent - 10) * 8 + (((uint32_t)size - 1) >> (exponent - 3)) - 8;
}

static inline size_t pool_class_size(uint32_t size_class)
{
    if (size_class < POOL_FINE_CLASSES)
        return (size_class + 1) * 64u;
    uint32_t exponent = 10 + (size_class - POOL_FINE_CLASSES) / 8;
    uint32_t step = (size_class - POOL_FINE_CLASSES) % 8 + 8;
    return (size_t)(step + 1) << (exponent - 3);
}

/// `size` bytes, not cleared; `size_class` is to be given back with them. NULL: out of memory.
static inline void *transport_pool_take(transport_pool *self, size_t size, uint32_t *size_class)
{
    *size_class = pool_class_of(size);
    pool_free_block *block = *size_class == POOL_CLASS_NONE ? NULL : self->free[*size_class];
    if (block) {
        self->free[*size_class] = block->next;
        __builtin_prefetch(block->next, 1); // it is next, and was last used long ago
        self->kept_bytes -= pool_class_size(*size_class);
    } else {
        block = malloc(*size_class == POOL_CLASS_NONE ? size : pool_class_size(*size_class));
        if (!block)
            return NULL;
    }
    self->alive++;
    return block;
}

/// The last one given back after `transport_pool_destroy` ends the pool.
static inline void transport_pool_give(transport_pool *self, void *memory, uint32_t size_class)
{
    pool_free_block *block = memory;
    size_t size = size_class == POOL_CLASS_NONE ? 0 : pool_class_size(size_class);
    self->alive--;
    if (size && !self->orphaned && self->kept_bytes + size <= self->kept_bytes_max) {
        block->next = self->free[size_class];
        self->free[size_class] = block;
        self->kept_bytes += size;
        return;
    }
    free(block);
    if (self->orphaned && self->alive == 0)
        free(self);
}
