/// transport.h: the scheduler's sockets behind one face, whichever body carries them.
///
///     role            socket           link
///     CLIENT          ROUTER, bound    clients
///     ENGINE          ROUTER, bound    engines (DEALER when `engine_dealer`: scheme pure)
///     MONITOR         PUB, connected   the hub's monitor
///     NOTIFICATION    SUB, connected   the hub's notifier
///     REGISTRATION    DEALER, connected the hub's registrar
///     LOG             PUB, connected   ipyparallel's iplogger
///
/// Bodies: zmq (libzmq sockets woken through the reactor); native (ZMTP in the scheduling thread);
/// native with `io_threads` (ZMTP of clients and engines in threads of their own, the I/O lanes).
/// One turn: `transport_turn` sleeps until something is ready or the deadline, gathers everything
/// that is ready into an array of events; the caller fills an array of sends; `transport_send`
/// hands them all over and makes sure they leave. Frames are never copied on the way through:
/// a send names a message and the frame to start from.
///
/// Single owner thread, except `transport_wake`.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "atoms.h"
#include "message.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum transport_role {
    TRANSPORT_CLIENT = 0,
    TRANSPORT_ENGINE = 1,
    TRANSPORT_MONITOR = 2,
    TRANSPORT_NOTIFICATION = 3,
    TRANSPORT_REGISTRATION = 4,
    TRANSPORT_LOG = 5,
} transport_role;
#define TRANSPORT_ROLES 6

typedef enum transport_event_kind {
    /// `message` arrived on `role`, from `peer` (ROUTER). The receiver owns one reference.
    TRANSPORT_MESSAGE = 1,
    /// A send to an engine that has not connected, or (native) not read enough of what waits for
    /// it, within `hold_ns`: `tag` and `peer` are the send's. Nothing of it was sent.
    TRANSPORT_UNDELIVERABLE = 2,
    /// Somebody listens to the monitor, whom nobody heard before: what is published from now on is
    /// heard. Again after each time that the last listener had gone.
    TRANSPORT_SUBSCRIBED = 3,
    /// `transport_wake` was called (once a turn, however often).
    TRANSPORT_WAKE = 4,
    /// The watched process is gone.
    TRANSPORT_PARENT_GONE = 5,
    /// The engine `peer`, which had been connected, is connected anew: what was sent to it on the
    /// connection before, or by it, may be lost; what was not, comes before all that it says to
    /// what it is sent from now on (native).
    TRANSPORT_REJOINED = 6,
} transport_event_kind;

/// 40 bytes; crosses to Swift as it is.
typedef struct transport_event {
    uint8_t kind; ///< transport_event_kind
    uint8_t role; ///< transport_role
    uint16_t frame_count;
    message_handle message;
    atom peer; ///< held by the message (MESSAGE), or until the next turn
    uint32_t tag;
    const message_frame *frames; ///< the message's frames: `frame_count`, without the routing id
    uint64_t bytes;              ///< the sum of their sizes
    /// What `transport_checker` wrote about the message, until the next turn. NULL: not checked.
    const void *checked;
} transport_event;
_Static_assert(sizeof(transport_event) == 40, "crosses to Swift");

/// 32 bytes. On the wire: [to,] prefix frames, then the message's frames from `first_frame` on.
typedef struct transport_send {
    uint8_t role;
    uint8_t prefix_count;   ///< 0 to 3
    uint16_t first_frame;   ///< may equal frame_count: then only the prefix is sent
    atom to;                ///< ROUTER roles: the peer's routing id; others ATOM_NONE
    atom prefix[3];         ///< each sent as one frame
    message_handle message; ///< borrowed; the transport takes references of its own
    uint32_t tag;           ///< comes back in TRANSPORT_UNDELIVERABLE (ENGINE role)
    uint32_t padding;
} transport_send;
_Static_assert(sizeof(transport_send) == 32, "crosses to Swift");

typedef enum transport_body { TRANSPORT_BODY_NATIVE = 1, TRANSPORT_BODY_ZMQ = 2 } transport_body;
typedef enum transport_io {
    TRANSPORT_IO_AUTO = 0,
    TRANSPORT_IO_URING = 1,
    TRANSPORT_IO_EPOLL = 2,
} transport_io;

/// I/O threads, at most.
#define TRANSPORT_IO_THREADS_MAX 64
/// `busy_poll_ns`: looks for something before it sleeps when that is likely to pay, for 0.1 ms.
#define TRANSPORT_BUSY_POLL_AUTO 0xffffffffffffffffull
/// Messages that a checker gets to see before it checks them.
#define TRANSPORT_AHEAD_MAX 32
/// Bytes that a checker may say about a message.
#define TRANSPORT_CHECKED_SIZE 96

/// What lanes do with each message of a client or an engine before they hand it over.
typedef struct transport_checker {
    /// NULL, or called before `check` is for each of `count` messages, at most
    /// TRANSPORT_AHEAD_MAX, on the lane of `context`. Count 0: those are done with.
    void (*ahead)(void *context, const message_frames *messages, size_t count);
    /// Called on the lane of `context`. Writes at most TRANSPORT_CHECKED_SIZE bytes at `out`
    /// (aligned to 8). `*kept`: memory that they refer to besides the frames, which the transport
    /// will `free` when the turn is over; NULL at first. False: it was not possible.
    bool (*check)(void *context, uint32_t role, const message_frame *frames, uint32_t count,
                  void *out, void **kept);
    /// One for each lane, borrowed for the transport's life. NULL: nothing is checked.
    void *const *contexts;
} transport_checker;

/// The native body's limits: the defaults, and what raising them costs.
/// A message on its way in: as much memory for each peer that sends one.
#define TRANSPORT_MESSAGE_BYTES_MAX  (4ull << 30)
#define TRANSPORT_MESSAGE_FRAMES_MAX 65535u ///< and no more: `frame_count` has 16 bits
/// A descriptor and about 1 KiB each.
#define TRANSPORT_PEERS_MAX      16384u
#define TRANSPORT_HANDSHAKES_MAX 8192u
/// How long a stranger may keep such a place.
#define TRANSPORT_HANDSHAKE_NS 30000000000ull
/// Memory for replies that a client does not read.
#define TRANSPORT_CLIENT_PAUSE_BYTES (64ull << 20)
#define TRANSPORT_CLIENT_BYTES_MAX   (1ull << 30)
#define TRANSPORT_CLIENTS_BYTES_MAX  (4ull << 30)
/// Memory for messages of which only a part has come.
#define TRANSPORT_UNFINISHED_BYTES_MAX (8ull << 30)
/// Memory for tasks that engines do not read; a longer wait before they are placed elsewhere.
#define TRANSPORT_ENGINE_BYTES_MAX  (256ull << 20)
#define TRANSPORT_ENGINES_BYTES_MAX (1ull << 30)
/// Memory for records that the hub does not read.
#define TRANSPORT_MONITOR_BYTES_MAX (256ull << 20)

/// What the native body takes before it pushes back, refuses or closes. 0: the default above.
/// Bytes waiting count as they go on the wire; a peer is judged once a turn, so what one turn sends
/// to it may come on top.
typedef struct transport_limits {
    uint64_t message_bytes_max; ///< larger messages close their connection
    /// When more has come of messages that are not whole, of all peers, the one with the most is
    /// closed.
    uint64_t unfinished_bytes_max;
    uint32_t message_frames_max; ///< messages of more frames are dropped
    uint32_t peers_max;          ///< of each bound address; at so many nobody is accepted
    uint32_t handshakes_max;     ///< at one more the oldest is closed
    uint32_t padding;
    uint64_t handshake_ns;       ///< a handshake that takes longer is closed
    uint64_t client_pause_bytes; ///< a client for which more waits is not read, until half is gone
    uint64_t client_bytes_max;   ///< a client for which more waits is closed
    /// When more waits for all clients, one that is not read is closed when it is sent more.
    uint64_t clients_bytes_max;
    uint64_t engine_bytes_max; ///< an engine for which more waits is sent nothing: held, given back
    uint64_t engines_bytes_max; ///< when more waits for all engines, clients are not read
    /// When more waits for the hub's monitor, clients are not read; at twice as much, nor are
    /// engines. Nothing is lost.
    uint64_t monitor_bytes_max;
} transport_limits;

/// Everything is copied by `transport_open`; NULL strings mean "not given".
typedef struct transport_config {
    transport_body body;
    transport_io io;
    const char *url[TRANSPORT_ROLES];      ///< by role; NULL leaves the role out
    const char *identity[TRANSPORT_ROLES]; ///< routing id this side announces
    bool engine_dealer;                    ///< scheme pure
    const char *curve_public_z85;          ///< both or neither: 40 characters each
    const char *curve_secret_z85;
    uint64_t hold_ns;         ///< how long frames for an engine that has not connected are held
    uint64_t hold_bytes_max;  ///< and at most this much over all engines
    uint64_t frame_bytes_max; ///< larger frames close their connection; 0 = no limit
    uint64_t busy_poll_ns;    ///< how long a turn looks for something before it sleeps; or AUTO
    transport_limits limits;  ///< native
    uint64_t seed;            ///< of the reconnection jitter; 0: from the clock (native)
    uint32_t io_threads;      ///< native: lanes; 0: everything in the thread that turns
    uint32_t io_ring_size;    ///< records between two threads, a power of two; 0: as it is best
    transport_checker checker;
    atoms *names;            ///< borrowed for the transport's life
    message_table *messages; ///< likewise
} transport_config;

typedef struct transport transport;

/// What went wrong at open: `stage` decides the exit code.
typedef enum transport_stage {
    TRANSPORT_STAGE_NONE = 0,
    TRANSPORT_STAGE_ARGUMENT = 1, ///< an endpoint or key that cannot be right (exit 2)
    TRANSPORT_STAGE_BIND = 2,     ///< an address that cannot be bound (exit 69)
    TRANSPORT_STAGE_SYSTEM = 3,   ///< sockets, memory, io_uring forced but refused (exit 69)
} transport_stage;

typedef struct transport_error {
    transport_stage stage;
    char text[512]; ///< one line: what, why, what to do
} transport_error;

/// Opens, binds and connects everything, or nothing (NULL and `error` filled in).
transport *transport_open(const transport_config *, transport_error *error);
/// Sends what is queued for at most `linger_ns`, then closes. Releases what it held.
void transport_close(transport *, uint64_t linger_ns);

/// Waits (the first `busy_poll_ns` of it without sleeping) until something is ready, or until
/// `deadline_ns` (CLOCK_MONOTONIC; 0 = do not wait,
/// UINT64_MAX = no deadline), and gathers up to `capacity` events: hub first, then engines, then
/// clients (with I/O threads: then lane by lane, each in the order of arrival). What does not fit
/// is gathered by the next turn, which then does not wait.
/// Returns the number of events, 0 at the deadline (or for a notice), or -errno when the reactor
/// itself failed.
int32_t transport_turn(transport *, uint64_t deadline_ns, transport_event *events,
                       uint32_t capacity);

/// Hands over `count` sends, in order for each peer; they leave with the next turn at the latest
/// (I/O threads that are behind with more than `io_ring_size` sends: with one of the next turns).
/// A peer of the CLIENT role that is gone loses
/// its message (counted); an ENGINE that has not connected is held for (see `hold_ns`).
void transport_send_all(transport *, const transport_send *sends, uint32_t count);

/// Stops or resumes reading a role (back-pressure; waiting for the monitor's subscription).
void transport_pause(transport *, transport_role role, bool paused);

/// Stops or resumes reading one peer of a bound ROUTER role, as long as its connection lasts; what
/// had been read of it before still comes. False: this body cannot (zmq). Nobody with this routing
/// id: nothing happens, true.
bool transport_pause_peer(transport *, transport_role role, atom peer, bool paused);

/// Ends a bound role so that nothing is lost on the way: nobody is accepted any more; each peer is
/// told that no more comes once what waits for it has left and it is between two messages (or never
/// is, for a quarter of a second), and is read until it hangs up. What is sent to it later is
/// dropped (CLIENT) or held (ENGINE). To be called once a turn until it returns 0: the peers that
/// have not hung up. -1: this body cannot (libzmq, I/O threads).
int32_t transport_hang_up(transport *, transport_role);

/// Wakes a sleeping turn. Safe from any thread and from a signal handler.
void transport_wake(transport *);
/// Reports TRANSPORT_PARENT_GONE when this process ends. 0, or -errno (ESRCH: already gone).
int transport_watch_process(transport *, int32_t pid);

/// The actual endpoint of a bound role (with port 0 or * resolved), or NULL.
const char *transport_endpoint(const transport *, transport_role role);
/// "uring" or "epoll".
const char *transport_io_name(const transport *);
/// NULL, or one line that says why io_uring was not taken (cause, and io_uring_disabled).
const char *transport_io_note(const transport *);

/// The next line about what peers did wrong or what is short (native: a refused handshake, a closed
/// connection, no descriptors left). False: nothing new. To be asked after every turn; a turn
/// returns early, with 0 events, when there is something new to be said.
bool transport_next_notice(transport *, char *text, size_t text_size);

typedef struct transport_counters {
    uint64_t received[TRANSPORT_ROLES]; ///< messages
    uint64_t sent[TRANSPORT_ROLES];
    uint64_t dropped_client; ///< replies for clients that are gone
    uint64_t held;           ///< sends that had to be held for an engine
    uint64_t undeliverable;  ///< and those that were given back
    // native
    uint64_t waiting_bytes[TRANSPORT_ROLES]; ///< now: queued, and not yet taken by the kernel
    uint64_t unfinished_bytes;               ///< now
    uint64_t paused_clients;                 ///< times that one was not read (client_pause_bytes)
    uint64_t dropped_peers;                  ///< closed at a limit
    uint64_t pushed_back;                    ///< times that all clients were not read
} transport_counters;
void transport_read_counters(const transport *, transport_counters *out);

/// How far what was sent to the monitor has got.
typedef struct transport_departures {
    /// Bytes (libzmq: messages) ever handed over while somebody listened.
    uint64_t handed;
    /// The latest of them that the hub's machine has not confirmed to have. What goes down with a
    /// connection counts as gone. libzmq: 0, because it does not say.
    uint64_t unconfirmed;
} transport_departures;
/// One system call: for now and then.
void transport_read_departures(const transport *, transport_departures *out);
/// Whether what is sent to the monitor now is heard, or there is no monitor. False: it is dropped.
bool transport_is_heard(const transport *);

/// Whether a peer of a bound ROUTER role is there under this routing id: 1, or 0. -1: this body
/// cannot tell (libzmq).
int32_t transport_is_connected(const transport *, transport_role role, atom peer);

/// CLOCK_MONOTONIC in ns: the clock of all deadlines. Only the daemon's loop calls it.
uint64_t transport_now_ns(void);

#ifdef __cplusplus
}
#endif
