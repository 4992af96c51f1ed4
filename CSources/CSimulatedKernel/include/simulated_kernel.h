/// simulated_kernel.h: the system calls that a scheduler on epoll makes, answered from memory.
///
/// A program that links this target gets its own socket, bind, listen, accept4, connect, recv,
/// sendmsg, close, epoll_*, eventfd, clock_gettime and the like. They are the system's, except on
/// a thread that has entered a simulated kernel: there, sockets and epoll sets are plain memory and
/// time is a number. So the product's own reactor, streams, connections and codec run unchanged.
///
///     process (the scheduler's calls)        world (everything around it)
///     connect, accept4                  <->  dial, next_changed, answer
///     recv                              <-   deliver, end, reset
///     sendmsg                            ->  collect
///     epoll_pwait2, nothing ready        ->  host.sleep: the world makes the next thing happen
///
/// A process may be killed at any of its calls, or its machine lose power. What runs on is its
/// ghost: no call of it has any effect any more, so that it can be taken apart in good order; then
/// the next process may begin. Between them a folder and its files last (paths that begin with
/// SIMULATED_FOLDER). Threads of the process take turns on the real one: when the first one waits,
/// and at some of its calls.
///
/// Edge-triggered epoll as Linux has it: a change of a file marks it, a wait reports the marked
/// ones that are ready for something wanted, and unmarks them. Descriptors are reused, the lowest
/// first, as Linux does.
///
/// Invariant: the same calls with the same seed get the same answers. One thread at a time.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct simulated_kernel simulated_kernel;

/// Simulated descriptors start here; what is below is the system's on every thread.
#define SIMULATED_FD_FIRST  4096
#define SIMULATED_FILES_MAX 4096
/// The one folder there is: flat, its files in memory.
#define SIMULATED_FOLDER "/simulated/journal"

/// Called while the process sleeps. Makes the next thing happen, or moves the clock to `until_ns`
/// when nothing happens before. `until_ns` UINT64_MAX: the process sleeps until it is woken.
/// False: nothing will ever happen; the program is then ended, because nobody could go on.
typedef struct simulated_host {
    void *context;
    bool (*sleep)(void *context, uint64_t until_ns);
} simulated_host;

/// Chances, in a million calls, that a call fails as it may on a healthy system.
typedef struct simulated_faults {
    uint32_t accept_emfile;     ///< accept4: no descriptors left
    uint32_t accept_aborted;    ///< accept4: the peer went before it was accepted (and is lost)
    uint32_t receive_eintr;     ///< recv
    uint32_t send_eintr;        ///< sendmsg
    uint32_t send_enobufs;      ///< sendmsg
    uint32_t send_short;        ///< sendmsg takes a part of what there is room for
    uint32_t wait_eintr;        ///< epoll_pwait2
    uint32_t connect_immediate; ///< connect succeeds or fails at once
    uint32_t write_short;       ///< pwrite takes a part
    uint32_t disk_stall;        ///< a write or sync of the disk takes up to two seconds
} simulated_faults;

typedef enum simulated_state {
    SIMULATED_CONNECTING = 1, ///< the process called connect and waits for `answer`
    SIMULATED_OPEN = 2,
    SIMULATED_CLOSED = 3, ///< the process closed it
} simulated_state;

/// False in a build whose calls cannot be replaced (ThreadSanitizer watches them itself).
bool simulated_kernel_is_linked(void);

/// `now_ns`: CLOCK_MONOTONIC; CLOCK_REALTIME is that much after `wall_ns`.
simulated_kernel *simulated_kernel_create(uint64_t seed, uint64_t now_ns, uint64_t wall_ns,
                                          simulated_host);
/// All connections must have been forgotten by the world or the process.
void simulated_kernel_destroy(simulated_kernel *);
/// From now on, until `leave`, this thread's calls go to the kernel.
void simulated_kernel_enter(simulated_kernel *);
void simulated_kernel_leave(void);

uint64_t simulated_kernel_now_ns(const simulated_kernel *);
/// Never backwards.
void simulated_kernel_set_now(simulated_kernel *, uint64_t now_ns);
void simulated_kernel_set_faults(simulated_kernel *, simulated_faults);
/// Descriptors that the process has not closed.
uint32_t simulated_kernel_open_files(const simulated_kernel *);
/// Calls that were answered.
uint64_t simulated_kernel_calls(const simulated_kernel *);

/// The process dies at that many of its calls from now (0: at once). What its sockets held may be
/// lost; with `loses_power` what they held is, and what was not synced to the disk may be.
void simulated_kill(simulated_kernel *, uint64_t calls, bool loses_power);
/// Nobody will be killed.
void simulated_spare(simulated_kernel *);
bool simulated_is_dead(const simulated_kernel *);
/// The ghost is gone: the next process may begin.
void simulated_revive(simulated_kernel *);

// The world's side. Connections are numbers from 0, never reused.

/// Connects to a port that the process listens on. A number, or -ECONNREFUSED.
int32_t simulated_dial(simulated_kernel *, uint16_t port);
/// A connection that has something new for the world: it was dialled by the process, has bytes to
/// collect, or was closed. -1: none. Each is told once until something changes again.
int32_t simulated_next_changed(simulated_kernel *);
simulated_state simulated_state_of(const simulated_kernel *, int32_t number);
/// The process died without closing it.
bool simulated_died(const simulated_kernel *, int32_t number);
/// The port that the process dialled; 0 for what the world dialled.
uint16_t simulated_dialled_port(const simulated_kernel *, int32_t number);
/// The end of the process's connect: 0, or an errno.
void simulated_answer(simulated_kernel *, int32_t number, int error);
/// Bytes for the process's recv; those beyond the receive buffer's `room` stay the caller's.
/// Returns how many were taken.
size_t simulated_deliver(simulated_kernel *, int32_t number, const uint8_t *data, size_t size);
/// No more bytes will come.
void simulated_end(simulated_kernel *, int32_t number);
/// The connection is gone: recv gets `error` once what was delivered is read, sendmsg EPIPE. What
/// was not collected is lost.
void simulated_reset(simulated_kernel *, int32_t number, int error);
/// Bytes of the process's sendmsg.
size_t simulated_collect(simulated_kernel *, int32_t number, uint8_t *out, size_t capacity);
size_t simulated_uncollected(const simulated_kernel *, int32_t number);
/// Sizes of the socket buffers (64 KiB each at first).
void simulated_set_room(simulated_kernel *, int32_t number, size_t receive, size_t send);
/// The world is done with it.
void simulated_forget(simulated_kernel *, int32_t number);

/// From now on a crash of this program writes `text` (at most 511 bytes) before anything else.
void simulated_say_on_crash(const char *text);

#ifdef __cplusplus
}
#endif
