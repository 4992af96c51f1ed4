/// ledger.c: pages, live records and the walk over them. Records are applied in apply.c.
#include "ledger.h"

#include <stdlib.h>
#include <string.h>

journal_ledger *journal_ledger_create(uint64_t sent_sequence)
{
    journal_ledger *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->sent_sequence = sent_sequence;
    self->live_free = NO_LIVE;
    self->walk_page = UINT32_MAX;
    return self;
}

void journal_ledger_destroy(journal_ledger *self)
{
    if (!self)
        return;
    for (uint32_t i = 0; i < self->page_count; i++) {
        free(self->pages[i].entries);
        free(self->pages[i].texts);
    }
    for (uint32_t i = 0; i < self->live_used; i++)
        free(self->live[i].attempts);
    ids_close(&self->walk);
    free(self->pages);
    free(self->live);
    free(self->engines);
    free(self->engine_slots);
    free(self);
}

bool ledger_expand(journal_ledger *self, ledger_page *page)
{
    if (page->entries)
        return true;
    ledger_entry *entries = calloc(IDS_PER_RECORD, sizeof *entries);
    if (!entries)
        return false;
    byte_sink texts = {0};
    if (page->packed.size > 0) {
        ids_reader reader;
        bool reads = ids_open(&reader, page->packed) && reader.left == page->count;
        for (uint32_t i = 0; reads && i < page->count; i++) {
            id_fate fate;
            reads = ids_next(&reader, &fate) &&
                    (fate.engine == JOURNAL_ENGINE_NONE || fate.engine < self->engine_count);
            uint8_t *text = reads ? sink_extend(&texts, fate.id_size) : NULL;
            if (!(reads = text != NULL))
                break;
            memcpy(text, fate.id, fate.id_size);
            entries[i] = (ledger_entry){
                .id_size = fate.id_size,
                .engine = fate.engine,
                .live = NO_LIVE,
                .state = fate.state,
            };
        }
        ids_close(&reader);
        if (!reads) {
            free(entries);
            free(texts.data);
            return false;
        }
    }
    // Only now: the texts have stopped moving.
    uint64_t at = 0;
    for (uint32_t i = 0; i < page->count; i++) {
        entries[i].id = texts.data + at;
        at += entries[i].id_size;
    }
    page->packed = (journal_bytes){0};
    page->texts = texts.data;
    page->entries = entries;
    return true;
}

uint32_t journal_ledger_count(const journal_ledger *self)
{
    return self->count;
}

uint32_t journal_ledger_live_count(const journal_ledger *self)
{
    return self->live_count;
}

uint32_t journal_ledger_reply_count(const journal_ledger *self)
{
    return self->reply_count;
}

uint32_t journal_ledger_engine_count(const journal_ledger *self)
{
    return self->engine_count;
}

journal_bytes journal_ledger_engine(const journal_ledger *self, uint32_t engine)
{
    return self->engines[engine].name;
}

bool journal_ledger_engine_fences(const journal_ledger *self, uint32_t engine)
{
    return self->engines[engine].fences;
}

static void show_packed(journal_ledger *self, const ledger_page *page, uint32_t index,
                        journal_task *out)
{
    if (self->walk_page != index) {
        ids_close(&self->walk);
        self->walk_page = index;
        ids_open(&self->walk, page->packed); // it did when the record was applied
    }
    id_fate fate = {0};
    ids_next(&self->walk, &fate);
    out->id = (journal_bytes){fate.id, fate.id_size};
    out->state = fate.state;
    out->engine = fate.engine;
}

static void show_entry(const journal_ledger *self, const ledger_entry *entry, journal_task *out)
{
    out->id = (journal_bytes){entry->id, entry->id_size};
    out->state = entry->state;
    out->engine = entry->engine;
    if (entry->live == NO_LIVE)
        return;
    const ledger_live *live = &self->live[entry->live];
    out->accepted = live->accepted;
    out->reply = live->reply;
    out->accepted_sequence = live->accepted_sequence;
    out->assigned_sequence = live->assigned_sequence;
    out->reply_sequence = live->reply_sequence;
    out->attempts = live->attempts;
    out->attempt_count = live->attempt_count;
    out->parked = live->parked;
}

bool journal_ledger_next(journal_ledger *self, uint32_t *next, journal_task *out)
{
    if (*next >= self->count)
        return false;
    if (*next == 0)
        self->walk_page = UINT32_MAX;
    uint32_t index = *next / IDS_PER_RECORD;
    const ledger_page *page = &self->pages[index];
    *out = (journal_task){.number = *next};
    if (page->entries)
        show_entry(self, &page->entries[*next % IDS_PER_RECORD], out);
    else
        show_packed(self, page, index, out);
    ++*next;
    return true;
}
