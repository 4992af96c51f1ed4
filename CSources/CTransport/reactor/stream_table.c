/// stream_table.c: see stream_table.h.
#include "stream_table.h"

#include <stdlib.h>
#include <string.h>

#define CAPACITY_MIN 64u

static int grow(stream_table *self, int fd)
{
    if ((uint32_t)fd < self->capacity)
        return 0;
    uint32_t capacity = self->capacity ? self->capacity : CAPACITY_MIN;
    while (capacity <= (uint32_t)fd)
        capacity *= 2;
    reactor_stream *by_fd = realloc(self->by_fd, capacity * sizeof *by_fd);
    if (!by_fd)
        return -ENOMEM;
    self->by_fd = by_fd;
    // Twice: while the list is served, what is listed anew stands behind what was.
    int *list = realloc(self->list, 2 * capacity * sizeof *list);
    if (!list)
        return -ENOMEM;
    self->list = list;
    memset(by_fd + self->capacity, 0, (capacity - self->capacity) * sizeof *by_fd);
    self->capacity = capacity;
    return 0;
}

int stream_table_add(stream_table *self, int fd, uint64_t tag, bool listens)
{
    int rc = grow(self, fd);
    if (rc != 0)
        return rc;
    reactor_stream *stream = &self->by_fd[fd];
    *stream = (reactor_stream){.tag = tag,
                               .serial = stream->serial + 1,
                               .open = true,
                               .listens = listens,
                               .listed = stream->listed};
    return 0;
}

void stream_table_drop(stream_table *self, uint32_t count)
{
    self->listed_count -= count;
    if (self->listed_count > 0) // without any, there may be no list
        memmove(self->list, self->list + count, self->listed_count * sizeof *self->list);
}

void stream_table_free(stream_table *self)
{
    free(self->by_fd);
    free(self->list);
    *self = (stream_table){0};
}
