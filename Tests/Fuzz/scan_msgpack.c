/// scan_msgpack.c: fuzz target: the scan of MessagePack frames (scan.h).
///
/// Checked: everything that scan_check.c and scan_print.c check; of an accepted frame no byte can
/// be missing at the end and none can follow.
#include "scan_check.h"

static void check_refused(const scan_case *self, size_t at, fuzz_input frame, const char *what)
{
    scan_case changed = *self;
    changed.frames[at] = frame;
    char *line = scan_case_print(&changed);
    FUZZ_REQUIRE(scan_line_status(line) != SCAN_OK, "%s: %s", what, line);
    free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    scan_case self = scan_case_read(SCAN_MSGPACK, (fuzz_input){data, size});
    char *line = scan_case_print(&self);
    scan_case_check_repeats(&self, line);
    if (self.changes.size > 0)
        scan_case_check_changes(&self);
    for (size_t i = 0; i < scan_frame_count(self.kind) && scan_line_status(line) == SCAN_OK; i++) {
        fuzz_input frame = self.frames[i];
        check_refused(&self, i, (fuzz_input){frame.data, frame.size - 1}, "a byte fewer");
        uint8_t *more = malloc(frame.size + 1);
        memcpy(more, frame.data, frame.size);
        more[frame.size] = 0x80;
        check_refused(&self, i, (fuzz_input){more, frame.size + 1}, "a byte more");
        free(more);
    }
    free(line);
    return 0;
}
