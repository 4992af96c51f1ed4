/// keys.c: fuzz target: CURVE keys as a user gives them (curve_z85.h, curve.h).
///
///     input   public key | C1 C1 | secret key | C1 C1 | any text
///
/// Checked: what is decoded, encoded again, is the same text; a pair that is accepted is a pair;
/// a refusal says nothing of the keys.
#include "curve_pair.h"

#include "../../CSources/CTransport/native/curve_z85.h"

/// RFC 32 backwards: `size` bytes, a multiple of 4, into `size / 4 * 5` characters.
static char *encode(const uint8_t *bytes, size_t size)
{
    static const char DIGITS[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 ".-:+=^!/*?&<>()[]{}@%$#";
    char *text = malloc(size / 4 * 5 + 1);
    for (size_t i = 0; i < size / 4; i++) {
        uint32_t value = 0;
        for (size_t j = 0; j < 4; j++)
            value = value << 8 | bytes[i * 4 + j];
        for (size_t j = 5; j-- > 0; value /= 85)
            text[i * 5 + j] = DIGITS[value % 85];
    }
    text[size / 4 * 5] = 0;
    return text;
}

static void check_decode(fuzz_input in)
{
    char *text = (char *)fuzz_copy(in.data, in.size);
    uint8_t *out = malloc(in.size / 5 * 4 + 1);
    if (native_z85_decode(text, in.size, out)) {
        FUZZ_REQUIRE(in.size % 5 == 0, "%zu characters decoded", in.size);
        char *again = encode(out, in.size / 5 * 4);
        FUZZ_REQUIRE(memcmp(again, text, in.size) == 0, "%.*s became %s", (int)in.size, text,
                     again);
        free(again);
    }
    free(out);
    free(text);
}

static void check_encode(fuzz_input in)
{
    size_t size = in.size / 4 * 4;
    char *text = encode(in.data, size);
    uint8_t *out = malloc(size + 1);
    FUZZ_REQUIRE(native_z85_decode(text, size / 4 * 5, out), "%s is refused", text);
    FUZZ_REQUIRE(size == 0 || memcmp(out, in.data, size) == 0, "%s is decoded to others", text);
    free(out);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, size};
    char *public_z85 = fuzz_text(fuzz_field(&in)), *secret_z85 = fuzz_text(fuzz_field(&in));
    native_curve_keys keys;
    uint8_t derived[NATIVE_CURVE_KEY_SIZE];
    const char *reason = native_curve_keys_read(&keys, public_z85, secret_z85);
    if (!reason) {
        crypto_scalarmult_base(derived, keys.secret_key);
        FUZZ_REQUIRE(memcmp(derived, keys.public_key, sizeof derived) == 0, "no pair: accepted");
        char *again = encode(keys.public_key, sizeof keys.public_key);
        FUZZ_REQUIRE(strcmp(again, public_z85) == 0, "%s became %s", public_z85, again);
        free(again);
    } else {
        FUZZ_REQUIRE(strlen(public_z85) < 8 || !strstr(reason, public_z85), "told: %s", reason);
        FUZZ_REQUIRE(strlen(secret_z85) < 8 || !strstr(reason, secret_z85), "told: %s", reason);
    }
    native_curve_keys_wipe(&keys);
    check_decode(in);
    check_encode(in);
    free(public_z85);
    free(secret_z85);
    return 0;
}
