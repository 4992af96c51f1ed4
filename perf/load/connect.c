/*
 * load: connections. Binds the hub's sockets, brings engines and clients up, notices who leaves.
 * Called by main.c at start and by loop.c on connection events.
 * Invariant: handshaking counts the engine and client peers between connect() and READY.
 */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    LOAD_IN_ENGINE = 16 * 1024, /* first size of the input buffers; they grow */
    LOAD_IN_CLIENT = 512 * 1024,
    LOAD_IN_MONITOR = 2 * 1024 * 1024
};

static const load_kind load_hub_kinds[3] = {LOAD_KIND_MONITOR, LOAD_KIND_NOTIFIER,
                                            LOAD_KIND_REGISTRAR};
static const char *const load_hub_types[3] = {"SUB", "PUB", "ROUTER"};

_Noreturn static void load_give_up(load_run *run)
{
    load_stop_child(run, 9);
    exit(69);
}

static void load_pick_url(load_run *run, const char *name, char *url)
{
    if (url[0])
        return;
    if (wire_free_url(run->options.transport, run->directory, name, url) != 0) {
        fprintf(stderr, "yard-load: no free address for %s: %s\n", name, strerror(errno));
        exit(69);
    }
}

void load_listen(load_run *run)
{
    load_options *options = &run->options;
    char *urls[3] = {options->url_monitor, options->url_notification, options->url_registration};
    static const char *const names[3] = {"monitor", "notification", "registration"};
    if (strcmp(options->transport, "ipc") == 0) {
        snprintf(run->directory, sizeof run->directory, "/tmp/yard-load-XXXXXX");
        if (mkdtemp(run->directory) == NULL)
            exit(69);
    }
    for (int i = 0; i < 3; i++) {
        char url[WIRE_URL_SIZE];
        load_pick_url(run, names[i], urls[i]);
        wire_peer_init(&run->listeners[i], LOAD_KIND_LISTENER, (uint32_t)i, LOAD_IN_ENGINE);
        run->listeners[i].fd = wire_listen(urls[i], url);
        if (run->listeners[i].fd < 0) {
            fprintf(stderr, "yard-load: cannot bind %s: %s\n", urls[i], strerror(errno));
            exit(69);
        }
        load_watch(run, &run->listeners[i], true);
    }
    load_pick_url(run, "client", options->url_client);
    load_pick_url(run, "engine", options->url_engine);
    for (uint32_t i = 0; i < LOAD_HUB_PEERS; i++) {
        wire_peer_init(&run->hub_peers[i], LOAD_KIND_MONITOR, i, LOAD_IN_MONITOR);
    }
    for (uint32_t i = 0; i < options->engines; i++) {
        wire_peer_init(&run->engine_peers[i], LOAD_KIND_ENGINE, i, LOAD_IN_ENGINE);
        run->engine_peers[i].cut_large = true;
    }
    for (uint32_t i = 0; i < options->clients; i++) {
        wire_peer_init(&run->client_peers[i], LOAD_KIND_CLIENT, i, LOAD_IN_CLIENT);
        run->client_peers[i].cut_large = true;
    }
}

void load_accept(load_run *run, wire_peer *listener)
{
    for (;;) {
        bool is_tcp;
        int fd = wire_accept(listener->fd, &is_tcp);
        if (fd < 0)
            return;
        wire_peer *peer = NULL;
        for (uint32_t i = 0; i < LOAD_HUB_PEERS && peer == NULL; i++) {
            if (run->hub_peers[i].fd < 0)
                peer = &run->hub_peers[i];
        }
        if (peer == NULL) {
            close(fd);
            return;
        }
        peer->kind = load_hub_kinds[listener->index];
        peer->cut_large = peer->kind == LOAD_KIND_MONITOR;
        wire_peer_open(peer, fd, is_tcp, load_hub_types[listener->index], NULL, 0);
        load_watch(run, peer, true);
        load_mark_dirty(run, peer);
    }
}

static bool load_connect_one(load_run *run, wire_peer *peer, const char *url)
{
    bool is_tcp = false;
    int fd = wire_connect(url, &is_tcp);
    if (fd < 0)
        return false;
    peer->fd = fd;
    peer->stream_tcp = is_tcp;
    peer->state = WIRE_CONNECTING;
    run->handshaking++;
    load_watch(run, peer, true);
    return true;
}

void load_connect_more(load_run *run)
{
    const load_options *options = &run->options;
    uint32_t burst = options->connect_burst ? options->connect_burst : UINT32_MAX;
    bool clients = run->engines_up == options->engines && run->registered;
    for (; run->handshaking < burst && run->engine_cursor < options->engines;
         run->engine_cursor++) {
        wire_peer *peer = &run->engine_peers[run->engine_cursor];
        if (peer->fd < 0 && !load_connect_one(run, peer, options->url_engine))
            return;
    }
    for (; clients && run->handshaking < burst && run->client_cursor < options->clients;
         run->client_cursor++) {
        wire_peer *peer = &run->client_peers[run->client_cursor];
        if (peer->fd < 0 && !load_connect_one(run, peer, options->url_client))
            return;
    }
}

void load_connected(load_run *run, wire_peer *peer)
{
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(peer->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
        load_peer_gone(run, peer);
        return;
    }
    /* Engines are ROUTERs in ipyparallel 9.2, clients DEALERs; on the wire both talk alike. */
    if (peer->kind == LOAD_KIND_ENGINE) {
        wire_peer_open(peer, peer->fd, peer->stream_tcp, "ROUTER",
                       run->engines[peer->index].session.session, LOAD_SESSION_SIZE);
    } else {
        wire_peer_open(peer, peer->fd, peer->stream_tcp, "DEALER", NULL, 0);
    }
    load_watch(run, peer, false);
    load_mark_dirty(run, peer);
}

void load_handshaken(load_run *run, wire_peer *peer)
{
    switch (peer->kind) {
    case LOAD_KIND_ENGINE:
        run->handshaking--;
        run->engines_up++;
        load_hub_register(run);
        break;
    case LOAD_KIND_CLIENT:
        run->handshaking--;
        run->clients_up++;
        break;
    case LOAD_KIND_MONITOR:
        wire_subscribe_all(peer);
        run->monitor_up = true;
        break;
    default:
        break;
    }
}

void load_peer_gone(load_run *run, wire_peer *peer)
{
    bool was_up = peer->state == WIRE_UP, ours = peer->kind >= LOAD_KIND_ENGINE;
    if (was_up && !run->stopping && peer->kind != LOAD_KIND_REGISTRAR) {
        static const char *const names[] = {"",          "monitor", "notifier",
                                            "registrar", "engine",  "client"};
        load_violation(run, LOAD_BAD_CONNECTION, "%s %u lost its connection: %s", names[peer->kind],
                       peer->index, peer->why);
    }
    bool cut_large = peer->cut_large;
    if (ours && peer->state != WIRE_DOWN) {
        if (!was_up)
            run->handshaking--;
        else if (peer->kind == LOAD_KIND_ENGINE)
            run->engines_up--;
        else
            run->clients_up--;
    }
    wire_peer_close(peer);
    peer->cut_large = cut_large;
    if (peer->kind == LOAD_KIND_ENGINE && peer->index < run->engine_cursor) {
        run->engine_cursor = peer->index;
    }
    if (peer->kind == LOAD_KIND_CLIENT && peer->index < run->client_cursor) {
        run->client_cursor = peer->index;
    }
}

static bool load_probe(const char *url)
{
    bool is_tcp;
    int fd = wire_connect(url, &is_tcp), error = 0;
    if (fd < 0)
        return false;
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    socklen_t size = sizeof error;
    bool up = poll(&poll_fd, 1, 100) == 1 &&
              getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
    close(fd);
    return up;
}

static bool load_reachable(load_run *run)
{
    return load_probe(run->options.url_engine) && load_probe(run->options.url_client);
}

static bool load_engines_ready(load_run *run)
{
    load_connect_more(run);
    return run->engines_up == run->options.engines;
}

static bool load_hub_ready(load_run *run)
{
    return run->registered && (run->monitor_up || run->options.monitor_check == LOAD_MONITOR_NONE);
}

static bool load_clients_ready(load_run *run)
{
    load_connect_more(run);
    return run->clients_up == run->options.clients;
}

static bool load_never(load_run *run)
{
    (void)run;
    return false;
}

void load_bring_up(load_run *run)
{
    uint64_t begin_ns = load_clock_ns();
    if (run->options.spawn)
        load_spawn(run);
    if (!load_wait(run, load_reachable, 30, "the scheduler's addresses"))
        load_give_up(run);
    uint64_t reached_ns = load_clock_ns();
    if (!load_wait(run, load_engines_ready, 120, "all engines connected"))
        load_give_up(run);
    if (run->options.registration == LOAD_REGISTER_NONE)
        run->registered = true;
    if (!load_wait(run, load_hub_ready, 30, "the scheduler's monitor and connection_request")) {
        load_give_up(run);
    }
    run->bring_up_s = (double)(reached_ns - begin_ns) / 1e9;
    run->connect_s = (double)(load_clock_ns() - reached_ns) / 1e9;
    if (!load_wait(run, load_clients_ready, 60, "all clients connected"))
        load_give_up(run);
    load_wait(run, load_never, run->options.settle_s, NULL);
}

/* Kills the scheduler as a crash would, and forgets every connection. */
void load_take_down(load_run *run)
{
    run->stopping = true;
    load_stop_child(run, 9);
    for (uint32_t i = 0; i < LOAD_HUB_PEERS; i++) {
        if (run->hub_peers[i].fd >= 0)
            load_peer_gone(run, &run->hub_peers[i]);
    }
    for (uint32_t i = 0; i < run->options.engines; i++)
        load_peer_gone(run, &run->engine_peers[i]);
    for (uint32_t i = 0; i < run->options.clients; i++)
        load_peer_gone(run, &run->client_peers[i]);
    run->monitor_up = run->notifier_up = run->request_seen = run->registered = false;
    run->stopping = false;
}
