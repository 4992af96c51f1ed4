/// reply.c: what an engine's reply says. Called by SchedulerWire.
#include <string.h>

#include "frames.h"

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

static const scan_name reply_names[REPLY_FIELDS + 1] = {
    SCAN_NAME("status"), SCAN_NAME("dependencies_met"), SCAN_NAME("subheader")};

/// The fields that a reply of the 2011 dialect has in its header. False: it is no map.
static bool read_reply_header(scanner *s, scan_span header, scan_value *values)
{
    const char *detail;
    scan_value map, from_header[REPLY_FIELDS + 1];
    memset(values, 0, REPLY_FIELDS * sizeof *values);
    if (scan_find_shape(s, SHAPE_REPLY_HEADER, header))
        return true;
    if (!scan_map(s, SLOT_HEADER, header, "header", &map, &detail))
        return false;
    scan_named(s, &map, reply_names, REPLY_FIELDS + 1, from_header);
    if (scan_any_of(from_header, REPLY_FIELDS))
        memcpy(values, from_header, REPLY_FIELDS * sizeof *values);
    else if (from_header[REPLY_SUBHEADER].kind == SCAN_VALUE_MAP)
        scan_named(s, &from_header[REPLY_SUBHEADER], reply_names, REPLY_FIELDS, values);
    if (!scan_any_of(values, REPLY_FIELDS))
        scan_learn_shape(s, SHAPE_REPLY_HEADER, header, (scan_span){NULL, 0});
    return true;
}

/// The id of the task that a reply is about. False: there is none.
static bool read_reply_parent(scanner *s, scan_span parent, scan_span *msg_id)
{
    static const scan_name name = SCAN_NAME("msg_id");
    const char *detail;
    scan_value map, id;
    const shape *known = scan_find_shape(s, SHAPE_REPLY_PARENT, parent);
    if (known) {
        *msg_id = scan_id_in(known, parent);
        return true;
    }
    if (!scan_map(s, SLOT_OTHER, parent, "parent_header", &map, &detail))
        return false;
    scan_named(s, &map, &name, 1, &id);
    if (!scan_msg_id(s, &id, msg_id))
        return false;
    scan_learn_shape(s, SHAPE_REPLY_PARENT, parent, *msg_id);
    return true;
}

static void judge_reply(const scanner *s, const scan_value *values, scan_result *out)
{
    const scan_value *status = &values[REPLY_STATUS];
    const scan_value *met = &values[REPLY_DEPENDENCIES_MET];
    out->has_status = status->kind == SCAN_VALUE_TEXT;
    out->ok = out->has_status && status->text.size == 2 && !memcmp(status->text.data, "ok", 2);
    out->dependencies_met = met->kind == SCAN_VALUE_ABSENT || scan_truth(s, met);
}

void scan_reply(scanner *s, scan_span header, scan_span parent, scan_span metadata,
                scan_result *out)
{
    const char *detail;
    scan_value map, from_header[REPLY_FIELDS], from_metadata[REPLY_FIELDS];
    memset(out, 0, sizeof *out);
    if (!read_reply_header(s, header, from_header)) {
        out->status = SCAN_BAD_HEADER;
        return;
    }
    if (!read_reply_parent(s, parent, &out->msg_id)) {
        out->status = SCAN_BAD_PARENT;
        return;
    }
    const shape *known = scan_find_shape(s, SHAPE_REPLY_METADATA, metadata);
    if (known && known->has_fields) {
        scan_span msg_id = out->msg_id;
        *out = known->reply;
        out->msg_id = msg_id;
        return;
    }
    if (known) {
        judge_reply(s, from_header, out);
        return;
    }
    if (!scan_map(s, SLOT_OTHER, metadata, "metadata", &map, &detail)) {
        out->status = SCAN_BAD_METADATA;
        return;
    }
    scan_named(s, &map, reply_names, REPLY_FIELDS, from_metadata);
    bool in_metadata = scan_any_of(from_metadata, REPLY_FIELDS);
    judge_reply(s, in_metadata ? from_metadata : from_header, out);
    shape *new = scan_learn_shape(s, SHAPE_REPLY_METADATA, metadata, (scan_span){NULL, 0});
    if (new) {
        new->has_fields = in_metadata;
        new->reply = *out;
    }
}
