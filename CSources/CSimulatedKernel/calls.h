/// calls.h: how a replaced call finds out whose it is. Included by calls.c and disk_calls.c and
/// threads.c.
#pragma once
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>

#include "kernel.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CALLS_ARE_WATCHED 1
#endif
#endif
#ifndef CALLS_ARE_WATCHED
#define CALLS_ARE_WATCHED 0
#endif

/// The kernel that this thread has entered.
extern _Thread_local simulated_kernel *current;

/// The system's own `name`, looked up once.
#define REAL(name)                                                                                 \
    ({                                                                                             \
        static _Atomic(void *) found;                                                              \
        void *address = atomic_load_explicit(&found, memory_order_relaxed);                        \
        if (!address) {                                                                            \
            address = dlsym(RTLD_NEXT, #name);                                                     \
            atomic_store_explicit(&found, address, memory_order_relaxed);                          \
        }                                                                                          \
        (__typeof__(&name))address;                                                                \
    })

static inline int fail(int error)
{
    errno = error;
    return -1;
}

/// The simulated file of `fd`, or NULL: it is the system's, which knows no such descriptor either
/// when it is a ghost's.
static inline kernel_file *simulated(int fd)
{
    if (!current || fd < SIMULATED_FD_FIRST)
        return NULL;
    kernel_called(current);
    return kernel_file_of(current, fd);
}
