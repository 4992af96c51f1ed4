/// scan.c: a scanner, and what every scan does with a frame (frames.h).
///
/// Invariant: a result is complete whatever the bytes were: what could not be read is zero, and
/// `status` says why. Results hold no values, only spans that were kept.
#include "frames.h"

#include <stdlib.h>
#include <string.h>

scanner *scanner_create(scan_packer packer)
{
    scanner *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->body = packer == SCAN_MSGPACK ? &scan_body_msgpack : &scan_body_json;
    s->parser = s->body->create();
    if (packer == SCAN_JSON)
        s->shapes = shapes_create();
    if (!s->parser || (packer == SCAN_JSON && !s->shapes)) {
        scanner_destroy(s);
        return NULL;
    }
    return s;
}

void scanner_destroy(scanner *s)
{
    if (!s)
        return;
    if (s->parser)
        s->body->destroy(s->parser);
    shapes_destroy(s->shapes);
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

void scanner_count_shapes(const scanner *s, uint64_t *found, uint64_t *parsed)
{
    *found = *parsed = 0;
    if (s->shapes)
        shapes_count(s->shapes, found, parsed);
}

bool scan_map(scanner *s, int slot, scan_span frame, const char *what, scan_value *map,
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

bool scan_msg_id(scanner *s, const scan_value *value, scan_span *msg_id)
{
    if (value->kind != SCAN_VALUE_TEXT || value->text.size == 0 ||
        value->text.size > SCAN_MSG_ID_MAX)
        return false;
    *msg_id = scan_keep(s, value->text);
    return msg_id->data != NULL;
}

const shape *scan_find_shape(scanner *s, shape_kind kind, scan_span frame)
{
    return s->shapes ? shape_find(s->shapes, kind, frame) : NULL;
}

shape *scan_learn_shape(scanner *s, shape_kind kind, scan_span frame, scan_span msg_id)
{
    return s->shapes ? shape_learn(s->shapes, kind, frame, msg_id) : NULL;
}

scan_span scan_id_in(const shape *known, scan_span frame)
{
    return (scan_span){frame.data + known->id_at, known->id_size};
}

bool scan_any_of(const scan_value *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (values[i].kind != SCAN_VALUE_ABSENT)
            return true;
    return false;
}
