/// calls.c: the replaced system calls. On a thread that has not entered a simulated kernel, and for
/// descriptors that are not simulated, each is the system's own. See simulated_kernel.h.
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "calls.h"

_Thread_local simulated_kernel *current;

void simulated_kernel_enter(simulated_kernel *self)
{
    current = self;
}

void simulated_kernel_leave(void)
{
    current = NULL;
}

bool simulated_kernel_is_linked(void)
{
    return !CALLS_ARE_WATCHED;
}

#if !CALLS_ARE_WATCHED

int clock_gettime(clockid_t clock, struct timespec *out)
{
    if (!current || (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME))
        return REAL(clock_gettime)(clock, out);
    kernel_called(current);
    uint64_t now_ns = current->now_ns + (clock == CLOCK_REALTIME ? current->wall_offset_ns : 0);
    out->tv_sec = (time_t)(now_ns / 1000000000u);
    out->tv_nsec = (long)(now_ns % 1000000000u);
    return 0;
}

int socket(int domain, int type, int protocol)
{
    return current ? kernel_open(current, KERNEL_SOCKET) : REAL(socket)(domain, type, protocol);
}

static uint16_t port_of(const struct sockaddr *address)
{
    return ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
}

int bind(int fd, __CONST_SOCKADDR_ARG address, socklen_t size)
{
    kernel_file *file = simulated(fd);
    if (!file)
        return REAL(bind)(fd, address, size);
    file->port = port_of(address.__sockaddr__);
    return 0;
}

int listen(int fd, int backlog)
{
    kernel_file *file = simulated(fd);
    if (!file)
        return REAL(listen)(fd, backlog);
    file->kind = KERNEL_LISTENER;
    return 0;
}

int accept4(int fd, __SOCKADDR_ARG address, socklen_t *restrict size, int flags)
{
    kernel_file *file = simulated(fd);
    if (!file)
        return REAL(accept4)(fd, address, size, flags);
    if (file->backlog_count == 0)
        return fail(EAGAIN);
    if (kernel_chance(current, current->faults.accept_emfile))
        return fail(EMFILE);
    kernel_connection *connection = current->connections[file->backlog[0]];
    bool aborted = !connection || kernel_chance(current, current->faults.accept_aborted);
    int stream = aborted ? -1 : kernel_open(current, KERNEL_STREAM);
    if (!aborted && stream < 0)
        return -1;
    memmove(file->backlog, file->backlog + 1, --file->backlog_count * sizeof *file->backlog);
    if (aborted) {
        if (connection) {
            connection->state = SIMULATED_CLOSED;
            kernel_connection_changed(current, connection);
            kernel_connection_release(current, connection);
        }
        return fail(ECONNABORTED);
    }
    connection->fd = stream;
    kernel_file_of(current, stream)->connection = connection;
    return stream;
}

int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t size)
{
    kernel_file *file = simulated(fd);
    if (!file)
        return REAL(connect)(fd, address, size);
    kernel_connection *connection = kernel_connection_create(current);
    file->kind = KERNEL_STREAM;
    file->connection = connection;
    connection->fd = fd;
    connection->dialled_port = port_of(address.__sockaddr__);
    bool at_once = kernel_chance(current, current->faults.connect_immediate);
    connection->state = at_once ? SIMULATED_OPEN : SIMULATED_CONNECTING;
    kernel_connection_changed(current, connection);
    return at_once ? 0 : fail(EINPROGRESS);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
    return simulated(fd) ? 0 : REAL(setsockopt)(fd, level, name, value, size);
}

int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict size)
{
    kernel_file *file = simulated(fd);
    if (!file)
        return REAL(getsockopt)(fd, level, name, value, size);
    if (level != SOL_SOCKET || name != SO_ERROR || !file->connection)
        return fail(ENOPROTOOPT);
    memcpy(value, &file->connection->connect_error, sizeof(int));
    return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list rest;
    va_start(rest, request);
    void *out = va_arg(rest, void *);
    va_end(rest);
    kernel_file *file = simulated(fd);
    if (!file)
        return REAL(ioctl)(fd, request, out);
    if (request != SIOCOUTQ || !file->connection)
        return fail(ENOTTY);
    *(int *)out = (int)kernel_bytes_size(&file->connection->sent);
    return 0;
}

static int write_address(uint16_t port, struct sockaddr *out, socklen_t *size)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    memcpy(out, &address, *size < sizeof address ? *size : sizeof address);
    *size = sizeof address;
    return 0;
}

int getsockname(int fd, __SOCKADDR_ARG out, socklen_t *restrict size)
{
    kernel_file *file = simulated(fd);
    return file ? write_address(file->port, out.__sockaddr__, size)
                : REAL(getsockname)(fd, out, size);
}

int getpeername(int fd, __SOCKADDR_ARG out, socklen_t *restrict size)
{
    kernel_file *file = simulated(fd);
    if (!file)
        return REAL(getpeername)(fd, out, size);
    if (!file->connection || file->connection->state == SIMULATED_CONNECTING)
        return fail(ENOTCONN);
    return write_address((uint16_t)(10000 + file->connection->number % 50000), out.__sockaddr__,
                         size);
}

ssize_t recv(int fd, void *data, size_t size, int flags)
{
    kernel_file *file = simulated(fd);
    if (!file)
        return REAL(recv)(fd, data, size, flags);
    kernel_connection *connection = file->connection;
    if (!connection)
        return fail(ENOTCONN);
    if (kernel_chance(current, current->faults.receive_eintr))
        return fail(EINTR);
    size_t taken = kernel_bytes_take(&connection->received, data, size);
    if (taken == 0 && connection->reset_error && !connection->reset_told) {
        connection->reset_told = true;
        return fail(connection->reset_error);
    }
    if (taken > 0 || connection->ended || connection->reset_error) {
        // The world may have more that found no room.
        kernel_connection_changed(current, connection);
        return (ssize_t)taken;
    }
    return fail(EAGAIN);
}

ssize_t sendmsg(int fd, const struct msghdr *header, int flags)
{
    kernel_file *file = simulated(fd);
    if (!file)
        return REAL(sendmsg)(fd, header, flags);
    simulated_kernel *self = current;
    kernel_connection *connection = file->connection;
    if (!connection)
        return fail(ENOTCONN);
    if (connection->reset_error)
        return fail(EPIPE);
    if (kernel_chance(self, self->faults.send_eintr))
        return fail(EINTR);
    if (kernel_chance(self, self->faults.send_enobufs))
        return fail(ENOBUFS);
    size_t held = kernel_bytes_size(&connection->sent);
    size_t room = connection->send_room > held ? connection->send_room - held : 0;
    if (room == 0) {
        connection->was_full = true;
        return fail(EAGAIN);
    }
    bool is_short = kernel_chance(self, self->faults.send_short);
    if (is_short)
        room = 1 + kernel_random(self) % room;
    size_t total = 0;
    for (size_t i = 0; i < header->msg_iovlen && total < room; i++) {
        size_t size = header->msg_iov[i].iov_len;
        size = size < room - total ? size : room - total;
        kernel_bytes_append(&connection->sent, header->msg_iov[i].iov_base, size);
        total += size;
    }
    kernel_connection_changed(self, connection);
    return (ssize_t)total;
}

int close(int fd)
{
    if (!simulated(fd))
        return REAL(close)(fd);
    kernel_close(current, fd);
    return 0;
}

int eventfd(unsigned int count, int flags)
{
    if (!current)
        return REAL(eventfd)(count, flags);
    int fd = kernel_open(current, KERNEL_EVENT);
    if (fd >= 0)
        kernel_file_of(current, fd)->counter = count;
    return fd;
}

ssize_t read(int fd, void *data, size_t size)
{
    kernel_file *file = simulated(fd);
    if (!file)
        return REAL(read)(fd, data, size);
    if (file->kind != KERNEL_EVENT || size < sizeof file->counter)
        return fail(EINVAL);
    if (file->counter == 0)
        return fail(EAGAIN);
    memcpy(data, &file->counter, sizeof file->counter);
    file->counter = 0;
    return sizeof file->counter;
}

static ssize_t write_file(kernel_file *file, const void *data, size_t size)
{
    disk_file *disk = file->disk_file;
    size_t offset = file->offset;
    if (!kernel_write_slowly(current, disk, data, size, offset, 0))
        return fail(EIO);
    file->offset = offset + size;
    return (ssize_t)size;
}

ssize_t write(int fd, const void *data, size_t size)
{
    kernel_file *file = simulated(fd);
    if (!file)
        return REAL(write)(fd, data, size);
    uint64_t added;
    if (file->kind == KERNEL_DISK_FILE)
        return write_file(file, data, size);
    if (file->kind != KERNEL_EVENT || size < sizeof added)
        return fail(EINVAL);
    memcpy(&added, data, sizeof added);
    file->counter += added;
    file->marked = true;
    return sizeof added;
}

int epoll_create1(int flags)
{
    return current ? kernel_open(current, KERNEL_EPOLL) : REAL(epoll_create1)(flags);
}

int epoll_ctl(int set, int operation, int fd, struct epoll_event *event)
{
    if (!simulated(set))
        return REAL(epoll_ctl)(set, operation, fd, event);
    int rc = kernel_epoll_ctl(current, operation, fd, event);
    return rc < 0 ? fail(-rc) : 0;
}

int epoll_pwait2(int set, struct epoll_event *events, int capacity, const struct timespec *timeout,
                 const sigset_t *mask)
{
    if (!simulated(set))
        return REAL(epoll_pwait2)(set, events, capacity, timeout, mask);
    uint64_t until_ns = UINT64_MAX;
    if (timeout)
        until_ns =
            current->now_ns + (uint64_t)timeout->tv_sec * 1000000000u + (uint64_t)timeout->tv_nsec;
    int count = kernel_epoll_wait(current, events, capacity, until_ns);
    return count < 0 ? fail(-count) : count;
}

#endif
