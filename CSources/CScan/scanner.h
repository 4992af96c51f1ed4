/// scanner.h: a scanner's memory: list spans, kept texts and details.
///
/// Called by scan.c and fields.c.
///
/// Invariant: what was kept stays where it is until scanner_reset; the span array may move, which
/// is why lists name it by index.
#pragma once
#include "value.h"

typedef struct scan_chunk scan_chunk;

struct scanner {
    const scan_body *body;
    void *parser;
    struct shapes *shapes; ///< JSON: what earlier frames looked like (shape.h)
    scan_span *spans;
    size_t span_count;
    size_t span_capacity;
    scan_chunk *chunks; ///< in use, the newest first
    scan_chunk *spare;  ///< emptied ones of the standard size
    uint32_t spare_count;
};

/// A copy of the bytes until the next reset (or the bytes themselves, where the body's texts lie
/// in the frame). No data when memory is short.
scan_span scan_keep(scanner *, scan_span text);
/// Room in the arena, NULL when memory is short.
uint8_t *scan_allocate(scanner *, size_t size);
/// Appends a span to the scanner's list; false when memory is short.
bool scan_push(scanner *, scan_span);
/// A formatted sentence in the arena.
const char *scan_sentence(scanner *, const char *format, ...) __attribute__((format(printf, 2, 3)));
void scanner_free_memory(scanner *);
/// The part of scanner_reset that is memory.
void scanner_reset_memory(scanner *);
