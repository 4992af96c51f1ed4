/// transport_internal.h: what transport.c and the transport bodies share. Not part of the face.
///
/// A body fills in a `transport_ops`; transport.c owns the turn: it asks the body for its deadline,
/// sleeps in the reactor, tells the body what fired, and lets it gather.
///
/// Invariant: everything here belongs to the owner thread, except `wake_fd`, which anyone may
/// write.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "busy_poll.h"
#include "include/transport.h"
#include "reactor/reactor.h"

/// Tags of the reactor: a body's own are below TRANSPORT_TAG_FIRST.
#define TRANSPORT_TAG_FIRST   (UINT64_MAX - 255)
#define TRANSPORT_TAG_WAKE    (TRANSPORT_TAG_FIRST + 0)
#define TRANSPORT_TAG_PROCESS (TRANSPORT_TAG_FIRST + 1)

/// How often a process is looked at where there is no pidfd.
#define TRANSPORT_PROCESS_POLL_NS 500000000ull

#define TRANSPORT_NOTE_SIZE 384

typedef struct transport_ops {
    const char *name;
    /// Binds and connects everything (the configuration has been checked), watches its fds and
    /// sets `transport.body`; or nothing, with `error` filled in.
    bool (*open)(transport *, const transport_config *, transport_error *error);
    /// Flushes for `linger_ns`, then frees the body. Messages that others hold stay valid.
    void (*close)(transport *, uint64_t linger_ns);
    /// At the start of each turn: lets go of what the last turn's events lent.
    void (*begin_turn)(transport *);
    /// A watched fd fired.
    void (*fired)(transport *, uint64_t tag);
    /// True when `gather` would find something: the turn must not sleep.
    bool (*ready)(const transport *);
    /// When the body wants `expire` called; UINT64_MAX: never.
    uint64_t (*deadline_ns)(const transport *);
    void (*expire)(transport *, uint64_t now_ns);
    /// Fills in at most `capacity` events, without waiting; the number filled in.
    uint32_t (*gather)(transport *, transport_event *, uint32_t capacity);
    void (*send_all)(transport *, const transport_send *, uint32_t count);
    void (*pause)(transport *, transport_role, bool paused);
    /// May be NULL: a body that cannot.
    void (*pause_peer)(transport *, transport_role, atom peer, bool paused);
    const char *(*endpoint)(const transport *, transport_role);
    /// May be NULL: a body that cannot.
    int32_t (*hang_up)(transport *, transport_role);
    void (*departures)(const transport *, transport_departures *);
    bool (*heard)(const transport *);
    /// May be NULL: a body that cannot tell.
    int32_t (*connected)(const transport *, transport_role, atom peer);
    /// May be NULL: a body that has nothing to say.
    bool (*next_notice)(transport *, char *text, size_t text_size);
} transport_ops;

/// The process that `transport_watch_process` named (process.c).
typedef struct transport_process {
    int pidfd;        ///< -1: looked at every TRANSPORT_PROCESS_POLL_NS instead
    pid_t pid;        ///< 0: none
    bool is_parent;   ///< without a pidfd: gone when getppid() changes
    bool gone;        ///< to be reported by the next gathering
    uint64_t poll_ns; ///< the next look, UINT64_MAX with a pidfd
} transport_process;

struct transport {
    const transport_ops *ops;
    void *body;
    reactor *reactor;
    atoms *names;
    message_table *messages;
    busy_poll busy_poll;
    int wake_fd;
    bool woken;
    bool noticed; ///< there is something new for transport_next_notice
    transport_process process;
    transport_counters counters;
    char note[TRANSPORT_NOTE_SIZE];
};

extern const transport_ops TRANSPORT_LIBZMQ_OPS; ///< zmq/libzmq.c
extern const transport_ops TRANSPORT_NATIVE_OPS; ///< native/native.c
extern const transport_ops TRANSPORT_LANES_OPS;  ///< lanes/front.c

/// zmq/attach.c: 0 when an ipc path may be bound (and a dead socket that lies there removed), and
/// what a person can do about a failed bind.
int transport_check_ipc_path(const char *path);
const char *transport_bind_advice(int error);

/// "client", "engine", ... as in --client-url.
const char *transport_role_name(transport_role);
/// Fills in `error`; always false.
bool transport_fail(transport_error *error, transport_stage stage, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static inline bool transport_role_binds(transport_role role)
{
    return role == TRANSPORT_CLIENT || role == TRANSPORT_ENGINE;
}

/// check.c: everything that can be seen to be wrong before a socket is opened.
bool transport_check(const transport_config *, transport_error *error);

/// process.c
void process_init(transport *);
void process_close(transport *);
void process_fired(transport *);
void process_expire(transport *, uint64_t now_ns);
