/// body.h: the native body's data and the calls between its files. Internal to native/.
///
///     native.c      open, close, the ops table       connection.c  one connection's life
///     listen.c      bound addresses, accepting       dial.c        connecting, again and again
///     route.c       routing ids, handshake queue     subscribe.c   what a PUB's peer wants
///     send.c        sending                          gather.c      events of what was received
///     notice.c      lines for the log                pressure.c    peers that do not read
///     heartbeat.c   peers that promised to speak     resolve.c     host names
///     limits.c      what the configuration leaves open
///     hang_up.c     the orderly end of a role
///     and without I/O: codec.c, peer.c, traffic.c, assembly.c, block.c, output.c, null.c,
///     curve*.c
///
/// Invariant: a connection is in the table until the reactor has let go of its fd. It is in its
/// role's ring, and in `routes` (ROUTER), exactly while it is ready.
#pragma once
#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "../endpoint.h"
#include "../hold.h"
#include "../reactor/streams.h"
#include "../transport_internal.h"
#include "curve.h"
#include "output.h"
#include "peer.h"

/// An address in use is tried again this often, for a second in all.
#define NATIVE_BIND_TRIES    100
#define NATIVE_BIND_PAUSE_NS 10000000
/// All peers dial at once after a restart; the kernel cuts this to net.core.somaxconn.
#define NATIVE_BACKLOG 8192
/// How long a connect may take.
#define NATIVE_CONNECT_NS 30000000000ull
/// Descriptors that accepting leaves for the hub's links, and for what others open.
#define NATIVE_SPARE_DESCRIPTORS 16
/// After a failure to connect: doubled each time, cut by up to half at random.
#define NATIVE_DIAL_NS_MIN 100000000ull
#define NATIVE_DIAL_NS_MAX 2000000000ull
/// How long accepting rests when there are no descriptors left.
#define NATIVE_ACCEPT_REST_NS 100000000ull
/// Log lines queued for an iplogger that does not read; more of them are dropped.
#define NATIVE_LOG_MESSAGES_MAX 1000u
/// Bytes kept for a DEALER's peer that is not there yet; more are dropped.
#define NATIVE_PENDING_BYTES_MAX (64u << 20)
/// Parts of one gathered write: 4 MiB in chunks.
#define NATIVE_FLIGHT_VECTORS 256u
/// How many sends ahead a message is brought into the cache.
#define NATIVE_SENDS_AHEAD 6u
/// Topics that one peer may subscribe to.
#define NATIVE_TOPICS_MAX 4096u
/// A peer that vanished without a FIN is noticed after 120 + 4 * 30 s.
#define NATIVE_KEEPALIVE_IDLE_S     120
#define NATIVE_KEEPALIVE_COUNT      4
#define NATIVE_KEEPALIVE_INTERVAL_S 30
/// Kinds of lines for the log; more of them share.
#define NATIVE_NOTICES_MAX 64u
#define NATIVE_NOTICE_SIZE 256u
/// Tags of watches: connects in progress, by role.
#define NATIVE_ROUTE_LEFT UINT32_MAX
#define NATIVE_TAG_DIAL   64u

/// For the body of the I/O lanes (lanes/), which splits a native body over threads: the sockets
/// that listen and dial on the scheduling thread, the peers of the bound roles on lanes. NULL
/// functions are not hooked; without hooks a body does everything itself.
typedef struct native_connection native_connection;
typedef struct native_hooks {
    // On the scheduling thread.
    /// A listener's new descriptor, which is the hook's to open or close.
    void (*accepted)(transport *, transport_role, int fd);
    /// To a peer of a bound role. 0, or an errno, and then nothing of it was sent.
    int (*send)(transport *, const transport_send *);
    /// After a turn's sends, before what is queued for the hub is written.
    void (*handed_over)(transport *);
    // On a lane.
    /// A peer's handshake is done: instead of giving it a route. NULL, or a reason to close.
    const char *(*ready)(native_connection *, native_bytes identity);
    /// A connection that was ready closes.
    void (*left)(native_connection *);
    /// An engine has more queued than it may have, or no longer.
    void (*crowded)(native_connection *, bool);
    /// Owns the block from here on. NULL, or a reason to close.
    const char *(*message)(native_connection *, native_block *);
} native_hooks;

typedef union native_address {
    struct sockaddr head;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    struct sockaddr_un path;
} native_address;

/// A host name that is being looked up.
typedef struct native_question native_question;

/// A gathered write in progress.
typedef struct native_flight {
    struct native_flight *next_free;
    struct msghdr header;
    struct iovec vectors[NATIVE_FLIGHT_VECTORS];
} native_flight;

typedef struct native_topic {
    uint8_t *bytes;
    uint32_t size;
    uint32_t count;
} native_topic;

typedef struct native_topics {
    native_topic *list;
    uint32_t count, capacity;
    uint32_t everything; ///< subscriptions to the empty topic
} native_topics;

struct native_connection {
    native_peer peer; ///< first: what the host's functions are given
    transport *owner;
    native_output output;
    native_flight *flight;                               ///< while `sending`
    struct native_connection *ring_next, *ring_previous; ///< handshakes, then the role's
    uint64_t handshake_end_ns;
    uint64_t counted_bytes;    ///< of `output`, in `waiting_bytes`
    uint64_t unfinished_bytes; ///< that came of a message that is not whole
    struct native_connection *heartbeat_next, *heartbeat_previous; ///< a ring; NULL: no promise
    uint64_t silent_end_ns; ///< by then the peer promised to speak
    native_topics topics;   ///< PUB
    int fd;
    uint32_t index;  ///< in the table, and the reactor's tag
    atom id;         ///< ROUTER, once ready; counted
    uint32_t serial; ///< for the hooks: tells connections apart that had one index
    uint8_t role;
    bool ready;
    bool closing; ///< the reactor still has the fd
    bool dirty;   ///< in the dirty list
    bool sending;
    bool broken;    ///< out of memory while queueing: to be closed
    bool hung_up;   ///< it has been told that no more comes
    bool throttled; ///< a client that is not read: too much waits for it
    bool paused;    ///< by transport_pause_peer
    bool crowded;   ///< as the hook was told
    bool heard;     ///< since its last promise to speak
};

typedef struct native_pending {
    struct native_pending *next;
    transport_send send; ///< with references of its own
    uint64_t bytes;
} native_pending;

typedef struct native_role {
    native_link link;
    bool exists;
    bool paused; ///< by transport_pause
    bool pushed; ///< by pressure.c
    bool router, publishes;
    char *url;
    endpoint parsed;
    // bound
    int listener;
    bool full;                 ///< accepts nobody
    bool short_of_descriptors; ///< likewise, until accept_ns
    uint32_t peer_count;       ///< ready
    char *endpoint;            ///< as it was bound
    char *unlink_path;         ///< ipc: removed at the end
    uint64_t accept_ns;        ///< accepting rests until then; UINT64_MAX: it does not rest
    uint64_t hang_up_ns;       ///< who still speaks then is hung up on; 0: nobody is
    // connecting
    int dial_fd;      ///< a connect in progress
    uint64_t dial_ns; ///< the next try, or when the present one is given up; UINT64_MAX: none
    uint32_t failures;
    native_address address; ///< as last known
    socklen_t address_size; ///< 0: not known
    native_question *question;
    native_pending *pending_first, *pending_last;
    uint64_t pending_bytes;
    // received
    native_block *first, *last;
    native_connection *ring; ///< ready connections; the next of a round robin
    uint32_t *routes;        ///< by atom: table index + 1, or NATIVE_ROUTE_LEFT
    uint32_t route_capacity;
    // engines that are connected anew: to be told, the first `told` of them by this turn
    atom *rejoined;
    uint32_t rejoined_count, rejoined_capacity, rejoined_told;
} native_role;

/// What peers can cause again and again.
typedef struct native_notice_kind {
    uint32_t hash; ///< 0: free
    uint32_t swallowed;
    uint64_t told_ns;
    bool queued;
    char text[NATIVE_NOTICE_SIZE];
} native_notice_kind;

typedef struct native_notices {
    uint64_t expires_ns; ///< when counts are to be told
    uint32_t first, count;
    uint8_t queue[NATIVE_NOTICES_MAX]; ///< indexes of kinds
    native_notice_kind kinds[NATIVE_NOTICES_MAX];
} native_notices;

typedef struct native_body {
    const native_hooks *hooks; ///< NULL: none
    void *hooked;              ///< the hooks' own
    transport_limits limits;   ///< none is 0
    native_role roles[TRANSPORT_ROLES];
    native_connection **table;
    uint32_t *free_indexes, *dirty;
    uint32_t table_count, table_capacity, free_count;
    uint32_t dirty_count, dirty_capacity;
    uint32_t closing_count;
    native_connection *handshakes; ///< a ring, the oldest first
    uint32_t handshake_count;
    uint32_t next_id; ///< of peers without a routing id
    uint64_t random;
    bool engine_dealer;
    bool tell_subscribed;
    uint64_t published_bytes; ///< for the monitor, that somebody listened to
    bool stalled;             ///< the table of handles was full
    int32_t mean_bytes;       ///< of a message, lately
    native_curve_keys *curve; ///< NULL: mechanism NULL
    transport_pool *pool;
    native_chunks chunks;
    native_flight *flights;
    transport_hold *hold;
    reactor_sink sink;
    native_connection *heartbeats; ///< a ring
    uint64_t heartbeat_ns;         ///< when it is looked at; UINT64_MAX: it is empty
    int descriptor_max;            ///< higher ones are not accepted
    native_notices notices;
} native_body;

static inline native_body *native_of(const transport *self)
{
    return self->body;
}

static inline const reactor_stream_ops *native_streams(const transport *self)
{
    return self->reactor->ops->streams;
}

/// native.c: what is known of a role before it has a socket. False: out of memory.
bool native_role_prepare(transport *, const transport_config *, transport_role, transport_error *);

static inline bool native_role_rests(const native_role *role)
{
    return role->paused || role->pushed;
}

/// notice.c: `role` and `cause` make the kind of a line.
void native_notice(transport *, uint32_t role, const char *cause, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/// Where the line is to be written now, or NULL: it was only counted.
native_notice_kind *native_notice_due(transport *, uint32_t role, const char *cause);
void native_notices_expire(transport *, uint64_t now_ns);
bool native_next_notice(transport *, char *text, size_t text_size);
/// A line and how many more like it, before it becomes text.
typedef struct native_told {
    uint32_t kind, more;
    const char *text; ///< until the next notice
} native_told;
bool native_take_notice(transport *, native_told *);
/// What another body (a lane) has told, as if it had happened here.
void native_notice_again(transport *, const native_told *);

/// Whether it is not read.
static inline bool native_rests(const native_connection *connection)
{
    return native_role_rests(&native_of(connection->owner)->roles[connection->role]) ||
           connection->throttled || connection->paused;
}

/// pressure.c
/// Reads this connection, or not, as its role and what waits for it have it.
void native_read_or_rest(native_connection *);
void native_role_read_or_rest(transport *, transport_role);
void native_pause(native_connection *, bool paused);
/// Stops or resumes reading clients and engines, by what waits for engines and for the monitor.
void native_push_back(transport *);
/// May close the connection.
void native_account_change(native_connection *);
static inline void native_account(native_connection *connection)
{
    if (connection->output.bytes != connection->counted_bytes)
        native_account_change(connection);
}
/// That `bytes` came of a message that is not whole. May close this connection, or another.
void native_unfinished_change(native_connection *, uint64_t bytes);
/// One ready peer of a bound address more, or less.
void native_count_peer(transport *, transport_role, int32_t change);

/// limits.c: the defaults where `given` is 0, and what can be had where it is too much.
transport_limits native_limits(const transport_limits *given);
/// Descriptors above are not for accepting.
int native_descriptor_max(void);

/// heartbeat.c
/// The peer will have spoken again in `tenths` of a second, or is gone.
void native_heartbeat_promise(native_connection *, uint32_t tenths);
void native_heartbeat_end(native_connection *);
void native_heartbeats_expire(transport *, uint64_t now_ns);

/// listen.c
bool native_listen(transport *, transport_role, transport_error *);
void native_unlisten(transport *, transport_role);
void native_accepted(void *context, uint64_t tag, int32_t result);
void native_accept_again(transport *, uint64_t now_ns);
void native_set_tcp_options(int fd);

/// hang_up.c: see transport_hang_up.
int32_t native_hang_up(transport *, transport_role);

/// resolve.c: NULL, or why the address cannot be had.
/// May wait for the resolver. `size` is the address's.
const char *native_resolve(const endpoint *, bool binds, native_address *, socklen_t *size);
/// Asks again where the host is, without waiting.
void native_resolve_begin(native_role *);
/// Into `role.address`, if there is an answer.
const char *native_resolve_end(native_role *);
void native_resolve_free(native_role *);

/// dial.c
void native_dial(transport *, transport_role, uint64_t now_ns);
void native_dial_fired(transport *, transport_role);
/// After a connection ended, or never came to be.
void native_dial_later(transport *, transport_role, uint64_t now_ns);
void native_dial_expire(transport *, uint64_t now_ns);
void native_dial_close(transport *, transport_role);

/// connection.c
/// Takes over `fd`, in any case.
void native_connection_open(transport *, transport_role, int fd);
/// `reason`: the end of a sentence for the log; NULL: nothing to be said.
void native_connection_close(native_connection *, const char *reason);
void native_connection_mark_dirty(native_connection *);
reactor_room native_received(void *context, uint64_t tag, const uint8_t *data, int32_t size);
void native_sent(void *context, uint64_t tag, int32_t result);
void native_closed(void *context, uint64_t tag);
/// Writes what is queued, one gathered write a peer.
void native_flush(transport *);

/// route.c
void native_handshake_begin(native_connection *, uint64_t now_ns);
void native_handshake_end(native_connection *);
void native_handshakes_expire(transport *, uint64_t now_ns);
/// Gives a ROUTER's peer its id. NULL, or a reason to close.
const char *native_route_add(native_connection *, native_bytes identity);
/// An engine is connected anew. Without memory nothing is told: its tasks wait until the hub says
/// that it has gone.
void native_note_rejoined(transport *, atom);
/// Engines that are connected anew, as events; what these lend is released by the next turn.
uint32_t native_gather_rejoined(transport *, transport_event *, uint32_t capacity);
void native_release_rejoined(transport *);
void native_route_remove(native_connection *);
native_connection *native_route_find(const native_body *, transport_role, atom);
/// 0x00 and 32 bits, as libzmq makes them. Interned; ATOM_NONE: out of memory.
atom native_route_next_id(transport *);
void native_ring_add(native_connection **ring, native_connection *);
void native_ring_remove(native_connection **ring, native_connection *);

/// subscribe.c
const char *native_subscription(native_peer *, bool subscribes, native_bytes topic);
bool native_topics_match(const native_topics *, native_bytes first_frame);
/// Whether anything is listened to.
bool native_topics_any(const native_topics *);
void native_topics_free(native_topics *);
/// A 3.0 peer's subscription, which comes as a message. Owns the block.
const char *native_subscription_message(native_peer *, native_block *);
/// Asks a SUB's peer for everything.
void native_subscribe_all(native_connection *);

/// What a send puts on the wire.
typedef struct native_outgoing {
    native_bytes prefix[3];
    uint32_t prefix_count;
    const message *source; ///< NULL: no frames beyond the prefix
    uint32_t first;
    native_bytes wire;        ///< those frames as they came; data NULL: they have to be framed
    size_t prefix_size, size; ///< on the wire, heads included
} native_outgoing;

/// send.c
native_outgoing native_prepare(const transport *, const transport_send *);
/// Whether queueing it copies all of it, so that nothing refers to the message afterwards.
bool native_queue_copies(const native_connection *, const native_outgoing *);
void native_queue(native_connection *, const native_outgoing *);
/// 0, or an errno, and then nothing of it was sent.
int native_send_to_engine(transport *, const transport_send *);
void native_send_all(transport *, const transport_send *, uint32_t count);
void native_send_pending(native_connection *);
void native_drop_pending(transport *, transport_role);
/// host: a command of the traffic phase.
void native_send_command(native_peer *, native_bytes body);

/// gather.c
const char *native_queue_message(native_peer *, native_block *);
bool native_has_events(const transport *);
uint32_t native_gather(transport *, transport_event *, uint32_t capacity);
/// Once a turn: whether the reactor receives in the next one; about a turn's worth, then.
void native_receive_more(transport *, bool more);
void native_drop_received(transport *, transport_role);
