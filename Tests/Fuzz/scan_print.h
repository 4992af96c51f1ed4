/// scan_print.h: what a scan made of frames, as one line of JSON, for scan_check.c (two scans
/// compared) and scan_lines.c (compared with Python's own). Texts are in hex, the timeout is %a.
///
///     task   {"status": 0, "msg_id": "", "targets": ["", ...], "retries": 0, "timeout": "0x0p+0",
///             "after": {"all": 1, "success": 1, "failure": 0, "ids": [...]}, "follow": {...}}
///     reply  {"status": 0, "msg_id": "", "ok": 1, "met": 1, "has_status": 1}
///     hub    {"status": 0, "msg_type": "", "uuid": "", "engines": [...], "status_text": ""}
///
/// Invariant: a result is checked against what scan.h promises before it is printed.
#pragma once
#include "fuzz.h"

#include "../../CSources/CScan/include/scan.h"

typedef enum scan_kinds { SCAN_TASK, SCAN_REPLY, SCAN_HUB, SCAN_KINDS } scan_kinds;
#define SCAN_FRAMES_MAX 3

/// Frames that a scan of this kind takes.
size_t scan_frame_count(scan_kinds);
/// The line, to be freed; ends with a newline.
char *scan_print(scanner *, scan_kinds, const scan_span frames[SCAN_FRAMES_MAX], size_t *size);
