/// apply.c: one record's effect on the ledger. Called for every record that was read, in order.
///
/// Invariant: a record that makes no sense after the ones before it changes nothing and is named.
#include <stdlib.h>
#include <string.h>

#include "ledger.h"

static const char no_memory[] = "there is not enough memory to read it";

static bool reserve(void **array, uint32_t *capacity, uint32_t count, size_t size)
{
    if (count < *capacity)
        return true;
    uint32_t wanted = *capacity ? *capacity * 2 : 64;
    void *grown = realloc(*array, wanted * size);
    if (!grown)
        return false;
    *array = grown;
    *capacity = wanted;
    return true;
}

static ledger_page *page_of(journal_ledger *self, uint32_t number)
{
    uint32_t index = number / IDS_PER_RECORD;
    if (index < self->page_count)
        return &self->pages[index];
    if (!reserve((void **)&self->pages, &self->page_capacity, index, sizeof *self->pages))
        return NULL;
    self->pages[self->page_count++] = (ledger_page){0};
    return &self->pages[index];
}

/// The entry of a known task, or NULL with the reason.
static ledger_entry *entry_of(journal_ledger *self, uint32_t number, const char **wrong)
{
    if (number >= self->count) {
        *wrong = "a record about a task that was never accepted";
        return NULL;
    }
    ledger_page *page = page_of(self, number);
    if (!ledger_expand(self, page)) {
        *wrong = "ids that do not read";
        return NULL;
    }
    return &page->entries[number % IDS_PER_RECORD];
}

static ledger_live *make_live(journal_ledger *self, ledger_entry *entry)
{
    if (self->live_free != NO_LIVE) {
        entry->live = self->live_free;
        self->live_free = self->live[entry->live].next_free;
    } else {
        if (!reserve((void **)&self->live, &self->live_capacity, self->live_used,
                     sizeof *self->live))
            return NULL;
        entry->live = self->live_used++;
    }
    self->live[entry->live] = (ledger_live){0};
    return &self->live[entry->live];
}

static void end_live(journal_ledger *self, ledger_entry *entry)
{
    ledger_live *live = &self->live[entry->live];
    free(live->attempts);
    *live = (ledger_live){.next_free = self->live_free};
    self->live_free = entry->live;
    entry->live = NO_LIVE;
}

static bool grow_slots(journal_ledger *self)
{
    uint32_t mask = self->engine_slots ? self->engine_slot_mask * 2 + 1 : 63;
    uint32_t *slots = calloc((size_t)mask + 1, sizeof *slots);
    if (!slots)
        return false;
    for (uint32_t i = 0; i < self->engine_count; i++) {
        journal_bytes name = self->engines[i].name;
        uint32_t slot = journal_crc32c(0, name.data, name.size) & mask;
        while (slots[slot])
            slot = (slot + 1) & mask;
        slots[slot] = i + 1;
    }
    free(self->engine_slots);
    self->engine_slots = slots;
    self->engine_slot_mask = mask;
    return true;
}

/// The engine's index, a new one if the name is new; JOURNAL_ENGINE_NONE when memory is short.
static uint32_t engine_of(journal_ledger *self, journal_bytes name)
{
    bool full = !self->engine_slots || self->engine_count > self->engine_slot_mask / 2;
    if (full && !grow_slots(self))
        return JOURNAL_ENGINE_NONE;
    uint32_t slot = journal_crc32c(0, name.data, name.size) & self->engine_slot_mask;
    for (; self->engine_slots[slot]; slot = (slot + 1) & self->engine_slot_mask) {
        journal_bytes known = self->engines[self->engine_slots[slot] - 1].name;
        if (known.size == name.size && memcmp(known.data, name.data, name.size) == 0)
            return self->engine_slots[slot] - 1;
    }
    if (!reserve((void **)&self->engines, &self->engine_capacity, self->engine_count,
                 sizeof *self->engines))
        return JOURNAL_ENGINE_NONE;
    self->engines[self->engine_count] = (ledger_engine){name, false};
    self->engine_slots[slot] = ++self->engine_count;
    return self->engine_count - 1;
}

/// Long ago, as far as a base is concerned.
static uint64_t sequence_of(journal_kind kind, const journal_record *record)
{
    return kind == JOURNAL_KIND_BASE ? 0 : record->sequence;
}

static const char *apply_new(journal_ledger *self, journal_kind kind, const journal_record *record)
{
    journal_message message;
    if (!journal_message_read(record->payload, &message) || message.id.size == 0)
        return "a task that does not read";
    const char *wrong = NULL;
    ledger_entry *entry;
    if (kind == JOURNAL_KIND_BASE) {
        // Its id came with JOURNAL_IDS.
        entry = entry_of(self, record->task, &wrong);
        if (!entry)
            return wrong;
        if (record->type != JOURNAL_ACCEPTED || entry->state != JOURNAL_WAITING ||
            entry->live != NO_LIVE)
            return "a task that is there twice";
    } else {
        if (record->task != self->count || self->count == JOURNAL_TASK_NONE)
            return "a task out of order";
        ledger_page *page = page_of(self, record->task);
        if (!page || !ledger_expand(self, page))
            return no_memory;
        entry = &page->entries[record->task % IDS_PER_RECORD];
        *entry = (ledger_entry){
            .id = message.id.data,
            .id_size = (uint32_t)message.id.size,
            .engine = JOURNAL_ENGINE_NONE,
            .live = NO_LIVE,
            .state = record->type == JOURNAL_REFUSED ? JOURNAL_FAILED_NOWHERE : JOURNAL_WAITING,
        };
        page->count++;
        self->count++;
        if (record->type == JOURNAL_REFUSED)
            return NULL;
        self->live_count++;
    }
    ledger_live *live = make_live(self, entry);
    if (!live)
        return no_memory;
    live->accepted = record->payload;
    live->accepted_sequence = sequence_of(kind, record);
    return NULL;
}

static const char *apply_run(journal_ledger *self, journal_kind kind, const journal_record *record)
{
    const char *wrong = NULL;
    ledger_entry *entry = entry_of(self, record->task, &wrong);
    if (!entry)
        return wrong;
    bool assigned = record->type == JOURNAL_ASSIGNED;
    bool fits = entry->live != NO_LIVE &&
                (entry->state == JOURNAL_WAITING || entry->state == JOURNAL_RUNNING);
    if (!fits || record->payload.size == 0)
        return "a run of a task that has ended";
    uint32_t engine = engine_of(self, record->payload);
    if (engine == JOURNAL_ENGINE_NONE)
        return no_memory;
    ledger_live *live = &self->live[entry->live];
    if (assigned) {
        entry->state = JOURNAL_RUNNING;
        entry->engine = engine;
        live->assigned_sequence = sequence_of(kind, record);
        return NULL;
    }
    entry->state = JOURNAL_WAITING;
    entry->engine = JOURNAL_ENGINE_NONE;
    uint8_t why = record->flags & (JOURNAL_FLAG_FAILED | JOURNAL_FLAG_UNMET);
    if (!why)
        return NULL;
    journal_attempt *attempts =
        realloc(live->attempts, (live->attempt_count + 1) * sizeof *attempts);
    if (!attempts)
        return no_memory;
    live->attempts = attempts;
    attempts[live->attempt_count++] = (journal_attempt){engine, why};
    return NULL;
}

static const char *apply_end(journal_ledger *self, journal_kind kind, const journal_record *record)
{
    journal_message reply;
    if (!journal_message_read(record->payload, &reply))
        return "a reply that does not read";
    const char *wrong = NULL;
    ledger_entry *entry = entry_of(self, record->task, &wrong);
    if (!entry)
        return wrong;
    bool parked = record->flags & JOURNAL_FLAG_PARKED;
    bool ended = entry->state != JOURNAL_WAITING && entry->state != JOURNAL_RUNNING;
    ledger_live before = {0};
    if (ended && parked) {
        // How it ended is known (from JOURNAL_IDS, or from a reply that was to leave at once).
        if (entry->live != NO_LIVE) {
            self->reply_count -= self->live[entry->live].reply.size > 0;
            end_live(self, entry);
        }
    } else {
        if (entry->live == NO_LIVE || ended)
            return "a task that ended twice";
        uint32_t engine = reply.name.size > 0 ? engine_of(self, reply.name) : JOURNAL_ENGINE_NONE;
        if (reply.name.size > 0 && engine == JOURNAL_ENGINE_NONE)
            return no_memory;
        bool completed = record->flags & JOURNAL_FLAG_COMPLETED;
        entry->engine = engine;
        entry->state = engine == JOURNAL_ENGINE_NONE ? JOURNAL_FAILED_NOWHERE
                       : completed                   ? JOURNAL_COMPLETED
                                                     : JOURNAL_FAILED;
        self->live_count--;
        before = self->live[entry->live];
        end_live(self, entry);
    }
    if (!parked && sequence_of(kind, record) <= self->sent_sequence)
        return NULL;
    ledger_live *live = make_live(self, entry);
    if (!live)
        return no_memory;
    if (before.accepted_sequence > self->sent_sequence) {
        // The hub may not even know of the task.
        live->accepted = before.accepted;
        live->accepted_sequence = before.accepted_sequence;
    }
    live->reply = record->payload;
    live->reply_sequence = sequence_of(kind, record);
    live->parked = parked;
    self->reply_count++;
    return NULL;
}

static const char *apply_delivered(journal_ledger *self, const journal_record *record)
{
    const char *wrong = NULL;
    ledger_entry *entry = entry_of(self, record->task, &wrong);
    if (!entry)
        return wrong;
    if (entry->state == JOURNAL_WAITING || entry->state == JOURNAL_RUNNING)
        return "a delivery of a task that has not ended";
    if (entry->live == NO_LIVE)
        return NULL;
    ledger_live *live = &self->live[entry->live];
    live->parked = false;
    live->reply_sequence = record->sequence;
    // Nor is it certain that this has left: the hub may need it still.
    if (record->sequence > self->sent_sequence)
        return NULL;
    self->reply_count--;
    end_live(self, entry);
    return NULL;
}

static const char *apply_ids(journal_ledger *self, const journal_record *record)
{
    if (record->task != self->count || self->count % IDS_PER_RECORD != 0)
        return "ids out of order";
    ids_reader reader;
    bool reads = ids_open(&reader, record->payload);
    uint32_t count = reads ? reader.left : 0, live = 0;
    for (uint32_t i = 0; reads && i < count; i++) {
        id_fate fate;
        reads = ids_next(&reader, &fate) &&
                (fate.engine == JOURNAL_ENGINE_NONE || fate.engine < self->engine_count);
        live += reads && fate.state == JOURNAL_WAITING;
    }
    reads = reads && reader.at == reader.end && count <= JOURNAL_TASK_NONE - self->count;
    ids_close(&reader);
    if (!reads)
        return "ids that do not read";
    ledger_page *page = page_of(self, record->task);
    if (!page)
        return no_memory;
    page->packed = record->payload;
    page->count = count;
    self->count += count;
    self->live_count += live;
    return NULL;
}

static const char *apply_engine(journal_ledger *self, journal_kind kind,
                                const journal_record *record)
{
    if (record->payload.size == 0 || record->payload.size > UINT16_MAX)
        return "an engine without a name";
    uint32_t before = self->engine_count;
    uint32_t engine = engine_of(self, record->payload);
    if (engine == JOURNAL_ENGINE_NONE)
        return no_memory;
    if (record->type == JOURNAL_FENCES)
        self->engines[engine].fences = true;
    else if (kind != JOURNAL_KIND_BASE || engine != before)
        return "an engine that is there twice";
    return NULL;
}

static const char *apply_end_of_base(journal_ledger *self)
{
    uint32_t attached = 0;
    for (uint32_t i = 0; i < self->live_used; i++)
        attached += self->live[i].accepted.size > 0;
    self->ended = true;
    return attached == self->live_count ? NULL : "a waiting task without its message";
}

const char *journal_ledger_apply(journal_ledger *self, journal_kind kind,
                                 const journal_record *record)
{
    if (kind == JOURNAL_KIND_BASE && self->ended)
        return "a record behind the end of a base";
    switch (record->type) {
    case JOURNAL_ACCEPTED:
    case JOURNAL_REFUSED:
        return apply_new(self, kind, record);
    case JOURNAL_ASSIGNED:
    case JOURNAL_RETURNED:
        return apply_run(self, kind, record);
    case JOURNAL_FINISHED:
        return apply_end(self, kind, record);
    case JOURNAL_DELIVERED:
        return apply_delivered(self, record);
    case JOURNAL_FENCES:
    case JOURNAL_ENGINE:
        return apply_engine(self, kind, record);
    case JOURNAL_COMMIT:
        return record->payload.size == JOURNAL_COMMIT_SIZE ? NULL : "a commit that does not read";
    case JOURNAL_IDS:
        return kind == JOURNAL_KIND_BASE ? apply_ids(self, record) : "ids in a segment";
    case JOURNAL_END:
        return kind == JOURNAL_KIND_BASE ? apply_end_of_base(self)
                                         : "the end of a base in a segment";
    default:
        return "a record of an unknown type";
    }
}
