/// spare.c: segments that a base covers, kept to be written over.
///
/// A write to pages that are in memory and to blocks that are there costs a tenth of one to a new
/// file, and its sync has no metadata to write. What stood in such a segment has lower sequence
/// numbers than anything that is appended; recovery steps over it.
///
/// `NNNN.spare` files are of this life: the next start deletes what a crash leaves. The compacting
/// thread makes them (`compacted_spares`), the writer takes them over when it has ended.
#include <stdio.h>
#include <unistd.h>

#include "internal.h"

bool spare_keep(journal *self, uint64_t number, uint64_t size)
{
    // What was recovered may still be read from where it lies.
    if (number <= self->recovered_through || size < self->segment_size_max / 2 ||
        size > self->segment_size_max + END_SIZE ||
        self->compacted_spare_count == self->compacted_spare_max)
        return false;
    char name[NAME_SIZE_MAX], spare[NAME_SIZE_MAX];
    folder_name(name, number, "log");
    folder_name(spare, number, "spare");
    if (renameat(self->folder_fd, name, self->folder_fd, spare) != 0)
        return false;
    self->compacted_spares[self->compacted_spare_count++] = (spare_segment){number, size};
    return true;
}

void spare_take(journal *self)
{
    for (uint32_t i = 0; i < self->compacted_spare_count; i++)
        self->spares[self->spare_count++] = self->compacted_spares[i];
    self->compacted_spare_count = 0;
}

bool spare_make_segment(journal *self, const journal_file_header *header)
{
    char name[NAME_SIZE_MAX];
    folder_name(name, header->number, "log");
    self->segment_extent = JOURNAL_FILE_HEADER;
    self->segment_fd = -1;
    while (self->segment_fd < 0 && self->spare_count > 0) {
        const spare_segment *spare = &self->spares[--self->spare_count];
        char spare_name[NAME_SIZE_MAX];
        folder_name(spare_name, spare->number, "spare");
        self->segment_fd = folder_create(self, name, spare_name, header);
        if (self->segment_fd >= 0) {
            self->segment_extent = spare->size;
        } else {
            // It is no good, whichever name it has by now.
            unlinkat(self->folder_fd, spare_name, 0);
            unlinkat(self->folder_fd, name, 0);
        }
    }
    if (self->segment_fd < 0)
        self->segment_fd = folder_create(self, name, NULL, header);
    return self->segment_fd >= 0;
}

void spare_end(journal *self)
{
    char name[NAME_SIZE_MAX];
    while (self->spare_count > 0) {
        folder_name(name, self->spares[--self->spare_count].number, "spare");
        unlinkat(self->folder_fd, name, 0);
    }
}
