/// support.h: what the transport's tests need of the system and cannot have from Swift. Called by
/// CTransportTests, in child processes of their own: neither call can be undone.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "message.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum support_call {
    SUPPORT_IO_URING_SETUP = 0,
    SUPPORT_EPOLL_PWAIT2 = 1,
    SUPPORT_PIDFD_OPEN = 2,
} support_call;

/// From now on `call` fails with `error` on this thread and those it starts (a seccomp filter).
/// False when the filter cannot be installed.
bool support_refuse(support_call call, int error);

/// Takes handles until only `left` are free. The table cannot be destroyed afterwards.
void support_fill_table(message_table *, uint32_t left);

#ifdef __cplusplus
}
#endif
