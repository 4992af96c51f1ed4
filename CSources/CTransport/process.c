/// process.c: notices the end of one process, usually the controller that started us. Called by
/// transport.c.
///
/// Invariant: `gone` is set once for each watched process; after that nothing is watched any more.
#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "transport_internal.h"

void process_init(transport *self)
{
    self->process = (transport_process){.pidfd = -1, .poll_ns = UINT64_MAX};
}

void process_close(transport *self)
{
    if (self->process.pidfd >= 0) {
        self->reactor->ops->unwatch(self->reactor, self->process.pidfd);
        close(self->process.pidfd);
    }
    process_init(self);
}

static void report_gone(transport *self)
{
    process_close(self);
    self->process.gone = true;
}

void process_fired(transport *self)
{
    if (self->process.pidfd >= 0)
        report_gone(self);
}

void process_expire(transport *self, uint64_t now_ns)
{
    transport_process *process = &self->process;
    if (now_ns < process->poll_ns)
        return;
    process->poll_ns = now_ns + TRANSPORT_PROCESS_POLL_NS;
    // A parent that ended may live on as a zombie, to which signals can be sent: getppid() knows.
    bool gone = process->is_parent ? getppid() != process->pid
                                   : kill(process->pid, 0) != 0 && errno == ESRCH;
    if (gone)
        report_gone(self);
}

int transport_watch_process(transport *self, int32_t pid)
{
    if (pid <= 0)
        return -EINVAL;
    process_close(self);
    transport_process *process = &self->process;
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd >= 0) {
        int rc = self->reactor->ops->watch(self->reactor, fd, REACTOR_READ, TRANSPORT_TAG_PROCESS);
        if (rc != 0) {
            close(fd);
            return rc;
        }
        process->pidfd = fd;
        process->pid = pid;
        return 0;
    }
    // ENOSYS: before Linux 5.3. EPERM: a seccomp filter older than the call.
    if (errno != ENOSYS && errno != EPERM)
        return -errno;
    if (kill(pid, 0) != 0 && errno == ESRCH)
        return -ESRCH;
    process->pid = pid;
    process->is_parent = getppid() == pid;
    process->poll_ns = transport_now_ns() + TRANSPORT_PROCESS_POLL_NS;
    return 0;
}
