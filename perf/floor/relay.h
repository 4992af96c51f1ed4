/*
 * floor: what the bare relay is told (main.c fills it) and what it holds (loop.c, relay.c).
 * Invariant: an `_every` of 0 means never.
 */
#ifndef PERF_FLOOR_RELAY_H
#define PERF_FLOOR_RELAY_H

#include "../wire/wire.h"

typedef struct {
    const char *url_client, *url_engine, *url_monitor;
    bool unbatched; /* one write a message instead of one a peer and turn */
    /* Misbehaviour, to see that the referee notices. Counted in messages. */
    uint32_t drop_every, duplicate_every, hold_every, corrupt_every, mute_every, twice_every;
} floor_options;

enum { FLOOR_CLIENT_DOOR, FLOOR_ENGINE_DOOR, FLOOR_CLIENT, FLOOR_ENGINE, FLOOR_MONITOR };
enum {
    FLOOR_EVENTS = 256,
    FLOOR_IN_SIZE = 64 * 1024,
    FLOOR_READ_ROUNDS = 8,
    FLOOR_HELD_FOR = 16, /* messages that overtake a held one */
    FLOOR_ID_SIZE = 5
};

typedef struct {
    floor_options options;
    int epoll_fd;
    wire_peer doors[2], monitor;
    bool monitor_live;
    wire_peer **clients, **engines;
    uint32_t client_count, client_capacity, engine_count, engine_capacity, next_engine;
    wire_peer **dirty;
    uint32_t dirty_count, dirty_capacity;
    uint8_t tracktask[1024];
    size_t tracktask_size;
    uint64_t tasks, replies;
    uint8_t *held; /* a task kept back, as frames ready to be sent */
    size_t held_size;
    uint64_t held_until;
} floor_state;

/* relay.c */
void floor_task(floor_state *state, wire_peer *client, const wire_message *message);
void floor_reply(floor_state *state, wire_peer *engine, wire_message *message);

/* loop.c */
void floor_mark(floor_state *state, wire_peer *peer);
int floor_run(const floor_options *options);

#endif
