/// value.h: one shape for the values of both packers, so that every rule is written once.
///
/// scan.c and fields.c read values through the functions of a scan_body; json.cpp and msgpack.c
/// are the two bodies.
///
/// Invariant: a value lives until the next parse into its slot. Its text does too, except that
/// msgpack's lies in the frame itself (`text_in_frame`).
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scan.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Documents that must be readable at the same time: a header and a metadata.
#define SCAN_SLOTS 2

typedef enum scan_kind {
    SCAN_VALUE_ABSENT = 0,
    SCAN_VALUE_NULL,
    SCAN_VALUE_BOOLEAN,
    SCAN_VALUE_INTEGER, ///< fits an int64_t
    SCAN_VALUE_NATURAL, ///< above INT64_MAX
    SCAN_VALUE_NUMBER,
    SCAN_VALUE_TEXT, ///< UTF-8, checked
    SCAN_VALUE_LIST,
    SCAN_VALUE_MAP,
    SCAN_VALUE_OTHER, ///< msgpack's binary and extensions
} scan_kind;

typedef struct scan_value {
    scan_kind kind;
    union {
        bool boolean;
        int64_t integer;
        uint64_t natural;
        double number;
        scan_span text;
        uint64_t node[2]; ///< a list or map: the body's own
    };
} scan_value;

/// A place in a list or map: the body's own.
typedef struct scan_cursor {
    uint64_t state[4];
    scan_kind kind; ///< of what is walked: a list or a map
} scan_cursor;

typedef struct scan_body {
    void *(*create)(void);
    void (*destroy)(void *parser);
    /// Gives memory that one huge frame took back. Ends all values.
    void (*trim)(void *parser);
    /// False with a static reason in `*why` when the bytes are not one whole document.
    bool (*parse)(void *parser, int slot, scan_span bytes, scan_value *root, const char **why);
    void (*open)(const scan_value *list_or_map, scan_cursor *);
    /// The next item; for a map its key too (no data when the key is not text).
    bool (*next)(scan_cursor *, scan_span *key, scan_value *item);
    bool text_in_frame;
    const char *name; ///< of the format, for error texts
} scan_body;

extern const scan_body scan_body_json;
extern const scan_body scan_body_msgpack;

/// simdjson's check, for msgpack's texts.
bool scan_utf8_is_valid(const uint8_t *bytes, size_t size);

#ifdef __cplusplus
}
#endif
