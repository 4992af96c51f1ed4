/// signature.c: fuzz target: signatures of messages (sign.h).
///
///     input   scheme: 1 | size of the key: 1 | key | where to cut: 3 | which byte to alter: 1 |
///             the signed bytes
///
/// Checked: a signature is verified, whatever parts the bytes are cut into; one of other bytes, of
/// another size or with any one character changed is not; many at once are as one by one.
#include "fuzz.h"

#include "../../CSources/CSign/include/sign.h"

static signer *make_signer(uint8_t scheme, fuzz_input key)
{
    static const char *const SCHEMES[] = {"hmac-sha256", "hmac-sha512",   "hmac-md5",
                                          "hmac-sha1",   "hmac-sha3_256", "hmac-blake2b"};
    char error[200];
    size_t count = sizeof SCHEMES / sizeof SCHEMES[0];
    signer *made = signer_create(SCHEMES[scheme % count], key.data, key.size, error, sizeof error);
    FUZZ_REQUIRE(made, "%s", error);
    return made;
}

static void check_refused(signer *self, const signer_part *part, const uint8_t *hex, size_t size,
                          const char *what)
{
    uint8_t *copy = fuzz_copy(hex, size);
    FUZZ_REQUIRE(!signer_verify(self, part, 1, copy, size), "verified: %s", what);
    free(copy);
}

/// Many at once, each what lies behind another byte, are as each alone.
static void check_many(signer *self, fuzz_input in, size_t count)
{
    enum { MANY = 80 };
    signer_part parts[MANY];
    signer_job jobs[MANY];
    signer_check checks[MANY];
    char hex[MANY][SIGNER_HEX_MAX], alone[SIGNER_HEX_MAX];
    for (size_t i = 0; i < count; i++) {
        size_t from = i * 37 % (in.size + 1);
        parts[i] = (signer_part){in.data + from, in.size - from};
        jobs[i] = (signer_job){parts + i, 1, hex[i]};
    }
    FUZZ_REQUIRE(signer_sign_all(self, jobs, count), "%zu are not signed", count);
    size_t size = signer_hex_size(self);
    for (size_t i = 0; i < count; i++) {
        signer_sign(self, parts + i, 1, alone);
        FUZZ_REQUIRE(!memcmp(hex[i], alone, size), "%zu of %zu has another signature", i, count);
        if (i % 3 == 1 && size > 0)
            hex[i][i % size] ^= 1;
        checks[i] = (signer_check){parts + i, 1, (const uint8_t *)hex[i], size, false};
    }
    signer_verify_all(self, checks, count);
    for (size_t i = 0; i < count; i++)
        FUZZ_REQUIRE(checks[i].valid == (i % 3 != 1 || size == 0), "%zu of %zu", i, count);
}

static void check(signer *self, fuzz_input cuts, uint8_t altered, fuzz_input in)
{
    uint8_t *bytes = fuzz_copy(in.data, in.size);
    signer_part whole = {bytes, in.size}, parts[4];
    size_t at = 0, hex_size = signer_hex_size(self);
    for (size_t i = 0; i < 4; i++) {
        size_t left = in.size - at;
        size_t size = i == 3 ? left : i < cuts.size ? cuts.data[i] % (left + 1) : 0;
        parts[i] = (signer_part){bytes + at, size};
        at += size;
    }
    char hex[SIGNER_HEX_MAX], of_parts[SIGNER_HEX_MAX];
    size_t size = signer_sign(self, &whole, 1, hex);
    FUZZ_REQUIRE(size == hex_size && size <= SIGNER_HEX_MAX, "%zu, not %zu", size, hex_size);
    FUZZ_REQUIRE(signer_sign(self, parts, 4, of_parts) == size && !memcmp(hex, of_parts, size),
                 "another signature of the same bytes in parts");
    uint8_t *given = fuzz_copy(hex, size);
    FUZZ_REQUIRE(signer_verify(self, parts, 4, given, size), "our own is refused");
    if (size > 0) {
        check_refused(self, &whole, given, size - 1, "a shorter one");
        given[altered % size] ^= 1 + altered % 127;
        check_refused(self, &whole, given, size, "an altered one");
        given[altered % size] ^= 1 + altered % 127;
        if (in.size > 0) {
            bytes[altered % in.size] ^= 0x10;
            check_refused(self, &whole, given, size, "that of other bytes");
        }
    }
    free(given);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, size};
    uint8_t scheme = fuzz_byte(&in), key_size = fuzz_byte(&in);
    fuzz_input key = fuzz_take(&in, key_size), cuts = fuzz_take(&in, 3);
    uint8_t altered = fuzz_byte(&in);
    signer *self = make_signer(scheme, key);
    FUZZ_REQUIRE((signer_hex_size(self) == 0) == (key.size == 0), "a key of %zu", key.size);
    check(self, cuts, altered, in);
    check_many(self, in, altered % 81);
    signer_destroy(self);
    return 0;
}
