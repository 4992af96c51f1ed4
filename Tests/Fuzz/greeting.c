/// greeting.c: fuzz target: the first 64 bytes of a connection (codec.h).
///
///     input   mechanism: 1 (odd: CURVE, else NULL) | greeting
///
/// Checked: the verdict on 64 bytes is that of RFC 23 read field by field; a refusal is final and
/// a greeting that is right is never refused half-way; our own is right.
#include "fuzz.h"

#include "../../CSources/CTransport/native/codec.h"

/// Signature, major version, mechanism with its padding. The rest is the peer's affair.
static bool is_right(const uint8_t greeting[NATIVE_GREETING_SIZE], const char *mechanism)
{
    bool right = greeting[0] == 0xff && (greeting[9] & 1) && greeting[10] >= 3;
    for (size_t i = 0; i < NATIVE_MECHANISM_NAME_SIZE; i++)
        right &= greeting[12 + i] == (i < strlen(mechanism) ? (uint8_t)mechanism[i] : 0);
    return right;
}

static native_read read_exactly(const uint8_t *data, size_t size, const char *mechanism)
{
    uint8_t *copy = fuzz_copy(data, size);
    native_read read = native_greeting_read(copy, size, mechanism);
    free(copy);
    FUZZ_REQUIRE(read.used == 0 || (read.used == NATIVE_GREETING_SIZE && read.used <= size),
                 "%zu of %zu bytes used", read.used, size);
    FUZZ_REQUIRE(!read.reason || read.used == 0, "used and refused: %s", read.reason);
    return read;
}

static void check_every_prefix(const uint8_t *data, size_t size, const char *mechanism)
{
    bool refused = false;
    for (size_t i = 0; i <= size && i <= NATIVE_GREETING_SIZE + 2; i++) {
        native_read read = read_exactly(data, i, mechanism);
        FUZZ_REQUIRE(!refused || read.reason, "refused before, not with %zu bytes", i);
        refused = read.reason != NULL;
        FUZZ_REQUIRE(refused || (read.used > 0) == (i >= NATIVE_GREETING_SIZE),
                     "no verdict with %zu bytes", i);
    }
    if (size >= NATIVE_GREETING_SIZE)
        FUZZ_REQUIRE(refused != is_right(data, mechanism), "refused: %d", refused);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, size};
    const char *mechanism = fuzz_byte(&in) & 1 ? "CURVE" : "NULL";
    check_every_prefix(in.data, in.size, mechanism);

    uint8_t own[NATIVE_GREETING_SIZE];
    native_greeting_write(own, mechanism, in.size & 1);
    FUZZ_REQUIRE(is_right(own, mechanism), "our own greeting, for %s", mechanism);
    check_every_prefix(own, sizeof own, mechanism);
    return 0;
}
