/// scan_check.c: see scan_check.h.
#include "scan_check.h"

scan_case scan_case_read(scan_packer packer, fuzz_input in)
{
    scan_case self = {.packer = packer, .kind = (scan_kinds)(fuzz_byte(&in) % SCAN_KINDS)};
    for (size_t i = 0; i < SCAN_FRAMES_MAX; i++)
        self.frames[i] = fuzz_field(&in);
    self.changes = in;
    return self;
}

static char *print_with(scanner *scanner, const scan_case *self)
{
    scan_span frames[SCAN_FRAMES_MAX] = {{0}};
    size_t size, count = scan_frame_count(self->kind);
    for (size_t i = 0; i < count; i++)
        frames[i] = (scan_span){fuzz_copy(self->frames[i].data, self->frames[i].size),
                                self->frames[i].size};
    char *line = scan_print(scanner, self->kind, frames, &size);
    for (size_t i = 0; i < count; i++)
        free((void *)frames[i].data);
    return line;
}

static scanner *make_scanner(scan_packer packer)
{
    scanner *scanner = scanner_create(packer);
    FUZZ_REQUIRE(scanner, "no memory");
    return scanner;
}

char *scan_case_print(const scan_case *self)
{
    scanner *scanner = make_scanner(self->packer);
    char *line = print_with(scanner, self);
    scanner_destroy(scanner);
    return line;
}

static void expect_line(scanner *scanner, const scan_case *self, const char *line, const char *when)
{
    char *again = print_with(scanner, self);
    FUZZ_REQUIRE(strcmp(line, again) == 0, "%s: %s first %s", when, again, line);
    free(again);
}

void scan_case_check_repeats(const scan_case *self, const char *line)
{
    scanner *scanner = make_scanner(self->packer);
    // The same frames in other places leave other things behind.
    scan_case other = *self;
    other.kind = (scan_kinds)((self->kind + 1) % SCAN_KINDS);
    other.frames[0] = self->frames[1];
    other.frames[1] = self->frames[0];
    free(print_with(scanner, &other));
    expect_line(scanner, self, line, "after another");
    expect_line(scanner, self, line, "a second time");
    scanner_reset(scanner);
    expect_line(scanner, self, line, "after a reset");
    scanner_destroy(scanner);
}

/// The case with a copy of each frame, to be freed, and the changes made.
static scan_case change(const scan_case *self)
{
    scan_case changed = *self;
    fuzz_input in = self->changes;
    uint8_t *copies[SCAN_FRAMES_MAX];
    for (size_t i = 0; i < SCAN_FRAMES_MAX; i++) {
        copies[i] = fuzz_copy(self->frames[i].data, self->frames[i].size);
        changed.frames[i].data = copies[i];
    }
    while (in.size >= 4) {
        size_t frame = fuzz_byte(&in) % SCAN_FRAMES_MAX, at = fuzz_byte(&in) * 256u;
        at += fuzz_byte(&in);
        uint8_t byte = fuzz_byte(&in);
        if (changed.frames[frame].size > 0)
            copies[frame][at % changed.frames[frame].size] = byte;
    }
    return changed;
}

void scan_case_check_changes(const scan_case *self)
{
    // Often enough for a frame to be remembered in place of another.
    const int seen = 20;
    scan_case changed = change(self);
    char *line = scan_case_print(self), *changed_line = scan_case_print(&changed);
    scanner *scanner = make_scanner(self->packer);
    free(print_with(scanner, self));
    expect_line(scanner, &changed, changed_line, "after a frame alike");
    for (int i = 0; i < seen; i++)
        free(print_with(scanner, &changed));
    expect_line(scanner, self, line, "after frames alike");
    expect_line(scanner, &changed, changed_line, "after both");
    scanner_destroy(scanner);
    for (size_t i = 0; i < SCAN_FRAMES_MAX; i++)
        free((void *)changed.frames[i].data);
    free(line);
    free(changed_line);
}

unsigned scan_line_status(const char *line)
{
    return (unsigned)strtoul(line + strlen("{\"status\": "), NULL, 10);
}
