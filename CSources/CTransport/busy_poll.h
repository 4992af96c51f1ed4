/// busy_poll.h: how long a turn that has found nothing looks on before it sleeps. Called by
/// transport.c. Pure: time is an argument.
///
/// Waking a thread that sleeps takes as long as its core takes to leave the idle state: a few
/// microseconds, or fifty and more in a virtual machine. Looking on saves that where something
/// comes within the window, and costs the window where nothing does.
///
/// AUTO looks on where that is likely to pay, predicted as processors predict branches (two levels;
/// Yeh and Patt, 1991):
///
///     how the last waits ended      late soon late soon     one counter of trust for each such
///     (soon: looking would pay)         `history`  --->     history; above a threshold it looks
///
/// Under steady load all are soon, in an idle cluster all are late; with a task now and then, its
/// reply is soon and the next task late, in turn.
///
/// Where something else wants the core, looking only gets the thread preempted, for milliseconds.
/// Then nobody looks for a while: BUSY_POLL_REST_NS, twice as long each time, up to _MAX; once
/// looking has been left alone for BUSY_POLL_CALM_NS in sum, the first length again.
///
/// Invariant: AUTO looks in vain for at most one wait in nine of a history that never pays, and
/// never where no wait ends within BUSY_POLL_SLEEP_NS.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define BUSY_POLL_WINDOW_NS 100000ull ///< AUTO's
/// What a sleep of up to this long was would have been within the window: waking up is part of it,
/// on both sides.
#define BUSY_POLL_SLEEP_NS    (2 * BUSY_POLL_WINDOW_NS)
#define BUSY_POLL_REST_NS     10000000ull
#define BUSY_POLL_REST_NS_MAX 1280000000ull
#define BUSY_POLL_CALM_NS     100000000ull
/// Between two looks; only after a longer time is it asked whether the thread was preempted.
#define BUSY_POLL_GAP_NS  500000ull
#define BUSY_POLL_HISTORY 4

typedef struct busy_poll {
    uint64_t window_ns; ///< 0: never looks
    bool adaptive;
    uint8_t history; ///< the latest outcome in bit 0; 1: soon
    uint8_t trust[1 << BUSY_POLL_HISTORY];
    uint64_t begin_ns; ///< of the present wait
    uint64_t last_ns;  ///< the latest look
    uint64_t until_ns; ///< the present wait looks until then; 0: it does not
    uint64_t rest_until_ns, rest_ns;
    uint64_t calm_ns; ///< spent looking since the last preemption
    int64_t preempted;
} busy_poll;

/// `window_ns`: always look that long; 0: never; TRANSPORT_BUSY_POLL_AUTO.
void busy_poll_init(busy_poll *, uint64_t window_ns);
/// A wait begins: a first look found nothing.
void busy_poll_begin(busy_poll *, uint64_t now_ns);
/// Whether to look again, rather than sleep. `preemptions`: how often the thread was preempted.
bool busy_poll_looks(busy_poll *, uint64_t now_ns, int64_t (*preemptions)(void));
/// The wait ended. `found`: something came, it was not the deadline.
void busy_poll_end(busy_poll *, uint64_t now_ns, bool found);
