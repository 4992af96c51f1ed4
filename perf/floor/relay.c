/*
 * floor: what is done with a message: its frames are copied to the peers that get them.
 * It looks at frame boundaries and routing ids, at nothing else: no JSON, no signature, no memory
 * of tasks. Called by loop.c. Invariant: a message is copied to its peers before the next is read.
 */
#include "relay.h"

#include <stdlib.h>
#include <string.h>

static bool floor_nth(uint64_t number, uint32_t every)
{
    return every > 0 && number % every == every - 1;
}

/* [topic or nothing] [id] [second id or nothing] and the message's frames from FIRST on. */
static void floor_send(floor_state *state, wire_peer *to, const char *topic, const void *id,
                       size_t id_size, const wire_peer *second, const wire_message *message,
                       uint32_t first)
{
    size_t size = 1024;
    for (uint32_t i = first; i < message->count; i++) {
        size += (size_t)message->frames[i].size + WIRE_FRAME_HEAD_MAX;
    }
    uint8_t *at = wire_reserve(to, size);
    if (topic)
        at = wire_put_frame(at, topic, strlen(topic), true);
    if (id)
        at = wire_put_frame(at, id, id_size, true);
    if (second)
        at = wire_put_frame(at, second->identity, second->identity_size, true);
    for (uint32_t i = first; i < message->count; i++) {
        at = wire_put_frame(at, wire_frame(message, i), message->frames[i].stored,
                            i + 1 < message->count);
    }
    wire_commit(to, at);
    floor_mark(state, to);
}

static wire_peer *floor_next_engine(floor_state *state)
{
    for (uint32_t i = 0; i < state->engine_count; i++) {
        wire_peer *engine = state->engines[state->next_engine++ % state->engine_count];
        if (engine->state == WIRE_UP)
            return engine;
    }
    return NULL;
}

static void floor_release_held(floor_state *state)
{
    wire_peer *engine = floor_next_engine(state);
    if (state->held == NULL || state->tasks < state->held_until || engine == NULL)
        return;
    memcpy(wire_reserve(engine, state->held_size), state->held, state->held_size);
    engine->out_end += state->held_size;
    floor_mark(state, engine);
    free(state->held);
    state->held = NULL;
}

static bool floor_hold(floor_state *state, wire_peer *client, const wire_message *message)
{
    wire_peer keeper;
    if (state->held || !floor_nth(state->tasks, state->options.hold_every))
        return false;
    wire_peer_init(&keeper, 0, 0, 0);
    keeper.dirty = true; /* not in the list: floor_mark leaves it alone */
    bool unbatched = state->options.unbatched;
    state->options.unbatched = false;
    floor_send(state, &keeper, NULL, client->identity, FLOOR_ID_SIZE, NULL, message, 0);
    state->options.unbatched = unbatched;
    state->held = keeper.out;
    state->held_size = keeper.out_end;
    state->held_until = state->tasks + FLOOR_HELD_FOR;
    return true;
}

void floor_task(floor_state *state, wire_peer *client, const wire_message *message)
{
    wire_peer *engine = floor_next_engine(state);
    if (engine == NULL)
        return;
    bool mute = floor_nth(state->tasks, state->options.mute_every);
    if (state->monitor_live && !mute) {
        floor_send(state, &state->monitor, "intask", client->identity, FLOOR_ID_SIZE, NULL, message,
                   0);
    }
    if (!floor_hold(state, client, message)) {
        int copies = floor_nth(state->tasks, state->options.twice_every) ? 2 : 1;
        for (int i = 0; i < copies; i++) {
            floor_send(state, engine, NULL, client->identity, FLOOR_ID_SIZE, NULL, message, 0);
            engine = floor_next_engine(state);
        }
    }
    if (state->monitor_live) {
        memcpy(wire_reserve(&state->monitor, state->tracktask_size), state->tracktask,
               state->tracktask_size);
        state->monitor.out_end += state->tracktask_size;
        floor_mark(state, &state->monitor);
    }
    state->tasks++;
    floor_release_held(state);
}

void floor_reply(floor_state *state, wire_peer *engine, wire_message *message)
{
    const uint8_t *id = wire_frame(message, 0);
    if (message->count < 2 || message->frames[0].size != FLOOR_ID_SIZE)
        return;
    uint32_t index = (uint32_t)id[1] << 24 | (uint32_t)id[2] << 16 | (uint32_t)id[3] << 8 | id[4];
    uint64_t number = state->replies++;
    if (index >= state->client_count || state->clients[index]->state != WIRE_UP)
        return;
    wire_peer *client = state->clients[index];
    if (floor_nth(number, state->options.corrupt_every)) {
        uint8_t *last = (uint8_t *)(uintptr_t)wire_frame(message, message->count - 1);
        if (message->frames[message->count - 1].stored > 0)
            last[0] ^= 0x55;
    }
    int copies = floor_nth(number, state->options.drop_every)        ? 0
                 : floor_nth(number, state->options.duplicate_every) ? 2
                                                                     : 1;
    for (int i = 0; i < copies; i++) {
        floor_send(state, client, NULL, NULL, 0, engine, message, 1);
    }
    if (state->monitor_live) {
        floor_send(state, &state->monitor, "outtask", id, FLOOR_ID_SIZE, engine, message, 1);
    }
}
