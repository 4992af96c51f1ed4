/// lane.h: an I/O lane: a thread with a reactor and a native transport of its own, which has no
/// listeners and dials nobody. It runs the handshakes, framing and checks of the connections that
/// the front hands it, and answers for nothing else: who has which routing id, and what is held for
/// whom, is the front's. Internal to lanes/.
///
///     lane.c   opening, the thread, orders          lane_hooks.c   what its connections do
///
/// Invariant: everything here belongs to the lane's thread from its start to its join, except the
/// front's side of the two pipes. Atoms, tables, blocks and pools are single-threaded: those here
/// are the lane's, and what it lends comes back before it is reused.
#pragma once
#include <pthread.h>

#include "../native/body.h"
#include "pipe.h"

typedef struct lane lane;

/// A message of the front's while a connection's output refers to it.
typedef struct lane_loan {
    message head; ///< in the lane's own table; frames are the lender's
    struct lane_loan *next_free;
    lane *owner;
    message_handle borrowed;
} lane_loan;

struct lane {
    transport self; ///< first: the hooks find their lane by it
    uint32_t number;
    bool started, ending, failed;
    pthread_t thread;
    uint64_t linger_ns;
    transport_checker checker;
    void *checks; ///< its context; NULL: nothing is checked
    uint32_t next_serial;
    uint32_t gone_clients; ///< sends whose connection was gone, to be told
    lane_loan *loans;      ///< unused
    uint32_t done_count;
    message_handle done[LANE_HANDLES_MAX]; ///< to be given back
    lane_counts told;                      ///< as the front knows them
    lane_pipe orders;                      ///< from the front
    lane_pipe records;                     ///< to the front
};

/// `front_bell`: the front's doorbell. On failure nothing is left open.
lane *lane_open(const transport_config *, uint32_t number, reactor_kind, int front_bell,
                transport_error *);
/// Starts its thread. 0 or an errno.
int lane_start(lane *);
/// When its thread has ended, or was never started: frees what it has.
void lane_free(lane *);

/// lane_hooks.c
extern const native_hooks LANE_HOOKS;
/// Checks the messages among records: the records' `finish`.
void lane_check(void *lane, lane_record *records, uint32_t count);
/// SEND: frames for a connection.
void lane_carry_out_send(lane *, const lane_record *);
/// The connection that the front means, or NULL when it is gone.
native_connection *lane_find(lane *, const lane_record *);
/// The front may have this message back.
void lane_done_with(lane *, message_handle);
/// Tells the front what it may have back.
void lane_tell_done(lane *);
