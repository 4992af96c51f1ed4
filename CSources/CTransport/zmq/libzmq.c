/// libzmq.c: opens and closes the libzmq body and lends it to transport.c as a transport_ops.
///
///     CLIENT ROUTER   ENGINE ROUTER or DEALER   (bound)
///     MONITOR XPUB   NOTIFICATION SUB   REGISTRATION DEALER   LOG PUB   (connected)
///
/// MONITOR is an XPUB and not a PUB because only that one tells of its subscribers.
/// Invariant: a body exists with everything open, or not at all.
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"

static int socket_type(const libzmq_body *body, transport_role role)
{
    switch (role) {
    case TRANSPORT_CLIENT:
        return ZMQ_ROUTER;
    case TRANSPORT_ENGINE:
        return body->engine_dealer ? ZMQ_DEALER : ZMQ_ROUTER;
    case TRANSPORT_MONITOR:
        return ZMQ_XPUB;
    case TRANSPORT_NOTIFICATION:
        return ZMQ_SUB;
    case TRANSPORT_REGISTRATION:
        return ZMQ_DEALER;
    case TRANSPORT_LOG:
        break;
    }
    return ZMQ_PUB;
}

static bool open_socket(transport *self, transport_role role, const transport_config *config,
                        transport_error *error)
{
    libzmq_body *body = libzmq_of(self);
    const char *url = config->url[role];
    const char *name = transport_role_name(role);
    endpoint parsed;
    bool known = true;
    endpoint_parse(url, transport_role_binds(role), &parsed);
    // An interface's name is for libzmq to resolve.
    bool ipv6 = endpoint_needs_ipv6(&parsed, &known);
    if (!known && !transport_role_binds(role))
        return transport_fail(error, TRANSPORT_STAGE_ARGUMENT,
                              "the host of the %s url %.200s is not known; check its spelling or "
                              "give its address",
                              name, url);
    body->sockets[role] = zmq_socket(body->context, socket_type(body, role));
    if (!body->sockets[role] || !libzmq_set_options(body, role, config, ipv6))
        return transport_fail(error, TRANSPORT_STAGE_SYSTEM,
                              "cannot set up the %s socket: %s; free some open files or raise "
                              "ulimit -n",
                              name, zmq_strerror(errno));
    int fd = -1;
    size_t size = sizeof fd;
    int rc = zmq_getsockopt(body->sockets[role], ZMQ_FD, &fd, &size) == 0 ? 0 : -errno;
    if (rc == 0)
        rc = self->reactor->ops->watch(self->reactor, fd, REACTOR_READ, role);
    if (rc != 0)
        return transport_fail(error, TRANSPORT_STAGE_SYSTEM, "cannot watch the %s socket: %s", name,
                              strerror(-rc));
    if (role != TRANSPORT_LOG)
        body->unread |= 1u << role;
    return libzmq_attach(body, role, config, &parsed, error);
}

static bool check_curve_pair(const transport_config *config, transport_error *error)
{
    char derived[41];
    if (!config->curve_secret_z85)
        return true;
    if (!zmq_has("curve"))
        return transport_fail(error, TRANSPORT_STAGE_SYSTEM,
                              "this libzmq was built without CURVE; install one that has it");
    if (zmq_curve_public(derived, config->curve_secret_z85) == 0 &&
        strcmp(derived, config->curve_public_z85) == 0)
        return true;
    return transport_fail(error, TRANSPORT_STAGE_ARGUMENT,
                          "CURVE: the public key does not belong to the secret key; give the pair "
                          "that the controller has");
}

static bool open_sockets(transport *self, const transport_config *config, transport_error *error)
{
    // Bound ones first: they are what goes wrong, and nothing has been dialled by then.
    for (int role = 0; role < TRANSPORT_ROLES; role++) {
        if (config->url[role] && !open_socket(self, (transport_role)role, config, error))
            return false;
    }
    return true;
}

static void body_close(transport *self, uint64_t linger_ns)
{
    libzmq_body *body = libzmq_of(self);
    uint64_t linger_ms = linger_ns / 1000000;
    int linger = linger_ms < INT_MAX ? (int)linger_ms : INT_MAX;
    if (body->hold)
        transport_hold_destroy(self, body->hold);
    if (body->stalled && body->stalled->head.handle != MESSAGE_NONE) {
        message_release(self->messages, body->stalled->head.handle);
    } else if (body->stalled) {
        if (body->stalled->head.origin != ATOM_NONE)
            atoms_release(self->names, body->stalled->head.origin);
        libzmq_message_dispose(&body->stalled->head);
    }
    for (int role = 0; role < TRANSPORT_ROLES; role++) {
        void *socket = body->sockets[role];
        int fd = -1;
        size_t size = sizeof fd;
        if (!socket)
            continue;
        if (zmq_getsockopt(socket, ZMQ_FD, &fd, &size) == 0)
            self->reactor->ops->unwatch(self->reactor, fd);
        zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
        zmq_close(socket);
        free(body->endpoints[role]);
    }
    // Waits for what lingers, at most `linger` for all sockets together.
    while (body->context && zmq_ctx_term(body->context) != 0 && errno == EINTR)
        ;
    for (uint32_t i = 0; i < body->scratch_capacity; i++)
        zmq_msg_close(&body->scratch[i]);
    free(body->scratch);
    if (body->pool)
        transport_pool_destroy(body->pool);
    free(body);
    self->body = NULL;
}

static bool body_open(transport *self, const transport_config *config, transport_error *error)
{
    if (!check_curve_pair(config, error))
        return false;
    libzmq_body *body = self->body = calloc(1, sizeof *body);
    if (!body)
        return transport_fail(error, TRANSPORT_STAGE_SYSTEM,
                              "out of memory; free some and start again");
    body->engine_dealer = config->engine_dealer;
    body->context = zmq_ctx_new();
    body->pool = transport_pool_create(LIBZMQ_POOL_KEPT_BYTES_MAX);
    body->hold = transport_hold_create(config->hold_ns, config->hold_bytes_max, libzmq_send);
    bool ok = body->context && body->pool && body->hold && libzmq_reserve(body, 0) &&
              zmq_ctx_set(body->context, ZMQ_IO_THREADS, LIBZMQ_IO_THREADS) == 0 &&
              zmq_ctx_set(body->context, ZMQ_MAX_SOCKETS, LIBZMQ_SOCKETS_MAX) == 0;
    if (!ok)
        transport_fail(error, TRANSPORT_STAGE_SYSTEM, "out of memory; free some and start again");
    ok = ok && open_sockets(self, config, error);
    if (!ok)
        body_close(self, 0);
    return ok;
}

static void body_fired(transport *self, uint64_t tag)
{
    libzmq_body *body = libzmq_of(self);
    bool read_later = body->paused & 1u << tag || body->stalled;
    // What is not read still has to let peers come and go.
    if (tag == TRANSPORT_LOG || read_later)
        libzmq_process_commands(body->sockets[tag]);
    if (tag != TRANSPORT_LOG)
        body->unread |= 1u << tag;
}

static bool body_ready(const transport *self)
{
    const libzmq_body *body = libzmq_of(self);
    if (transport_hold_has_failed(body->hold))
        return true;
    if (body->stalled)
        return body->stalled->head.handle != MESSAGE_NONE;
    return body->unread & ~body->paused;
}

static uint64_t body_deadline_ns(const transport *self)
{
    return transport_hold_deadline_ns(libzmq_of(self)->hold);
}

static void body_expire(transport *self, uint64_t now_ns)
{
    libzmq_body *body = libzmq_of(self);
    transport_hold_retry(self, body->hold, now_ns);
    body->unread |= 1u << TRANSPORT_ENGINE; // see libzmq_send_all
}

static void body_begin_turn(transport *self)
{
    transport_hold_begin_turn(self, libzmq_of(self)->hold);
    libzmq_retry_stalled(self);
}

static void body_pause(transport *self, transport_role role, bool paused)
{
    libzmq_body *body = libzmq_of(self);
    body->paused = paused ? body->paused | 1u << role : body->paused & ~(1u << role);
}

static const char *body_endpoint(const transport *self, transport_role role)
{
    return libzmq_of(self)->endpoints[role];
}

static void body_departures(const transport *self, transport_departures *out)
{
    out->handed = self->counters.sent[TRANSPORT_MONITOR];
}

static bool body_heard(const transport *self)
{
    const libzmq_body *body = libzmq_of(self);
    return !body->sockets[TRANSPORT_MONITOR] || body->subscriptions > 0;
}

const transport_ops TRANSPORT_LIBZMQ_OPS = {
    .name = "zmq",
    .open = body_open,
    .close = body_close,
    .begin_turn = body_begin_turn,
    .fired = body_fired,
    .ready = body_ready,
    .deadline_ns = body_deadline_ns,
    .expire = body_expire,
    .gather = libzmq_gather,
    .send_all = libzmq_send_all,
    .pause = body_pause,
    .endpoint = body_endpoint,
    .departures = body_departures,
    .heard = body_heard,
};
