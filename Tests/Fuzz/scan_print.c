/// scan_print.c: see scan_print.h.
#include "scan_print.h"

#include <math.h>

typedef struct printer {
    FILE *file;
    const scan_span *spans;
    size_t span_count;
} printer;

size_t scan_frame_count(scan_kinds kind)
{
    return kind == SCAN_REPLY ? 3 : 2;
}

/// The encoding's rules one byte at a time (RFC 3629).
static bool is_utf8(scan_span text)
{
    for (uint64_t i = 0; i < text.size;) {
        uint8_t first = text.data[i++];
        int more = first < 0x80 ? 0 : first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc2 ? 1 : 4;
        uint32_t code = more == 0 ? first : first & (0x3fu >> more);
        if (more == 4 || text.size - i < (uint64_t)more)
            return false;
        for (int j = 0; j < more; j++, i++) {
            if ((text.data[i] & 0xc0) != 0x80)
                return false;
            code = code << 6 | (text.data[i] & 0x3f);
        }
        static const uint32_t MIN[] = {0, 0x80, 0x800, 0x10000};
        if (code < MIN[more] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
            return false;
    }
    return true;
}

static void put_text(printer *self, scan_span text)
{
    FUZZ_REQUIRE(text.data || text.size == 0, "%llu bytes nowhere", (unsigned long long)text.size);
    FUZZ_REQUIRE(is_utf8(text), "a text that is not UTF-8");
    fputc('"', self->file);
    for (uint64_t i = 0; i < text.size; i++)
        fprintf(self->file, "%02x", text.data[i]);
    fputc('"', self->file);
}

static void put_name(printer *self, const char *name, scan_span text)
{
    fprintf(self->file, ", \"%s\": ", name);
    put_text(self, text);
}

static void put_list(printer *self, const char *name, scan_list list, uint64_t size_max)
{
    FUZZ_REQUIRE((uint64_t)list.first + list.count <= self->span_count, "%s lies beyond", name);
    FUZZ_REQUIRE(list.count <= SCAN_LIST_MAX, "%s has %u entries", name, list.count);
    fprintf(self->file, ", \"%s\": [", name);
    for (uint32_t i = 0; i < list.count; i++) {
        scan_span item = self->spans[list.first + i];
        FUZZ_REQUIRE(item.size <= size_max, "%s[%u] is too long", name, i);
        fputs(i ? ", " : "", self->file);
        put_text(self, item);
    }
    fputc(']', self->file);
}

static void put_dependency(printer *self, const char *name, const scan_dependency *dependency)
{
    FUZZ_REQUIRE(dependency->all <= 1 && dependency->success <= 1 && dependency->failure <= 1,
                 "%s: %d %d %d", name, dependency->all, dependency->success, dependency->failure);
    fprintf(self->file, ", \"%s\": {\"all\": %d, \"success\": %d, \"failure\": %d", name,
            dependency->all, dependency->success, dependency->failure);
    put_list(self, "ids", dependency->ids, SCAN_MSG_ID_MAX);
    fputc('}', self->file);
}

static void check_detail(const scan_submission *task)
{
    FUZZ_REQUIRE((task->detail == NULL) == (task->status == SCAN_OK), "status %u: %s", task->status,
                 task->detail ? task->detail : "no detail");
    for (const char *at = task->detail; at && *at; at++)
        FUZZ_REQUIRE(*at >= ' ' && *at < 0x7f, "no plain line: %s", task->detail);
}

static void print_task(printer *self, scanner *scanner, const scan_span *frames)
{
    scan_submission task;
    size_t before;
    scanner_spans(scanner, &before);
    scan_task(scanner, frames[0], frames[1], &task);
    self->spans = scanner_spans(scanner, &self->span_count);
    bool has_id = task.status == SCAN_OK || task.status == SCAN_NO_NEITHER ||
                  (task.status >= SCAN_BAD_METADATA && task.status <= SCAN_TOO_MANY);
    FUZZ_REQUIRE(has_id || task.status == SCAN_BAD_HEADER || task.status == SCAN_NO_MSG_ID ||
                     task.status == SCAN_LONG_MSG_ID,
                 "status %u", task.status);
    FUZZ_REQUIRE(has_id == (task.msg_id.size > 0) && task.msg_id.size <= SCAN_MSG_ID_MAX,
                 "status %u, an id of %llu bytes", task.status,
                 (unsigned long long)task.msg_id.size);
    FUZZ_REQUIRE(isfinite(task.timeout_s) && !signbit(task.timeout_s), "%a", task.timeout_s);
    FUZZ_REQUIRE(task.retries <= SCAN_RETRIES_MAX, "%u", task.retries);
    check_detail(&task);
    uint64_t listed = (uint64_t)task.targets.count + task.after.ids.count + task.follow.ids.count;
    FUZZ_REQUIRE(self->span_count == before + listed, "%zu spans, then %zu, %llu in lists", before,
                 self->span_count, (unsigned long long)listed);
    FUZZ_REQUIRE(task.status == SCAN_OK || listed == 0, "refused, with lists");
    fprintf(self->file, "{\"status\": %u", task.status);
    put_name(self, "msg_id", task.msg_id);
    put_list(self, "targets", task.targets, SCAN_MSG_ID_MAX);
    fprintf(self->file, ", \"retries\": %u, \"timeout\": \"%a\"", task.retries, task.timeout_s);
    put_dependency(self, "after", &task.after);
    put_dependency(self, "follow", &task.follow);
    fputs("}\n", self->file);
}

static void print_reply(printer *self, scanner *scanner, const scan_span *frames)
{
    scan_result reply;
    scan_reply(scanner, frames[0], frames[1], frames[2], &reply);
    FUZZ_REQUIRE(reply.status == SCAN_OK || reply.status == SCAN_BAD_HEADER ||
                     reply.status == SCAN_BAD_PARENT || reply.status == SCAN_BAD_METADATA,
                 "status %u", reply.status);
    FUZZ_REQUIRE(reply.status != SCAN_OK || reply.msg_id.size > 0, "no id");
    FUZZ_REQUIRE(reply.msg_id.size <= SCAN_MSG_ID_MAX, "a long id");
    FUZZ_REQUIRE(reply.ok <= reply.has_status && reply.has_status <= 1 &&
                     reply.dependencies_met <= 1,
                 "%d %d %d", reply.ok, reply.has_status, reply.dependencies_met);
    fprintf(self->file, "{\"status\": %u", reply.status);
    put_name(self, "msg_id", reply.msg_id);
    fprintf(self->file, ", \"ok\": %d, \"met\": %d, \"has_status\": %d}\n", reply.ok,
            reply.dependencies_met, reply.has_status);
}

static void print_hub(printer *self, scanner *scanner, const scan_span *frames)
{
    scan_hub hub;
    scan_hub_message(scanner, frames[0], frames[1], &hub);
    self->spans = scanner_spans(scanner, &self->span_count);
    FUZZ_REQUIRE(hub.status == SCAN_OK || hub.status == SCAN_BAD_HEADER ||
                     hub.status == SCAN_BAD_CONTENT || hub.status == SCAN_TOO_MANY,
                 "status %u", hub.status);
    FUZZ_REQUIRE(hub.status == SCAN_OK || hub.engines.count == 0, "refused, with engines");
    FUZZ_REQUIRE(hub.status == SCAN_BAD_HEADER || hub.msg_type.size > 0, "no type");
    fprintf(self->file, "{\"status\": %u", hub.status);
    put_name(self, "msg_type", hub.msg_type);
    put_name(self, "uuid", hub.uuid);
    put_list(self, "engines", hub.engines, UINT64_MAX);
    put_name(self, "status_text", hub.status_text);
    fputs("}\n", self->file);
}

char *scan_print(scanner *scanner, scan_kinds kind, const scan_span frames[SCAN_FRAMES_MAX],
                 size_t *size)
{
    char *line = NULL;
    printer self = {.file = open_memstream(&line, size)};
    FUZZ_REQUIRE(self.file, "no memory");
    if (kind == SCAN_TASK)
        print_task(&self, scanner, frames);
    else if (kind == SCAN_REPLY)
        print_reply(&self, scanner, frames);
    else
        print_hub(&self, scanner, frames);
    fclose(self.file);
    return line;
}
