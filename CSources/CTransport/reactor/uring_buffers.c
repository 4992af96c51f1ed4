/// uring_buffers.c: the provided buffers that streams receive into, small ones and a few large, and
/// what was received while the gate was shut. Called by uring_streams.c and by uring.c's wait.
///
/// The kernel fills all that it has before any of it is looked at. So it has about as many small
/// ones as take what is allowed in one wait: few when peers send a lot, many when many send a
/// little. When they are full it says so (-ENOBUFS), and the rest comes with the next wait.
///
/// Invariant: a buffer is spare, the kernel's, in `kept`, or being told to the sink.
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "uring_streams.h"

#define BUFFER_COUNT_MIN 8u
/// A receive's share in the mean: one in this many.
#define MEAN_WEIGHT 16u

typedef struct buffer_kind {
    uint32_t count; ///< a power of two
    uint32_t size;
    uint32_t first_id;
} buffer_kind;

static const buffer_kind KINDS[URING_GROUPS] = {
    [URING_GROUP_SMALL] = {URING_BUFFER_COUNT, REACTOR_BUFFER_SIZE_MIN, 0},
    // As few as stay in the cache.
    [URING_GROUP_LARGE] = {4, 128u << 10, URING_BUFFER_COUNT},
};

static uring_buffer_group group_of(uint16_t id)
{
    return id < URING_BUFFER_COUNT ? URING_GROUP_SMALL : URING_GROUP_LARGE;
}

static uint8_t *buffer_of(const uring_streams *self, uint16_t id)
{
    uring_buffer_group group = group_of(id);
    return self->groups[group].memory + (size_t)(id - KINDS[group].first_id) * KINDS[group].size;
}

static void give(uring_streams *self, uint16_t id)
{
    uring_buffer_group group = group_of(id);
    uring_buffers *buffers = &self->groups[group];
    io_uring_buf_ring_add(buffers->ring, buffer_of(self, id), KINDS[group].size, id,
                          (int)(KINDS[group].count - 1), (int)buffers->returned++);
}

/// How many take what is allowed, each filled as they were lately.
static uint32_t wanted(const uring_streams *self)
{
    uint32_t count = self->allowed / (self->mean_bytes + 1);
    if (count < BUFFER_COUNT_MIN)
        return BUFFER_COUNT_MIN;
    return count < URING_BUFFER_COUNT ? count : URING_BUFFER_COUNT;
}

static void return_buffer(uring_streams *self, uint16_t id)
{
    // Twice as many as wanted, or it would go to and fro.
    if (group_of(id) == URING_GROUP_SMALL &&
        URING_BUFFER_COUNT - self->spare_count > 2 * wanted(self))
        self->spare[self->spare_count++] = id;
    else
        give(self, id);
}

static void give_spare(uring_streams *self, uint32_t count)
{
    while (self->spare_count > URING_BUFFER_COUNT - count)
        give(self, self->spare[--self->spare_count]);
}

void uring_streams_return_buffers(uring_reactor *base)
{
    uring_streams *self = base->streams;
    if (!self)
        return;
    if (self->ran_dry)
        give_spare(self, wanted(self));
    self->ran_dry = false;
    for (int group = 0; group < URING_GROUPS; group++) {
        uring_buffers *buffers = &self->groups[group];
        if (buffers->returned > 0)
            io_uring_buf_ring_advance(buffers->ring, (int)buffers->returned);
        buffers->returned = 0;
    }
}

static void *map(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/// 0 or -errno.
static int open_group(uring_reactor *base, uring_buffer_group group)
{
    uring_buffers *self = &base->streams->groups[group];
    const buffer_kind *kind = &KINDS[group];
    self->ring = map(kind->count * sizeof(struct io_uring_buf));
    self->memory = map((size_t)kind->count * kind->size);
    if (!self->ring || !self->memory)
        return -ENOMEM;
    struct io_uring_buf_reg registration = {.ring_addr = (uint64_t)(uintptr_t)self->ring,
                                            .ring_entries = kind->count,
                                            .bgid = (uint16_t)group};
    int rc = io_uring_register_buf_ring(&base->ring, &registration, 0);
    if (rc >= 0)
        io_uring_buf_ring_init(self->ring);
    return rc < 0 ? rc : 0;
}

int uring_buffers_open(uring_reactor *base)
{
    uring_streams *self = base->streams;
    for (int group = 0; group < URING_GROUPS; group++) {
        int rc = open_group(base, (uring_buffer_group)group);
        if (rc < 0)
            return rc;
    }
    self->allowed = REACTOR_ALLOWED_FIRST;
    self->mean_bytes = KINDS[URING_GROUP_SMALL].size;
    for (uint32_t id = URING_BUFFER_COUNT; id > 0; id--)
        self->spare[self->spare_count++] = (uint16_t)(id - 1);
    give_spare(self, BUFFER_COUNT_MIN);
    for (uint32_t i = 0; i < KINDS[URING_GROUP_LARGE].count; i++)
        give(self, (uint16_t)(URING_BUFFER_COUNT + i));
    uring_streams_return_buffers(base);
    return 0;
}

void uring_buffers_close(uring_streams *self)
{
    for (int group = 0; group < URING_GROUPS; group++) {
        uring_buffers *buffers = &self->groups[group];
        if (buffers->ring)
            munmap(buffers->ring, KINDS[group].count * sizeof(struct io_uring_buf));
        if (buffers->memory)
            munmap(buffers->memory, (size_t)KINDS[group].count * KINDS[group].size);
    }
    free(self->kept);
}

bool uring_streams_ready(const uring_reactor *base)
{
    return base->streams && base->streams->kept_count > 0 && !base->streams->shut;
}

void uring_buffers_tell(uring_reactor *base, int fd, int32_t result, uint32_t flags)
{
    uring_streams *self = base->streams;
    reactor_stream *stream = &self->table.by_fd[fd];
    bool has_buffer = flags & IORING_CQE_F_BUFFER;
    uint16_t id = (uint16_t)(flags >> IORING_CQE_BUFFER_SHIFT);
    if (stream->open && !stream->ended) {
        const uint8_t *data = has_buffer ? buffer_of(self, id) : stream->room.data;
        uint32_t serial = stream->serial;
        stream->ended = result <= 0;
        if (has_buffer && result > 0 && group_of(id) == URING_GROUP_SMALL)
            self->mean_bytes += (uint32_t)result / MEAN_WEIGHT - self->mean_bytes / MEAN_WEIGHT;
        reactor_room room = self->sink->received(self->sink->context, stream->tag, data, result);
        if (stream_table_is_alive(&self->table, fd, serial)) // the sink may have closed it
            uring_stream_give_room(base, fd, room, has_buffer);
    }
    if (has_buffer)
        return_buffer(self, id);
}

bool uring_buffers_keep(uring_streams *self, int fd, int32_t result, uint32_t flags)
{
    if (self->kept_count == self->kept_capacity) {
        uint32_t capacity = self->kept_capacity ? self->kept_capacity * 2 : URING_BUFFER_COUNT;
        kept_receive *kept = realloc(self->kept, capacity * sizeof *kept);
        if (!kept)
            return false;
        self->kept = kept;
        self->kept_capacity = capacity;
    }
    self->kept[self->kept_count++] =
        (kept_receive){fd, self->table.by_fd[fd].serial, result, flags};
    return true;
}

bool uring_streams_serve(uring_reactor *base)
{
    uring_streams *self = base->streams;
    if (!uring_streams_ready(base))
        return false;
    for (uint32_t i = 0; i < self->kept_count; i++) {
        kept_receive each = self->kept[i];
        if (self->table.by_fd[each.fd].serial == each.serial)
            uring_buffers_tell(base, each.fd, each.result, each.flags);
        else if (each.flags & IORING_CQE_F_BUFFER)
            return_buffer(self, (uint16_t)(each.flags >> IORING_CQE_BUFFER_SHIFT));
    }
    self->kept_count = 0;
    uring_streams_return_buffers(base);
    return true;
}
