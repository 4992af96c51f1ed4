/// pool.c: see pool.h.
#include "pool.h"

#include <sys/mman.h>

/// What `capacity` is a multiple of; larger pages only map more.
#define PAGE_BYTES 4096u

transport_pool *transport_pool_create(uint64_t kept_bytes_max)
{
    transport_pool *self = calloc(1, sizeof *self);
    if (self)
        self->kept_bytes_max = kept_bytes_max;
    return self;
}

void transport_pool_destroy(transport_pool *self)
{
    for (uint32_t i = 0; i < POOL_CLASSES; i++) {
        while (self->free[i]) {
            pool_free_block *block = self->free[i];
            self->free[i] = block->next;
            free(block);
        }
    }
    for (uint32_t i = 0; i < self->region_count; i++)
        munmap(self->regions[i].data, self->regions[i].capacity);
    self->region_count = 0;
    self->region_bytes = self->kept_bytes = 0;
    self->orphaned = true;
    if (self->alive == 0)
        free(self);
}

/// The better of two for `wanted`: the first may be NULL.
static const pool_region *better(const pool_region *a, const pool_region *b, uint64_t wanted)
{
    if (b->capacity / 2 > wanted)
        return a;
    if (!a)
        return b;
    bool a_holds = a->capacity >= wanted, b_holds = b->capacity >= wanted;
    if (a_holds != b_holds)
        return a_holds ? a : b;
    return (a->capacity < b->capacity) == a_holds ? a : b;
}

bool transport_pool_take_region(transport_pool *self, uint64_t wanted, pool_region *out)
{
    const pool_region *best = NULL;
    for (uint32_t i = 0; i < self->region_count; i++)
        best = better(best, &self->regions[i], wanted);
    if (!best)
        return false;
    *out = *best;
    self->region_bytes -= best->capacity;
    self->regions[best - self->regions] = self->regions[--self->region_count];
    return true;
}

bool pool_region_grow(pool_region *self, size_t capacity)
{
    capacity = (capacity + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
    void *data = self->data ? mremap(self->data, self->capacity, capacity, MREMAP_MAYMOVE)
                            : mmap(NULL, capacity, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED)
        return false;
    *self = (pool_region){data, capacity};
    return true;
}

void transport_pool_give_region(transport_pool *self, pool_region region)
{
    uint64_t max = POOL_REGIONS_SHARE * self->kept_bytes_max;
    if (self->orphaned || self->region_count == POOL_REGIONS_MAX ||
        region.capacity > max - self->region_bytes) {
        munmap(region.data, region.capacity);
        return;
    }
    self->regions[self->region_count++] = region;
    self->region_bytes += region.capacity;
}
