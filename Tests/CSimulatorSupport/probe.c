/// probe.c: see probe.h.
#include "probe.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

_Static_assert(PROBE_IN == EPOLLIN && PROBE_OUT == EPOLLOUT && PROBE_RDHUP == EPOLLRDHUP &&
                   PROBE_ET == (uint32_t)EPOLLET,
               "as the system has them");

int probe_epoll_create(void)
{
    return epoll_create1(EPOLL_CLOEXEC);
}

int probe_epoll_watch(int set, int fd, uint32_t events, bool again)
{
    struct epoll_event event = {.events = events};
    return epoll_ctl(set, again ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
}

int64_t probe_epoll_wait(int set, int milliseconds)
{
    struct epoll_event events[4];
    struct timespec timeout = {.tv_sec = milliseconds / 1000,
                               .tv_nsec = milliseconds % 1000 * 1000000l};
    int count = epoll_pwait2(set, events, 4, &timeout, NULL);
    return count < 0 ? -errno : count == 0 ? 0 : (int64_t)events[0].events;
}

int probe_accept(int listener)
{
    return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}
