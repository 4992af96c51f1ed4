/// msgpack.c: the MessagePack body of value.h, on msgpack-c. Called by scan.c and fields.c.
///
/// msgpack-c trusts the counts it reads (an array of 4 billion is allocated before its first item)
/// and does not look at texts, so a frame passes two checks of our own: before parsing, that its
/// counts fit its size; after, that all texts are UTF-8 and all keys are text or binary, as
/// Python's unpackb demands. It nests 32 deep at most (Python's: 1024).
///
/// Invariant: a slot's values point into its zone and, for texts, into the scanned frame.
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "value.h"

/// The first chunk stays with the zone: about 2,700 values without an allocation.
#define MSGPACK_ZONE_BYTES 65536u

typedef struct msgpack_parser {
    msgpack_zone zones[SCAN_SLOTS];
} msgpack_parser;

static void *msgpack_parser_create(void)
{
    msgpack_parser *parser = malloc(sizeof *parser);
    if (!parser)
        return NULL;
    for (int slot = 0; slot < SCAN_SLOTS; slot++) {
        if (msgpack_zone_init(&parser->zones[slot], MSGPACK_ZONE_BYTES))
            continue;
        while (slot-- > 0)
            msgpack_zone_destroy(&parser->zones[slot]);
        free(parser);
        return NULL;
    }
    return parser;
}

static void msgpack_parser_trim(void *opaque)
{
    msgpack_parser *parser = opaque;
    for (int slot = 0; slot < SCAN_SLOTS; slot++)
        msgpack_zone_clear(&parser->zones[slot]); // frees all but the first chunk
}

static void msgpack_parser_destroy(void *opaque)
{
    msgpack_parser *parser = opaque;
    if (!parser)
        return;
    for (int slot = 0; slot < SCAN_SLOTS; slot++)
        msgpack_zone_destroy(&parser->zones[slot]);
    free(parser);
}

static uint64_t big_endian(const uint8_t *bytes, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | bytes[i];
    return value;
}

/// What follows a token's first byte.
typedef struct msgpack_token {
    uint8_t count_size; ///< bytes of the count
    uint8_t data_size;  ///< bytes of data beside those that are counted
    uint8_t items;      ///< items a count: 1 array, 2 map, 0 the count is in bytes
} msgpack_token;

/// Tokens 0xc0 to 0xdf of the MessagePack specification; all others carry their count or value.
static const msgpack_token msgpack_tokens[32] = {
    [0x04] = {1, 0, 0},  [0x05] = {2, 0, 0}, [0x06] = {4, 0, 0}, // bin 8, 16, 32
    [0x07] = {1, 1, 0},  [0x08] = {2, 1, 0}, [0x09] = {4, 1, 0}, // ext 8, 16, 32
    [0x0a] = {0, 4, 0},  [0x0b] = {0, 8, 0},                     // float 32, 64
    [0x0c] = {0, 1, 0},  [0x0d] = {0, 2, 0}, [0x0e] = {0, 4, 0}, [0x0f] = {0, 8, 0}, // uint
    [0x10] = {0, 1, 0},  [0x11] = {0, 2, 0}, [0x12] = {0, 4, 0}, [0x13] = {0, 8, 0}, // int
    [0x14] = {0, 2, 0},  [0x15] = {0, 3, 0}, [0x16] = {0, 5, 0}, [0x17] = {0, 9, 0},
    [0x18] = {0, 17, 0},                                         // fixext 1, 2, 4, 8, 16
    [0x19] = {1, 0, 0},  [0x1a] = {2, 0, 0}, [0x1b] = {4, 0, 0}, // str 8, 16, 32
    [0x1c] = {2, 0, 1},  [0x1d] = {4, 0, 1},                     // array 16, 32
    [0x1e] = {2, 0, 2},  [0x1f] = {4, 0, 2},                     // map 16, 32
};

/// Whether every count fits the bytes that are left (an item takes one at least), so that
/// msgpack-c allocates at most some 50 bytes for each byte of the frame.
static bool msgpack_counts_fit(const uint8_t *bytes, size_t size)
{
    size_t at = 0;
    uint64_t pending = 1; // items that must still come
    while (pending > 0) {
        if (pending > size - at)
            return false;
        uint8_t first = bytes[at++];
        uint64_t items = 0, data = 0;
        pending--;
        if (first >= 0xc0 && first <= 0xdf) {
            const msgpack_token *token = &msgpack_tokens[first - 0xc0];
            if (token->count_size > size - at)
                return false;
            uint64_t count = big_endian(bytes + at, token->count_size);
            at += token->count_size;
            items = count * token->items;
            data = token->data_size + (token->items ? 0 : count);
        } else if (first >= 0x80 && first <= 0x8f) {
            items = (first & 15u) * 2;
        } else if (first >= 0x90 && first <= 0x9f) {
            items = first & 15u;
        } else if (first >= 0xa0 && first <= 0xbf) {
            data = first & 31u;
        }
        if (data > size - at)
            return false;
        at += data;
        pending += items;
    }
    return true;
}

static bool text_is_valid(msgpack_object_str text)
{
    const uint8_t *bytes = (const uint8_t *)text.ptr;
    size_t at = 0;
    uint64_t word;
    for (; at + 8 <= text.size; at += 8) {
        memcpy(&word, bytes + at, 8);
        if (word & 0x8080808080808080u)
            return scan_utf8_is_valid(bytes, text.size);
    }
    for (; at < text.size; at++)
        if (bytes[at] & 0x80)
            return scan_utf8_is_valid(bytes, text.size);
    return true;
}

/// Recurses no deeper than msgpack-c nests: 32.
static bool texts_are_valid(const msgpack_object *object, const char **why)
{
    switch (object->type) {
    case MSGPACK_OBJECT_STR:
        *why = "a string is not UTF-8";
        return text_is_valid(object->via.str);
    case MSGPACK_OBJECT_ARRAY:
        for (uint32_t i = 0; i < object->via.array.size; i++)
            if (!texts_are_valid(&object->via.array.ptr[i], why))
                return false;
        return true;
    case MSGPACK_OBJECT_MAP:
        for (uint32_t i = 0; i < object->via.map.size; i++) {
            const msgpack_object_kv *entry = &object->via.map.ptr[i];
            if (entry->key.type != MSGPACK_OBJECT_STR && entry->key.type != MSGPACK_OBJECT_BIN) {
                *why = "a key is neither a string nor binary";
                return false;
            }
            if (!texts_are_valid(&entry->key, why) || !texts_are_valid(&entry->val, why))
                return false;
        }
        return true;
    default:
        return true;
    }
}

static scan_value value_of(const msgpack_object *object)
{
    scan_value value = {.kind = SCAN_VALUE_OTHER};
    switch (object->type) {
    case MSGPACK_OBJECT_NIL:
        value.kind = SCAN_VALUE_NULL;
        break;
    case MSGPACK_OBJECT_BOOLEAN:
        value.kind = SCAN_VALUE_BOOLEAN;
        value.boolean = object->via.boolean;
        break;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        if (object->via.u64 > INT64_MAX) {
            value.kind = SCAN_VALUE_NATURAL;
            value.natural = object->via.u64;
        } else {
            value.kind = SCAN_VALUE_INTEGER;
            value.integer = (int64_t)object->via.u64;
        }
        break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        value.kind = SCAN_VALUE_INTEGER;
        value.integer = object->via.i64;
        break;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        value.kind = SCAN_VALUE_NUMBER;
        value.number = object->via.f64;
        break;
    case MSGPACK_OBJECT_STR:
        value.kind = SCAN_VALUE_TEXT;
        value.text = (scan_span){(const uint8_t *)object->via.str.ptr, object->via.str.size};
        if (value.text.size == 0)
            value.text.data = (const uint8_t *)"";
        break;
    case MSGPACK_OBJECT_ARRAY:
        value.kind = SCAN_VALUE_LIST;
        value.node[0] = (uintptr_t)object->via.array.ptr;
        value.node[1] = object->via.array.size;
        break;
    case MSGPACK_OBJECT_MAP:
        value.kind = SCAN_VALUE_MAP;
        value.node[0] = (uintptr_t)object->via.map.ptr;
        value.node[1] = object->via.map.size;
        break;
    default:
        break;
    }
    return value;
}

static bool msgpack_parser_parse(void *opaque, int slot, scan_span bytes, scan_value *root,
                                 const char **why)
{
    msgpack_parser *parser = opaque;
    msgpack_object object;
    size_t used = 0;
    if (bytes.size == 0) {
        *why = "it is empty";
        return false;
    }
    if (!msgpack_counts_fit(bytes.data, bytes.size)) {
        *why = "it ends too early";
        return false;
    }
    msgpack_zone_clear(&parser->zones[slot]);
    switch (msgpack_unpack((const char *)bytes.data, bytes.size, &used, &parser->zones[slot],
                           &object)) {
    case MSGPACK_UNPACK_SUCCESS:
        break;
    case MSGPACK_UNPACK_EXTRA_BYTES:
        *why = "there are bytes behind its end";
        return false;
    case MSGPACK_UNPACK_CONTINUE:
        *why = "it ends too early";
        return false;
    case MSGPACK_UNPACK_NOMEM_ERROR:
        *why = "it nests more than 32 deep, or there is no memory to parse it";
        return false;
    default:
        *why = "a byte in it starts no value";
        return false;
    }
    if (!texts_are_valid(&object, why))
        return false;
    *root = value_of(&object);
    return true;
}

// A cursor's state: the next item's address, and how many are left.
static void msgpack_parser_open(const scan_value *value, scan_cursor *cursor)
{
    cursor->kind = value->kind;
    cursor->state[0] = value->node[0];
    cursor->state[1] = value->node[1];
}

static bool msgpack_parser_next(scan_cursor *cursor, scan_span *key, scan_value *item)
{
    if (cursor->state[1] == 0)
        return false;
    cursor->state[1]--;
    if (cursor->kind == SCAN_VALUE_MAP) {
        const msgpack_object_kv *entry = (const msgpack_object_kv *)(uintptr_t)cursor->state[0];
        *key = (scan_span){NULL, 0};
        if (entry->key.type == MSGPACK_OBJECT_STR)
            *key = (scan_span){(const uint8_t *)entry->key.via.str.ptr, entry->key.via.str.size};
        *item = value_of(&entry->val);
        cursor->state[0] = (uintptr_t)(entry + 1);
        return true;
    }
    const msgpack_object *object = (const msgpack_object *)(uintptr_t)cursor->state[0];
    *item = value_of(object);
    cursor->state[0] = (uintptr_t)(object + 1);
    return true;
}

const scan_body scan_body_msgpack = {
    msgpack_parser_create,
    msgpack_parser_destroy,
    msgpack_parser_trim,
    msgpack_parser_parse,
    msgpack_parser_open,
    msgpack_parser_next,
    true,
    "msgpack",
};
