/// reactor.c: chooses between io_uring and epoll, once, and says why. Called by transport_open.
///
/// Invariant: with AUTO, epoll is taken only where io_uring is missing or forbidden (ENOSYS, EPERM,
/// EINVAL, or ENOMEM under a finite RLIMIT_MEMLOCK); any other failure is reported.
#include "reactor.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define IO_URING_DISABLED_PATH "/proc/sys/kernel/io_uring_disabled"

static void read_io_uring_disabled(char *text, size_t text_size)
{
    snprintf(text, text_size, "absent");
    FILE *file = fopen(IO_URING_DISABLED_PATH, "re");
    if (!file)
        return;
    char line[32];
    if (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        snprintf(text, text_size, "%s", line);
    }
    fclose(file);
}

/// Rings of kernels before 5.12 are charged to RLIMIT_MEMLOCK.
static bool memlock_is_finite(unsigned long long *kib)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return false;
    *kib = (unsigned long long)limit.rlim_cur / 1024;
    return true;
}

static void describe(int error, bool streams, char *note, size_t note_size)
{
    char disabled[32];
    char cause[160] = "";
    unsigned long long memlock_kib = 0;
    read_io_uring_disabled(disabled, sizeof disabled);
    if (error == ENOSYS)
        snprintf(cause, sizeof cause, "the kernel has no io_uring with multishot %s",
                 streams ? "receives (6.0)" : "poll (5.13)");
    else if (error == EPERM)
        snprintf(cause, sizeof cause, "forbidden by the kernel's setting or a seccomp filter");
    else if (error == EINVAL)
        snprintf(cause, sizeof cause, "the kernel knows none of the wanted setup flags");
    else if (error == ENOMEM && memlock_is_finite(&memlock_kib))
        snprintf(cause, sizeof cause, "RLIMIT_MEMLOCK is %llu KiB; raise it (ulimit -l)",
                 memlock_kib);
    else
        snprintf(cause, sizeof cause, "the ring cannot be set up");
    snprintf(note, note_size, "io_uring: %s: %s; " IO_URING_DISABLED_PATH " is %s", strerror(error),
             cause, disabled);
}

static bool may_fall_back(int error)
{
    unsigned long long kib;
    return error == ENOSYS || error == EPERM || error == EINVAL ||
           (error == ENOMEM && memlock_is_finite(&kib));
}

reactor *reactor_open(reactor_kind kind, bool streams, char *note, size_t note_size)
{
    reactor *opened = NULL;
    note[0] = 0;
    if (kind != REACTOR_EPOLL) {
        int rc = uring_open(&opened, streams);
        if (rc == 0)
            return opened;
        describe(-rc, streams, note, note_size);
        if (kind == REACTOR_URING || !may_fall_back(-rc))
            return NULL;
    }
    int rc = epoll_open(&opened);
    if (rc != 0) {
        size_t used = strlen(note);
        snprintf(note + used, note_size - used, "%sepoll: %s", used ? "; " : "", strerror(-rc));
        return NULL;
    }
    return opened;
}
