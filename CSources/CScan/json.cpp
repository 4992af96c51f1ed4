/// json.cpp: the JSON body of value.h, on simdjson's DOM. Called by scan.c and fields.c.
///
/// Why the DOM and not On-Demand, which is some 50 ns faster a frame: On-Demand does not check
/// what it skips, so a frame that no engine can read would be accepted and its task never answered;
/// and "the last of equal keys wins" and "header when the metadata has none" need a second look.
///
/// simdjson reads a few bytes past the end, so a frame is copied to a padded buffer that is kept.
/// Only calls without exceptions are used: none may pass into C.
///
/// Invariant: a slot with a capacity has a document, a parser and a buffer that can take as much.
#include <simdjson.h>

#include <cstdlib>
#include <cstring>
#include <new>
#include <type_traits>

#include "value.h"

namespace dom = simdjson::dom;

namespace
{

constexpr size_t capacity_min = 16 * 1024;
/// A parser grown beyond this by a huge frame is given back at the next reset.
constexpr size_t capacity_kept = 1024 * 1024;

struct json_parser {
    dom::parser parser;
    dom::document documents[SCAN_SLOTS];
    size_t capacities[SCAN_SLOTS] = {};
    uint8_t *buffer = nullptr;
    size_t buffer_capacity = 0;

    ~json_parser()
    {
        std::free(buffer);
    }
    bool grow_buffer(size_t size);
    bool grow(int slot, size_t size);
};

bool json_parser::grow_buffer(size_t size)
{
    if (size <= buffer_capacity)
        return true;
    std::free(buffer);
    buffer = static_cast<uint8_t *>(std::malloc(size + simdjson::SIMDJSON_PADDING));
    buffer_capacity = buffer ? size : 0;
    return buffer != nullptr;
}

/// Makes room for `size` bytes in a slot, without touching the values of the other. simdjson grows
/// when it parses, so it is given blanks to parse: then a slightly longer frame next time costs no
/// allocation.
bool json_parser::grow(int slot, size_t size)
{
    size_t wanted = capacity_min;
    while (wanted < size)
        wanted *= 2;
    capacities[slot] = 0;
    if (!grow_buffer(wanted))
        return false;
    std::memset(buffer, ' ', wanted + simdjson::SIMDJSON_PADDING);
    buffer[0] = '0';
    if (parser.parse_into_document(documents[slot], buffer, wanted, false).error())
        return false;
    capacities[slot] = wanted;
    return true;
}

scan_span span_of(std::string_view text)
{
    return {reinterpret_cast<const uint8_t *>(text.data()), text.size()};
}

template <typename node_type> void keep_node(scan_value *value, const node_type &node)
{
    static_assert(std::is_trivially_copyable<node_type>::value, "is copied as bytes");
    static_assert(sizeof node <= sizeof value->node, "a node fits a value");
    std::memcpy(value->node, &node, sizeof node);
}

/// The type was looked at before each `get`, so none can fail.
scan_value value_of(dom::element element)
{
    scan_value value = {};
    switch (element.type()) {
    case dom::element_type::NULL_VALUE:
        value.kind = SCAN_VALUE_NULL;
        break;
    case dom::element_type::BOOL:
        value.kind = SCAN_VALUE_BOOLEAN;
        (void)element.get(value.boolean);
        break;
    case dom::element_type::INT64:
        value.kind = SCAN_VALUE_INTEGER;
        (void)element.get(value.integer);
        break;
    case dom::element_type::UINT64:
        value.kind = SCAN_VALUE_NATURAL;
        (void)element.get(value.natural);
        break;
    case dom::element_type::DOUBLE:
        value.kind = SCAN_VALUE_NUMBER;
        (void)element.get(value.number);
        break;
    case dom::element_type::STRING: {
        std::string_view text;
        value.kind = SCAN_VALUE_TEXT;
        (void)element.get(text);
        value.text = span_of(text);
        break;
    }
    case dom::element_type::ARRAY:
        value.kind = SCAN_VALUE_LIST;
        keep_node(&value, element);
        break;
    case dom::element_type::OBJECT:
        value.kind = SCAN_VALUE_MAP;
        keep_node(&value, element);
        break;
    default: // simdjson's big integers, should they ever be turned on
        value.kind = SCAN_VALUE_OTHER;
    }
    return value;
}

/// What a scan_cursor holds: where we are and where it ends.
template <typename container> struct json_range {
    typename container::iterator at;
    typename container::iterator end;
};

template <typename container> void open_range(const scan_value *value, scan_cursor *cursor)
{
    using range = json_range<container>;
    static_assert(std::is_trivially_copyable<range>::value, "may be copied with its cursor");
    static_assert(sizeof(range) <= sizeof cursor->state, "a range fits a cursor");
    dom::element element;
    std::memcpy(static_cast<void *>(&element), value->node, sizeof element);
    container items;
    (void)element.get(items);
    new (cursor->state) range{items.begin(), items.end()};
}

template <typename container> json_range<container> *range_in(scan_cursor *cursor)
{
    return std::launder(reinterpret_cast<json_range<container> *>(cursor->state));
}

} // namespace

extern "C" {

static void *json_create(void)
{
    json_parser *parser = new (std::nothrow) json_parser;
    for (int slot = 0; parser && slot < SCAN_SLOTS; slot++) {
        if (!parser->grow(slot, capacity_min)) {
            delete parser;
            parser = nullptr;
        }
    }
    return parser;
}

static void json_destroy(void *parser)
{
    delete static_cast<json_parser *>(parser);
}

static void json_trim(void *opaque)
{
    json_parser *parser = static_cast<json_parser *>(opaque);
    if (parser->buffer_capacity <= capacity_kept)
        return;
    parser->~json_parser();
    new (parser) json_parser; // it grows again at the next parse
}

static bool json_parse(void *opaque, int slot, scan_span bytes, scan_value *root, const char **why)
{
    json_parser *parser = static_cast<json_parser *>(opaque);
    size_t capacity = parser->capacities[slot];
    if ((capacity == 0 || bytes.size > capacity) && !parser->grow(slot, bytes.size)) {
        *why = "no memory to parse it";
        return false;
    }
    if (bytes.size)
        std::memcpy(parser->buffer, bytes.data, bytes.size);
    std::memset(parser->buffer + bytes.size, ' ', simdjson::SIMDJSON_PADDING);
    dom::element element;
    simdjson::error_code error =
        parser->parser
            .parse_into_document(parser->documents[slot], parser->buffer, bytes.size, false)
            .get(element);
    if (error) {
        *why = simdjson::error_message(error);
        return false;
    }
    *root = value_of(element);
    return true;
}

static void json_open(const scan_value *value, scan_cursor *cursor)
{
    cursor->kind = value->kind;
    if (value->kind == SCAN_VALUE_MAP)
        open_range<dom::object>(value, cursor);
    else
        open_range<dom::array>(value, cursor);
}

static bool json_next(scan_cursor *cursor, scan_span *key, scan_value *item)
{
    if (cursor->kind == SCAN_VALUE_MAP) {
        auto *range = range_in<dom::object>(cursor);
        if (!(range->at != range->end))
            return false;
        *key = span_of(range->at.key());
        *item = value_of(range->at.value());
        ++range->at;
        return true;
    }
    auto *range = range_in<dom::array>(cursor);
    if (!(range->at != range->end))
        return false;
    *item = value_of(*range->at);
    ++range->at;
    return true;
}

bool scan_utf8_is_valid(const uint8_t *bytes, size_t size)
{
    return simdjson::validate_utf8(reinterpret_cast<const char *>(bytes), size);
}

const scan_body scan_body_json = {
    json_create, json_destroy, json_trim, json_parse, json_open, json_next, false, "JSON",
};
}
