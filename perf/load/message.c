/*
 * load: messages as ipyparallel 9.2 makes them, from templates: only the number is written and the
 * signature computed. Reading trusts bytes this program made and searches in those it did not.
 * Called by hub.c, engine.c and client.c.
 * Invariant: head + number + tail is one JSON header, with the spacing of Python's json module.
 */
#define _GNU_SOURCE
#include "load.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char load_delimiter_text[] = "<IDS|MSG>";
enum { LOAD_DELIMITER_SIZE = 9 };
static const char load_date[] = "2026-11-23T06:58:14.928260Z";

static uint64_t load_random_hex(void)
{
    uint64_t value = 0;
    if (getentropy(&value, sizeof value) != 0)
        value = load_clock_ns();
    return value;
}

static void load_common(char common[LOAD_SESSION_COMMON + 1])
{
    snprintf(common, LOAD_SESSION_COMMON + 1, "%08x-%016llx%02x", (uint32_t)load_random_hex(),
             (unsigned long long)load_random_hex(), (uint32_t)(load_random_hex() & 0xff));
}

static void load_session_make(load_session *session, const char *common, uint32_t index,
                              const char *type)
{
    int size = snprintf(session->session, sizeof session->session, "%s%06x", common, index);
    if (size != LOAD_SESSION_SIZE)
        session->session[0] = 0;
    session->head_size = (uint16_t)snprintf((char *)session->head, sizeof session->head,
                                            "{\"msg_id\": \"%s_%d_", session->session, getpid());
    session->tail_size = (uint16_t)snprintf(
        (char *)session->tail, sizeof session->tail,
        "\", \"msg_type\": \"%s\", \"username\": \"username\", \"session\": \"%s\", "
        "\"date\": \"%s\", \"version\": \"5.4\"}",
        type, session->session, load_date);
}

static void load_engine_template(load_engine *engine)
{
    engine->metadata_size = (uint32_t)snprintf(
        (char *)engine->metadata, sizeof engine->metadata,
        "{\"started\": \"%s\", \"dependencies_met\": true, \"engine\": \"%s\", "
        "\"is_broadcast\": false, \"is_coalescing\": false, \"original_msg_id\": \"\", "
        "\"label\": null, \"status\": \"ok\"}",
        load_date, engine->session.session);
}

void load_templates(load_run *run)
{
    char common[LOAD_SESSION_COMMON + 1];
    load_common(run->client_common);
    load_common(run->engine_common);
    load_common(common);
    load_session_make(&run->hub, common, 0, "registration_notification");
    for (uint32_t i = 0; i < run->options.clients; i++) {
        load_session_make(&run->clients[i], run->client_common, i, "apply_request");
    }
    for (uint32_t i = 0; i < run->options.engines; i++) {
        load_session_make(&run->engines[i].session, run->engine_common, i, "apply_reply");
        load_engine_template(&run->engines[i]);
    }
}

size_t load_header(const load_session *session, uint32_t number, uint8_t *at)
{
    uint8_t digits[10];
    uint32_t count = 0;
    do
        digits[count++] = (uint8_t)('0' + number % 10);
    while ((number /= 10) > 0);
    memcpy(at, session->head, session->head_size);
    uint8_t *end = at + session->head_size;
    while (count > 0)
        *end++ = digits[--count];
    memcpy(end, session->tail, session->tail_size);
    return (size_t)(end + session->tail_size - at);
}

uint8_t *load_put_message(load_run *run, uint8_t *at, const load_part parts[LOAD_SIGNED_FRAMES],
                          bool more)
{
    at = wire_put_frame(at, load_delimiter_text, LOAD_DELIMITER_SIZE, true);
    if (run->options.is_signed) {
        at = wire_put_head(at, LOAD_SIGNATURE_SIZE, true);
        load_sign(parts, at);
        at += LOAD_SIGNATURE_SIZE;
    } else {
        at = wire_put_head(at, 0, true);
    }
    for (int i = 0; i < LOAD_SIGNED_FRAMES; i++) {
        at = wire_put_frame(at, parts[i].data, parts[i].size, more || i + 1 < LOAD_SIGNED_FRAMES);
    }
    return at;
}

static bool load_read_hex(const uint8_t *text, uint32_t *value)
{
    *value = 0;
    for (int i = 0; i < LOAD_SESSION_SIZE - LOAD_SESSION_COMMON; i++) {
        uint8_t c = text[i];
        if (c >= '0' && c <= '9')
            c = (uint8_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            c = (uint8_t)(c - 'a' + 10);
        else
            return false;
        *value = *value << 4 | c;
    }
    return true;
}

/* Reads `<session>` or `<session>_<pid>_<number>"`; number is left alone when it is NULL. */
bool load_read_id(const uint8_t *text, size_t size, const char *common, uint32_t *index,
                  uint64_t *number)
{
    if (size < LOAD_SESSION_SIZE || memcmp(text, common, LOAD_SESSION_COMMON) != 0)
        return false;
    if (!load_read_hex(text + LOAD_SESSION_COMMON, index))
        return false;
    if (number == NULL)
        return true;
    const uint8_t *at = text + LOAD_SESSION_SIZE, *end = text + size;
    if (at == end || *at++ != '_')
        return false;
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    if (at == end || *at++ != '_')
        return false;
    const uint8_t *digits = at;
    uint64_t value = 0;
    while (at < end && *at >= '0' && *at <= '9' && at - digits < 12) {
        value = value * 10 + *at++ - '0';
    }
    *number = value;
    return at > digits && at < end && *at == '"';
}

/* The task whose msg_id stands in a header, parent header or content. */
bool load_find_task(load_run *run, const uint8_t *json, size_t size, uint64_t *task)
{
    static const char fast[] = "{\"msg_id\": \"", name[] = "\"msg_id\"";
    const uint8_t *at = json + sizeof fast - 1, *end = json + size;
    uint32_t client;
    uint64_t number;
    if (size < sizeof fast || memcmp(json, fast, sizeof fast - 1) != 0) {
        at = memmem(json, size, name, sizeof name - 1);
        if (at == NULL)
            return false;
        at += sizeof name - 1;
        while (at < end && (*at == ' ' || *at == ':'))
            at++;
        if (at == end || *at++ != '"')
            return false;
    }
    if (!load_read_id(at, (size_t)(end - at), run->client_common, &client, &number))
        return false;
    if (client >= run->options.clients)
        return false;
    *task = number * run->options.clients + client;
    return load_remembers(run, *task);
}

int load_delimiter(const wire_message *message)
{
    for (uint32_t i = 0; i < message->count && i < 4; i++) {
        if (message->frames[i].size == LOAD_DELIMITER_SIZE &&
            memcmp(wire_frame(message, i), load_delimiter_text, LOAD_DELIMITER_SIZE) == 0) {
            return i + LOAD_SIGNED_FRAMES + 2 <= message->count ? (int)i : -1;
        }
    }
    return -1;
}

/* The task's index leads the payload, so that a payload given to another task is noticed. */
void load_put_payload(load_run *run, wire_peer *peer, uint64_t task, uint64_t size)
{
    if (size == 0)
        return;
    uint8_t marker[8];
    size_t marked = size < sizeof marker ? (size_t)size : sizeof marker;
    memcpy(marker, &task, sizeof marker);
    bool inlined = size <= LOAD_INLINE_PAYLOAD;
    uint8_t *at = wire_reserve(peer, WIRE_FRAME_HEAD_MAX + (inlined ? (size_t)size : marked));
    at = wire_put_head(at, size, false);
    memcpy(at, marker, marked);
    at += marked;
    size_t rest = (size_t)size - marked;
    if (inlined) {
        memcpy(at, run->payload, rest);
        at += rest;
    }
    wire_commit(peer, at);
    if (!inlined)
        wire_put_gap(peer, run->payload, rest);
}

bool load_check_payload(const wire_message *message, uint32_t first, uint64_t task, uint64_t size)
{
    if (message->count != first + (size > 0 ? 1 : 0))
        return false;
    if (size == 0)
        return true;
    if (message->frames[first].size != size)
        return false;
    return size < sizeof task || memcmp(wire_frame(message, first), &task, sizeof task) == 0;
}

void load_verify(load_run *run, const wire_message *message, uint32_t delimiter, uint64_t sample)
{
    uint32_t every = run->options.verify_every;
    if (!run->options.is_signed || every == 0 || sample % every != 0)
        return;
    load_part parts[LOAD_SIGNED_FRAMES];
    uint8_t expected[LOAD_SIGNATURE_SIZE];
    for (uint32_t i = 0; i < LOAD_SIGNED_FRAMES; i++) {
        parts[i].data = wire_frame(message, delimiter + 2 + i);
        parts[i].size = message->frames[delimiter + 2 + i].stored;
    }
    load_sign(parts, expected);
    run->verified++;
    if (message->frames[delimiter + 1].size != LOAD_SIGNATURE_SIZE ||
        memcmp(expected, wire_frame(message, delimiter + 1), LOAD_SIGNATURE_SIZE) != 0) {
        load_violation(run, LOAD_BAD_SIGNATURE, "a signature is wrong (sample %llu)",
                       (unsigned long long)sample);
    }
}
