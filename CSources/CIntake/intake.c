/// intake.c: see intake.h. Called by SchedulerWire.
#include "intake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sign.h"

struct intake {
    signer *signer;
    scanner *scanner;
    /// The messages whose signatures were looked at ahead; they are asked for in this order.
    struct {
        const message_frame *frames;
        bool valid;
    } ahead[INTAKE_AHEAD_MAX];
    uint32_t ahead_count, ahead_next;
};

_Static_assert(sizeof(signer_part) == sizeof(message_frame) &&
                   offsetof(signer_part, size) == offsetof(message_frame, size) &&
                   sizeof(scan_span) == sizeof(message_frame) &&
                   offsetof(scan_span, size) == offsetof(message_frame, size),
               "each is a pointer and a size");

intake *intake_create(const intake_options *options, char *error, size_t error_size)
{
    intake *self = calloc(1, sizeof *self);
    if (!self) {
        snprintf(error, error_size, "there is no memory to check messages with");
        return NULL;
    }
    self->signer = signer_create(options->signature_scheme, options->key, options->key_size, error,
                                 error_size);
    if (self->signer && !(self->scanner = scanner_create(options->packer)))
        snprintf(error, error_size, "there is no memory to scan messages with");
    if (!self->scanner) {
        intake_destroy(self);
        return NULL;
    }
    return self;
}

void intake_destroy(intake *self)
{
    if (!self)
        return;
    scanner_destroy(self->scanner);
    signer_destroy(self->signer);
    free(self);
}

void intake_forget_spans(intake *self)
{
    scanner_reset(self->scanner);
}

void intake_reset(intake *self)
{
    intake_forget_spans(self);
    self->ahead_count = self->ahead_next = 0;
}

static const char delimiter[] = "<IDS|MSG>";
#define DELIMITER_SIZE (sizeof delimiter - 1)

/// The delimiter's index, or `count`.
static uint32_t find_delimiter(const message_frame *frames, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (frames[i].size == DELIMITER_SIZE && !memcmp(frames[i].data, delimiter, DELIMITER_SIZE))
            return i;
    return count;
}

/// Where the id stands in the header, for whoever quotes it later.
static void note_id(const message_frame *header, intake_message *out)
{
    scan_span id = out->task.msg_id;
    if (id.size == 0)
        return;
    // A known shape's id lies in the frame, a parsed one in the parser's memory.
    const uint8_t *at = id.data;
    if (at < header->data || at >= header->data + header->size)
        at = memmem(header->data, header->size, id.data, id.size);
    if (!at || at - header->data > UINT16_MAX || id.size > UINT16_MAX)
        return;
    out->id_at = (uint16_t)(at - header->data);
    out->id_size = (uint16_t)id.size;
}

static scan_span span_of(const message_frame *frame)
{
    return (scan_span){frame->data, frame->size};
}

/// What is signed, `at` the delimiter's index.
static signer_check signature_of(const message_frame *frames, uint32_t at)
{
    const message_frame *signature = frames + at + 1;
    return (signer_check){.parts = (const signer_part *)(signature + 1),
                          .count = 4,
                          .signature = signature->data,
                          .signature_size = signature->size};
}

static bool is_signed(intake *self, const message_frame *frames, uint32_t at)
{
    for (uint32_t i = 0; i < self->ahead_count; i++) {
        uint32_t next = self->ahead_next++;
        if (self->ahead_next == self->ahead_count)
            self->ahead_next = 0;
        if (self->ahead[next].frames == frames)
            return self->ahead[next].valid;
    }
    signer_check check = signature_of(frames, at);
    signer_verify_all(self->signer, &check, 1);
    return check.valid;
}

/// Brings the frames of a message into the cache, and the bytes of one before it: a turn's messages
/// are more than the nearest cache holds.
static inline void look_at_soon(const message_frames *messages, size_t count, size_t i)
{
    if (i + 4 < count)
        for (int line = 0; line < 3; line++)
            __builtin_prefetch(messages[i + 4].frames + 4 * line);
    if (i + 2 < count && messages[i + 2].count > 0)
        for (int line = 0; line < 4; line++)
            __builtin_prefetch(messages[i + 2].frames[0].data + 64 * line);
}

void intake_look_ahead(void *context, const message_frames *messages, size_t count)
{
    intake *self = context;
    signer_check checks[INTAKE_AHEAD_MAX];
    self->ahead_count = self->ahead_next = 0;
    for (size_t i = 0; i < count && self->ahead_count < INTAKE_AHEAD_MAX; i++) {
        const message_frames *m = messages + i;
        look_at_soon(messages, count, i);
        uint32_t at = find_delimiter(m->frames, m->count);
        if (at == m->count || m->count - at < 6)
            continue;
        self->ahead[self->ahead_count].frames = m->frames;
        checks[self->ahead_count++] = signature_of(m->frames, at);
    }
    signer_verify_all(self->signer, checks, self->ahead_count);
    for (uint32_t i = 0; i < self->ahead_count; i++)
        self->ahead[i].valid = checks[i].valid;
}

void intake_check(intake *self, intake_kind kind, const message_frame *frames, uint32_t count,
                  intake_message *out)
{
    uint32_t at = find_delimiter(frames, count);
    out->status = INTAKE_NO_DELIMITER;
    out->kind = (uint8_t)kind;
    out->delimiter = (uint16_t)at;
    out->id_at = out->id_size = 0;
    if (at == count)
        return;
    out->status = INTAKE_TOO_FEW_FRAMES;
    if (count - at < 6)
        return;
    const message_frame *header = frames + at + 2;
    out->status = INTAKE_BAD_SIGNATURE;
    if (!is_signed(self, frames, at))
        return;
    out->status = INTAKE_OK;
    size_t span_count;
    switch (kind) {
    case INTAKE_TASK:
        scan_task(self->scanner, span_of(header), span_of(header + 2), &out->task);
        note_id(header, out);
        break;
    case INTAKE_REPLY:
        scan_reply(self->scanner, span_of(header), span_of(header + 1), span_of(header + 2),
                   &out->reply);
        break;
    case INTAKE_HUB:
        scan_hub_message(self->scanner, span_of(header), span_of(header + 3), &out->hub);
        break;
    }
    out->spans = scanner_spans(self->scanner, &span_count);
}

scan_span intake_task_id(intake *self, const message_frame *header)
{
    scan_submission task;
    scan_task(self->scanner, span_of(header), span_of(header), &task);
    return task.msg_id;
}
