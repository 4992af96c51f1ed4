/// ids.c: ids and fates, packed. The format is in ids.h.
#include "ids.h"

#include <stdlib.h>

#include "bytes.h"

/// Longer prefixes are rare: their ids are written as they are.
#define PREFIX_SIZE_MAX 256u
#define DIGITS_MAX      9u
#define SLOTS           (2 * IDS_PER_RECORD)

uint8_t *sink_extend(byte_sink *sink, uint64_t size)
{
    if (sink->size + size > sink->capacity) {
        uint64_t capacity = sink->capacity ? sink->capacity * 2 : 4096;
        while (capacity < sink->size + size)
            capacity *= 2;
        uint8_t *data = realloc(sink->data, capacity);
        if (!data) {
            sink->failed = true;
            return NULL;
        }
        sink->data = data;
        sink->capacity = capacity;
    }
    sink->size += size;
    return sink->data + sink->size - size;
}

static void write_bytes(byte_sink *sink, const uint8_t *data, uint64_t size)
{
    uint8_t *out = sink_extend(sink, size);
    if (out && size > 0)
        memcpy(out, data, size);
}

static void write_number(byte_sink *sink, uint64_t value)
{
    uint8_t bytes[10];
    uint32_t count = 0;
    do {
        bytes[count++] = (uint8_t)(value & 0x7f) | (value > 0x7f ? 0x80 : 0);
        value >>= 7;
    } while (value > 0);
    write_bytes(sink, bytes, count);
}

/// `<prefix>_<n>` without a leading zero: only such an id can be put together again.
static bool split(const uint8_t *id, uint32_t size, uint32_t *prefix_size, int64_t *number)
{
    uint32_t at = size;
    int64_t scale = 1;
    *number = 0;
    while (at > 0 && size - at < DIGITS_MAX && id[at - 1] >= '0' && id[at - 1] <= '9') {
        *number += scale * (id[at - 1] - '0');
        scale *= 10;
        at--;
    }
    if (at == size || at == 0 || id[at - 1] != '_' || at - 1 > PREFIX_SIZE_MAX)
        return false;
    *prefix_size = at - 1;
    return size - at == 1 || id[at] != '0';
}

typedef struct prefix_table {
    id_prefix prefixes[IDS_PER_RECORD];
    uint16_t slots[SLOTS]; ///< index + 1
    uint32_t count;
} prefix_table;

static uint32_t find_prefix(prefix_table *table, const uint8_t *data, uint32_t size)
{
    uint64_t hash = journal_crc32c(0, data, size);
    uint32_t slot = (uint32_t)(hash % SLOTS);
    for (; table->slots[slot]; slot = (slot + 1) % SLOTS) {
        const id_prefix *known = &table->prefixes[table->slots[slot] - 1];
        if (known->size == size && memcmp(known->data, data, size) == 0)
            return table->slots[slot] - 1u;
    }
    table->prefixes[table->count] = (id_prefix){data, size, -1};
    table->slots[slot] = (uint16_t)++table->count;
    return table->count - 1;
}

static void write_id(byte_sink *sink, prefix_table *table, const id_fate *fate)
{
    uint32_t prefix_size;
    int64_t number;
    if (split(fate->id, fate->id_size, &prefix_size, &number)) {
        id_prefix *prefix = &table->prefixes[find_prefix(table, fate->id, prefix_size)];
        int64_t step = number - prefix->last - 1;
        prefix->last = number;
        write_number(sink, (uint64_t)(prefix - table->prefixes) + 1);
        write_number(sink, (uint64_t)step << 1 ^ (uint64_t)(step >> 63));
    } else {
        write_number(sink, 0);
        write_number(sink, fate->id_size);
        write_bytes(sink, fate->id, fate->id_size);
    }
    uint64_t engine = fate->engine == JOURNAL_ENGINE_NONE ? 0 : fate->engine;
    uint8_t state = fate->state == JOURNAL_RUNNING ? JOURNAL_WAITING : fate->state;
    write_number(sink, engine << 2 | state);
}

void ids_write(byte_sink *sink, const id_fate *fates, uint32_t count)
{
    prefix_table *table = calloc(1, sizeof *table);
    if (!table) {
        sink->failed = true;
        return;
    }
    uint32_t prefix_size;
    int64_t number;
    for (uint32_t i = 0; i < count; i++) {
        if (split(fates[i].id, fates[i].id_size, &prefix_size, &number))
            find_prefix(table, fates[i].id, prefix_size);
    }
    uint8_t *head = sink_extend(sink, 8);
    if (head) {
        put32(head, count);
        put32(head + 4, table->count);
    }
    for (uint32_t i = 0; i < table->count; i++) {
        write_number(sink, table->prefixes[i].size);
        write_bytes(sink, table->prefixes[i].data, table->prefixes[i].size);
    }
    for (uint32_t i = 0; i < count; i++)
        write_id(sink, table, &fates[i]);
    free(table);
}

static bool read_number(ids_reader *reader, uint64_t *value)
{
    *value = 0;
    for (uint32_t shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
        uint8_t byte = *reader->at++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

static bool read_bytes(ids_reader *reader, const uint8_t **data, uint64_t *size)
{
    if (!read_number(reader, size) || *size > (uint64_t)(reader->end - reader->at))
        return false;
    *data = reader->at;
    reader->at += *size;
    return true;
}

bool ids_open(ids_reader *reader, journal_bytes payload)
{
    *reader = (ids_reader){0};
    if (payload.size < 8)
        return false;
    reader->left = get32(payload.data);
    uint32_t prefix_count = get32(payload.data + 4);
    if (reader->left == 0 || reader->left > IDS_PER_RECORD || prefix_count > reader->left)
        return false;
    reader->at = payload.data + 8;
    reader->end = payload.data + payload.size;
    // One more than needed: no prefixes is no failure.
    reader->prefixes = calloc(prefix_count + 1, sizeof *reader->prefixes);
    if (!reader->prefixes)
        return false;
    reader->prefix_count = prefix_count;
    for (uint32_t i = 0; i < prefix_count; i++) {
        id_prefix *prefix = &reader->prefixes[i];
        prefix->last = -1;
        if (!read_bytes(reader, &prefix->data, &prefix->size))
            return false;
    }
    return true;
}

static bool put_together(ids_reader *reader, const id_prefix *prefix, id_fate *out)
{
    uint64_t room = prefix->size + 1 + DIGITS_MAX;
    if (room > reader->text_capacity) {
        uint8_t *text = realloc(reader->text, room);
        if (!text)
            return false;
        reader->text = text;
        reader->text_capacity = room;
    }
    memcpy(reader->text, prefix->data, prefix->size);
    uint8_t digits[DIGITS_MAX];
    uint32_t count = 0;
    int64_t rest = prefix->last;
    do {
        digits[count++] = (uint8_t)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    uint8_t *at = reader->text + prefix->size;
    *at++ = '_';
    while (count > 0)
        *at++ = digits[--count];
    out->id = reader->text;
    out->id_size = (uint32_t)(at - reader->text);
    return true;
}

bool ids_next(ids_reader *reader, id_fate *out)
{
    uint64_t which, value;
    if (reader->left == 0 || !read_number(reader, &which))
        return false;
    if (which == 0) {
        uint64_t size;
        if (!read_bytes(reader, &out->id, &size) || size == 0 || size > UINT32_MAX)
            return false;
        out->id_size = (uint32_t)size;
    } else {
        if (which > reader->prefix_count || !read_number(reader, &value))
            return false;
        id_prefix *prefix = &reader->prefixes[which - 1];
        int64_t step = (int64_t)(value >> 1 ^ -(value & 1));
        // Both bounds first: the sum must not overflow.
        if (step < -1000000000 || step > 1000000000)
            return false;
        prefix->last += step + 1;
        if (prefix->last < 0 || prefix->last > 999999999 || !put_together(reader, prefix, out))
            return false;
    }
    if (!read_number(reader, &value) || value >> 2 > UINT32_MAX - 1)
        return false;
    out->state = value & 3;
    bool ran = out->state == JOURNAL_COMPLETED || out->state == JOURNAL_FAILED;
    out->engine = ran ? (uint32_t)(value >> 2) : JOURNAL_ENGINE_NONE;
    reader->left--;
    return true;
}

void ids_close(ids_reader *reader)
{
    free(reader->prefixes);
    free(reader->text);
}
