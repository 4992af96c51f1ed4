/// apart.c: a checked message's findings made independent of the intake that found them, so that
/// another thread can read them at its leisure. Called by the transport's I/O lanes, through
/// transport_checker.
///
///     kept   | spans of targets, after, follow | texts that do not lie in the frames |
///
/// Invariant: afterwards every span points into the frames or into `kept`.
#include <stdlib.h>
#include <string.h>

#include "intake.h"

/// One walk measures, a second one copies.
typedef struct apart {
    const message_frame *frames;
    uint32_t frame_count;
    size_t span_count, bytes;
    scan_span *spans; ///< NULL: measuring
    uint8_t *at;
} apart;

static bool lies_in_frames(const apart *self, const uint8_t *data)
{
    for (uint32_t i = 0; i < self->frame_count; i++) {
        const message_frame *frame = &self->frames[i];
        if (data >= frame->data && data < frame->data + frame->size)
            return true;
    }
    return false;
}

static void take_text(apart *self, scan_span *text)
{
    if (text->size == 0 || lies_in_frames(self, text->data))
        return;
    self->bytes += (size_t)text->size;
    if (!self->at)
        return;
    memcpy(self->at, text->data, (size_t)text->size);
    text->data = self->at;
    self->at += text->size;
}

static void take_list(apart *self, const scan_span *from, scan_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        scan_span text = from[list->first + i];
        take_text(self, &text);
        if (self->spans)
            self->spans[self->span_count + i] = text;
    }
    if (self->spans)
        list->first = (uint32_t)self->span_count;
    self->span_count += list->count;
}

static void take_task(apart *self, const scan_span *from, scan_submission *task)
{
    take_text(self, &task->msg_id);
    take_list(self, from, &task->targets);
    take_list(self, from, &task->after.ids);
    take_list(self, from, &task->follow.ids);
    if (!task->detail)
        return;
    scan_span detail = {(const uint8_t *)task->detail, strlen(task->detail) + 1};
    take_text(self, &detail);
    task->detail = (const char *)detail.data;
}

static void take(apart *self, intake_message *found)
{
    if (found->kind == INTAKE_TASK)
        take_task(self, found->spans, &found->task);
    else
        take_text(self, &found->reply.msg_id);
}

bool intake_check_apart(void *context, uint32_t kind, const message_frame *frames, uint32_t count,
                        void *out, void **kept)
{
    intake *self = context;
    intake_message *found = out;
    intake_check(self, (intake_kind)kind, frames, count, found);
    apart measure = {.frames = frames, .frame_count = count};
    bool ok = true;
    *kept = NULL;
    if (found->status == INTAKE_OK)
        take(&measure, found);
    size_t span_bytes = measure.span_count * sizeof(scan_span);
    if (span_bytes + measure.bytes > 0) {
        *kept = malloc(span_bytes + measure.bytes);
        ok = *kept != NULL;
    }
    static const scan_span NONE[1];
    const scan_span *spans = NONE;
    if (*kept) {
        apart copy = {.frames = frames,
                      .frame_count = count,
                      .spans = *kept,
                      .at = (uint8_t *)*kept + span_bytes};
        take(&copy, found);
        spans = *kept;
    }
    found->spans = spans;
    intake_forget_spans(self);
    return ok;
}
