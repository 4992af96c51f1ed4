/// lane_hooks.c: what a lane's connections do: peers come, speak and go, and are sent to. Called by
/// native/ through its hooks, and by lane.c.
///
/// Invariant: for each connection the front gets JOINED, then its messages in order, then LEFT.
#include <stdlib.h>
#include <string.h>

#include "lane.h"

static lane *lane_of(const native_connection *connection)
{
    return (lane *)connection->owner;
}

static lane_record *add(const native_connection *connection, lane_kind kind)
{
    lane_record *record = lane_pipe_add(&lane_of(connection)->records);
    record->kind = (uint8_t)kind;
    record->role = connection->role;
    record->connection = connection->index;
    record->serial = connection->serial;
    return record;
}

static const char *hook_ready(native_connection *connection, native_bytes identity)
{
    uint8_t *text = NULL;
    if (identity.size > 0) {
        text = malloc(identity.size);
        if (!text)
            return "needs more memory than there is";
        memcpy(text, identity.data, identity.size);
    }
    connection->serial = ++lane_of(connection)->next_serial;
    lane_record *record = add(connection, LANE_JOINED);
    record->count = (uint16_t)identity.size;
    record->text = text;
    return NULL;
}

static void hook_left(native_connection *connection)
{
    add(connection, LANE_LEFT);
}

static void hook_crowded(native_connection *connection, bool crowded)
{
    add(connection, LANE_CROWDED)->crowded = crowded;
}

static const char *hook_message(native_connection *connection, native_block *block)
{
    lane_record *record = add(connection, LANE_MESSAGE);
    record->message.block = block;
    record->message.kept = NULL;
    return NULL;
}

static void check(lane *self, lane_record *record)
{
    const message *head = &record->message.block->head;
    record->number =
        self->checker.check(self->checks, record->role, head->frames, head->frame_count,
                            record->message.checked, &record->message.kept);
}

void lane_check(void *context, lane_record *records, uint32_t count)
{
    lane *self = context;
    message_frames ahead[TRANSPORT_AHEAD_MAX];
    uint32_t first = 0, seen = 0, looked = 0;
    while (first < count) {
        // As many as can be looked at together, then one after the other.
        for (looked = 0; seen < count && looked < TRANSPORT_AHEAD_MAX; seen++) {
            if (records[seen].kind != LANE_MESSAGE)
                continue;
            const message *head = &records[seen].message.block->head;
            ahead[looked++] = (message_frames){head->frames, head->frame_count};
        }
        if (self->checker.ahead)
            self->checker.ahead(self->checks, ahead, looked);
        for (; first < seen; first++)
            if (records[first].kind == LANE_MESSAGE)
                check(self, records + first);
    }
    // Their memory may be another message's by the next time.
    if (self->checker.ahead)
        self->checker.ahead(self->checks, ahead, 0);
}

const native_hooks LANE_HOOKS = {
    .ready = hook_ready,
    .left = hook_left,
    .crowded = hook_crowded,
    .message = hook_message,
};

native_connection *lane_find(lane *self, const lane_record *order)
{
    native_body *body = native_of(&self->self);
    native_connection *connection =
        order->connection < body->table_count ? body->table[order->connection] : NULL;
    return connection && connection->ready && connection->serial == order->serial ? connection
                                                                                  : NULL;
}

void lane_tell_done(lane *self)
{
    if (self->done_count == 0 && self->gone_clients == 0)
        return;
    lane_record *record = lane_pipe_add(&self->records);
    record->kind = LANE_GIVE;
    record->count = (uint16_t)self->done_count;
    record->number = self->gone_clients;
    memcpy(record->handles, self->done, self->done_count * sizeof self->done[0]);
    self->done_count = self->gone_clients = 0;
}

void lane_done_with(lane *self, message_handle handle)
{
    if (handle == MESSAGE_NONE)
        return;
    self->done[self->done_count++] = handle;
    if (self->done_count == LANE_HANDLES_MAX)
        lane_tell_done(self);
}

static void end_loan(message *head)
{
    lane_loan *loan = (lane_loan *)head;
    lane *self = loan->owner;
    lane_done_with(self, loan->borrowed);
    loan->next_free = self->loans;
    self->loans = loan;
}

/// A stand-in for the front's message, which the connection's output can count. NULL: out of
/// memory.
static lane_loan *begin_loan(lane *self, const message *source, message_handle borrowed)
{
    lane_loan *loan = self->loans;
    if (loan)
        self->loans = loan->next_free;
    else if (!(loan = malloc(sizeof *loan)))
        return NULL;
    *loan = (lane_loan){.head = *source, .owner = self, .borrowed = borrowed};
    loan->head.dispose = end_loan;
    if (message_adopt(self->self.messages, &loan->head) != MESSAGE_NONE)
        return loan;
    loan->next_free = self->loans;
    self->loans = loan;
    return NULL;
}

/// What the front has prepared, as native/ queues it.
static native_outgoing outgoing_of(const lane_record *order, const message *source)
{
    native_outgoing out = {
        .prefix_count = order->send.prefix_count,
        .source = order->count ? source : NULL,
        .wire = {order->send.wire, (size_t)order->send.wire_size},
    };
    const uint8_t *at = order->send.long_prefix ? order->send.long_prefix : order->send.prefix;
    for (uint32_t i = 0; i < out.prefix_count; i++) {
        out.prefix[i] = (native_bytes){at, order->send.prefix_sizes[i]};
        out.prefix_size += frame_head_size(out.prefix[i].size) + out.prefix[i].size;
        at += out.prefix[i].size;
    }
    out.size = out.prefix_size + out.wire.size;
    for (uint32_t i = 0; !out.wire.data && i < order->count; i++)
        out.size += frame_head_size(source->frames[i].size) + (size_t)source->frames[i].size;
    return out;
}

void lane_carry_out_send(lane *self, const lane_record *order)
{
    native_connection *connection = lane_find(self, order);
    message source = {.frames = (message_frame *)(uintptr_t)order->send.frames,
                      .frame_count = order->count};
    native_outgoing out = outgoing_of(order, &source);
    lane_loan *loan = NULL;
    if (!connection) {
        self->gone_clients += order->role == TRANSPORT_CLIENT;
    } else if (!out.source || native_queue_copies(connection, &out)) {
        native_queue(connection, &out);
    } else if ((loan = begin_loan(self, &source, order->number))) {
        out.source = &loan->head;
        native_queue(connection, &out);
        message_release(self->self.messages, loan->head.handle);
    } else {
        connection->broken = true;
        native_connection_mark_dirty(connection);
    }
    if (!loan)
        lane_done_with(self, order->number);
    free(order->send.long_prefix);
}
