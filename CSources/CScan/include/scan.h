/// scan.h: what the scheduler must know of a message's JSON or msgpack frames, and nothing else.
///
/// simdjson (json, orjson) or msgpack-c (msgpack) behind one face. A scan never changes the
/// message and never keeps a pointer into it after returning, except the spans in its result,
/// which point into the scanned frames or the scanner's own arena and are valid until
/// `scanner_reset`.
///
/// Never trusts its input: any bytes give a result, a status says what was wrong.
///
/// Read as Python's json.loads or msgpack.unpackb would, except (each is refused):
///   JSON     NaN and Infinity, integers beyond 64 bits, numbers beyond a double, lone surrogates,
///            text that is not UTF-8, nesting of 1024 and deeper
///   msgpack  nesting deeper than 32
///   both     booleans for retries and timeout (Python takes true for 1)
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct scanner scanner;

typedef enum scan_packer {
    SCAN_JSON = 0, ///< also orjson
    SCAN_MSGPACK = 1,
} scan_packer;

typedef enum scan_status {
    SCAN_OK = 0,
    // Header: the task cannot be named, the message is dropped.
    SCAN_BAD_HEADER = 1, ///< not JSON/msgpack, or not a map
    SCAN_NO_MSG_ID = 2,  ///< no msg_id, not a string, or empty
    // Metadata: the task can be named, the sender gets an error reply.
    SCAN_BAD_METADATA = 3, ///< not JSON/msgpack, or not a map
    SCAN_BAD_TARGETS = 4,  ///< not null, and not a list of strings
    SCAN_BAD_RETRIES = 5,  ///< not null, and not integral (1.0 is) from 0 to SCAN_RETRIES_MAX
    SCAN_BAD_TIMEOUT = 6,  ///< not null, and not a finite number >= 0
    SCAN_BAD_AFTER = 7,    ///< see scan_dependency; also a string, which is one id
    SCAN_BAD_FOLLOW = 8,
    SCAN_TOO_MANY = 9, ///< more than SCAN_LIST_MAX entries in one list
    // Results and hub messages.
    SCAN_BAD_PARENT = 10,  ///< parent_header does not parse or names no msg_id
    SCAN_BAD_CONTENT = 11, ///< not a map, a notification without uuid, engines not uuids by id
    SCAN_LONG_MSG_ID = 13, ///< longer than SCAN_MSG_ID_MAX: not taken, but it can be answered
    SCAN_NO_NEITHER = 12,  ///< a dependency with success and failure both false
} scan_status;

/// A message id's size in bytes, at most.
#define SCAN_MSG_ID_MAX 1024
/// Retries of one task, at most.
#define SCAN_RETRIES_MAX 1000000000
/// A header, parent_header, metadata or content frame's size in bytes, at most: parsing takes up to
/// 14 bytes for each byte of JSON, some 50 for msgpack.
#define SCAN_FRAME_SIZE_MAX 134217728
/// Ids in one `after`, `follow` or `targets`, at most: each costs an edge of 24 bytes.
#define SCAN_LIST_MAX 1000000

/// UTF-8 bytes, not terminated.
typedef struct scan_span {
    const uint8_t *data;
    uint64_t size;
} scan_span;

/// A list of strings: `count` spans from `first` in `scanner_spans`.
typedef struct scan_list {
    uint32_t first;
    uint32_t count;
} scan_list;

/// `after` or `follow`: a list of ids, one id, null, or {"dependencies", "all", "success",
/// "failure"} with defaults true, true, false.
typedef struct scan_dependency {
    scan_list ids;
    uint8_t all;
    uint8_t success;
    uint8_t failure;
    uint8_t padding[5];
} scan_dependency;

typedef struct scan_submission {
    scan_span msg_id;
    scan_list targets;
    scan_dependency after;
    scan_dependency follow;
    double timeout_s; ///< 0 = none
    uint32_t retries;
    uint32_t status;    ///< scan_status; msg_id is valid for 0 and 3 to 9 and 12
    const char *detail; ///< a sentence for the error reply, static or in the arena; NULL when OK
} scan_submission;

typedef struct scan_result {
    scan_span msg_id;         ///< parent_header.msg_id: the task
    uint32_t status;          ///< scan_status
    uint8_t ok;               ///< metadata.status == "ok"
    uint8_t dependencies_met; ///< metadata.dependencies_met, true when absent
    uint8_t has_status;       ///< a status string was there
    uint8_t padding;
} scan_result;

/// A hub message: notification or connection_reply.
typedef struct scan_hub {
    scan_span msg_type;
    scan_span uuid;    ///< notification: content.uuid, or content.queue (2011)
    scan_list engines; ///< connection_reply: the values of content.engines, in order of appearance
    scan_span status_text; ///< connection_reply: content.status
    uint32_t status;       ///< scan_status
    uint32_t padding;
} scan_hub;

scanner *scanner_create(scan_packer packer);
void scanner_destroy(scanner *);
/// Forgets the spans of earlier scans (call once a turn).
void scanner_reset(scanner *);
/// Frames of tasks and replies that were known by their shape (JSON: see shape.h), and frames that
/// had to be parsed, since creation.
void scanner_count_shapes(const scanner *, uint64_t *found, uint64_t *parsed);
/// All spans of lists since the last reset.
const scan_span *scanner_spans(const scanner *, size_t *count);

/// A task: header, metadata. `targets`, `retries`, `after`, `follow` and `timeout` are taken from
/// the header when the metadata has none of the five (the 2011 dialect).
void scan_task(scanner *, scan_span header, scan_span metadata, scan_submission *out);
/// An engine's reply: header, parent_header, metadata. `status` and `dependencies_met` are taken
/// from the header, or its "subheader" map, when the metadata has neither (the 2011 dialect).
/// `dependencies_met` is any value's truth in Python.
void scan_reply(scanner *, scan_span header, scan_span parent, scan_span metadata,
                scan_result *out);
/// Whether the bytes stand for themselves between JSON's quotes: ASCII from space to tilde, without
/// quote and backslash.
bool scan_is_plain(const uint8_t *bytes, size_t size);
/// A hub message: header, content.
void scan_hub_message(scanner *, scan_span header, scan_span content, scan_hub *out);

#ifdef __cplusplus
}
#endif
