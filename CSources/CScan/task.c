/// task.c: what a client's task says. The rules for its fields are in fields.c. Called by
/// SchedulerWire.
#include <string.h>

#include "frames.h"

static const scan_name task_names[SCAN_TASK_FIELDS + 1] = {
    SCAN_NAME("targets"), SCAN_NAME("retries"), SCAN_NAME("after"),
    SCAN_NAME("follow"),  SCAN_NAME("timeout"), SCAN_NAME("msg_id"),
};

static void refuse_msg_id(scanner *s, const scan_value *id, scan_submission *out)
{
    char text[40];
    if (id->kind == SCAN_VALUE_TEXT && id->text.size > SCAN_MSG_ID_MAX) {
        out->status = SCAN_LONG_MSG_ID;
        out->detail = scan_sentence(s, "msg_id has %llu bytes: expected at most %d",
                                    (unsigned long long)id->text.size, SCAN_MSG_ID_MAX);
        return;
    }
    out->status = SCAN_NO_MSG_ID;
    out->detail = scan_sentence(s, "msg_id is %s: expected a string of 1 to %d bytes",
                                scan_describe(id, text), SCAN_MSG_ID_MAX);
}

/// The msg_id, and the five fields where the 2011 dialect has them. False: `out` says why.
static bool read_task_header(scanner *s, scan_span header, scan_value *values, scan_submission *out)
{
    scan_value map, *id = &values[SCAN_TASK_FIELDS];
    const shape *known = scan_find_shape(s, SHAPE_TASK_HEADER, header);
    if (known) {
        out->msg_id = scan_id_in(known, header);
        memset(values, 0, SCAN_TASK_FIELDS * sizeof *values);
        return true;
    }
    if (!scan_map(s, SLOT_HEADER, header, "header", &map, &out->detail)) {
        out->status = SCAN_BAD_HEADER;
        return false;
    }
    scan_named(s, &map, task_names, SCAN_TASK_FIELDS + 1, values);
    if (!scan_msg_id(s, id, &out->msg_id)) {
        refuse_msg_id(s, id, out);
        return false;
    }
    if (!scan_any_of(values, SCAN_TASK_FIELDS))
        scan_learn_shape(s, SHAPE_TASK_HEADER, header, out->msg_id);
    return true;
}

void scan_task(scanner *s, scan_span header, scan_span metadata, scan_submission *out)
{
    scan_value map, from_header[SCAN_TASK_FIELDS + 1], from_metadata[SCAN_TASK_FIELDS];
    memset(out, 0, sizeof *out);
    out->after.all = out->after.success = 1;
    out->follow.all = out->follow.success = 1;
    if (!read_task_header(s, header, from_header, out))
        return;
    const shape *known = scan_find_shape(s, SHAPE_TASK_METADATA, metadata);
    if (known && known->has_fields) {
        scan_span msg_id = out->msg_id;
        *out = known->task;
        out->msg_id = msg_id;
        return;
    }
    if (known) {
        scan_task_fields(s, from_header, out);
        return;
    }
    if (!scan_map(s, SLOT_OTHER, metadata, "metadata", &map, &out->detail)) {
        out->status = SCAN_BAD_METADATA;
        return;
    }
    scan_named(s, &map, task_names, SCAN_TASK_FIELDS, from_metadata);
    bool in_metadata = scan_any_of(from_metadata, SCAN_TASK_FIELDS);
    size_t span_count = s->span_count;
    if (!scan_task_fields(s, in_metadata ? from_metadata : from_header, out) ||
        s->span_count != span_count)
        return;
    shape *new = scan_learn_shape(s, SHAPE_TASK_METADATA, metadata, (scan_span){NULL, 0});
    if (new) {
        new->has_fields = in_metadata;
        new->task = *out;
        // Empty lists, but they name a place among the spans of this turn.
        new->task.targets = new->task.after.ids = new->task.follow.ids = (scan_list){0, 0};
    }
}
