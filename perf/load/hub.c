/*
 * load: the hub. Answers the scheduler's connection_request, announces engines, and referees what
 * the monitor is told. Called by loop.c with the messages of the three hub sockets.
 * Invariant: engines are announced only after all of them are connected, because a ROUTER drops
 * what it is told to send to an engine that is not there.
 */
#define _GNU_SOURCE
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t load_hub_header(load_run *run, const char *type, uint8_t *at, size_t size)
{
    return (size_t)snprintf((char *)at, size,
                            "{\"msg_id\": \"%s_1_%u\", \"msg_type\": \"%s\", \"username\": "
                            "\"username\", \"session\": \"%s\", \"date\": "
                            "\"2026-11-23T06:58:14.928260Z\", \"version\": \"5.4\"}",
                            run->hub.session, run->hub.next++, type, run->hub.session);
}

static void load_hub_send(load_run *run, wire_peer *peer, const char *type, const char *content,
                          size_t content_size)
{
    uint8_t header[512];
    load_part parts[LOAD_SIGNED_FRAMES] = {{header, load_hub_header(run, type, header, 512)},
                                           {"{}", 2},
                                           {"{}", 2},
                                           {content, content_size}};
    uint8_t *at = wire_reserve(peer, 1024 + content_size);
    wire_commit(peer, load_put_message(run, at, parts, false));
    load_mark_dirty(run, peer);
}

static void load_reply_engines(load_run *run, wire_peer *peer, uint32_t count)
{
    size_t room = 64 + (size_t)count * (LOAD_SESSION_SIZE + 24), used;
    char *content = wire_grow(NULL, room);
    used = (size_t)sprintf(content, "{\"status\": \"ok\", \"engines\": {");
    for (uint32_t i = 0; i < count; i++) {
        used += (size_t)sprintf(content + used, "%s\"%u\": \"%s\"", i ? ", " : "", i,
                                run->engines[i].session.session);
    }
    used += (size_t)sprintf(content + used, "}}");
    load_hub_send(run, peer, "connection_reply", content, used);
    free(content);
}

static void load_notify_engines(load_run *run, wire_peer *peer)
{
    char content[128];
    for (uint32_t i = 0; i < run->options.engines; i++) {
        int size = snprintf(content, sizeof content, "{\"id\": %u, \"uuid\": \"%s\"}", i,
                            run->engines[i].session.session);
        load_hub_send(run, peer, "registration_notification", content, (size_t)size);
    }
}

/* Called whenever something it waits for may have happened; does its work once. */
void load_hub_register(load_run *run)
{
    bool notify = run->options.registration == LOAD_REGISTER_NOTIFY;
    if (run->registered || !run->request_seen || run->engines_up < run->options.engines)
        return;
    if (notify && !run->notifier_up)
        return;
    for (uint32_t i = 0; i < LOAD_HUB_PEERS; i++) {
        wire_peer *peer = &run->hub_peers[i];
        if (peer->state != WIRE_UP)
            continue;
        if (peer->kind == LOAD_KIND_REGISTRAR) {
            load_reply_engines(run, peer, notify ? 0 : run->options.engines);
        }
        if (peer->kind == LOAD_KIND_NOTIFIER && notify)
            load_notify_engines(run, peer);
    }
    run->registered = true;
}

static bool load_frame_is(const wire_message *message, uint32_t index, const char *text)
{
    size_t size = strlen(text);
    return message->frames[index].size == size &&
           memcmp(wire_frame(message, index), text, size) == 0;
}

static void load_monitor_bad(load_run *run, const char *topic)
{
    load_violation(run, LOAD_BAD_MONITOR, "an %s names no task of ours, or comes out of order",
                   topic);
}

static void load_monitor_intask(load_run *run, const wire_message *message, uint32_t first)
{
    uint64_t task;
    run->intasks++;
    if (!load_find_task(run, wire_frame(message, first + 2), message->frames[first + 2].stored,
                        &task) ||
        (load_record(run, task)->flags & LOAD_FLAG_INTASK)) {
        load_monitor_bad(run, "intask");
        return;
    }
    load_record(run, task)->flags |= LOAD_FLAG_INTASK;
}

static void load_monitor_outtask(load_run *run, const wire_message *message, uint32_t first)
{
    uint64_t task;
    run->outtasks++;
    if (!load_find_task(run, wire_frame(message, first + 3), message->frames[first + 3].stored,
                        &task)) {
        load_monitor_bad(run, "outtask");
        return;
    }
    load_task *record = load_record(run, task);
    bool full = run->options.monitor_check == LOAD_MONITOR_FULL;
    bool early = !(record->flags & LOAD_FLAG_INTASK) || (full && record->tracks == 0);
    if (early || (record->flags & LOAD_FLAG_OUTTASK))
        load_monitor_bad(run, "outtask");
    record->flags |= LOAD_FLAG_OUTTASK;
}

static void load_monitor_tracktask(load_run *run, const wire_message *message, uint32_t first)
{
    static const char name[] = "\"engine_id\"";
    uint64_t task;
    uint32_t engine;
    run->tracktasks++;
    if (run->options.monitor_check != LOAD_MONITOR_FULL)
        return;
    const uint8_t *content = wire_frame(message, first + 5);
    size_t size = message->frames[first + 5].stored;
    load_verify(run, message, first, run->tracktasks);
    const uint8_t *at = memmem(content, size, name, sizeof name - 1);
    if (at != NULL)
        at = memchr(at + sizeof name - 1, '"', size - (size_t)(at - content) - 11);
    if (at == NULL ||
        !load_read_id(at + 1, size - (size_t)(at + 1 - content), run->engine_common, &engine,
                      NULL) ||
        !load_find_task(run, content, size, &task) ||
        !(load_record(run, task)->flags & LOAD_FLAG_INTASK)) {
        load_monitor_bad(run, "tracktask");
        return;
    }
    load_record(run, task)->balance -= (engine + 1) * 2654435761u;
    load_record(run, task)->tracks++;
}

static void load_monitor_message(load_run *run, const wire_message *message)
{
    int found = load_delimiter(message);
    if (found < 1) {
        /* The floor's tracktask is bytes of the right size only; others' must be messages. */
        if (load_frame_is(message, 0, "tracktask") &&
            run->options.monitor_check == LOAD_MONITOR_RELAY) {
            run->tracktasks++;
            return;
        }
        load_violation(run, LOAD_BAD_MONITOR, "a monitor message without its frames");
        return;
    }
    if (load_frame_is(message, 0, "intask")) {
        load_monitor_intask(run, message, (uint32_t)found);
    } else if (load_frame_is(message, 0, "outtask")) {
        load_monitor_outtask(run, message, (uint32_t)found);
    } else if (load_frame_is(message, 0, "tracktask")) {
        load_monitor_tracktask(run, message, (uint32_t)found);
    } else {
        run->monitor_other++;
    }
}

void load_hub_message(load_run *run, wire_peer *peer, const wire_message *message)
{
    switch (peer->kind) {
    case LOAD_KIND_MONITOR:
        if (run->options.monitor_check != LOAD_MONITOR_NONE)
            load_monitor_message(run, message);
        break;
    case LOAD_KIND_NOTIFIER:
        /* A 3.0 peer subscribes with a message. */
        if (message->frames[0].size > 0 && wire_frame(message, 0)[0] == 1)
            run->notifier_up = true;
        load_hub_register(run);
        break;
    default:
        if (load_delimiter(message) < 0) {
            load_violation(run, LOAD_BAD_PROTOCOL, "a registration request without its frames");
            break;
        }
        load_verify(run, message, (uint32_t)load_delimiter(message), 0);
        run->request_seen = true;
        load_hub_register(run);
    }
}
