/// epoll.c: edge-triggered readiness, and the sleep in which the world goes on. See kernel.h.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "kernel.h"

static uint32_t stream_readiness(kernel_connection *connection)
{
    uint32_t ready = 0;
    if (connection->state == SIMULATED_CONNECTING)
        return connection->connect_error ? EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP : 0;
    if (connection->reset_error)
        return EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLERR | EPOLLHUP;
    if (kernel_bytes_size(&connection->received) > 0)
        ready |= EPOLLIN;
    if (connection->ended)
        ready |= EPOLLIN | EPOLLRDHUP;
    // As Linux's tcp_poll: who asks while there is no room is told when there is.
    if (kernel_bytes_size(&connection->sent) < connection->send_room)
        ready |= EPOLLOUT;
    else
        connection->was_full = true;
    return ready;
}

static uint32_t readiness(const kernel_file *file)
{
    switch (file->kind) {
    case KERNEL_STREAM:
        return stream_readiness(file->connection);
    case KERNEL_LISTENER:
        return file->backlog_count > 0 ? EPOLLIN : 0;
    case KERNEL_EVENT:
        return EPOLLOUT | (file->counter > 0 ? EPOLLIN : 0u);
    case KERNEL_SOCKET:
        return EPOLLOUT | EPOLLHUP;
    case KERNEL_EPOLL:
    case KERNEL_DISK_FILE:
    case KERNEL_FOLDER:
    case KERNEL_NOTHING:
        break;
    }
    return 0;
}

int kernel_epoll_ctl(simulated_kernel *self, int operation, int fd, const struct epoll_event *event)
{
    kernel_file *file = kernel_file_of(self, fd);
    if (!file)
        return -EBADF;
    if (operation == EPOLL_CTL_ADD && file->watched)
        return -EEXIST;
    if (operation != EPOLL_CTL_ADD && !file->watched)
        return -ENOENT;
    file->watched = operation != EPOLL_CTL_DEL;
    if (!file->watched)
        return 0;
    if (!(event->events & EPOLLET)) {
        fputs("simulated kernel: only edge-triggered watches are simulated\n", stderr);
        abort();
    }
    file->interest = event->events;
    file->data = event->data.u64;
    file->marked = true; // whatever is ready now is reported
    return 0;
}

static int report(simulated_kernel *self, struct epoll_event *events, int capacity)
{
    int count = 0;
    for (uint32_t i = 0; i < self->file_end && count < capacity; i++) {
        uint32_t index = (self->wait_start + i) % self->file_end;
        kernel_file *file = &self->files[index];
        if (!file->watched || !file->marked)
            continue;
        file->marked = false;
        uint32_t fired = readiness(file) & (file->interest | EPOLLERR | EPOLLHUP);
        if (fired == 0)
            continue;
        events[count].events = fired;
        events[count].data.u64 = file->data;
        count++;
    }
    self->wait_start = (uint32_t)kernel_random(self) % (self->file_end ? self->file_end : 1);
    return count;
}

int kernel_epoll_wait(simulated_kernel *self, struct epoll_event *events, int capacity,
                      uint64_t until_ns)
{
    if (kernel_chance(self, self->faults.wait_eintr))
        return -EINTR;
    for (;;) {
        kernel_run_threads(self);
        if (self->dead)
            return -EBADF;
        int count = report(self, events, capacity);
        if (count > 0 || self->now_ns >= until_ns)
            return count;
        uint64_t threads_ns = kernel_threads_until(self);
        uint64_t wake_ns = until_ns < threads_ns ? until_ns : threads_ns;
        if (!self->host.sleep(self->host.context, wake_ns)) {
            fputs("simulated kernel: the process sleeps and nothing will ever wake it\n", stderr);
            abort();
        }
    }
}
