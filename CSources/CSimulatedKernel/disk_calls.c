/// disk_calls.c: the replaced calls on the folder and its files, and those that wait for something
/// else than sockets. See calls.c.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calls.h"

#if !CALLS_ARE_WATCHED

/// How long a write into the page cache and a sync take at most.
#define WRITE_NS 60000u
#define SYNC_NS  3000000u

/// A folder that is being read: the names that it had.
typedef struct disk_listing {
    char (*names)[DISK_NAME_MAX];
    uint32_t count, next;
    int fd;
    struct dirent entry;
} disk_listing;

static bool is_ours(const char *path)
{
    return current && strncmp(path, SIMULATED_FOLDER, strlen(SIMULATED_FOLDER)) == 0;
}

static kernel_file *disk_file_at(int fd)
{
    kernel_file *file = simulated(fd);
    return file && file->kind == KERNEL_DISK_FILE ? file : NULL;
}

int mkdir(const char *path, mode_t mode)
{
    if (!is_ours(path))
        return REAL(mkdir)(path, mode);
    kernel_called(current);
    if (current->dead)
        return fail(EIO);
    if (current->disk.is_made)
        return fail(EEXIST);
    current->disk.is_made = true;
    return 0;
}

int open(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(list, int) : 0;
    va_end(list);
    if (!is_ours(path))
        return REAL(open)(path, flags, mode);
    return kernel_open(current, KERNEL_FOLDER);
}

int openat(int folder, const char *name, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(list, int) : 0;
    va_end(list);
    if (!simulated(folder))
        return REAL(openat)(folder, name, flags, mode);
    if (strcmp(name, ".") == 0)
        return kernel_open(current, KERNEL_FOLDER);
    disk_file *file = disk_find(&current->disk, name);
    if (!file && !(flags & O_CREAT))
        return fail(ENOENT);
    if (file && (flags & O_EXCL))
        return fail(EEXIST);
    int fd = kernel_open(current, KERNEL_DISK_FILE);
    if (fd < 0)
        return -1;
    if (!file)
        file = disk_create(&current->disk, name);
    kernel_file_of(current, fd)->disk_file = file;
    return fd;
}

int flock(int fd, int operation)
{
    return simulated(fd) ? 0 : REAL(flock)(fd, operation);
}

int fstat(int fd, struct stat *out)
{
    kernel_file *file = disk_file_at(fd);
    if (!file)
        return REAL(fstat)(fd, out);
    const disk_folder *folder = &current->disk.now;
    nlink_t names = 0;
    for (uint32_t i = 0; i < folder->count; i++)
        names += folder->entries[i].file == file->disk_file;
    *out = (struct stat){
        .st_mode = S_IFREG | 0600, .st_nlink = names, .st_size = (off_t)file->disk_file->size};
    return 0;
}

int ftruncate(int fd, off_t size)
{
    kernel_file *file = disk_file_at(fd);
    if (!file)
        return REAL(ftruncate)(fd, size);
    disk_truncate(file->disk_file, (size_t)size);
    return 0;
}

int posix_fallocate(int fd, off_t offset, off_t size)
{
    kernel_file *file = disk_file_at(fd);
    if (!file)
        return REAL(posix_fallocate)(fd, offset, size);
    if (file->disk_file->size < (size_t)(offset + size))
        disk_truncate(file->disk_file, (size_t)(offset + size));
    return 0;
}

ssize_t pread(int fd, void *out, size_t size, off_t offset)
{
    kernel_file *file = disk_file_at(fd);
    if (!file)
        return REAL(pread)(fd, out, size, offset);
    const disk_file *disk = file->disk_file;
    size_t left = (size_t)offset < disk->size ? disk->size - (size_t)offset : 0;
    size_t taken = size < left ? size : left;
    if (taken > 0)
        memcpy(out, disk->data + offset, taken);
    return (ssize_t)taken;
}

/// The first thread's last call: a beginning of it may be there.
static void tear(simulated_kernel *self, int fd, const void *data, size_t size, size_t offset)
{
    kernel_file *file = fd >= SIMULATED_FD_FIRST ? kernel_file_of(self, fd) : NULL;
    size_t kept = kernel_random(self) % (size + 1);
    if (file && file->kind == KERNEL_DISK_FILE && kept > 0)
        disk_write(file->disk_file, data, kept, offset);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    simulated_kernel *self = current;
    // Killed within it: the others' writes are torn by kernel_tear_writes.
    if (self && !self->running && !self->dead && self->calls_left == 1)
        tear(self, fd, data, size, (size_t)offset);
    kernel_file *file = disk_file_at(fd);
    if (!file)
        return REAL(pwrite)(fd, data, size, offset);
    // A signal may cut a large one short; a small one is whole.
    if (size > 512 && kernel_chance(self, self->faults.write_short))
        size = 512 + kernel_random(self) % (size - 512);
    uint64_t duration_ns = kernel_random(self) % WRITE_NS;
    if (!kernel_write_slowly(self, file->disk_file, data, size, (size_t)offset, duration_ns))
        return fail(EIO);
    return (ssize_t)size;
}

off_t lseek(int fd, off_t offset, int whence)
{
    kernel_file *file = disk_file_at(fd);
    if (!file)
        return REAL(lseek)(fd, offset, whence);
    file->offset = (size_t)offset;
    return offset;
}

static int sync_file(kernel_file *file)
{
    simulated_kernel *self = current;
    if (file->kind == KERNEL_FOLDER) {
        disk_sync_folder(&self->disk);
        return 0;
    }
    disk_file *disk = file->disk_file;
    // What is written from now on need not be on the disk when this returns.
    size_t first = disk->dirty_first, end = disk->dirty_end;
    if (!kernel_write_slowly(self, disk, NULL, 0, 0, kernel_random(self) % SYNC_NS))
        return fail(EIO);
    disk_sync(disk, first, end);
    return 0;
}

int fsync(int fd)
{
    kernel_file *file = simulated(fd);
    return file ? sync_file(file) : REAL(fsync)(fd);
}

int fdatasync(int fd)
{
    kernel_file *file = simulated(fd);
    return file ? sync_file(file) : REAL(fdatasync)(fd);
}

int unlinkat(int folder, const char *name, int flags)
{
    if (!simulated(folder))
        return REAL(unlinkat)(folder, name, flags);
    if (!disk_find(&current->disk, name))
        return fail(ENOENT);
    disk_change_folder(&current->disk, NULL, NULL, name);
    return 0;
}

int renameat(int old_folder, const char *old_name, int new_folder, const char *new_name)
{
    if (!simulated(old_folder))
        return REAL(renameat)(old_folder, old_name, new_folder, new_name);
    disk_file *file = disk_find(&current->disk, old_name);
    if (!file)
        return fail(ENOENT);
    disk_change_folder(&current->disk, new_name, file, old_name);
    return 0;
}

// MARK: mapping

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    kernel_file *file = fd >= SIMULATED_FD_FIRST ? disk_file_at(fd) : NULL;
    if (!file)
        return REAL(mmap)(address, size, protection, flags, fd, offset);
    disk_file *disk = file->disk_file;
    void *mapped =
        REAL(mmap)(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED)
        return mapped;
    size_t filled = size < disk->size ? size : disk->size;
    if (filled > 0)
        memcpy(mapped, disk->data, filled);
    if (flags & MAP_SHARED)
        disk_map(&current->disk, disk, mapped);
    return mapped;
}

int munmap(void *address, size_t size)
{
    if (current && current->disk.mapped && current->disk.mapping == address)
        disk_unmap(&current->disk, address);
    return REAL(munmap)(address, size);
}

// MARK: listing

DIR *fdopendir(int fd)
{
    kernel_file *file = simulated(fd);
    if (!file)
        return REAL(fdopendir)(fd);
    const disk_folder *folder = &current->disk.now;
    disk_listing *listing = kernel_grow(NULL, sizeof *listing);
    *listing = (disk_listing){.count = folder->count, .fd = fd};
    listing->names = kernel_grow(NULL, (folder->count + 1) * sizeof *listing->names);
    for (uint32_t i = 0; i < folder->count; i++)
        memcpy(listing->names[i], folder->entries[i].name, DISK_NAME_MAX);
    current->listing = listing;
    return (DIR *)(void *)listing;
}

static disk_listing *listing_of(DIR *folder)
{
    disk_listing *listing = (disk_listing *)(void *)folder;
    return current && current->listing == listing ? listing : NULL;
}

struct dirent *readdir(DIR *folder)
{
    disk_listing *listing = listing_of(folder);
    if (!listing)
        return REAL(readdir)(folder);
    if (listing->next == listing->count)
        return NULL;
    memcpy(listing->entry.d_name, listing->names[listing->next++], DISK_NAME_MAX);
    return &listing->entry;
}

int closedir(DIR *folder)
{
    disk_listing *listing = listing_of(folder);
    if (!listing)
        return REAL(closedir)(folder);
    current->listing = NULL;
    close(listing->fd);
    free(listing->names);
    free(listing);
    return 0;
}

// MARK: waiting

int poll(struct pollfd *files, nfds_t count, int timeout_ms)
{
    if (!current || count != 1 || files->fd < SIMULATED_FD_FIRST)
        return REAL(poll)(files, count, timeout_ms);
    simulated_kernel *self = current;
    kernel_called(self);
    uint64_t until_ns =
        timeout_ms < 0 ? UINT64_MAX : self->now_ns + (uint64_t)timeout_ms * 1000000u;
    kernel_wait(self, until_ns, files->fd);
    const kernel_file *file = kernel_file_of(self, files->fd);
    files->revents = file && file->counter > 0 ? POLLIN : 0;
    return files->revents ? 1 : 0;
}

int usleep(useconds_t microseconds)
{
    if (!current)
        return REAL(usleep)(microseconds);
    kernel_called(current);
    kernel_wait(current, current->now_ns + (uint64_t)microseconds * 1000u, -1);
    return 0;
}

#endif
