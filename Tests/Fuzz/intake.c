/// intake.c: fuzz target: from received frames to what they say (intake.h).
///
///     input   options: 1 | frame | C1 C1 | frame | ...
///     options bits 0-1 kind (3: task); 2 msgpack; 3 with a key; 4 a delimiter and the right
///             signature stand before the last four frames; 5 the signature is altered
///
/// Checked: the verdict is that of a plain look at the frames; what they say is what a scanner
/// says of them by itself; the place of a task's id holds that id.
#include "fuzz.h"

#include "../../CSources/CIntake/include/intake.h"
#include "../../CSources/CSign/include/sign.h"

#define FRAMES_MAX 12u
#define SIGNED     4u

static const char KEY[] = "a3f0c1d2-5b6e7f8091a2b3c4d5e6f708";

typedef struct multipart {
    message_frame frames[FRAMES_MAX];
    uint32_t count;
} multipart;

static void add_frame(multipart *self, const void *data, size_t size)
{
    if (self->count < FRAMES_MAX)
        self->frames[self->count++] = (message_frame){fuzz_copy(data, size), size};
}

static size_t sign(signer *signer, const fuzz_input *fields, char hex[SIGNER_HEX_MAX])
{
    signer_part parts[SIGNED];
    for (size_t i = 0; i < SIGNED; i++)
        parts[i] = (signer_part){fields[i].data, fields[i].size};
    return signer_sign(signer, parts, SIGNED, hex);
}

static multipart read_frames(fuzz_input in, uint8_t options, signer *signer)
{
    multipart message = {.count = 0};
    fuzz_input fields[8];
    size_t count = 0;
    while (in.size > 0 && count < 8)
        fields[count++] = fuzz_field(&in);
    for (size_t i = 0; i < count; i++) {
        if ((options & 16) && i + SIGNED == count) {
            char hex[SIGNER_HEX_MAX];
            size_t size = sign(signer, fields + i, hex);
            if ((options & 32) && size > 0)
                hex[options % size] ^= 1;
            add_frame(&message, "<IDS|MSG>", 9);
            add_frame(&message, hex, size);
        }
        add_frame(&message, fields[i].data, fields[i].size);
    }
    return message;
}

static intake_status expected_status(const multipart *self, uint32_t delimiter, signer *signer)
{
    const message_frame *frames = self->frames + delimiter;
    if (delimiter == self->count)
        return INTAKE_NO_DELIMITER;
    if (self->count - delimiter < 2 + SIGNED)
        return INTAKE_TOO_FEW_FRAMES;
    fuzz_input fields[SIGNED];
    char hex[SIGNER_HEX_MAX];
    for (size_t i = 0; i < SIGNED; i++)
        fields[i] = (fuzz_input){frames[2 + i].data, frames[2 + i].size};
    size_t size = sign(signer, fields, hex);
    bool same = frames[1].size == size && memcmp(frames[1].data, hex, size) == 0;
    return size == 0 || same ? INTAKE_OK : INTAKE_BAD_SIGNATURE;
}

static bool same_span(scan_span a, scan_span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static void check_task(intake *intake, scanner *scanner, const intake_message *seen,
                       const message_frame *header)
{
    scan_submission task;
    scan_task(scanner, (scan_span){header[0].data, header[0].size},
              (scan_span){header[2].data, header[2].size}, &task);
    FUZZ_REQUIRE(task.status == seen->task.status && same_span(task.msg_id, seen->task.msg_id),
                 "status %u, scanned %u", seen->task.status, task.status);
    FUZZ_REQUIRE(task.retries == seen->task.retries && task.timeout_s == seen->task.timeout_s &&
                     task.targets.count == seen->task.targets.count &&
                     task.after.ids.count == seen->task.after.ids.count,
                 "%u retries, scanned %u", seen->task.retries, task.retries);
    if (seen->id_size == 0)
        return;
    FUZZ_REQUIRE((uint64_t)seen->id_at + seen->id_size <= header->size, "an id beyond the header");
    scan_span there = {header->data + seen->id_at, seen->id_size};
    FUZZ_REQUIRE(same_span(there, task.msg_id), "another id in its place");
    FUZZ_REQUIRE(same_span(intake_task_id(intake, header), task.msg_id), "another id read again");
}

static void check(const multipart *message, uint8_t options, signer *signer, intake *intake)
{
    static const intake_kind KINDS[] = {INTAKE_TASK, INTAKE_REPLY, INTAKE_HUB, INTAKE_TASK};
    uint32_t delimiter = 0;
    while (delimiter < message->count &&
           (message->frames[delimiter].size != 9 ||
            memcmp(message->frames[delimiter].data, "<IDS|MSG>", 9) != 0))
        delimiter++;
    intake_message seen;
    intake_check(intake, KINDS[options & 3], message->frames, message->count, &seen);
    FUZZ_REQUIRE(seen.status == expected_status(message, delimiter, signer), "status %u",
                 seen.status);
    FUZZ_REQUIRE(seen.delimiter == delimiter && seen.kind == KINDS[options & 3], "delimiter %u",
                 seen.delimiter);
    if (seen.status != INTAKE_OK || seen.kind != INTAKE_TASK)
        return;
    scanner *scanner = scanner_create(options & 4 ? SCAN_MSGPACK : SCAN_JSON);
    FUZZ_REQUIRE(scanner, "no memory");
    check_task(intake, scanner, &seen, message->frames + delimiter + 2);
    scanner_destroy(scanner);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, size};
    uint8_t options = fuzz_byte(&in);
    size_t key_size = options & 8 ? sizeof KEY - 1 : 0;
    char error[200];
    signer *signer = signer_create("hmac-sha256", KEY, key_size, error, sizeof error);
    FUZZ_REQUIRE(signer, "%s", error);
    intake_options how = {options & 4 ? SCAN_MSGPACK : SCAN_JSON, "hmac-sha256", KEY, key_size};
    intake *intake = intake_create(&how, error, sizeof error);
    FUZZ_REQUIRE(intake, "%s", error);
    multipart message = read_frames(in, options, signer);
    // The second time the frames may be known by their shape.
    check(&message, options, signer, intake);
    check(&message, options, signer, intake);
    intake_reset(intake);
    check(&message, options, signer, intake);
    for (uint32_t i = 0; i < message.count; i++)
        free((void *)message.frames[i].data);
    intake_destroy(intake);
    signer_destroy(signer);
    return 0;
}
