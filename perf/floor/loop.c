/*
 * floor: connections and the turn. One thread, one epoll, everything ready in one turn, one write a
 * peer. Called by main.c. Invariant: a peer is in the dirty list exactly when its flag is set.
 */
#define _GNU_SOURCE
#include "relay.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>

static volatile sig_atomic_t floor_stop;

static void floor_on_signal(int signal)
{
    (void)signal;
    floor_stop = 1;
}

static void floor_watch(floor_state *state, wire_peer *peer, bool add)
{
    bool writing = peer->want_write || peer->state == WIRE_CONNECTING;
    struct epoll_event event = {.events = EPOLLIN | (writing ? (uint32_t)EPOLLOUT : 0u),
                                .data.ptr = peer};
    epoll_ctl(state->epoll_fd, add ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, peer->fd, &event);
}

/* Peers stay in their tables when they leave (fd -1), so that indices keep their meaning. */
static void floor_gone(floor_state *state, wire_peer *peer)
{
    if (peer == &state->monitor)
        state->monitor_live = false;
    wire_peer_close(peer);
}

static void floor_flush_peer(floor_state *state, wire_peer *peer)
{
    int result = wire_peer_flush(peer);
    if (result < 0) {
        floor_gone(state, peer);
    } else if ((result == 0) != peer->want_write) {
        peer->want_write = result == 0;
        floor_watch(state, peer, false);
    }
}

void floor_mark(floor_state *state, wire_peer *peer)
{
    if (state->options.unbatched) {
        if (!peer->want_write)
            floor_flush_peer(state, peer);
        return;
    }
    if (peer->dirty)
        return;
    if (state->dirty_count == state->dirty_capacity) {
        state->dirty_capacity = state->dirty_capacity ? state->dirty_capacity * 2 : 256;
        state->dirty = wire_grow(state->dirty, state->dirty_capacity * sizeof *state->dirty);
    }
    peer->dirty = true;
    state->dirty[state->dirty_count++] = peer;
}

static void floor_readable(floor_state *state, wire_peer *peer)
{
    wire_message message;
    for (int round = 0; round < FLOOR_READ_ROUNDS; round++) {
        int got = wire_peer_read(peer), result = got;
        while (result >= 0 && (result = wire_peer_next(peer, &message)) == 1) {
            if (peer->kind == FLOOR_CLIENT)
                floor_task(state, peer, &message);
            if (peer->kind == FLOOR_ENGINE)
                floor_reply(state, peer, &message);
            if (peer->kind == FLOOR_MONITOR)
                state->monitor_live = true;
        }
        if (got < 0 || result < 0) {
            floor_gone(state, peer);
            return;
        }
        if (peer->kind == FLOOR_MONITOR && peer->subscriptions > 0)
            state->monitor_live = true;
        /* The routing id that a ROUTER makes up, or the one it is asked to use. */
        if (peer->kind == FLOOR_CLIENT) {
            uint8_t id[FLOOR_ID_SIZE] = {0, (uint8_t)(peer->index >> 24),
                                         (uint8_t)(peer->index >> 16), (uint8_t)(peer->index >> 8),
                                         (uint8_t)peer->index};
            memcpy(peer->identity, id, sizeof id);
        }
        if (wire_has_output(peer))
            floor_mark(state, peer);
        if (got < FLOOR_IN_SIZE / 2)
            return;
    }
}

static void floor_accept(floor_state *state, wire_peer *door)
{
    bool clients = door->kind == FLOOR_CLIENT_DOOR, is_tcp;
    wire_peer ***table = clients ? &state->clients : &state->engines;
    uint32_t *count = clients ? &state->client_count : &state->engine_count;
    uint32_t *capacity = clients ? &state->client_capacity : &state->engine_capacity;
    for (int fd; (fd = wire_accept(door->fd, &is_tcp)) >= 0;) {
        if (*count == *capacity) {
            *capacity = *capacity ? *capacity * 2 : 64;
            *table = wire_grow(*table, *capacity * sizeof **table);
        }
        wire_peer *peer = wire_grow(NULL, sizeof *peer);
        wire_peer_init(peer, clients ? FLOOR_CLIENT : FLOOR_ENGINE, *count,
                       clients ? 8 * FLOOR_IN_SIZE : FLOOR_IN_SIZE);
        (*table)[(*count)++] = peer;
        wire_peer_open(peer, fd, is_tcp, "ROUTER", clients ? "task_in" : "task_out",
                       clients ? 7 : 8);
        floor_watch(state, peer, true);
        floor_flush_peer(state, peer);
    }
}

static int floor_listen(floor_state *state, int kind, const char *url)
{
    char actual[WIRE_URL_SIZE];
    wire_peer *door = &state->doors[kind];
    wire_peer_init(door, (uint32_t)kind, 0, FLOOR_IN_SIZE);
    door->fd = wire_listen(url, actual);
    if (door->fd < 0) {
        fprintf(stderr, "yard-floor: cannot bind %s: %s\n", url, strerror(errno));
        return -1;
    }
    floor_watch(state, door, true);
    return 0;
}

static int floor_monitor(floor_state *state, const char *url)
{
    bool is_tcp;
    wire_peer_init(&state->monitor, FLOOR_MONITOR, 0, FLOOR_IN_SIZE);
    if (url == NULL)
        return 0;
    int fd = wire_connect(url, &is_tcp);
    if (fd < 0) {
        fprintf(stderr, "yard-floor: cannot connect to %s: %s\n", url, strerror(errno));
        return -1;
    }
    wire_peer_open(&state->monitor, fd, is_tcp, "PUB", NULL, 0);
    state->monitor.want_write = true; /* what waits goes out once it is connected */
    floor_watch(state, &state->monitor, true);
    return 0;
}

/* As many bytes in as many frames as a task_destination message, with nothing to read in it. */
static void floor_make_tracktask(floor_state *state)
{
    static const size_t sizes[] = {9, 33, 9, 64, 212, 2, 2, 121};
    uint8_t filler[256], *at = state->tracktask;
    memset(filler, ' ', sizeof filler);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const void *data = i == 0 ? (const void *)"tracktask" : filler;
        at = wire_put_frame(at, data, sizes[i], i + 1 < sizeof sizes / sizeof *sizes);
    }
    state->tracktask_size = (size_t)(at - state->tracktask);
}

static void floor_turn(floor_state *state)
{
    struct epoll_event events[FLOOR_EVENTS];
    int count = epoll_wait(state->epoll_fd, events, FLOOR_EVENTS, 1000);
    for (int i = 0; i < count; i++) {
        wire_peer *peer = events[i].data.ptr;
        if (peer->fd < 0)
            continue;
        if (peer->kind <= FLOOR_ENGINE_DOOR) {
            floor_accept(state, peer);
            continue;
        }
        if ((events[i].events & EPOLLOUT) && peer->want_write)
            floor_flush_peer(state, peer);
        if (peer->fd >= 0 && (events[i].events & ~(uint32_t)EPOLLOUT))
            floor_readable(state, peer);
    }
    for (uint32_t i = 0; i < state->dirty_count; i++) {
        wire_peer *peer = state->dirty[i];
        if (!peer->dirty)
            continue;
        peer->dirty = false;
        if (!peer->want_write)
            floor_flush_peer(state, peer);
    }
    state->dirty_count = 0;
}

int floor_run(const floor_options *options)
{
    static floor_state state;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    struct sigaction action = {.sa_handler = floor_on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    state.options = *options;
    state.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    floor_make_tracktask(&state);
    if (floor_monitor(&state, options->url_monitor) != 0)
        return 69;
    if (floor_listen(&state, FLOOR_ENGINE_DOOR, options->url_engine) != 0)
        return 69;
    if (floor_listen(&state, FLOOR_CLIENT_DOOR, options->url_client) != 0)
        return 69;
    while (!floor_stop)
        floor_turn(&state);
    return 0;
}
