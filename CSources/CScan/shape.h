/// shape.h: frames that say the same with other words in the same places.
///
/// A cluster's messages are alike: the header of the next task differs from the last one's in its
/// msg_id and its date. So a JSON frame that simdjson has read is remembered with the places of its
/// free texts. A later frame of the same size that differs in free texts only, and has only plain
/// characters there, is valid JSON of the same structure, and says the same: it is compared (some
/// 20 ns) instead of parsed (some 200).
///
/// Free is a text value that no rule of scan.c reads, and the msg_id, whose place is remembered.
/// Plain is ASCII from space to tilde without quote and backslash: what stands for itself in JSON.
///
/// Invariant: `shape_find` finds nothing that a full scan would have read differently. A frame with
/// a backslash, with lists that a rule reads, or larger than SHAPE_SIZE_MAX is never remembered.
#pragma once
#include "scan.h"

/// Frames beyond this are parsed.
#define SHAPE_SIZE_MAX 1024u

typedef struct shape {
    uint32_t size;           ///< of the frame; 0: this place is empty
    uint32_t id_at, id_size; ///< where the msg_id stands; size 0 when the frame needs none
    int32_t trust;           ///< misses it survives
    bool has_fields;         ///< the frame has at least one of the fields that its rules read
    union {
        scan_submission task; ///< what those fields say, msg_id aside
        scan_result reply;
    };
    uint8_t bytes[SHAPE_SIZE_MAX];
    uint8_t free[SHAPE_SIZE_MAX]; ///< 0xff where a free text stands, else 0
} shape;

/// The frames that are told apart: each has rules of its own.
typedef enum shape_kind {
    SHAPE_TASK_HEADER,
    SHAPE_TASK_METADATA,
    SHAPE_REPLY_HEADER,
    SHAPE_REPLY_PARENT,
    SHAPE_REPLY_METADATA,
    SHAPE_KINDS,
} shape_kind;

typedef struct shapes shapes;

/// NULL when memory is short.
shapes *shapes_create(void);
void shapes_destroy(shapes *);

/// The remembered shape of this frame, or NULL. Counts hits and misses.
const shape *shape_find(shapes *, shape_kind, scan_span frame);
/// Remembers a frame that was just read in full, and returns its shape with the fields to be filled
/// in. NULL when it must not or need not be remembered. `msg_id`: as it was read, empty for none.
shape *shape_learn(shapes *, shape_kind, scan_span frame, scan_span msg_id);

/// Frames found, and frames that had to be parsed, since creation.
void shapes_count(const shapes *, uint64_t *found, uint64_t *parsed);
