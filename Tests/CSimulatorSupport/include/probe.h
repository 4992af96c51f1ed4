/// probe.h: system calls that Swift's Glibc module lacks, for SimulatorTests. They are whatever the
/// calls of this program are: simulated on a thread that entered a simulated kernel.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PROBE_IN    0x001u
#define PROBE_OUT   0x004u
#define PROBE_RDHUP 0x2000u
#define PROBE_ET    0x80000000u

int probe_epoll_create(void);
/// 0 or -1 with errno. `again`: it is watched already.
int probe_epoll_watch(int set, int fd, uint32_t events, bool again);
/// The events of the first descriptor, 0 after so many milliseconds without any, or -errno.
int64_t probe_epoll_wait(int set, int milliseconds);
/// Not blocking.
int probe_accept(int listener);

#ifdef __cplusplus
}
#endif
