/// shape.c: see shape.h. Called by scan.c, for JSON only.
///
///     places[kind][size mod SHAPE_PLACES]     one shape each
///
/// A shape that is missed SHAPE_TRUST times without a hit in between is replaced: a cluster whose
/// frames never repeat pays one comparison a frame, and seldom for learning.
#include "shape.h"

#include <stdlib.h>
#include <string.h>

#include "match.h"

#define SHAPE_PLACES 64u
#define SHAPE_TRUST  16

struct shapes {
    shape_matcher *matches;
    uint64_t found, parsed;
    shape places[SHAPE_KINDS][SHAPE_PLACES];
};

shapes *shapes_create(void)
{
    // Pages that no frame's size leads to are never touched.
    shapes *all = calloc(1, sizeof *all);
    if (all)
        all->matches = shape_matcher_pick();
    return all;
}

void shapes_destroy(shapes *all)
{
    free(all);
}

void shapes_count(const shapes *all, uint64_t *found, uint64_t *parsed)
{
    *found = all->found;
    *parsed = all->parsed;
}

const shape *shape_find(shapes *all, shape_kind kind, scan_span frame)
{
    if (frame.size == 0 || frame.size > SHAPE_SIZE_MAX)
        return NULL;
    shape *s = &all->places[kind][frame.size % SHAPE_PLACES];
    if (s->size == frame.size && all->matches(frame.data, s->bytes, s->free, s->size)) {
        s->trust = SHAPE_TRUST;
        all->found++;
        return s;
    }
    all->parsed++;
    return NULL;
}

/// Names whose values the rules read: texts after them must not change. msg_id is looked at by
/// itself.
static bool is_read(const uint8_t *name, size_t size)
{
    static const char *const names[] = {"targets",      "retries", "after",     "follow",
                                        "timeout",      "status",  "subheader", "dependencies_met",
                                        "dependencies", "all",     "success",   "failure"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (size == strlen(names[i]) && !memcmp(name, names[i], size))
            return true;
    return false;
}

static bool is_id(const uint8_t *name, size_t size)
{
    return size == 6 && !memcmp(name, "msg_id", 6);
}

/// Marks the free texts of a valid JSON document without backslashes, and notes where the msg_id
/// that counts stands: the last one of the outermost map.
static void mark(shape *s)
{
    const uint8_t *bytes = s->bytes;
    uint32_t depth = 0, name_at = 0, name_size = 0;
    bool read = false;
    for (uint32_t at = 0; at < s->size; at++) {
        if (bytes[at] == '{' || bytes[at] == '[')
            depth++;
        if (bytes[at] == '}' || bytes[at] == ']')
            depth--;
        if (bytes[at] != '"')
            continue;
        uint32_t first = at + 1, size = 0, next;
        while (bytes[first + size] != '"')
            size++;
        at = first + size;
        for (next = at + 1; next < s->size && (bytes[next] == ' ' || bytes[next] == '\n' ||
                                               bytes[next] == '\r' || bytes[next] == '\t');)
            next++;
        if (next < s->size && bytes[next] == ':') {
            name_at = first;
            name_size = size;
            read = is_read(bytes + first, size);
            continue;
        }
        if (depth == 1 && is_id(bytes + name_at, name_size)) {
            s->id_at = first;
            s->id_size = size;
        }
        if (!read)
            memset(s->free + first, 0xff, size);
    }
}

shape *shape_learn(shapes *all, shape_kind kind, scan_span frame, scan_span msg_id)
{
    if (frame.size == 0 || frame.size > SHAPE_SIZE_MAX || memchr(frame.data, '\\', frame.size))
        return NULL;
    shape *s = &all->places[kind][frame.size % SHAPE_PLACES];
    if (s->size != 0 && --s->trust > 0)
        return NULL;
    memset(s, 0, sizeof *s);
    memcpy(s->bytes, frame.data, frame.size);
    s->size = (uint32_t)frame.size;
    s->trust = SHAPE_TRUST;
    mark(s);
    if (msg_id.size &&
        (msg_id.size != s->id_size || memcmp(msg_id.data, s->bytes + s->id_at, msg_id.size) != 0)) {
        s->size = 0;
        return NULL;
    }
    return s;
}
