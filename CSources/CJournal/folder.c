/// folder.c: a journal's folder: its lock, its files' names, the page that says what has left.
///
/// Called by journal_open, recovery, the writer and the compactor. Invariant: only the holder of
/// the lock changes anything.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

#define SENT_MAGIC 0x31544e45534d59ull // "YMSENT1"

void folder_name(char out[NAME_SIZE_MAX], uint64_t number, const char *suffix)
{
    snprintf(out, NAME_SIZE_MAX, "%0*" PRIx64 ".%s", NUMBER_DIGITS, number, suffix);
}

bool folder_is_gone(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && status.st_nlink == 0;
}

void folder_complain(journal_error *out, const char *folder, const char *name, const char *what,
                     int error)
{
    const char *remedy = "";
    if (error == EACCES || error == EPERM)
        remedy = "; give the scheduler's user the right to write there";
    else if (error == EROFS)
        remedy = "; give a folder that can be written";
    else if (error == ENOSPC || error == EDQUOT || error == EFBIG)
        remedy = "; make room there and start again";
    else if (error == EIO)
        remedy = "; the disk fails: see the kernel's log, and start again on one that works";
    else if (error == ENOLINK)
        remedy = ". It was deleted while the scheduler ran: put it back from a copy, or start "
                 "without its tasks";
    else if (error == ENOENT)
        remedy = "; its parent folder must be there";
    else if (error == ENOTDIR || error == EEXIST)
        remedy = "; give a folder of its own";
    // ENOLINK is our own use of it: its text would speak of networks.
    snprintf(out->text, sizeof out->text, "the journal in %s: cannot %s%s%s: %s%s", folder, what,
             name[0] ? " " : "", name, error == ENOLINK ? "gone" : strerror(error), remedy);
}

static bool lock(journal *self, journal_error *error)
{
    self->lock_fd = openat(self->folder_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (self->lock_fd < 0) {
        folder_complain(error, self->folder, "lock", "open", errno);
        return false;
    }
    char holder[32] = "";
    if (flock(self->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) {
            folder_complain(error, self->folder, "lock", "lock", errno);
            return false;
        }
        ssize_t size = pread(self->lock_fd, holder, sizeof holder - 1, 0);
        holder[size > 0 ? strcspn(holder, "\n") : 0] = '\0';
        snprintf(error->text, sizeof error->text,
                 "the journal in %s is in use by another scheduler (process %s): stop that one "
                 "first, or give another folder",
                 self->folder, holder[0] ? holder : "unknown");
        return false;
    }
    int size = snprintf(holder, sizeof holder, "%d\n", getpid());
    if (ftruncate(self->lock_fd, 0) != 0 ||
        pwrite(self->lock_fd, holder, (size_t)size, 0) != size) {
        folder_complain(error, self->folder, "lock", "write", errno);
        return false;
    }
    return true;
}

bool folder_open(journal *self, journal_error *error)
{
    if (mkdir(self->folder, 0700) != 0 && errno != EEXIST) {
        folder_complain(error, self->folder, "", "make the folder", errno);
        return false;
    }
    self->folder_fd = open(self->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (self->folder_fd < 0) {
        folder_complain(error, self->folder, "", "open the folder", errno);
        return false;
    }
    return lock(self, error);
}

bool folder_map_sent(journal *self, journal_error *error)
{
    int fd = openat(self->folder_fd, "sent", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    // Its blocks are there before it is mapped: a full disk must not become a SIGBUS.
    int rc = fd < 0 ? errno : posix_fallocate(fd, 0, sizeof(sent_page));
    void *page = MAP_FAILED;
    if (rc == 0) {
        page = mmap(NULL, sizeof(sent_page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        rc = page == MAP_FAILED ? errno : 0;
    }
    if (fd >= 0)
        close(fd);
    if (rc != 0) {
        folder_complain(error, self->folder, "sent", "write", rc);
        return false;
    }
    self->sent = page;
    if (self->sent->magic != SENT_MAGIC) {
        atomic_store(&self->sent->sending, 0);
        atomic_store(&self->sent->sent, 0);
        self->sent->magic = SENT_MAGIC;
    }
    return true;
}

static int by_number(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static bool add(uint64_t **numbers, uint32_t *count, uint64_t number)
{
    uint64_t *grown = realloc(*numbers, (*count + 1) * sizeof *grown);
    if (!grown)
        return false;
    *numbers = grown;
    grown[(*count)++] = number;
    return true;
}

bool folder_read(const journal *self, folder_list *list, journal_error *error)
{
    *list = (folder_list){0};
    int fd = openat(self->folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (!folder) {
        folder_complain(error, self->folder, "", "list the folder", errno);
        if (fd >= 0)
            close(fd);
        return false;
    }
    bool ok = true;
    for (struct dirent *entry; ok && (entry = readdir(folder));) {
        char *end;
        uint64_t number = strtoull(entry->d_name, &end, 16);
        if (end != entry->d_name + NUMBER_DIGITS)
            continue;
        if (strcmp(end, ".log") == 0)
            ok = add(&list->logs, &list->log_count, number);
        else if (strcmp(end, ".base") == 0)
            ok = add(&list->bases, &list->base_count, number);
        else if (strcmp(end, ".new") == 0 || strcmp(end, ".spare") == 0)
            unlinkat(self->folder_fd, entry->d_name, 0);
    }
    closedir(folder);
    if (!ok) {
        folder_complain(error, self->folder, "", "list the folder", ENOMEM);
        return false;
    }
    if (list->log_count > 0)
        qsort(list->logs, list->log_count, sizeof *list->logs, by_number);
    if (list->base_count > 0)
        qsort(list->bases, list->base_count, sizeof *list->bases, by_number);
    return true;
}

void folder_list_free(folder_list *list)
{
    free(list->bases);
    free(list->logs);
}

bool folder_map(const journal *self, uint64_t number, const char *suffix, journal_bytes *out,
                journal_error *error)
{
    char name[NAME_SIZE_MAX];
    folder_name(name, number, suffix);
    *out = (journal_bytes){0};
    int fd = openat(self->folder_fd, name, O_RDONLY | O_CLOEXEC);
    struct stat status;
    int rc = fd < 0 || fstat(fd, &status) != 0 ? errno : 0;
    if (rc == 0 && status.st_size > 0) {
        void *data =
            mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
        if (data == MAP_FAILED)
            rc = errno;
        else
            *out = (journal_bytes){data, (uint64_t)status.st_size};
    }
    if (fd >= 0)
        close(fd);
    if (rc != 0)
        folder_complain(error, self->folder, name, "read", rc);
    return rc == 0;
}

void folder_unmap(journal_bytes bytes)
{
    if (bytes.size > 0)
        munmap((void *)(uintptr_t)bytes.data, bytes.size);
}

int folder_create(const journal *self, const char *name, const char *spare,
                  const journal_file_header *header)
{
    uint8_t bytes[JOURNAL_FILE_HEADER + END_SIZE] = {0};
    size_t size = spare ? sizeof bytes : JOURNAL_FILE_HEADER;
    journal_file_header_write(bytes, header);
    int fd = spare ? openat(self->folder_fd, spare, O_WRONLY | O_CLOEXEC)
                   : openat(self->folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    ssize_t written = pwrite(fd, bytes, size, 0);
    // A file that a loss of power leaves has its header: without it nobody could say whose records
    // these are. A spare one is read by nobody until it has its name.
    int rc = written == (ssize_t)size ? fdatasync(fd) : -1;
    if (rc == 0 && spare)
        rc = renameat(self->folder_fd, spare, self->folder_fd, name);
    if (rc == 0)
        rc = fsync(self->folder_fd);
    if (rc != 0) {
        int error = written >= 0 && written < (ssize_t)size ? ENOSPC : errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}
