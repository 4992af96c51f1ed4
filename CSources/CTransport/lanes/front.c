/// front.c: opens and closes the front and its lanes, and lends them to transport.c as a
/// transport_ops: those of the native body, with the peers of the bound roles on lanes.
///
/// Invariant: a front exists with all of its lanes running, or not at all. When it is closed every
/// lane has been joined, and everything that was lent in either direction is back or, if the caller
/// still holds it, belongs to this thread.
#include "front.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/// How long closing waits at once for a lane that is behind with its orders.
#define CLOSE_STEP_MS 10

lane_record *front_order(front *self, uint32_t index, lane_kind kind)
{
    front_lane *each = &self->lanes[index];
    each->ordered |= kind != LANE_GIVE;
    lane_record *order = lane_pipe_add(&each->lane->orders);
    order->kind = (uint8_t)kind;
    return order;
}

void front_ring(front *self)
{
    for (uint32_t i = 0; i < self->lane_count; i++) {
        lane_pipe *orders = &self->lanes[i].lane->orders;
        // What had waited may be an order that nobody was woken for.
        bool moved = lane_pipe_publish(orders);
        if (moved || self->lanes[i].ordered || lane_pipe_is_full(orders))
            lane_pipe_wake(orders);
        self->lanes[i].ordered = false;
    }
}

static void hook_accepted(transport *self, transport_role role, int fd)
{
    front *face = front_of(self);
    if (face->ending) {
        close(fd);
        return;
    }
    uint32_t index = face->roles[role].next_lane++ % face->lane_count;
    lane_record *order = front_order(face, index, LANE_OPEN);
    order->role = (uint8_t)role;
    order->fd = fd;
}

static void hook_handed_over(transport *self)
{
    front_ring(front_of(self));
}

static const native_hooks FRONT_HOOKS = {
    .accepted = hook_accepted,
    .send = front_send,
    .handed_over = hook_handed_over,
};

/// Tells the lanes which roles are (not) to be read.
static void tell_rests(front *self)
{
    for (uint8_t role = 0; role < 2; role++) {
        bool rests = native_role_rests(&native_of(self->self)->roles[role]);
        if (self->roles[role].rests == rests)
            continue;
        self->roles[role].rests = rests;
        for (uint32_t i = 0; i < self->lane_count; i++) {
            lane_record *order = front_order(self, i, LANE_REST);
            order->role = role;
            order->rests = rests;
        }
    }
}

static void dispose_all(native_block *block)
{
    while (block) {
        native_block *next = block->next;
        native_block_dispose(&block->head);
        block = next;
    }
}

/// What a lane was told and never did, and what it told and nobody heard.
static void drop_rest(front *self, uint32_t index)
{
    front_lane *each = &self->lanes[index];
    lane_record record;
    while (lane_pipe_take_rest(&each->lane->orders, &record)) {
        if (record.kind == LANE_OPEN)
            close(record.fd);
        if (record.kind == LANE_GIVE)
            dispose_all(record.blocks);
        if (record.kind == LANE_SEND) {
            free(record.send.long_prefix);
            if (record.number != MESSAGE_NONE)
                message_release(self->self->messages, record.number);
        }
    }
    while (lane_pipe_take_rest(&each->lane->records, &record))
        front_drop_record(self, index, &record);
}

/// The lanes have ended, or never began.
static void free_front(front *self)
{
    for (uint32_t i = 0; i < self->lane_count; i++)
        drop_rest(self, i);
    front_drop_parked(self);
    front_peers_free(self);
    for (uint32_t i = 0; i < self->lane_count; i++) {
        front_lane *each = &self->lanes[i];
        dispose_all(each->lender->first);
        lane_free(each->lane);
        each->lender->gone = true;
        if (each->lender->lent == 0)
            free(each->lender);
    }
    if (self->bell >= 0) {
        self->self->reactor->ops->unwatch(self->self->reactor, self->bell);
        close(self->bell);
    }
    free(self->lanes);
    free(self);
}

/// All lanes at once: each flushes, closes, and ends.
static void end_lanes(front *self, uint64_t linger_ns)
{
    front_begin_turn(self->self);
    for (uint32_t i = 0; i < self->lane_count; i++)
        front_order(self, i, LANE_END)->linger_ns = linger_ns;
    front_ring(self);
    self->ending = true;
}

static void join_lanes(front *self)
{
    for (uint32_t i = 0; i < self->lane_count; i++) {
        lane *each = self->lanes[i].lane;
        // A lane that is alive takes its orders, whatever waits for it.
        while (lane_pipe_is_full(&each->orders)) {
            struct pollfd bell = {.fd = self->bell, .events = POLLIN};
            if (lane_pipe_may_sleep(&each->orders) && poll(&bell, 1, CLOSE_STEP_MS) > 0)
                lane_doorbell_answer(self->bell);
            lane_pipe_publish(&each->orders);
            lane_pipe_wake(&each->orders);
        }
        pthread_join(each->thread, NULL);
    }
}

static void body_close(transport *self, uint64_t linger_ns)
{
    front *face = front_of(self);
    end_lanes(face, linger_ns);
    TRANSPORT_NATIVE_OPS.close(self, linger_ns); // in the same time
    join_lanes(face);
    free_front(face);
}

static bool add_lane(front *self, const transport_config *config, transport_error *error)
{
    front_lane *each = &self->lanes[self->lane_count];
    reactor_kind kind =
        strcmp(self->self->reactor->ops->name, "uring") == 0 ? REACTOR_URING : REACTOR_EPOLL;
    each->lender = calloc(1, sizeof *each->lender);
    if (!each->lender)
        return transport_fail(error, TRANSPORT_STAGE_SYSTEM,
                              "out of memory; free some and start again");
    each->lane = lane_open(config, self->lane_count, kind, self->bell, error);
    if (!each->lane) {
        free(each->lender);
        return false;
    }
    self->lane_count++;
    return true;
}

static front *create(transport *self, const transport_config *config, transport_error *error)
{
    front *face = calloc(1, sizeof *face);
    if (!face) {
        transport_fail(error, TRANSPORT_STAGE_SYSTEM, "out of memory; free some and start again");
        return NULL;
    }
    face->self = self;
    face->lanes = calloc(config->io_threads, sizeof *face->lanes);
    face->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    int rc = face->bell < 0 ? -errno
                            : self->reactor->ops->watch(self->reactor, face->bell, REACTOR_READ,
                                                        FRONT_TAG_BELL);
    bool ok = face->lanes && rc == 0;
    if (!ok)
        transport_fail(error, TRANSPORT_STAGE_SYSTEM, "cannot open I/O threads: %s",
                       face->lanes ? strerror(-rc) : "out of memory");
    for (uint32_t i = 0; i < config->io_threads && ok; i++)
        ok = add_lane(face, config, error);
    if (ok)
        return face;
    free_front(face);
    return NULL;
}

static bool start(front *self, transport_error *error)
{
    uint32_t wanted = self->lane_count;
    for (uint32_t i = 0; i < wanted; i++) {
        int rc = lane_start(self->lanes[i].lane);
        if (rc == 0)
            continue;
        transport_fail(error, TRANSPORT_STAGE_SYSTEM,
                       "cannot start I/O thread %u of %u: %s; use fewer --io-threads", i + 1,
                       wanted, strerror(rc));
        return false;
    }
    return true;
}

static bool body_open(transport *self, const transport_config *config, transport_error *error)
{
    // First what can be refused: a lane knows that its addresses are right.
    if (!TRANSPORT_NATIVE_OPS.open(self, config, error))
        return false;
    front *face = create(self, config, error);
    if (!face) {
        TRANSPORT_NATIVE_OPS.close(self, 0);
        return false;
    }
    native_of(self)->hooks = &FRONT_HOOKS;
    native_of(self)->hooked = face;
    if (start(face, error))
        return true;
    end_lanes(face, 0);
    TRANSPORT_NATIVE_OPS.close(self, 0);
    for (uint32_t i = 0; i < face->lane_count; i++) {
        if (face->lanes[i].lane->started)
            pthread_join(face->lanes[i].lane->thread, NULL);
    }
    free_front(face);
    return false;
}

static void body_begin_turn(transport *self)
{
    TRANSPORT_NATIVE_OPS.begin_turn(self);
    front_begin_turn(self);
    tell_rests(front_of(self));
    front_ring(front_of(self));
}

static void body_fired(transport *self, uint64_t tag)
{
    if (tag == FRONT_TAG_BELL)
        lane_doorbell_answer(front_of(self)->bell);
    else
        TRANSPORT_NATIVE_OPS.fired(self, tag);
}

static uint64_t body_deadline_ns(const transport *self)
{
    return TRANSPORT_NATIVE_OPS.deadline_ns(self);
}

static void body_expire(transport *self, uint64_t now_ns)
{
    TRANSPORT_NATIVE_OPS.expire(self, now_ns);
}

static uint32_t body_gather(transport *self, transport_event *events, uint32_t capacity)
{
    uint32_t count = front_gather(self, events, capacity);
    tell_rests(front_of(self));
    front_ring(front_of(self));
    return count;
}

static void body_pause(transport *self, transport_role role, bool paused)
{
    TRANSPORT_NATIVE_OPS.pause(self, role, paused);
    tell_rests(front_of(self));
    front_ring(front_of(self));
}

static void body_pause_peer(transport *self, transport_role role, atom peer, bool paused)
{
    front_pause_peer(self, role, peer, paused);
    front_ring(front_of(self));
}

static const char *body_endpoint(const transport *self, transport_role role)
{
    return TRANSPORT_NATIVE_OPS.endpoint(self, role);
}

static void body_departures(const transport *self, transport_departures *out)
{
    TRANSPORT_NATIVE_OPS.departures(self, out);
}

static bool body_heard(const transport *self)
{
    return TRANSPORT_NATIVE_OPS.heard(self);
}

const transport_ops TRANSPORT_LANES_OPS = {
    .name = "native, I/O lanes",
    .open = body_open,
    .close = body_close,
    .begin_turn = body_begin_turn,
    .fired = body_fired,
    .ready = front_ready,
    .deadline_ns = body_deadline_ns,
    .expire = body_expire,
    .gather = body_gather,
    .send_all = native_send_all,
    .pause = body_pause,
    .pause_peer = body_pause_peer,
    .endpoint = body_endpoint,
    .departures = body_departures,
    .heard = body_heard,
    .connected = front_is_connected,
    .next_notice = native_next_notice,
};
