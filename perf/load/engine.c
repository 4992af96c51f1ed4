/*
 * load: the engines. Each task is judged on arrival and answered at once (or held, see --hold).
 * Called by loop.c with every message that the scheduler sends to an engine.
 * Invariant: exactly one reply leaves for each task received.
 */
#include "load.h"

#include <stdio.h>
#include <string.h>

enum { LOAD_REPLY_SIZE = 2048 };

static const char load_content_ok[] = "{\"status\": \"ok\"}";

static uint32_t load_metadata_refused(const load_engine *engine, uint32_t index, bool unmet,
                                      uint8_t *at, size_t size)
{
    return (uint32_t)snprintf(
        (char *)at, size,
        "{\"started\": \"2026-11-23T06:58:14.928260Z\", \"dependencies_met\": %s, "
        "\"engine\": \"%s\", \"is_broadcast\": false, \"is_coalescing\": false, "
        "\"original_msg_id\": \"\", \"label\": null, \"status\": \"error\", "
        "\"engine_info\": {\"engine_uuid\": \"%s\", \"engine_id\": %u}}",
        unmet ? "false" : "true", engine->session.session, engine->session.session, index);
}

static uint32_t load_content_refused(const load_engine *engine, uint32_t index, bool unmet,
                                     uint8_t *at, size_t size)
{
    return (uint32_t)snprintf(
        (char *)at, size,
        "{\"traceback\": [\"the load generator refused this run\"], \"ename\": \"%s\", "
        "\"evalue\": \"Failed!\", \"engine_info\": {\"engine_uuid\": \"%s\", \"engine_id\": %u, "
        "\"method\": \"apply\"}, \"status\": \"error\"}",
        unmet ? "UnmetDependency" : "ValueError", engine->session.session, index);
}

static void load_engine_reply(load_run *run, wire_peer *peer, const wire_message *message,
                              uint64_t task, bool ok, bool unmet)
{
    load_engine *engine = &run->engines[peer->index];
    uint8_t header[LOAD_HEAD_SIZE + LOAD_TAIL_SIZE + 16], metadata[640], content[512];
    load_part parts[LOAD_SIGNED_FRAMES] = {
        {header, load_header(&engine->session, engine->session.next++, header)},
        {wire_frame(message, 3), message->frames[3].stored},
        {engine->metadata, engine->metadata_size},
        {load_content_ok, sizeof load_content_ok - 1}};
    if (!ok) {
        parts[2] = (load_part){
            metadata, load_metadata_refused(engine, peer->index, unmet, metadata, sizeof metadata)};
        parts[3] = (load_part){
            content, load_content_refused(engine, peer->index, unmet, content, sizeof content)};
    }
    uint64_t payload = ok ? run->options.reply_payload : 0;
    uint8_t *at =
        wire_reserve(peer, LOAD_REPLY_SIZE + message->frames[0].stored + message->frames[3].stored);
    at = wire_put_frame(at, wire_frame(message, 0), message->frames[0].stored, true);
    wire_commit(peer, load_put_message(run, at, parts, payload > 0));
    load_put_payload(run, peer, task, payload);
}

static bool contains(const uint8_t *bytes, uint64_t size, const char *word)
{
    uint64_t length = strlen(word);
    for (uint64_t at = 0; at + length <= size; at++) {
        if (memcmp(bytes + at, word, length) == 0)
            return true;
    }
    return false;
}

void load_engine_message(load_run *run, wire_peer *peer, const wire_message *message)
{
    uint64_t task;
    load_plan plan;
    if (load_delimiter(message) != 1 ||
        !load_find_task(run, wire_frame(message, 3), message->frames[3].stored, &task)) {
        // A scheduler with a journal asks whether this engine answers fences: it need not.
        if (message->count > 3 &&
            contains(wire_frame(message, 3), message->frames[3].stored, "kernel_info_request"))
            return;
        load_violation(run, LOAD_BAD_UNKNOWN_TASK, "engine %u got a message that no client sent",
                       peer->index);
        return;
    }
    load_plan_make(&run->options, (uint32_t)(task / run->options.clients), &plan);
    load_verify(run, message, 1, task);
    if (!load_check_payload(message, 7, task, run->options.payload)) {
        load_violation(run, LOAD_BAD_PAYLOAD, "task %llu reached engine %u with a changed payload",
                       (unsigned long long)task, peer->index);
    }
    uint32_t outstanding = ++run->engines[peer->index].outstanding;
    if (run->options.hwm > 0 && outstanding > run->options.hwm) {
        load_violation(run, LOAD_BAD_HWM, "engine %u holds %u tasks", peer->index, outstanding);
    }
    load_judge_run(run, task, peer->index, &plan);
    bool final = load_record(run, task)->runs > plan.fails;
    load_engine_reply(run, peer, message, task, final && !plan.ends_badly, plan.unmet);
    if (final)
        load_record(run, task)->flags |= LOAD_FLAG_EXECUTED;
    if (!run->holding)
        load_mark_dirty(run, peer);
}

void load_engine_release(load_run *run)
{
    run->holding = false;
    for (uint32_t i = 0; i < run->options.engines; i++) {
        if (wire_has_output(&run->engine_peers[i]))
            load_mark_dirty(run, &run->engine_peers[i]);
    }
}
