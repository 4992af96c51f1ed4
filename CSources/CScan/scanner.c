/// scanner.c: the arena behind scanner.h. Called by scan.c and fields.c; the invariant is there.
#include "scanner.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// A turn of 64 KiB of ids costs no allocation; up to 16 chunks stay for busier ones.
#define SCAN_CHUNK_SIZE       65536u
#define SCAN_SPARE_CHUNKS_MAX 16u
/// Spans that stay allocated between turns.
#define SCAN_SPANS_MIN    1024u
#define SCAN_SPANS_KEPT   65536u
#define SCAN_SENTENCE_MAX 320

struct scan_chunk {
    scan_chunk *next;
    size_t size;
    size_t used;
    uint8_t bytes[];
};

static scan_chunk *scan_add_chunk(scanner *s, size_t size)
{
    scan_chunk *chunk = s->spare;
    if (chunk && size <= chunk->size) {
        s->spare = chunk->next;
        s->spare_count--;
    } else {
        size = size > SCAN_CHUNK_SIZE ? size : SCAN_CHUNK_SIZE;
        chunk = malloc(sizeof *chunk + size);
        if (!chunk)
            return NULL;
        chunk->size = size;
    }
    chunk->used = 0;
    chunk->next = s->chunks;
    s->chunks = chunk;
    return chunk;
}

uint8_t *scan_allocate(scanner *s, size_t size)
{
    scan_chunk *chunk = s->chunks;
    if (!chunk || size > chunk->size - chunk->used)
        chunk = scan_add_chunk(s, size);
    if (!chunk)
        return NULL;
    uint8_t *bytes = chunk->bytes + chunk->used;
    chunk->used += size;
    return bytes;
}

scan_span scan_keep(scanner *s, scan_span text)
{
    if (s->body->text_in_frame)
        return text;
    uint8_t *bytes = scan_allocate(s, text.size);
    if (!bytes)
        return (scan_span){NULL, 0};
    memcpy(bytes, text.data, text.size);
    return (scan_span){bytes, text.size};
}

bool scan_push(scanner *s, scan_span span)
{
    if (s->span_count == s->span_capacity) {
        size_t capacity = s->span_capacity ? s->span_capacity * 2 : SCAN_SPANS_MIN;
        if (capacity > UINT32_MAX)
            return false;
        scan_span *spans = realloc(s->spans, capacity * sizeof *spans);
        if (!spans)
            return false;
        s->spans = spans;
        s->span_capacity = capacity;
    }
    s->spans[s->span_count++] = span;
    return true;
}

const char *scan_sentence(scanner *s, const char *format, ...)
{
    char text[SCAN_SENTENCE_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t size = strlen(text) + 1;
    uint8_t *bytes = scan_allocate(s, size);
    if (!bytes)
        return "there was no memory left to say what was wrong";
    memcpy(bytes, text, size);
    return (const char *)bytes;
}

static void scan_free_chunks(scan_chunk *chunk)
{
    while (chunk) {
        scan_chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
}

void scanner_reset_memory(scanner *s)
{
    while (s->chunks) {
        scan_chunk *chunk = s->chunks;
        s->chunks = chunk->next;
        if (chunk->size == SCAN_CHUNK_SIZE && s->spare_count < SCAN_SPARE_CHUNKS_MAX) {
            chunk->next = s->spare;
            s->spare = chunk;
            s->spare_count++;
        } else {
            free(chunk);
        }
    }
    s->span_count = 0;
    if (s->span_capacity > SCAN_SPANS_KEPT) {
        free(s->spans);
        s->spans = NULL;
        s->span_capacity = 0;
    }
}

void scanner_free_memory(scanner *s)
{
    scan_free_chunks(s->chunks);
    scan_free_chunks(s->spare);
    free(s->spans);
}
