/// native.c: opens and closes the native body and lends it to transport.c as a transport_ops.
///
///     CLIENT ROUTER   ENGINE ROUTER or DEALER   (bound)
///     MONITOR PUB   NOTIFICATION SUB   REGISTRATION DEALER   LOG PUB   (connecting)
///
/// Invariant: a body exists with everything open, or not at all.
#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "body.h"

/// How long a closing body waits for the kernel to let go of its sockets.
#define CLOSE_NS_MAX 1000000000ull

static native_socket socket_of(const native_body *body, transport_role which)
{
    switch (which) {
    case TRANSPORT_CLIENT:
        return NATIVE_ROUTER;
    case TRANSPORT_ENGINE:
        return body->engine_dealer ? NATIVE_DEALER : NATIVE_ROUTER;
    case TRANSPORT_NOTIFICATION:
        return NATIVE_SUB;
    case TRANSPORT_REGISTRATION:
        return NATIVE_DEALER;
    case TRANSPORT_MONITOR:
    case TRANSPORT_LOG:
        break;
    }
    return NATIVE_PUB;
}

static void init_role(native_body *body, transport_role which)
{
    native_role *role = &body->roles[which];
    role->listener = role->dial_fd = -1;
    role->accept_ns = role->dial_ns = UINT64_MAX;
    role->link = (native_link){.socket = socket_of(body, which),
                               .server = transport_role_binds(which),
                               .mechanism = body->curve ? &NATIVE_CURVE : &NATIVE_NULL,
                               .security = {body->curve},
                               .pool = body->pool};
    role->router = role->link.socket == NATIVE_ROUTER;
    role->publishes = role->link.socket == NATIVE_PUB;
}

bool native_role_prepare(transport *self, const transport_config *config, transport_role which,
                         transport_error *error)
{
    native_role *role = &native_of(self)->roles[which];
    role->exists = true;
    role->url = strdup(config->url[which]);
    endpoint_parse(config->url[which], transport_role_binds(which), &role->parsed);
    const transport_limits *limits = &native_of(self)->limits;
    role->link.sizes.message_bytes_max = limits->message_bytes_max;
    role->link.sizes.frames_max = limits->message_frames_max;
    role->link.sizes.frame_bytes_max =
        config->frame_bytes_max ? config->frame_bytes_max : limits->message_bytes_max;
    if (!role->url || !native_link_set_metadata(&role->link, config->identity[which]))
        return transport_fail(error, TRANSPORT_STAGE_SYSTEM,
                              "out of memory; free some and start again");
    return true;
}

static bool open_role(transport *self, const transport_config *config, transport_role which,
                      transport_error *error)
{
    native_role *role = &native_of(self)->roles[which];
    if (!native_role_prepare(self, config, which, error))
        return false;
    if (transport_role_binds(which))
        return native_listen(self, which, error);
    bool known = true;
    endpoint_needs_ipv6(&role->parsed, &known);
    if (!known)
        return transport_fail(error, TRANSPORT_STAGE_ARGUMENT,
                              "the host of the %s url %.200s is not known; check its spelling or "
                              "give its address",
                              transport_role_name(which), role->url);
    if (native_resolve(&role->parsed, false, &role->address, &role->address_size) != NULL)
        role->address_size = 0; // a resolver that is away for a moment: asked again
    native_dial(self, which, transport_now_ns());
    return true;
}

/// False: out of memory, or keys that cannot be used.
static bool read_keys(native_body *body, const transport_config *config, transport_error *error)
{
    if (!config->curve_secret_z85)
        return true;
    body->curve = malloc(sizeof *body->curve);
    if (!body->curve)
        return transport_fail(error, TRANSPORT_STAGE_SYSTEM,
                              "out of memory; free some and start again");
    const char *problem =
        native_curve_keys_read(body->curve, config->curve_public_z85, config->curve_secret_z85);
    return !problem || transport_fail(error, TRANSPORT_STAGE_ARGUMENT, "%s", problem);
}

static void free_keys(native_body *body)
{
    if (body->curve)
        native_curve_keys_wipe(body->curve);
    free(body->curve);
    body->curve = NULL;
}

static bool is_unsent(const native_body *body)
{
    for (int which = 0; which < TRANSPORT_ROLES; which++) {
        if (body->roles[which].pending_first)
            return true;
    }
    for (uint32_t i = 0; i < body->table_count; i++) {
        if (body->table[i] && !body->table[i]->closing && body->table[i]->output.bytes > 0)
            return true;
    }
    return false;
}

static void run_until(transport *self, uint64_t end_ns, bool (*pending)(const native_body *))
{
    native_body *body = native_of(self);
    uint64_t fired[REACTOR_FIRED_MAX];
    uint64_t now_ns = 0;
    while (pending(body) && (now_ns = transport_now_ns()) < end_ns) {
        // A connect in progress and a dial that is due need looking after; 10 ms is often enough.
        uint64_t step_ns = now_ns + 10000000 < end_ns ? now_ns + 10000000 : end_ns;
        int32_t count = self->reactor->ops->wait(self->reactor, step_ns, fired);
        for (int32_t i = 0; i < count; i++) {
            if (fired[i] < TRANSPORT_TAG_FIRST)
                self->ops->fired(self, fired[i]);
        }
        self->ops->expire(self, transport_now_ns());
        native_flush(self);
        if (count < 0)
            return;
    }
}

static bool is_closing(const native_body *body)
{
    return body->closing_count > 0;
}

static void close_connections(transport *self)
{
    native_body *body = native_of(self);
    for (int which = 0; which < TRANSPORT_ROLES; which++) {
        if (transport_role_binds((transport_role)which))
            native_unlisten(self, (transport_role)which);
        native_dial_close(self, (transport_role)which);
    }
    for (uint32_t i = 0; i < body->table_count; i++) {
        if (body->table[i])
            native_connection_close(body->table[i], NULL);
    }
    for (int which = 0; which < TRANSPORT_ROLES; which++)
        body->roles[which].dial_ns = UINT64_MAX;
    if (is_closing(body))
        run_until(self, transport_now_ns() + CLOSE_NS_MAX, is_closing);
}

static void free_role(transport *self, transport_role which)
{
    native_role *role = &native_of(self)->roles[which];
    native_drop_pending(self, which);
    native_drop_received(self, which);
    native_resolve_free(role);
    free(role->link.metadata);
    free(role->url);
    free(role->endpoint);
    free(role->routes);
    role->rejoined_told = role->rejoined_count;
    if (which == TRANSPORT_ENGINE)
        native_release_rejoined(self);
    free(role->rejoined);
}

static void body_close(transport *self, uint64_t linger_ns)
{
    native_body *body = native_of(self);
    uint64_t now_ns = transport_now_ns();
    native_flush(self);
    native_receive_more(self, true);
    if (linger_ns > 0)
        run_until(self, linger_ns < UINT64_MAX - now_ns ? now_ns + linger_ns : UINT64_MAX,
                  is_unsent);
    close_connections(self);
    if (body->hold)
        transport_hold_destroy(self, body->hold);
    for (int which = 0; which < TRANSPORT_ROLES; which++)
        free_role(self, (transport_role)which);
    while (body->flights) {
        native_flight *flight = body->flights;
        body->flights = flight->next_free;
        free(flight);
    }
    native_chunks_free(&body->chunks);
    free_keys(body);
    if (body->pool)
        transport_pool_destroy(body->pool);
    free(body->table);
    free(body->free_indexes);
    free(body->dirty);
    free(body);
    self->body = NULL;
}

static bool body_open(transport *self, const transport_config *config, transport_error *error)
{
    native_body *body = self->body = calloc(1, sizeof *body);
    if (!body)
        return transport_fail(error, TRANSPORT_STAGE_SYSTEM,
                              "out of memory; free some and start again");
    uint64_t seed = config->seed ? config->seed : transport_now_ns() ^ (uint64_t)getpid() << 32;
    body->random = seed * 0x9e3779b97f4a7c15ull | 1;
    body->next_id = (uint32_t)(body->random >> 32);
    body->engine_dealer = config->engine_dealer;
    body->limits = native_limits(&config->limits);
    body->descriptor_max = native_descriptor_max();
    body->heartbeat_ns = body->notices.expires_ns = UINT64_MAX;
    body->pool = transport_pool_create(NATIVE_POOL_KEPT_BYTES_MAX);
    body->hold =
        transport_hold_create(config->hold_ns, config->hold_bytes_max, native_send_to_engine);
    body->sink = (reactor_sink){self, native_accepted, native_received, native_sent, native_closed};
    bool keyed = read_keys(body, config, error);
    for (int which = 0; which < TRANSPORT_ROLES; which++)
        init_role(body, (transport_role)which);
    int rc = body->pool && body->hold ? native_streams(self)->start(self->reactor, &body->sink)
                                      : -ENOMEM;
    bool ok = keyed && (rc == 0 || transport_fail(error, TRANSPORT_STAGE_SYSTEM,
                                                  "cannot set up receiving: %s", strerror(-rc)));
    for (int which = 0; which < TRANSPORT_ROLES && ok; which++)
        ok = !config->url[which] || open_role(self, config, (transport_role)which, error);
    if (!ok && rc == 0) {
        body_close(self, 0);
    } else if (ok) {
        native_flush(self); // greetings of dials that succeeded at once
    } else {
        free_keys(body);
        free(body->pool);
        free(body->hold);
        free(body);
    }
    return ok;
}

static void body_begin_turn(transport *self)
{
    native_body *body = native_of(self);
    transport_hold_begin_turn(self, body->hold);
    native_release_rejoined(self);
    body->stalled = false;
}

static void body_fired(transport *self, uint64_t tag)
{
    native_dial_fired(self, (transport_role)(tag - NATIVE_TAG_DIAL));
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t body_deadline_ns(const transport *self)
{
    const native_body *body = native_of(self);
    uint64_t deadline_ns = transport_hold_deadline_ns(body->hold);
    deadline_ns = earlier(deadline_ns, body->heartbeat_ns);
    deadline_ns = earlier(deadline_ns, body->notices.expires_ns);
    if (body->handshakes)
        deadline_ns = earlier(deadline_ns, body->handshakes->handshake_end_ns);
    for (int which = 0; which < TRANSPORT_ROLES; which++) {
        deadline_ns = earlier(deadline_ns, body->roles[which].dial_ns);
        deadline_ns = earlier(deadline_ns, body->roles[which].accept_ns);
    }
    return deadline_ns;
}

static void body_expire(transport *self, uint64_t now_ns)
{
    native_body *body = native_of(self);
    native_handshakes_expire(self, now_ns);
    native_heartbeats_expire(self, now_ns);
    native_notices_expire(self, now_ns);
    native_dial_expire(self, now_ns);
    native_accept_again(self, now_ns);
    if (now_ns >= transport_hold_deadline_ns(body->hold))
        transport_hold_retry(self, body->hold, now_ns);
}

static void body_pause(transport *self, transport_role which, bool paused)
{
    native_role *role = &native_of(self)->roles[which];
    if (role->paused == paused)
        return;
    role->paused = paused;
    native_role_read_or_rest(self, which);
}

static void body_pause_peer(transport *self, transport_role which, atom peer, bool paused)
{
    native_connection *connection = native_route_find(native_of(self), which, peer);
    if (connection)
        native_pause(connection, paused);
}

static const char *body_endpoint(const transport *self, transport_role which)
{
    return native_of(self)->roles[which].endpoint;
}

static void body_departures(const transport *self, transport_departures *out)
{
    const native_body *body = native_of(self);
    const native_connection *hub = body->roles[TRANSPORT_MONITOR].ring;
    int in_kernel = 0;
    out->handed = body->published_bytes;
    if (!hub)
        return;
    // What the hub's kernel has acknowledged is read even when we are killed.
    if (ioctl(hub->fd, SIOCOUTQ, &in_kernel) != 0)
        in_kernel = 0;
    out->unconfirmed = hub->output.bytes + (uint64_t)in_kernel;
}

static bool body_heard(const transport *self)
{
    const native_role *monitor = &native_of(self)->roles[TRANSPORT_MONITOR];
    return !monitor->exists || (monitor->ring && native_topics_any(&monitor->ring->topics));
}

static int32_t body_connected(const transport *self, transport_role which, atom peer)
{
    return native_route_find(native_of(self), which, peer) != NULL;
}

const transport_ops TRANSPORT_NATIVE_OPS = {
    .name = "native",
    .open = body_open,
    .close = body_close,
    .begin_turn = body_begin_turn,
    .fired = body_fired,
    .ready = native_has_events,
    .deadline_ns = body_deadline_ns,
    .expire = body_expire,
    .gather = native_gather,
    .send_all = native_send_all,
    .pause = body_pause,
    .pause_peer = body_pause_peer,
    .endpoint = body_endpoint,
    .hang_up = native_hang_up,
    .departures = body_departures,
    .heard = body_heard,
    .connected = body_connected,
    .next_notice = native_next_notice,
};
