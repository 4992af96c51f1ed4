/// fields.c: the rules of fields.h. Called by scan.c.
///
/// Source: TaskScheduler.dispatch_submission and Dependency of ipyparallel 9.2, but where those
/// raise inside the scheduler (and the client waits for ever), the task is refused with a reason.
///
/// Invariant: spans pushed for a task that is refused are taken back.
#include "fields.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void scan_named(const scanner *s, const scan_value *map, const scan_name *names, size_t count,
                scan_value *values)
{
    scan_cursor cursor;
    scan_span key;
    scan_value item;
    memset(values, 0, count * sizeof *values);
    s->body->open(map, &cursor);
    while (s->body->next(&cursor, &key, &item)) {
        for (size_t i = 0; i < count; i++) {
            if (key.size == names[i].size && !memcmp(key.data, names[i].name, key.size)) {
                values[i] = item;
                break;
            }
        }
    }
}

const char *scan_describe(const scan_value *value, char *text)
{
    switch (value->kind) {
    case SCAN_VALUE_ABSENT:
        return "missing";
    case SCAN_VALUE_NULL:
        return "null";
    case SCAN_VALUE_BOOLEAN:
        return value->boolean ? "true" : "false";
    case SCAN_VALUE_INTEGER:
        snprintf(text, 40, "%" PRId64, value->integer);
        return text;
    case SCAN_VALUE_NATURAL:
        snprintf(text, 40, "%" PRIu64, value->natural);
        return text;
    case SCAN_VALUE_NUMBER:
        snprintf(text, 40, "%g", value->number);
        return text;
    case SCAN_VALUE_TEXT:
        return "a string";
    case SCAN_VALUE_LIST:
        return "a list";
    case SCAN_VALUE_MAP:
        return "a map";
    default:
        return "binary";
    }
}

static bool is_nothing(const scan_value *value)
{
    return value->kind == SCAN_VALUE_ABSENT || value->kind == SCAN_VALUE_NULL;
}

static bool refuse(scan_submission *out, scan_status status, const char *detail)
{
    out->status = status;
    out->detail = detail;
    return false;
}

/// One id or target into the span list. `what` names the field, `at` the place in it.
static bool keep_text(scanner *s, const scan_value *item, const char *what, uint32_t at,
                      scan_status bad, scan_submission *out)
{
    char text[40];
    if (item->kind != SCAN_VALUE_TEXT)
        return refuse(out, bad,
                      scan_sentence(s, "%s[%u] is %s: expected a string", what, at,
                                    scan_describe(item, text)));
    if (item->text.size > SCAN_MSG_ID_MAX)
        return refuse(out, bad,
                      scan_sentence(s, "%s[%u] has %" PRIu64 " bytes: expected at most %d", what,
                                    at, item->text.size, SCAN_MSG_ID_MAX));
    scan_span kept = scan_keep(s, item->text);
    if (!kept.data || !scan_push(s, kept))
        return refuse(out, SCAN_TOO_MANY, "there is no memory left for its lists");
    return true;
}

static bool keep_list(scanner *s, const scan_value *list, const char *what, scan_status bad,
                      scan_list *kept, scan_submission *out)
{
    scan_cursor cursor;
    scan_span key;
    scan_value item;
    uint32_t count = 0;
    size_t first = s->span_count;
    s->body->open(list, &cursor);
    while (s->body->next(&cursor, &key, &item)) {
        if (count == SCAN_LIST_MAX)
            return refuse(out, SCAN_TOO_MANY,
                          scan_sentence(s, "%s has more than %d entries: expected fewer", what,
                                        SCAN_LIST_MAX));
        if (!keep_text(s, &item, what, count, bad, out))
            return false;
        count++;
    }
    *kept = (scan_list){(uint32_t)first, count};
    return true;
}

static bool judge_targets(scanner *s, const scan_value *value, scan_submission *out)
{
    char text[40];
    if (is_nothing(value))
        return true;
    if (value->kind != SCAN_VALUE_LIST)
        return refuse(out, SCAN_BAD_TARGETS,
                      scan_sentence(s, "targets is %s: expected a list of engine uuids",
                                    scan_describe(value, text)));
    return keep_list(s, value, "targets", SCAN_BAD_TARGETS, &out->targets, out);
}

static bool judge_retries(scanner *s, const scan_value *value, scan_submission *out)
{
    char text[40];
    if (is_nothing(value))
        return true;
    if (value->kind == SCAN_VALUE_INTEGER && value->integer >= 0 &&
        value->integer <= SCAN_RETRIES_MAX) {
        out->retries = (uint32_t)value->integer;
        return true;
    }
    if (value->kind == SCAN_VALUE_NUMBER && value->number >= 0 &&
        value->number <= SCAN_RETRIES_MAX && value->number == floor(value->number)) {
        out->retries = (uint32_t)value->number;
        return true;
    }
    return refuse(out, SCAN_BAD_RETRIES,
                  scan_sentence(s, "retries is %s: expected an integer from 0 to %d",
                                scan_describe(value, text), SCAN_RETRIES_MAX));
}

static bool judge_timeout(scanner *s, const scan_value *value, scan_submission *out)
{
    char text[40];
    double timeout_s = -1;
    if (is_nothing(value))
        return true;
    if (value->kind == SCAN_VALUE_INTEGER)
        timeout_s = (double)value->integer;
    else if (value->kind == SCAN_VALUE_NATURAL)
        timeout_s = (double)value->natural;
    else if (value->kind == SCAN_VALUE_NUMBER)
        timeout_s = value->number;
    if (!(timeout_s >= 0) || isinf(timeout_s))
        return refuse(out, SCAN_BAD_TIMEOUT,
                      scan_sentence(s, "timeout is %s: expected seconds, from 0 (none) on",
                                    scan_describe(value, text)));
    out->timeout_s = timeout_s == 0 ? 0 : timeout_s; // -0.0 is 0
    return true;
}

/// A switch of a dependency: a boolean, or 0 or 1 as Python's truth of numbers.
static bool judge_switch(scanner *s, const scan_value *value, const char *what, const char *name,
                         scan_status bad, uint8_t *flag, scan_submission *out)
{
    char text[40];
    if (value->kind == SCAN_VALUE_ABSENT)
        return true;
    if (value->kind == SCAN_VALUE_BOOLEAN) {
        *flag = value->boolean;
        return true;
    }
    if (value->kind == SCAN_VALUE_INTEGER && (value->integer == 0 || value->integer == 1)) {
        *flag = (uint8_t)value->integer;
        return true;
    }
    return refuse(out, bad,
                  scan_sentence(s, "%s.%s is %s: expected true or false", what, name,
                                scan_describe(value, text)));
}

/// Values that Python takes for no dependency: null, false, 0 and "".
static bool is_no_dependency(const scan_value *value)
{
    return is_nothing(value) || (value->kind == SCAN_VALUE_BOOLEAN && !value->boolean) ||
           (value->kind == SCAN_VALUE_INTEGER && value->integer == 0) ||
           (value->kind == SCAN_VALUE_NUMBER && value->number == 0) ||
           (value->kind == SCAN_VALUE_TEXT && value->text.size == 0);
}

/// A list of ids or one id.
static bool judge_ids(scanner *s, const scan_value *value, const char *what, scan_status bad,
                      scan_list *ids, scan_submission *out)
{
    char text[40];
    if (value->kind == SCAN_VALUE_LIST)
        return keep_list(s, value, what, bad, ids, out);
    if (value->kind != SCAN_VALUE_TEXT)
        return refuse(out, bad,
                      scan_sentence(s,
                                    "%s is %s: expected a list of message ids, one id, or a map "
                                    "with \"dependencies\"",
                                    what, scan_describe(value, text)));
    *ids = (scan_list){(uint32_t)s->span_count, 1};
    return keep_text(s, value, what, 0, bad, out);
}

static bool judge_dependency(scanner *s, const scan_value *value, const char *what, scan_status bad,
                             scan_dependency *dependency, scan_submission *out)
{
    static const scan_name names[4] = {SCAN_NAME("dependencies"), SCAN_NAME("all"),
                                       SCAN_NAME("success"), SCAN_NAME("failure")};
    if (is_no_dependency(value))
        return true;
    if (value->kind != SCAN_VALUE_MAP)
        return judge_ids(s, value, what, bad, &dependency->ids, out);
    scan_value entries[4];
    scan_named(s, value, names, 4, entries);
    if (!judge_switch(s, &entries[1], what, "all", bad, &dependency->all, out) ||
        !judge_switch(s, &entries[2], what, "success", bad, &dependency->success, out) ||
        !judge_switch(s, &entries[3], what, "failure", bad, &dependency->failure, out))
        return false;
    if (!dependency->success && !dependency->failure)
        return refuse(out, SCAN_NO_NEITHER,
                      scan_sentence(s,
                                    "%s has success and failure both false: expected at least one "
                                    "of them to be true",
                                    what));
    if (is_nothing(&entries[0]))
        return true;
    char name[32];
    snprintf(name, sizeof name, "%s.dependencies", what);
    return judge_ids(s, &entries[0], name, bad, &dependency->ids, out);
}

bool scan_task_fields(scanner *s, const scan_value values[SCAN_TASK_FIELDS], scan_submission *out)
{
    size_t span_count = s->span_count;
    if (judge_targets(s, &values[SCAN_FIELD_TARGETS], out) &&
        judge_retries(s, &values[SCAN_FIELD_RETRIES], out) &&
        judge_dependency(s, &values[SCAN_FIELD_AFTER], "after", SCAN_BAD_AFTER, &out->after, out) &&
        judge_dependency(s, &values[SCAN_FIELD_FOLLOW], "follow", SCAN_BAD_FOLLOW, &out->follow,
                         out) &&
        judge_timeout(s, &values[SCAN_FIELD_TIMEOUT], out))
        return true;
    s->span_count = span_count;
    out->targets = out->after.ids = out->follow.ids = (scan_list){0, 0};
    return false;
}
