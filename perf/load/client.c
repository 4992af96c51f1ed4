/*
 * load: the clients. Submissions and the replies to them.
 * load_submit is called by main.c's pacing, load_client_message by loop.c.
 * Invariant: submitted counts the tasks made; their numbers are dense for each client.
 */
#define _GNU_SOURCE
#include "load.h"

#include <stdio.h>
#include <string.h>

enum {
    LOAD_REQUEST_SIZE = 1024,
    LOAD_ID_SIZE = 96,
    LOAD_REQUEST_METADATA_SIZE = 256 + (LOAD_DEPENDENCIES_MAX + LOAD_TARGETS_MAX + 1) * LOAD_ID_SIZE
};

static const char load_metadata_plain[] =
    "{\"after\": [], \"follow\": [], \"timeout\": 0.0, \"targets\": [], \"retries\": 0, "
    "\"label\": null}";

static char *load_put_ids(const load_session *session, const uint32_t *numbers, uint32_t count,
                          char *at)
{
    static const size_t skip = sizeof "{\"msg_id\": \"" - 1;
    for (uint32_t i = 0; i < count; i++) {
        at += sprintf(at, "%s\"%.*s%u\"", i ? ", " : "", (int)(session->head_size - skip),
                      (const char *)session->head + skip, numbers[i]);
    }
    return at;
}

static size_t load_request_metadata(load_run *run, const load_session *session,
                                    const load_plan *plan, char *text)
{
    char *at = text + sprintf(text, "{\"after\": [");
    at = load_put_ids(session, plan->after, plan->after_count, at);
    at += sprintf(at, "], \"follow\": [");
    at = load_put_ids(session, plan->follow, plan->follow_count, at);
    at += sprintf(at, "], \"timeout\": 0.0, \"targets\": [");
    for (uint32_t i = 0; i < plan->target_count; i++) {
        at +=
            sprintf(at, "%s\"%s\"", i ? ", " : "", run->engines[plan->targets[i]].session.session);
    }
    at += sprintf(at, "], \"retries\": %u, \"label\": null}", plan->retries);
    return (size_t)(at - text);
}

void load_submit(load_run *run, uint64_t start_ns)
{
    uint64_t task = run->submitted++;
    uint32_t client = (uint32_t)(task % run->options.clients);
    wire_peer *peer = &run->client_peers[client];
    load_session *session = &run->clients[client];
    uint8_t header[LOAD_HEAD_SIZE + LOAD_TAIL_SIZE + 16];
    char text[LOAD_REQUEST_METADATA_SIZE];
    load_part parts[LOAD_SIGNED_FRAMES] = {{header, load_header(session, session->next, header)},
                                           {"{}", 2},
                                           {load_metadata_plain, sizeof load_metadata_plain - 1},
                                           {"{}", 2}};
    load_plan plan;
    load_plan_make(&run->options, session->next++, &plan);
    if (plan.after_count + plan.follow_count + plan.target_count + plan.retries > 0) {
        parts[2] = (load_part){text, load_request_metadata(run, session, &plan, text)};
    }
    if (task >= run->remembered)
        load_judge_forgotten(run, task - run->remembered);
    load_record(run, task)->start_ns = start_ns;
    uint8_t *at = wire_reserve(peer, LOAD_REQUEST_SIZE + parts[2].size);
    wire_commit(peer, load_put_message(run, at, parts, run->options.payload > 0));
    load_put_payload(run, peer, task, run->options.payload);
    load_mark_dirty(run, peer);
}

static bool load_status_ok(load_run *run, uint64_t task, const uint8_t *metadata, size_t size)
{
    const load_task *record = load_record(run, task);
    uint32_t last = record->runs ? record->engines[(record->runs - 1) % (LOAD_FAILS_MAX + 1)] : 0;
    const load_engine *engine = &run->engines[last];
    if (size == engine->metadata_size && memcmp(metadata, engine->metadata, size) == 0)
        return true;
    return memmem(metadata, size, "\"status\": \"ok\"", 14) != NULL ||
           memmem(metadata, size, "\"status\":\"ok\"", 13) != NULL;
}

void load_client_message(load_run *run, wire_peer *peer, const wire_message *message)
{
    uint64_t task;
    int found = load_delimiter(message);
    if (found < 0) {
        load_violation(run, LOAD_BAD_PROTOCOL, "client %u got a message without its frames",
                       peer->index);
        return;
    }
    uint32_t first = (uint32_t)found;
    if (!load_find_task(run, wire_frame(message, first + 3), message->frames[first + 3].stored,
                        &task) ||
        task % run->options.clients != peer->index) {
        load_violation(run, LOAD_BAD_UNKNOWN_REPLY, "client %u got a reply to no task of its own",
                       peer->index);
        return;
    }
    load_verify(run, message, first, task);
    bool ok = load_status_ok(run, task, wire_frame(message, first + 4),
                             message->frames[first + 4].stored);
    if (ok && !load_check_payload(message, first + 6, task, run->options.reply_payload)) {
        load_violation(run, LOAD_BAD_PAYLOAD, "the reply to task %llu has a changed payload",
                       (unsigned long long)task);
    }
    load_judge_reply(run, task, ok, first > 0 ? wire_frame(message, 0) : NULL,
                     first > 0 ? message->frames[0].stored : 0);
}
