/// disk.c: one flat folder, as the page cache has it and as the disk does. See kernel.h.
///
/// A loss of power leaves of the folder some of its changes since it was synced, in their order;
/// of a file what was synced, and of what was written since: nothing, a beginning, or any of its
/// sectors.
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

#define SECTOR 512u

static void reserve(uint8_t **data, size_t *capacity, size_t size)
{
    if (size <= *capacity)
        return;
    *capacity = size * 2 + 256;
    *data = kernel_grow(*data, *capacity);
}

static void note_dirty(disk_file *self, size_t first, size_t end)
{
    if (self->dirty_first == self->dirty_end) {
        self->dirty_first = first;
        self->dirty_end = end;
        return;
    }
    self->dirty_first = first < self->dirty_first ? first : self->dirty_first;
    self->dirty_end = end > self->dirty_end ? end : self->dirty_end;
}

void disk_write(disk_file *self, const uint8_t *data, size_t size, size_t offset)
{
    reserve(&self->data, &self->capacity, offset + size);
    if (offset > self->size)
        memset(self->data + self->size, 0, offset - self->size);
    if (size > 0)
        memcpy(self->data + offset, data, size);
    size_t first = offset < self->size ? offset : self->size;
    if (offset + size > self->size)
        self->size = offset + size;
    note_dirty(self, first, offset + size);
}

void disk_truncate(disk_file *self, size_t size)
{
    if (size > self->size) {
        disk_write(self, NULL, 0, size);
        return;
    }
    self->size = size;
    if (self->dirty_end > size)
        self->dirty_end = size;
    if (self->dirty_first > self->dirty_end)
        self->dirty_first = self->dirty_end;
}

void disk_sync(disk_file *self, size_t dirty_first, size_t dirty_end)
{
    reserve(&self->durable, &self->durable_capacity, self->size);
    if (self->durable_size > self->size)
        self->durable_size = self->size;
    if (dirty_end > self->size)
        dirty_end = self->size;
    if (dirty_first < dirty_end)
        memcpy(self->durable + dirty_first, self->data + dirty_first, dirty_end - dirty_first);
    if (dirty_end > self->durable_size)
        self->durable_size = dirty_end;
    if (self->dirty_first == dirty_first)
        self->dirty_first = dirty_end;
    if (self->dirty_first >= self->dirty_end)
        self->dirty_first = self->dirty_end = 0;
}

// MARK: the folder

static disk_entry *entry_of(const disk_folder *folder, const char *name)
{
    for (uint32_t i = 0; i < folder->count; i++) {
        if (strcmp(folder->entries[i].name, name) == 0)
            return &folder->entries[i];
    }
    return NULL;
}

static void apply(disk_folder *folder, const disk_change *change)
{
    disk_entry *gone = change->gone[0] ? entry_of(folder, change->gone) : NULL;
    if (gone)
        memmove(gone, gone + 1, (size_t)(folder->entries + --folder->count - gone) * sizeof *gone);
    if (!change->file)
        return;
    disk_entry *entry = entry_of(folder, change->name);
    if (!entry) {
        if (folder->count == folder->capacity) {
            folder->capacity = folder->capacity * 2 + 16;
            folder->entries =
                kernel_grow(folder->entries, folder->capacity * sizeof *folder->entries);
        }
        entry = &folder->entries[folder->count++];
        memcpy(entry->name, change->name, sizeof entry->name);
    }
    entry->file = change->file;
}

disk_file *disk_find(const simulated_disk *self, const char *name)
{
    disk_entry *entry = entry_of(&self->now, name);
    return entry ? entry->file : NULL;
}

void disk_change_folder(simulated_disk *self, const char *name, disk_file *file, const char *gone)
{
    if (self->change_count == self->change_capacity) {
        self->change_capacity = self->change_capacity * 2 + 16;
        self->changes = kernel_grow(self->changes, self->change_capacity * sizeof *self->changes);
    }
    disk_change *change = &self->changes[self->change_count++];
    *change = (disk_change){.file = file};
    if (name)
        strncpy(change->name, name, DISK_NAME_MAX - 1);
    if (gone)
        strncpy(change->gone, gone, DISK_NAME_MAX - 1);
    apply(&self->now, change);
}

disk_file *disk_create(simulated_disk *self, const char *name)
{
    disk_file *file = kernel_grow(NULL, sizeof *file);
    *file = (disk_file){.next = self->files};
    self->files = file;
    disk_change_folder(self, name, file, NULL);
    return file;
}

void disk_sync_folder(simulated_disk *self)
{
    for (uint32_t i = 0; i < self->change_count; i++)
        apply(&self->durable, &self->changes[i]);
    self->change_count = 0;
}

// MARK: the end

void disk_map(simulated_disk *self, disk_file *file, void *mapping)
{
    self->mapped = file;
    self->mapping = mapping;
    if (file->size <= sizeof self->mapped_before)
        memcpy(self->mapped_before, mapping, file->size);
    // The disk may have it as it was, or as it is, at any time.
    note_dirty(file, 0, file->size);
}

void disk_unmap(simulated_disk *self, const uint8_t *bytes)
{
    if (!self->mapped)
        return;
    memcpy(self->mapped->data, bytes, self->mapped->size);
    self->mapped = NULL;
}

static void lose(simulated_kernel *self, disk_file *file)
{
    size_t first = file->dirty_first, end = file->dirty_end;
    uint64_t how = kernel_random(self) % 3;
    size_t size = file->size;
    if (first < end && how > 0 && size > file->durable_size)
        size = file->durable_size + kernel_random(self) % (size - file->durable_size + 1);
    else if (first < end || size < file->durable_size)
        size = file->durable_size;
    reserve(&file->data, &file->capacity, size);
    // It was cut, and is whole again.
    if (size > file->size)
        memcpy(file->data + file->size, file->durable + file->size, size - file->size);
    size_t beginning = first < end ? first + kernel_random(self) % (end - first + 1) : 0;
    for (size_t at = first; at < end && at < size;) {
        size_t next = at / SECTOR * SECTOR + SECTOR;
        next = next < size ? next : size;
        bool is_kept = (how == 1 && next <= beginning) || (how == 2 && kernel_chance(self, 500000));
        for (; !is_kept && at < next; at++)
            file->data[at] = at < file->durable_size ? file->durable[at] : 0;
        at = next;
    }
    file->size = size;
    file->dirty_first = file->dirty_end = 0;
    reserve(&file->durable, &file->durable_capacity, size);
    if (size > 0)
        memcpy(file->durable, file->data, size);
    file->durable_size = size;
}

void disk_lose_power(simulated_kernel *self)
{
    simulated_disk *disk = &self->disk;
    uint32_t kept = (uint32_t)(kernel_random(self) % (disk->change_count + 1));
    for (uint32_t i = 0; i < kept; i++)
        apply(&disk->durable, &disk->changes[i]);
    disk->change_count = 0;
    disk->now.count = 0;
    for (uint32_t i = 0; i < disk->durable.count; i++) {
        disk_change change = {.file = disk->durable.entries[i].file};
        memcpy(change.name, disk->durable.entries[i].name, sizeof change.name);
        apply(&disk->now, &change);
    }
    for (disk_file *file = disk->files; file; file = file->next)
        lose(self, file);
}

void disk_destroy(simulated_disk *self)
{
    while (self->files) {
        disk_file *file = self->files;
        self->files = file->next;
        free(file->data);
        free(file->durable);
        free(file);
    }
    free(self->now.entries);
    free(self->durable.entries);
    free(self->changes);
}
