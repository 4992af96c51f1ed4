/// scan.c: tasks, replies and hub messages, whatever the packer. Called by SchedulerWire.
///
/// Both packers come as values (value.h); the rules for a task's fields are in fields.c.
///
/// Invariant: a result is complete whatever the bytes were: what could not be read is zero, and
/// `status` says why. Results hold no values, only spans that were kept.
#include "scan.h"

#include <stdlib.h>
#include <string.h>

#include "fields.h"

enum { SLOT_HEADER, SLOT_OTHER };

scanner *scanner_create(scan_packer packer)
{
    scanner *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->body = packer == SCAN_MSGPACK ? &scan_body_msgpack : &scan_body_json;
    s->parser = s->body->create();
    if (!s->parser) {
        free(s);
        return NULL;
    }
    return s;
}

void scanner_destroy(scanner *s)
{
    if (!s)
        return;
    s->body->destroy(s->parser);
    scanner_free_memory(s);
    free(s);
}

void scanner_reset(scanner *s)
{
    s->body->trim(s->parser);
    scanner_reset_memory(s);
}

const scan_span *scanner_spans(const scanner *s, size_t *count)
{
    *count = s->span_count;
    return s->spans;
}

/// A frame that must be a map; false with a sentence in `*detail` when it is not.
static bool scan_map(scanner *s, int slot, scan_span frame, const char *what, scan_value *map,
                     const char **detail)
{
    const char *why = NULL;
    char text[40];
    if (frame.size > SCAN_FRAME_SIZE_MAX) {
        *detail = scan_sentence(s, "%s has %llu bytes: expected at most %d", what,
                                (unsigned long long)frame.size, SCAN_FRAME_SIZE_MAX);
        return false;
    }
    if (!s->body->parse(s->parser, slot, frame, map, &why)) {
        *detail = scan_sentence(s, "%s is not %s: %s", what, s->body->name, why);
        return false;
    }
    if (map->kind != SCAN_VALUE_MAP) {
        *detail = scan_sentence(s, "%s is %s: expected a map", what, scan_describe(map, text));
        return false;
    }
    return true;
}

/// A message id; false when it is none.
static bool scan_msg_id(scanner *s, const scan_value *value, scan_span *msg_id)
{
    if (value->kind != SCAN_VALUE_TEXT || value->text.size == 0 ||
        value->text.size > SCAN_MSG_ID_MAX)
        return false;
    *msg_id = scan_keep(s, value->text);
    return msg_id->data != NULL;
}

void scan_task(scanner *s, scan_span header, scan_span metadata, scan_submission *out)
{
    static const scan_name names[SCAN_TASK_FIELDS + 1] = {
        SCAN_NAME("targets"), SCAN_NAME("retries"), SCAN_NAME("after"),
        SCAN_NAME("follow"),  SCAN_NAME("timeout"), SCAN_NAME("msg_id"),
    };
    scan_value map;
    scan_value from_header[SCAN_TASK_FIELDS + 1], from_metadata[SCAN_TASK_FIELDS];
    memset(out, 0, sizeof *out);
    out->after.all = out->after.success = 1;
    out->follow.all = out->follow.success = 1;
    if (!scan_map(s, SLOT_HEADER, header, "header", &map, &out->detail)) {
        out->status = SCAN_BAD_HEADER;
        return;
    }
    scan_named(s, &map, names, SCAN_TASK_FIELDS + 1, from_header);
    if (!scan_msg_id(s, &from_header[SCAN_TASK_FIELDS], &out->msg_id)) {
        char text[40];
        const scan_value *id = &from_header[SCAN_TASK_FIELDS];
        if (id->kind == SCAN_VALUE_TEXT && id->text.size > SCAN_MSG_ID_MAX) {
            out->status = SCAN_LONG_MSG_ID;
            out->detail = scan_sentence(s, "msg_id has %llu bytes: expected at most %d",
                                        (unsigned long long)id->text.size, SCAN_MSG_ID_MAX);
            return;
        }
        out->status = SCAN_NO_MSG_ID;
        out->detail =
            scan_sentence(s, "msg_id is %s: expected a string of 1 to %d bytes",
                          scan_describe(&from_header[SCAN_TASK_FIELDS], text), SCAN_MSG_ID_MAX);
        return;
    }
    if (!scan_map(s, SLOT_OTHER, metadata, "metadata", &map, &out->detail)) {
        out->status = SCAN_BAD_METADATA;
        return;
    }
    scan_named(s, &map, names, SCAN_TASK_FIELDS, from_metadata);
    bool in_metadata = false;
    for (int i = 0; i < SCAN_TASK_FIELDS; i++)
        in_metadata |= from_metadata[i].kind != SCAN_VALUE_ABSENT;
    scan_task_fields(s, in_metadata ? from_metadata : from_header, out);
}

/// Python's truth of a value.
static bool scan_truth(const scanner *s, const scan_value *value)
{
    scan_cursor cursor;
    scan_span key;
    scan_value item;
    switch (value->kind) {
    case SCAN_VALUE_ABSENT:
    case SCAN_VALUE_NULL:
        return false;
    case SCAN_VALUE_BOOLEAN:
        return value->boolean;
    case SCAN_VALUE_INTEGER:
        return value->integer != 0;
    case SCAN_VALUE_NUMBER:
        return value->number != 0;
    case SCAN_VALUE_TEXT:
        return value->text.size != 0;
    case SCAN_VALUE_LIST:
    case SCAN_VALUE_MAP:
        s->body->open(value, &cursor);
        return s->body->next(&cursor, &key, &item);
    default:
        return true;
    }
}

enum { REPLY_STATUS, REPLY_DEPENDENCIES_MET, REPLY_FIELDS, REPLY_SUBHEADER = REPLY_FIELDS };

static bool has_reply_fields(const scan_value *values)
{
    return values[REPLY_STATUS].kind != SCAN_VALUE_ABSENT ||
           values[REPLY_DEPENDENCIES_MET].kind != SCAN_VALUE_ABSENT;
}

void scan_reply(scanner *s, scan_span header, scan_span parent, scan_span metadata,
                scan_result *out)
{
    static const scan_name names[REPLY_FIELDS + 1] = {
        SCAN_NAME("status"), SCAN_NAME("dependencies_met"), SCAN_NAME("subheader")};
    static const scan_name msg_id = SCAN_NAME("msg_id");
    const char *detail;
    scan_value map, id, from_header[REPLY_FIELDS + 1], values[REPLY_FIELDS];
    memset(out, 0, sizeof *out);
    if (!scan_map(s, SLOT_HEADER, header, "header", &map, &detail)) {
        out->status = SCAN_BAD_HEADER;
        return;
    }
    scan_named(s, &map, names, REPLY_FIELDS + 1, from_header);
    out->status = SCAN_BAD_PARENT;
    if (!scan_map(s, SLOT_OTHER, parent, "parent_header", &map, &detail))
        return;
    scan_named(s, &map, &msg_id, 1, &id);
    if (!scan_msg_id(s, &id, &out->msg_id))
        return;
    out->status = SCAN_BAD_METADATA;
    if (!scan_map(s, SLOT_OTHER, metadata, "metadata", &map, &detail))
        return;
    out->status = SCAN_OK;
    scan_named(s, &map, names, REPLY_FIELDS, values);
    if (!has_reply_fields(values))
        memcpy(values, from_header, sizeof values);
    if (!has_reply_fields(values) && from_header[REPLY_SUBHEADER].kind == SCAN_VALUE_MAP)
        scan_named(s, &from_header[REPLY_SUBHEADER], names, REPLY_FIELDS, values);
    const scan_value *status = &values[REPLY_STATUS];
    const scan_value *met = &values[REPLY_DEPENDENCIES_MET];
    out->has_status = status->kind == SCAN_VALUE_TEXT;
    out->ok = out->has_status && status->text.size == 2 && !memcmp(status->text.data, "ok", 2);
    out->dependencies_met = met->kind == SCAN_VALUE_ABSENT || scan_truth(s, met);
}

static bool span_is(scan_span span, const char *text)
{
    return span.size == strlen(text) && !memcmp(span.data, text, span.size);
}

/// The text of a value, kept; empty when it is something else.
static scan_span keep_if_text(scanner *s, const scan_value *value)
{
    if (value->kind != SCAN_VALUE_TEXT)
        return (scan_span){NULL, 0};
    return scan_keep(s, value->text);
}

/// connection_reply's engines: uuids by engine id. Missing and null are none.
static scan_status scan_engines(scanner *s, const scan_value *engines, scan_list *out)
{
    scan_cursor cursor;
    scan_span key;
    scan_value item;
    size_t first = s->span_count;
    uint32_t count = 0;
    scan_status status = SCAN_OK;
    if (engines->kind == SCAN_VALUE_ABSENT || engines->kind == SCAN_VALUE_NULL)
        return SCAN_OK;
    if (engines->kind != SCAN_VALUE_MAP)
        return SCAN_BAD_CONTENT;
    s->body->open(engines, &cursor);
    while (status == SCAN_OK && s->body->next(&cursor, &key, &item)) {
        scan_span uuid = keep_if_text(s, &item);
        if (uuid.size == 0)
            status = SCAN_BAD_CONTENT;
        else if (count == SCAN_LIST_MAX || !scan_push(s, uuid))
            status = SCAN_TOO_MANY;
        count++;
    }
    if (status != SCAN_OK)
        s->span_count = first;
    else
        *out = (scan_list){(uint32_t)first, count};
    return status;
}

void scan_hub_message(scanner *s, scan_span header, scan_span content, scan_hub *out)
{
    enum { UUID, QUEUE, ENGINES, STATUS, COUNT };
    static const scan_name names[COUNT] = {SCAN_NAME("uuid"), SCAN_NAME("queue"),
                                           SCAN_NAME("engines"), SCAN_NAME("status")};
    static const scan_name msg_type = SCAN_NAME("msg_type");
    const char *detail;
    scan_value map, type, values[COUNT];
    memset(out, 0, sizeof *out);
    out->status = SCAN_BAD_HEADER;
    if (!scan_map(s, SLOT_HEADER, header, "header", &map, &detail))
        return;
    scan_named(s, &map, &msg_type, 1, &type);
    out->msg_type = keep_if_text(s, &type);
    if (out->msg_type.size == 0)
        return;
    out->status = SCAN_BAD_CONTENT;
    if (!scan_map(s, SLOT_OTHER, content, "content", &map, &detail))
        return;
    scan_named(s, &map, names, COUNT, values);
    bool old = values[UUID].kind == SCAN_VALUE_ABSENT;
    out->uuid = keep_if_text(s, &values[old ? QUEUE : UUID]);
    out->status_text = keep_if_text(s, &values[STATUS]);
    bool notification = span_is(out->msg_type, "registration_notification") ||
                        span_is(out->msg_type, "unregistration_notification");
    if (notification && out->uuid.size == 0)
        return;
    out->status = scan_engines(s, &values[ENGINES], &out->engines);
}
