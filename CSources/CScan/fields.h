/// fields.h: what each field of a task may be, and the sentence when it is something else.
///
/// Called by scan.c. Every function leaves `status` and `detail` alone when the value is fine,
/// returns false and sets both when it is not. An absent or null field is its default.
#pragma once
#include "scanner.h"

/// The five fields of a task, in the order in which they are judged.
enum {
    SCAN_FIELD_TARGETS,
    SCAN_FIELD_RETRIES,
    SCAN_FIELD_AFTER,
    SCAN_FIELD_FOLLOW,
    SCAN_FIELD_TIMEOUT,
    SCAN_TASK_FIELDS,
};

typedef struct scan_name {
    const char *name;
    size_t size;
} scan_name;
#define SCAN_NAME(literal) {literal, sizeof(literal) - 1}

/// The values of `count` named entries of a map; of equal keys the last, as in Python.
void scan_named(const scanner *, const scan_value *map, const scan_name *names, size_t count,
                scan_value *values);

/// A value for a sentence: "-1", "a string", ... `text` takes 40 bytes.
const char *scan_describe(const scan_value *, char *text);

/// Judges the five and fills in `out`.
bool scan_task_fields(scanner *, const scan_value values[SCAN_TASK_FIELDS], scan_submission *out);
