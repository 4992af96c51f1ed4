/*
 * load: the turn. Sends what is dirty, sleeps, reads what is ready, hands messages on.
 * Called by main.c and connect.c. Invariant: a peer is in the dirty list exactly when its dirty
 * flag is set, so each turn makes at most one gathered write a peer.
 */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>

enum {
    LOAD_EVENTS = 256, /* a turn: bounds how long a written reply waits to be sent */
    LOAD_READ_ROUNDS = 8,
    LOAD_READ_AGAIN = 64 * 1024 /* a read this long suggests that more is there */
};

uint64_t load_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void load_watch(load_run *run, wire_peer *peer, bool add)
{
    bool writing = peer->want_write || peer->state == WIRE_CONNECTING;
    struct epoll_event event = {.events = EPOLLIN | (writing ? (uint32_t)EPOLLOUT : 0u),
                                .data.ptr = peer};
    if (epoll_ctl(run->epoll_fd, add ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, peer->fd, &event) != 0) {
        perror("yard-load: epoll_ctl");
        exit(69);
    }
}

void load_mark_dirty(load_run *run, wire_peer *peer)
{
    if (peer->dirty)
        return;
    if (run->dirty_count == run->dirty_capacity) {
        run->dirty_capacity = run->dirty_capacity ? run->dirty_capacity * 2 : 256;
        run->dirty = wire_grow(run->dirty, run->dirty_capacity * sizeof *run->dirty);
    }
    peer->dirty = true;
    run->dirty[run->dirty_count++] = peer;
}

static void load_flush_peer(load_run *run, wire_peer *peer)
{
    if (peer->state < WIRE_GREETING)
        return;
    if (peer->kind == LOAD_KIND_ENGINE && !run->holding) {
        run->engines[peer->index].outstanding = 0;
    }
    int result = wire_peer_flush(peer);
    if (result < 0) {
        load_peer_gone(run, peer);
    } else if ((result == 0) != peer->want_write) {
        peer->want_write = result == 0;
        load_watch(run, peer, false);
    }
}

static void load_flush(load_run *run)
{
    for (uint32_t i = 0; i < run->dirty_count; i++) {
        wire_peer *peer = run->dirty[i];
        if (!peer->dirty)
            continue;
        peer->dirty = false;
        if (!peer->want_write)
            load_flush_peer(run, peer);
    }
    run->dirty_count = 0;
}

static void load_dispatch(load_run *run, wire_peer *peer, const wire_message *message)
{
    if (peer->kind == LOAD_KIND_ENGINE)
        load_engine_message(run, peer, message);
    else if (peer->kind == LOAD_KIND_CLIENT)
        load_client_message(run, peer, message);
    else
        load_hub_message(run, peer, message);
}

static void load_readable(load_run *run, wire_peer *peer)
{
    for (int round = 0; round < LOAD_READ_ROUNDS; round++) {
        bool was_up = peer->state == WIRE_UP;
        wire_message message;
        int got = wire_peer_read(peer), result = got;
        run->now_ns = load_clock_ns();
        while (result >= 0 && (result = wire_peer_next(peer, &message)) == 1) {
            if (!was_up)
                load_handshaken(run, peer);
            was_up = true;
            load_dispatch(run, peer, &message);
        }
        if (got < 0 || result < 0) {
            load_peer_gone(run, peer);
            return;
        }
        if (!was_up && peer->state == WIRE_UP)
            load_handshaken(run, peer);
        bool notifier = peer->kind == LOAD_KIND_NOTIFIER && peer->subscriptions > 0;
        if (notifier && !run->notifier_up) {
            run->notifier_up = true;
            load_hub_register(run);
        }
        bool held = run->holding && peer->kind == LOAD_KIND_ENGINE && was_up;
        if (wire_has_output(peer) && !held)
            load_mark_dirty(run, peer);
        if (got < LOAD_READ_AGAIN)
            return;
    }
}

static void load_event(load_run *run, wire_peer *peer, uint32_t events)
{
    if (peer->fd < 0)
        return;
    if (peer->kind == LOAD_KIND_LISTENER) {
        load_accept(run, peer);
    } else if (peer->state == WIRE_CONNECTING) {
        load_connected(run, peer);
    } else {
        if ((events & EPOLLOUT) && peer->want_write)
            load_flush_peer(run, peer);
        if (peer->fd >= 0 && (events & ~(uint32_t)EPOLLOUT))
            load_readable(run, peer);
    }
}

void load_turn(load_run *run, int64_t timeout_ns)
{
    struct epoll_event events[LOAD_EVENTS];
    load_flush(run);
    if (run->options.spin || timeout_ns < 0)
        timeout_ns = 0;
    struct timespec timeout = {timeout_ns / 1000000000, timeout_ns % 1000000000};
    int count = epoll_pwait2(run->epoll_fd, events, LOAD_EVENTS, &timeout, NULL);
    if (count < 0 && errno != EINTR) {
        perror("yard-load: epoll_pwait2");
        exit(69);
    }
    run->now_ns = load_clock_ns();
    for (int i = 0; i < count; i++)
        load_event(run, events[i].data.ptr, events[i].events);
}

bool load_wait(load_run *run, bool (*ready)(load_run *), double seconds, const char *what)
{
    uint64_t deadline_ns = load_clock_ns() + (uint64_t)(seconds * 1e9);
    while (!ready(run)) {
        load_turn(run, 5000000);
        if (!load_child_alive(run))
            return false;
        if (load_clock_ns() > deadline_ns) {
            if (what)
                fprintf(stderr, "yard-load: %s: not within %.0f s\n", what, seconds);
            return false;
        }
    }
    return true;
}
