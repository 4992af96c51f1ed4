/// lane.c: a lane's life: opened by the front, a loop of its own, ended by an order. Called by
/// front.c.
///
///     wait (reactor) -> records -> orders -> flush -> what is given back
///
/// Invariant: a lane never waits for the front. What the front has no room for waits here, and
/// while it does, no socket is read.
#include "lane.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/// How long a lane rests whose reactor has failed.
#define LANE_FAILED_REST_NS 100000000

static bool open_parts(lane *self, const transport_config *config, reactor_kind kind,
                       int front_bell, transport_error *error)
{
    transport *mine = &self->self;
    uint32_t size = config->io_ring_size ? config->io_ring_size : LANE_PIPE_SIZE;
    mine->ops = &TRANSPORT_NATIVE_OPS;
    mine->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    mine->names = atoms_create(config->seed);
    mine->messages = mine->names ? message_table_create(mine->names) : NULL;
    mine->reactor = reactor_open(kind, true, mine->note, sizeof mine->note);
    int rc = mine->wake_fd < 0 ? -errno : 0;
    if (rc == 0 && mine->reactor)
        rc = mine->reactor->ops->watch(mine->reactor, mine->wake_fd, REACTOR_READ,
                                       TRANSPORT_TAG_WAKE);
    bool piped = lane_pipe_open(&self->orders, size, mine->wake_fd, front_bell);
    piped = lane_pipe_open(&self->records, size, front_bell, mine->wake_fd) && piped;
    if (rc == 0 && mine->messages && mine->reactor && piped)
        return true;
    return transport_fail(error, TRANSPORT_STAGE_SYSTEM,
                          "cannot open I/O thread %u: %s; use fewer --io-threads", self->number,
                          !mine->reactor ? mine->note
                          : rc           ? strerror(-rc)
                                         : "out of memory");
}

/// A native body that knows the bound roles and has no socket for them.
static bool open_body(lane *self, const transport_config *config, transport_error *error)
{
    transport_config own = *config;
    memset(own.url, 0, sizeof own.url);
    // Its share of the strangers. Other limits are each lane's own: a share of bytes or peers could
    // refuse what is allowed.
    own.limits = native_limits(&config->limits);
    own.limits.handshakes_max =
        (own.limits.handshakes_max + config->io_threads - 1) / config->io_threads;
    own.names = self->self.names;
    own.messages = self->self.messages;
    if (!TRANSPORT_NATIVE_OPS.open(&self->self, &own, error))
        return false;
    native_of(&self->self)->hooks = &LANE_HOOKS;
    bool ok = true;
    for (int which = 0; which < TRANSPORT_ROLES && ok; which++) {
        if (config->url[which] && transport_role_binds((transport_role)which))
            ok = native_role_prepare(&self->self, config, (transport_role)which, error);
    }
    if (!ok)
        TRANSPORT_NATIVE_OPS.close(&self->self, 0);
    return ok;
}

lane *lane_open(const transport_config *config, uint32_t number, reactor_kind kind, int front_bell,
                transport_error *error)
{
    lane *self = aligned_alloc(_Alignof(lane), sizeof *self);
    if (!self) {
        transport_fail(error, TRANSPORT_STAGE_SYSTEM, "out of memory; free some and start again");
        return NULL;
    }
    memset(self, 0, sizeof *self);
    self->number = number;
    if (config->checker.contexts) {
        self->checker = config->checker;
        self->checks = config->checker.contexts[number];
    }
    if (open_parts(self, config, kind, front_bell, error) && open_body(self, config, error)) {
        if (self->checks) {
            self->records.finish = lane_check;
            self->records.finish_context = self;
        }
        return self;
    }
    lane_free(self);
    return NULL;
}

void lane_free(lane *self)
{
    transport *mine = &self->self;
    if (mine->body)
        mine->ops->close(mine, 0);
    while (self->loans) {
        lane_loan *loan = self->loans;
        self->loans = loan->next_free;
        free(loan);
    }
    if (mine->reactor)
        mine->reactor->ops->destroy(mine->reactor);
    if (mine->wake_fd >= 0)
        close(mine->wake_fd);
    if (mine->messages)
        message_table_destroy(mine->messages);
    if (mine->names)
        atoms_destroy(mine->names);
    lane_pipe_close(&self->orders);
    lane_pipe_close(&self->records);
    free(self);
}

static void take_back(native_block *block)
{
    while (block) {
        native_block *next = block->next;
        native_block_dispose(&block->head);
        block = next;
    }
}

static void carry_out(lane *self, const lane_record *order)
{
    native_connection *connection;
    switch ((lane_kind)order->kind) {
    case LANE_SEND:
        lane_carry_out_send(self, order);
        break;
    case LANE_GIVE:
        take_back(order->blocks);
        break;
    case LANE_OPEN:
        native_connection_open(&self->self, (transport_role)order->role, order->fd);
        break;
    case LANE_REST:
        self->self.ops->pause(&self->self, (transport_role)order->role, order->rests);
        break;
    case LANE_PAUSE:
        connection = lane_find(self, order);
        if (connection)
            native_pause(connection, order->rests);
        break;
    case LANE_DROP:
        connection = lane_find(self, order);
        if (connection)
            native_connection_close(connection, order->reason);
        break;
    case LANE_END:
        self->ending = true;
        self->linger_ns = order->linger_ns;
        break;
    default:
        __builtin_trap(); // our own error
    }
}

/// Everything that is there now, up to the ring's end. False: nothing was.
static bool take_orders(lane *self)
{
    uint32_t count;
    const lane_record *orders = lane_pipe_peek(&self->orders, &count);
    for (uint32_t i = 0; i < count; i++)
        carry_out(self, &orders[i]);
    if (count > 0)
        lane_pipe_release(&self->orders, count);
    return count > 0;
}

static void tell_notices(lane *self)
{
    native_told told;
    while (self->self.noticed && !lane_pipe_is_full(&self->records)) {
        if (!native_take_notice(&self->self, &told)) {
            self->self.noticed = false;
            return;
        }
        char *line = strdup(told.text);
        if (line) {
            lane_record *record = lane_pipe_add(&self->records);
            record->kind = LANE_NOTICE;
            record->serial = told.kind;
            record->number = told.more;
            record->text = (uint8_t *)line;
        }
    }
}

static void tell_counts(lane *self)
{
    const transport_counters *counters = &self->self.counters;
    lane_counts now = {
        .waiting_bytes = {counters->waiting_bytes[TRANSPORT_CLIENT],
                          counters->waiting_bytes[TRANSPORT_ENGINE]},
        .unfinished_bytes = counters->unfinished_bytes,
        .paused_clients = counters->paused_clients,
        .dropped_peers = counters->dropped_peers,
    };
    // While the front is behind it can wait: the next ones say it all.
    if (lane_pipe_is_full(&self->records) || memcmp(&now, &self->told, sizeof now) == 0)
        return;
    lane_record *record = lane_pipe_add(&self->records);
    record->kind = LANE_COUNTED;
    record->counts = self->told = now;
}

static void publish(lane *self)
{
    lane_pipe_publish(&self->records);
    lane_pipe_wake(&self->records);
}

/// The reactor can wait no more (out of memory, in the main). What is left of this lane rests, says
/// so once, and tries again: its connections may yet be served.
static void fail(lane *self, int error)
{
    if (!self->failed)
        native_notice(&self->self, TRANSPORT_ROLES, "failed",
                      "I/O thread %u cannot wait for its connections: %s; it tries "
                      "again ten times a second",
                      self->number, strerror(error));
    self->failed = true;
    nanosleep(&(struct timespec){.tv_nsec = LANE_FAILED_REST_NS}, NULL);
}

static void wait_once(lane *self, bool busy)
{
    transport *mine = &self->self;
    uint64_t fired[REACTOR_FIRED_MAX];
    uint64_t deadline_ns = mine->ops->deadline_ns(mine);
    bool sleeps = !busy && queue_will_sleep(self->orders.ring);
    if (sleeps && !lane_pipe_may_sleep(&self->records)) {
        queue_awake(self->orders.ring);
        sleeps = false;
    }
    int32_t count = mine->reactor->ops->wait(mine->reactor, sleeps ? deadline_ns : 0, fired);
    if (sleeps)
        queue_awake(self->orders.ring);
    for (int32_t i = 0; i < count; i++) {
        if (fired[i] == TRANSPORT_TAG_WAKE)
            lane_doorbell_answer(mine->wake_fd);
    }
    if (deadline_ns != UINT64_MAX) {
        uint64_t now_ns = transport_now_ns();
        if (now_ns >= deadline_ns)
            mine->ops->expire(mine, now_ns);
    }
    if (count < 0)
        fail(self, -count);
}

static void *run(void *context)
{
    lane *self = context;
    transport *mine = &self->self;
    bool busy = false;
    while (!self->ending) {
        wait_once(self, busy);
        publish(self); // early: the front can begin
        busy = take_orders(self);
        native_flush(mine);
        lane_tell_done(self);
        tell_notices(self);
        tell_counts(self);
        publish(self);
        native_receive_more(mine, !lane_pipe_is_full(&self->records));
    }
    mine->ops->close(mine, self->linger_ns);
    lane_tell_done(self);
    lane_pipe_publish(&self->records);
    return NULL;
}

int lane_start(lane *self)
{
    // Signals are for the threads that wait for them.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&self->thread, NULL, run, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return rc;
    self->started = true;
    char name[16];
    snprintf(name, sizeof name, "io lane %u", self->number);
    pthread_setname_np(self->thread, name);
    return 0;
}
