/// pool.c: memory of received messages, recycled by size. Called by gather.c and message_release.
///
///     | libzmq_message | message_frame x capacity | zmq_msg_t x capacity |
///
/// Invariant: a block is in exactly one place: in use (counted in `alive`) or in the free list of
/// its class; the pool itself lives until its owner has let go and `alive` is 0.
#include <stdlib.h>

#include "body.h"

/// Capacities 4, 8, ... 64, then 128, 256, ... 65536: a waiting task's message wastes little.
#define FINE_CLASSES 16u
#define FINE_STEP    4u
#define CLASSES      26u

struct libzmq_pool {
    libzmq_message *free[CLASSES];
    uint64_t kept_bytes;
    uint64_t alive;
    bool orphaned; ///< the transport was closed
};

static uint32_t class_of(uint32_t frame_count)
{
    if (frame_count <= FINE_CLASSES * FINE_STEP)
        return frame_count == 0 ? 0 : (frame_count - 1) / FINE_STEP;
    uint32_t size_class = FINE_CLASSES;
    for (uint32_t capacity = 128; capacity < frame_count; capacity *= 2)
        size_class++;
    return size_class;
}

static size_t block_size(uint32_t size_class)
{
    size_t capacity = size_class < FINE_CLASSES ? (size_class + 1) * FINE_STEP
                                                : (size_t)128 << (size_class - FINE_CLASSES);
    return sizeof(libzmq_message) + capacity * (sizeof(message_frame) + sizeof(zmq_msg_t));
}

libzmq_pool *libzmq_pool_create(void)
{
    return calloc(1, sizeof(libzmq_pool));
}

void libzmq_pool_destroy(libzmq_pool *pool)
{
    for (uint32_t i = 0; i < CLASSES; i++) {
        while (pool->free[i]) {
            libzmq_message *block = pool->free[i];
            pool->free[i] = block->link.next_free;
            free(block);
        }
    }
    pool->kept_bytes = 0;
    pool->orphaned = true;
    if (pool->alive == 0)
        free(pool);
}

libzmq_message *libzmq_pool_take(libzmq_pool *pool, uint32_t frame_count)
{
    uint32_t size_class = class_of(frame_count);
    libzmq_message *block = pool->free[size_class];
    if (block) {
        pool->free[size_class] = block->link.next_free;
        pool->kept_bytes -= block_size(size_class);
    } else {
        block = malloc(block_size(size_class));
        if (!block)
            return NULL;
    }
    message_frame *frames = (message_frame *)(block + 1);
    uint32_t capacity =
        (uint32_t)((block_size(size_class) - sizeof *block) / (sizeof *frames + sizeof(zmq_msg_t)));
    *block = (libzmq_message){
        .head = {.frames = frames,
                 .dispose = libzmq_message_dispose,
                 .frame_count = (uint16_t)frame_count,
                 .body = TRANSPORT_BODY_ZMQ},
        .link.pool = pool,
        .parts = (zmq_msg_t *)(frames + capacity),
        .size_class = size_class,
    };
    for (uint32_t i = 0; i < frame_count; i++)
        zmq_msg_init(&block->parts[i]);
    pool->alive++;
    return block;
}

void libzmq_message_dispose(message *head)
{
    libzmq_message *block = (libzmq_message *)head;
    libzmq_pool *pool = block->link.pool;
    for (uint32_t i = 0; i < head->frame_count; i++)
        zmq_msg_close(&block->parts[i]);
    size_t size = block_size(block->size_class);
    pool->alive--;
    if (!pool->orphaned && pool->kept_bytes + size <= LIBZMQ_POOL_KEPT_BYTES_MAX) {
        block->link.next_free = pool->free[block->size_class];
        pool->free[block->size_class] = block;
        pool->kept_bytes += size;
        return;
    }
    free(block);
    if (pool->orphaned && pool->alive == 0)
        free(pool);
}
