/// body.h: the libzmq body's data and the calls between its files. Internal to zmq/.
///
///     libzmq.c   open, close, the ops table        options.c   socket options
///     attach.c   bind and connect                  message.c   received messages' memory
///     gather.c   receiving                         send.c      sending
///
/// Invariant (ZMQ_FD is edge-triggered): the bit of a role is set in `unread` whenever its socket
/// may hold a message that was not asked for yet: after its fd fired and after every send on it.
/// It is cleared only by a receive that said EAGAIN.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <zmq.h>

#include "../endpoint.h"
#include "../hold.h"
#include "../pool.h"
#include "../transport_internal.h"

/// libzmq's limits. One I/O thread: the scheduler's own thread is the bottleneck.
#define LIBZMQ_IO_THREADS  1
#define LIBZMQ_SOCKETS_MAX 64
/// All peers dial at once after a restart; the kernel cuts this to net.core.somaxconn.
#define LIBZMQ_BACKLOG      8192
#define LIBZMQ_HANDSHAKE_MS 30000
/// Log lines queued for an iplogger that does not listen; more of them are dropped.
#define LIBZMQ_LOG_HWM 1000
/// Messages of one client that libzmq reads ahead; the rest stays in the kernel when clients are
/// not read.
#define LIBZMQ_CLIENT_HWM 10000
/// A peer that vanished without a FIN is noticed after 120 + 4 * 30 s.
#define LIBZMQ_KEEPALIVE_IDLE_S     120
#define LIBZMQ_KEEPALIVE_COUNT      4
#define LIBZMQ_KEEPALIVE_INTERVAL_S 30
/// More frames than this are dropped: `frame_count` has 16 bits.
#define LIBZMQ_FRAMES_MAX 65535u
/// Unused message blocks kept for reuse, in bytes.
#define LIBZMQ_POOL_KEPT_BYTES_MAX (16u << 20)

/// One allocation: this head, `frames[frame_count]`, `parts[frame_count]`.
typedef struct libzmq_message {
    message head;
    transport_pool *pool;
    zmq_msg_t *parts; ///< the frames' owners, one each
    uint32_t size_class;
    uint32_t padding;
} libzmq_message;

typedef struct libzmq_body {
    void *context;
    void *sockets[TRANSPORT_ROLES]; ///< NULL: the role is left out
    char *endpoints[TRANSPORT_ROLES];
    uint32_t unread; ///< a bit a role
    uint32_t paused; ///< a bit a role
    bool engine_dealer;
    uint32_t subscriptions; ///< topics of the monitor that somebody listens to
    transport_pool *pool;
    zmq_msg_t *scratch; ///< the parts of the message being received, all initialised
    uint32_t scratch_capacity;
    /// A message that found the table of handles full. Nothing is read until it has one.
    libzmq_message *stalled;
    transport_hold *hold;
} libzmq_body;

static inline libzmq_body *libzmq_of(const transport *self)
{
    return self->body;
}

/// options.c: false with errno set.
bool libzmq_set_options(libzmq_body *, transport_role, const transport_config *, bool ipv6);

/// attach.c
bool libzmq_attach(libzmq_body *, transport_role, const transport_config *, const endpoint *,
                   transport_error *);

/// message.c
/// A message for `frame_count` frames: `parts` initialised and empty. NULL when out of memory.
libzmq_message *libzmq_message_take(transport_pool *, uint32_t frame_count);
void libzmq_message_dispose(message *);

/// gather.c
/// Room in `scratch` for part number `count`. False when there is no memory for it.
bool libzmq_reserve(libzmq_body *, uint32_t count);
uint32_t libzmq_gather(transport *, transport_event *, uint32_t capacity);
/// Tries again to get a handle for the stalled message.
void libzmq_retry_stalled(transport *);
/// Lets a socket work off its commands, which also re-arms the edge of its fd.
void libzmq_process_commands(void *socket);

/// send.c: 0, or the errno of the first frame, in which case nothing was sent.
int libzmq_send(transport *, const transport_send *);
void libzmq_send_all(transport *, const transport_send *, uint32_t count);
