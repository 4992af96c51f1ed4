/// shape.c: see shape.h. Called by scan.c, for JSON only.
///
///     places[kind][size mod SHAPE_PLACES]     one shape each
///
/// A shape that is missed SHAPE_TRUST times without a hit in between is replaced: a cluster whose
/// frames never repeat pays one comparison a frame, and seldom for learning.
#include "shape.h"

#include <stdlib.h>

#include "plain.h"

#define SHAPE_PLACES 64u
#define SHAPE_TRUST  16

struct shapes {
    uint64_t found, parsed;
    shape places[SHAPE_KINDS][SHAPE_PLACES];
};

shapes *shapes_create(void)
{
    return calloc(1, sizeof(shapes)); // pages that no frame's size leads to are never touched
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

/// Not zero where a byte may not differ but does, or stands free and is not plain.
static inline plain_block judge(plain_block now, const uint8_t *then, const uint8_t *free)
{
    plain_block allowed = plain_load(free);
    return ((now ^ plain_load(then)) & ~allowed) | (plain_odd(now) & allowed);
}

static bool matches(const shape *s, const uint8_t *bytes)
{
    plain_block wrong = {0};
    uint32_t at = 0;
    if (s->size < PLAIN_BLOCK) {
        uint8_t padded[PLAIN_BLOCK] = {0};
        memcpy(padded, bytes, s->size);
        return !plain_any(judge(plain_load(padded), s->bytes, s->free));
    }
    for (; at + PLAIN_BLOCK <= s->size; at += PLAIN_BLOCK)
        wrong |= judge(plain_load(bytes + at), s->bytes + at, s->free + at);
    at = s->size - PLAIN_BLOCK; // the end, some of it for the second time
    wrong |= judge(plain_load(bytes + at), s->bytes + at, s->free + at);
    return !plain_any(wrong);
}

const shape *shape_find(shapes *all, shape_kind kind, scan_span frame)
{
    if (frame.size == 0 || frame.size > SHAPE_SIZE_MAX)
        return NULL;
    shape *s = &all->places[kind][frame.size % SHAPE_PLACES];
    if (s->size == frame.size && matches(s, frame.data)) {
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
