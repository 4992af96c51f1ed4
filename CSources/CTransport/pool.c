/// pool.c: see pool.h.
#include "pool.h"

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
    self->kept_bytes = 0;
    self->orphaned = true;
    if (self->alive == 0)
        free(self);
}
