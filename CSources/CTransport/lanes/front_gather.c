/// front_gather.c: what lanes tell becomes events. Called by the turn.
///
/// Events refer to the records where they lie in the ring: their slots are given back when the next
/// turn begins, as is everything else that an event lends.
///
/// Invariant: a lane's records are taken in order; a message stays in the ring until an event can
/// take it, and so do those behind it.
#include "front.h"

#include <stdio.h>
#include <stdlib.h>

/// A message's `dispose`: back to its lane with the next turn, or, when there is no lane any more,
/// to the allocator.
static void end_block(message *head)
{
    native_block *block = (native_block *)head;
    front_lender *lender = block->lender;
    lender->lent--;
    if (!lender->gone) {
        block->next = lender->first;
        lender->first = block;
        return;
    }
    native_block_dispose(head);
    if (lender->lent == 0)
        free(lender);
}

/// Frees what the checker left, at the end of its record's life.
static void free_kept(lane_record *record)
{
    free(record->message.kept);
    record->message.kept = NULL;
}

static void borrow(front_lane *each, const lane_record *record)
{
    record->message.block->lender = each->lender;
    record->message.block->head.dispose = end_block;
    each->lender->lent++;
}

/// False: the table of messages is full.
static bool make_event(front *self, const lane_record *record, atom id, transport_event *event)
{
    transport *mine = self->self;
    message *head = &record->message.block->head;
    head->origin = id;
    if (message_adopt(mine->messages, head) == MESSAGE_NONE) {
        native_of(mine)->stalled = true;
        return false;
    }
    mine->counters.received[record->role]++;
    *event = (transport_event){
        .kind = TRANSPORT_MESSAGE,
        .role = record->role,
        .frame_count = head->frame_count,
        .message = head->handle,
        .peer = id,
        .frames = head->frames,
        .bytes = head->bytes,
        .checked = record->number ? record->message.checked : NULL,
    };
    return true;
}

static void park(front_routes *role, lane_record *record, atom id)
{
    front_parked *item = malloc(sizeof *item);
    if (!item) {
        fputs("yardmaster: out of memory\n", stderr);
        abort(); // a few dozen bytes, as in hold.c
    }
    *item = (front_parked){.record = *record, .id = id};
    record->message.kept = NULL; // the copy's
    if (role->parked_last)
        role->parked_last->next = item;
    else
        role->parked_first = item;
    role->parked_last = item;
}

static void retain_id(front *self, atom id)
{
    if (id != ATOM_NONE)
        atoms_retain(self->self->names, id);
}

static void release_id(front *self, atom id)
{
    if (id != ATOM_NONE)
        atoms_release(self->self->names, id);
}

/// False: it cannot be taken now. Adds 1 to `*count` when it became an event.
static bool take_message(front *self, uint32_t index, lane_record *record, transport_event *events,
                         uint32_t capacity, uint32_t *count)
{
    front_lane *each = &self->lanes[index];
    front_routes *role = &self->roles[record->role];
    const front_peer *peer = front_find(self, index, record);
    if (!peer) {
        borrow(each, record);
        free_kept(record);
        end_block(&record->message.block->head);
        return true;
    }
    if (role->rests || role->parked_first) {
        borrow(each, record);
        retain_id(self, peer->id);
        park(role, record, peer->id);
        return true;
    }
    if (*count == capacity || !make_event(self, record, peer->id, &events[*count]))
        return false;
    borrow(each, record);
    retain_id(self, peer->id);
    each->kept |= record->message.kept != NULL;
    ++*count;
    return true;
}

static void take_given(front *self, const lane_record *record)
{
    for (uint32_t i = 0; i < record->count; i++)
        message_release(self->self->messages, record->handles[i]);
    self->self->counters.dropped_client += record->number;
    self->self->counters.sent[TRANSPORT_CLIENT] -= record->number;
}

/// The sums are the transport's, and what waits for all engines decides whether clients are read.
static void take_counts(front *self, front_lane *each, const lane_counts *now)
{
    transport_counters *counters = &self->self->counters;
    for (int role = 0; role < 2; role++)
        counters->waiting_bytes[role] +=
            now->waiting_bytes[role] - each->counts.waiting_bytes[role];
    counters->unfinished_bytes += now->unfinished_bytes - each->counts.unfinished_bytes;
    counters->paused_clients += now->paused_clients - each->counts.paused_clients;
    counters->dropped_peers += now->dropped_peers - each->counts.dropped_peers;
    each->counts = *now;
    native_push_back(self->self);
}

static void take_notice(front *self, const lane_record *record)
{
    native_told told = {record->serial, record->number, (const char *)record->text};
    native_notice_again(self->self, &told);
    free(record->text);
}

static bool take(front *self, uint32_t index, lane_record *record, transport_event *events,
                 uint32_t capacity, uint32_t *count)
{
    switch ((lane_kind)record->kind) {
    case LANE_MESSAGE:
        return take_message(self, index, record, events, capacity, count);
    case LANE_GIVE:
        take_given(self, record);
        break;
    case LANE_JOINED:
        front_joined(self, index, record);
        break;
    case LANE_LEFT:
        front_left(self, index, record);
        break;
    case LANE_CROWDED:
        front_crowded(self, index, record);
        break;
    case LANE_NOTICE:
        take_notice(self, record);
        break;
    case LANE_COUNTED:
        take_counts(self, &self->lanes[index], &record->counts);
        break;
    default:
        __builtin_trap(); // our own error
    }
    return true;
}

static uint32_t gather_lane(front *self, uint32_t index, transport_event *events, uint32_t capacity)
{
    front_lane *each = &self->lanes[index];
    lane_pipe *records = &each->lane->records;
    uint32_t there, taken = 0, count = 0;
    if (each->lent > 0)
        return 0;
    lane_record *first = lane_pipe_peek(records, &there);
    while (taken < there && take(self, index, &first[taken], events, capacity, &count))
        taken++;
    if (count > 0) {
        each->gathered = first;
        each->lent = taken;
    } else if (taken > 0) {
        lane_pipe_release(records, taken);
    }
    return count;
}

static uint32_t gather_parked(front *self, front_routes *role, transport_event *events,
                              uint32_t capacity)
{
    uint32_t count = 0;
    while (role->parked_first && !role->rests && count < capacity) {
        front_parked *item = role->parked_first;
        if (!make_event(self, &item->record, item->id, &events[count]))
            break;
        count++;
        role->parked_first = item->next;
        if (!role->parked_first)
            role->parked_last = NULL;
        item->next = self->parked_given;
        self->parked_given = item;
    }
    return count;
}

uint32_t front_gather(transport *mine, transport_event *events, uint32_t capacity)
{
    front *self = front_of(mine);
    for (uint32_t i = 0; i < self->lane_count; i++)
        queue_awake(self->lanes[i].lane->records.ring);
    uint32_t count = native_gather(mine, events, capacity);
    for (int role = 1; role >= 0; role--)
        count += gather_parked(self, &self->roles[role], events + count, capacity - count);
    uint32_t first = self->first_lane++;
    for (uint32_t i = 0; i < self->lane_count; i++)
        count +=
            gather_lane(self, (first + i) % self->lane_count, events + count, capacity - count);
    return count;
}

static bool has_records(front *self)
{
    for (int role = 0; role < 2; role++) {
        if (self->roles[role].parked_first && !self->roles[role].rests)
            return true;
    }
    for (uint32_t i = 0; i < self->lane_count; i++) {
        uint32_t there;
        if (lane_pipe_peek(&self->lanes[i].lane->records, &there))
            return true;
    }
    return false;
}

/// The turn sleeps after a false: all lanes are told so, or it is true after all.
bool front_ready(const transport *mine)
{
    front *self = front_of(mine);
    if (native_has_events(mine))
        return true;
    if (native_of(mine)->stalled)
        return false;
    if (has_records(self))
        return true;
    bool sleeps = true;
    for (uint32_t i = 0; i < self->lane_count && sleeps; i++) {
        lane *each = self->lanes[i].lane;
        sleeps = queue_will_sleep(each->records.ring) && lane_pipe_may_sleep(&each->orders);
    }
    return !sleeps; // gathering takes the announcements back
}

/// The slots that this turn's events referred to.
static void release_lent(front_lane *each)
{
    for (uint32_t i = 0; each->kept && i < each->lent; i++) {
        if (each->gathered[i].kind == LANE_MESSAGE)
            free_kept(&each->gathered[i]);
    }
    if (each->lent > 0)
        lane_pipe_release(&each->lane->records, each->lent);
    each->lent = 0;
    each->kept = false;
}

void front_begin_turn(transport *mine)
{
    front *self = front_of(mine);
    while (self->parked_given) {
        front_parked *item = self->parked_given;
        self->parked_given = item->next;
        free_kept(&item->record);
        free(item);
    }
    for (uint32_t i = 0; i < self->lane_count; i++) {
        front_lane *each = &self->lanes[i];
        release_lent(each);
        if (each->lender->first) {
            front_order(self, i, LANE_GIVE)->blocks = each->lender->first;
            each->lender->first = NULL;
        }
    }
}

void front_drop_record(front *self, uint32_t index, const lane_record *record)
{
    if (record->kind == LANE_MESSAGE) {
        free(record->message.kept);
        borrow(&self->lanes[index], record);
        end_block(&record->message.block->head);
    } else if (record->kind == LANE_GIVE) {
        take_given(self, record);
    } else if (record->kind == LANE_JOINED || record->kind == LANE_NOTICE) {
        free(record->text);
    }
}

void front_drop_parked(front *self)
{
    for (int which = 0; which < 2; which++) {
        front_routes *role = &self->roles[which];
        while (role->parked_first) {
            front_parked *item = role->parked_first;
            role->parked_first = item->next;
            free(item->record.message.kept);
            release_id(self, item->id);
            end_block(&item->record.message.block->head);
            free(item);
        }
    }
}
