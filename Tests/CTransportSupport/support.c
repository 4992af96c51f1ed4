/// support.c: see support.h.
#include "support.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

bool support_refuse(support_call call, int error)
{
    static const uint32_t NUMBERS[] = {SYS_io_uring_setup, SYS_epoll_pwait2, SYS_pidfd_open};
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NUMBERS[call], 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void ignore(message *m)
{
    (void)m;
}

void support_fill_table(message_table *table, uint32_t left)
{
    // One message under all handles: only the table's own bookkeeping is wanted.
    static message filler = {.dispose = ignore};
    uint32_t total = (1u << MESSAGE_INDEX_BITS) - 1;
    uint32_t used = message_table_count(table);
    for (uint32_t i = used; i < total - left; i++)
        message_adopt(table, &filler);
}
