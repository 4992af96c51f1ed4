/// scan_check.h: what the fuzz targets scan_json.c and scan_msgpack.c check of a scan.
///
///     input   kind: 1 (task, reply, hub) | frame | C1 C1 | frame | C1 C1 | frame | C1 C1 | each
///             change: which frame: 1 | where: 2 | the byte there: 1
#pragma once
#include "scan_print.h"

typedef struct scan_case {
    scan_packer packer;
    scan_kinds kind;
    fuzz_input frames[SCAN_FRAMES_MAX];
    fuzz_input changes;
} scan_case;

scan_case scan_case_read(scan_packer, fuzz_input);
/// The line that a new scanner gives, to be freed. Frames lie in allocations of exactly their size.
char *scan_case_print(const scan_case *);
/// That a scanner gives the same line whatever it scanned before, and before and after a reset.
void scan_case_check_repeats(const scan_case *, const char *line);
/// That frames which differ in single bytes from those that a scanner has just seen give the line
/// of a new scanner: what it remembers of frames alike must not show.
void scan_case_check_changes(const scan_case *);
/// The status at the front of a line.
unsigned scan_line_status(const char *line);
