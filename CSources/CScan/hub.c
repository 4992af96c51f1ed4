/// hub.c: what the hub says: notifications, and the reply to a connection request. Called by
/// SchedulerWire.
#include <string.h>

#include "frames.h"

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
