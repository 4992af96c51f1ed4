/// scan_check.h: what the fuzz targets scan_json.c and scan_msgpack.c check of a scan.
///
///     input   kind: 1 (task, reply, hub) | frame | C1 C1 | frame | ...
#pragma once
#include "scan_print.h"

typedef struct scan_case {
    scan_packer packer;
    scan_kinds kind;
    fuzz_input frames[SCAN_FRAMES_MAX];
} scan_case;

scan_case scan_case_read(scan_packer, fuzz_input);
/// The line that a new scanner gives, to be freed. Frames lie in allocations of exactly their size.
char *scan_case_print(const scan_case *);
/// That a scanner gives the same line whatever it scanned before, and before and after a reset.
void scan_case_check_repeats(const scan_case *, const char *line);
/// The status at the front of a line.
unsigned scan_line_status(const char *line);
