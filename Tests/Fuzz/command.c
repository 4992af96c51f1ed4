/// command.c: fuzz target: a command's body and metadata (codec.h).
///
///     input   a command's body: name size | name | data; the data are read as metadata, too
///
/// Checked: name and data, and all properties, cover the bytes without a gap or an overlap; what
/// is written from them again is the same bytes; nothing is taken from metadata that are cut short.
#include "fuzz.h"

#include "../../CSources/CTransport/native/codec.h"

/// The codec writes names from C strings; others come from peers alone.
static bool is_c_string(native_bytes bytes)
{
    return memchr(bytes.data, 0, bytes.size) == NULL;
}

static void check_are(native_bytes bytes)
{
    char *text = fuzz_text((fuzz_input){bytes.data, bytes.size});
    FUZZ_REQUIRE(native_bytes_are(bytes, text) == (strlen(text) == bytes.size), "%s", text);
    free(text);
}

/// `property` is what was read from `at`.
static void check_written(native_read property, native_bytes name, native_bytes value,
                          const uint8_t *at)
{
    FUZZ_REQUIRE(name.data == at + 1 && name.size == at[0] && name.size > 0, "a name elsewhere");
    FUZZ_REQUIRE(value.data == name.data + name.size + 4, "a value elsewhere");
    FUZZ_REQUIRE(value.data + value.size == at + property.used, "a value of %zu", value.size);
    check_are(name);
    if (!is_c_string(name))
        return;
    char *text = fuzz_text((fuzz_input){name.data, name.size});
    uint8_t *out = malloc(property.used);
    size_t size = native_property_write(out, text, value.data, value.size);
    FUZZ_REQUIRE(size == property.used && memcmp(out, at, size) == 0, "%s written again", text);
    free(out);
    free(text);
}

static void check_metadata(native_bytes metadata)
{
    uint8_t *copy = fuzz_copy(metadata.data, metadata.size);
    native_bytes left = {copy, metadata.size};
    while (left.size > 0) {
        native_bytes name, value;
        native_read property = native_property_read(left, &name, &value);
        FUZZ_REQUIRE((property.used == 0) == (property.reason != NULL), "neither read nor refused");
        if (property.reason)
            break;
        FUZZ_REQUIRE(property.used <= left.size, "%zu of %zu used", property.used, left.size);
        check_written(property, name, value, left.data);
        // A shorter one is never taken for a whole one.
        native_bytes cut = {fuzz_copy(left.data, property.used - 1), property.used - 1};
        FUZZ_REQUIRE(native_property_read(cut, &name, &value).reason, "read though cut short");
        free((void *)cut.data);
        left.data += property.used;
        left.size -= property.used;
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    native_bytes body = {fuzz_copy(data, size), size}, name, command_data;
    bool fits = size > 0 && data[0] > 0 && data[0] < size;
    FUZZ_REQUIRE(native_command_split(body, &name, &command_data) == fits, "fits: %d", fits);
    if (fits) {
        FUZZ_REQUIRE(name.data == body.data + 1 && name.size == body.data[0], "a name elsewhere");
        FUZZ_REQUIRE(command_data.data == name.data + name.size &&
                         command_data.data + command_data.size == body.data + size,
                     "data elsewhere");
        check_are(name);
        uint8_t out[256];
        char *text = fuzz_text((fuzz_input){name.data, name.size});
        size_t written = native_command_begin(out, text);
        FUZZ_REQUIRE(!is_c_string(name) ||
                         (written == 1 + name.size && memcmp(out, data, written) == 0),
                     "%s written again", text);
        free(text);
        check_metadata(command_data);
    }
    free((void *)body.data);
    return 0;
}
