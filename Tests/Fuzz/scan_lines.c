/// scan_lines.c: scans the frames that come on stdin and prints a line for each scan; see
/// scan_print.h for the lines. Started by scan_against_json.py.
///
///     in   packer: 1 (0 JSON, 1 MessagePack) | kind: 1 (task, reply, hub) | for each frame of the
///          kind, size: 4, little-endian | its bytes
///
/// One scanner for each packer takes them all, so that a scan can be spoiled by those before it.
#include "scan_print.h"

/// Forgets the spans of earlier scans this often.
#define SCANS_A_TURN 7

static bool read_exactly(uint8_t *out, size_t size)
{
    return fread(out, 1, size, stdin) == size;
}

static bool read_frame(scan_span *out)
{
    uint8_t size[4];
    if (!read_exactly(size, sizeof size))
        return false;
    out->size = size[0] | size[1] << 8 | size[2] << 16 | (uint64_t)size[3] << 24;
    uint8_t *data = malloc(out->size ? out->size : 1);
    out->data = data;
    return data && read_exactly(data, out->size);
}

int main(void)
{
    scanner *scanners[] = {scanner_create(SCAN_JSON), scanner_create(SCAN_MSGPACK)};
    uint8_t head[2];
    for (unsigned long done = 0; read_exactly(head, sizeof head); done++) {
        scan_span frames[SCAN_FRAMES_MAX] = {{0}};
        size_t size;
        FUZZ_REQUIRE(head[0] < 2 && head[1] < SCAN_KINDS, "packer %u, kind %u", head[0], head[1]);
        for (size_t i = 0; i < scan_frame_count((scan_kinds)head[1]); i++)
            FUZZ_REQUIRE(read_frame(&frames[i]), "the input ends within frame %zu", i);
        scanner *scanner = scanners[head[0]];
        char *line = scan_print(scanner, (scan_kinds)head[1], frames, &size);
        fwrite(line, 1, size, stdout);
        free(line);
        for (size_t i = 0; i < SCAN_FRAMES_MAX; i++)
            free((void *)frames[i].data);
        if (done % SCANS_A_TURN == 0)
            scanner_reset(scanner);
    }
    scanner_destroy(scanners[0]);
    scanner_destroy(scanners[1]);
    return 0;
}
