/// scan_json.c: fuzz target: the scan of JSON frames (scan.h). scan_against_json.py compares the
/// same scan with Python's.
///
/// Checked: everything that scan_check.c and scan_print.c check; blanks around a frame change
/// nothing, and any other byte behind it makes it wrong.
#include "scan_check.h"

/// `frame` between `before` and `after`, to be freed.
static fuzz_input between(const char *before, fuzz_input frame, const char *after)
{
    size_t front = strlen(before), back = strlen(after);
    uint8_t *data = malloc(front + frame.size + back);
    memcpy(data, before, front);
    if (frame.size)
        memcpy(data + front, frame.data, frame.size);
    memcpy(data + front + frame.size, after, back);
    return (fuzz_input){data, front + frame.size + back};
}

static char *print_between(const scan_case *self, size_t at, const char *before, const char *after)
{
    scan_case changed = *self;
    changed.frames[at] = between(before, self->frames[at], after);
    char *line = scan_case_print(&changed);
    free((void *)changed.frames[at].data);
    return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    scan_case self = scan_case_read(SCAN_JSON, (fuzz_input){data, size});
    char *line = scan_case_print(&self);
    scan_case_check_repeats(&self, line);
    if (self.changes.size > 0)
        scan_case_check_changes(&self);
    for (size_t i = 0; i < scan_frame_count(self.kind); i++) {
        char *blanks = print_between(&self, i, "\n ", "\t\r");
        FUZZ_REQUIRE(strcmp(line, blanks) == 0, "with blanks: %s, else %s", blanks, line);
        free(blanks);
        if (scan_line_status(line) != SCAN_OK)
            continue;
        char *more = print_between(&self, i, "", "}");
        FUZZ_REQUIRE(scan_line_status(more) != SCAN_OK, "with a byte behind: %s", more);
        free(more);
    }
    free(line);
    return 0;
}
