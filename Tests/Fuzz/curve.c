/// curve.c: fuzz target: the CURVE handshake and sealed frames (curve.h), a command at a time.
///
///     input   what is altered: 1 | how: 1 | where: 2 | by what: 1 | seed: 1 |
///             size of the client's metadata / 8: 1 | of the server's: 1 | bytes for all of these
///     what    0-3 HELLO, WELCOME, INITIATE, READY; 4, 5 a sealed frame to the server, to the
///             client; else nothing
///
/// Checked: a command or a frame that is not the peer's, byte for byte, is refused when it comes;
/// one that is, is taken, metadata and frames arrive as they were, and nothing is taken twice.
#include "curve_pair.h"

typedef struct alteration {
    uint8_t stage, how, by;
    size_t where;
    fuzz_input raw;
} alteration;

typedef struct side {
    curve_pair pair;
    native_mechanism *mechanism;
    native_bytes metadata;
} side;

static bool same(native_bytes a, const uint8_t *data, size_t size)
{
    return a.size == size && (size == 0 || memcmp(a.data, data, size) == 0);
}

/// `body` of `size` bytes as the peer gets it; `*size` is what it became.
static uint8_t *alter(const alteration *self, const uint8_t *body, size_t *size)
{
    size_t old = *size;
    if (self->how % 4 == 3) {
        *size = self->raw.size;
        return fuzz_copy(self->raw.data, self->raw.size);
    }
    if (self->how % 4 == 1)
        *size -= self->where % (old + 1);
    if (self->how % 4 == 2)
        *size += self->where % 64;
    uint8_t *copy = malloc(*size ? *size : 1);
    for (size_t i = 0; i < *size; i++)
        copy[i] = i < old ? body[i] : self->by;
    if (self->how % 4 == 0)
        copy[self->where % old] ^= self->by;
    return copy;
}

/// One command to `to`. False when it was refused, which must be said of altered ones and of no
/// others, but for metadata that are too large.
static bool pass(const alteration *altered, uint8_t stage, side *to, const uint8_t *body,
                 size_t size, native_bytes expected, uint8_t *out, size_t *out_size, bool too_large)
{
    size_t given_size = size;
    uint8_t *given =
        altered->stage == stage ? alter(altered, body, &given_size) : fuzz_copy(body, size);
    bool is_same = same((native_bytes){given, given_size}, body, size);
    native_step step =
        to->mechanism->ops->step(to->mechanism, (native_bytes){given, given_size}, out);
    FUZZ_REQUIRE(step.out_size <= NATIVE_HANDSHAKE_COMMAND_MAX, "writes %zu", step.out_size);
    FUZZ_REQUIRE((step.reason == NULL) == (is_same && !too_large), "stage %u, same %d: %s", stage,
                 is_same, step.reason ? step.reason : "taken");
    FUZZ_REQUIRE(!step.reason || (!step.done && !step.metadata.data), "refused and done");
    if (step.done)
        FUZZ_REQUIRE(same(step.metadata, expected.data, expected.size), "other metadata");
    free(given);
    *out_size = step.out_size;
    return step.reason == NULL;
}

static bool shake_hands(const alteration *altered, side *client, side *server)
{
    uint8_t a[NATIVE_HANDSHAKE_COMMAND_MAX], b[NATIVE_HANDSHAKE_COMMAND_MAX];
    size_t a_size, b_size;
    // INITIATE holds the client's; READY and what it answers share one room (mechanism.h).
    bool client_too_large = 257 + client->metadata.size > sizeof a;
    bool both_too_large = 30 + server->metadata.size + client->metadata.size > sizeof a;
    native_bytes none = {NULL, 0};
    native_step hello = client->mechanism->ops->start(client->mechanism, a);
    native_step nothing = server->mechanism->ops->start(server->mechanism, b);
    FUZZ_REQUIRE(!hello.reason && !hello.done && hello.out_size == 200, "HELLO");
    FUZZ_REQUIRE(!nothing.reason && !nothing.done && nothing.out_size == 0, "a server begins");
    return pass(altered, 0, server, a, hello.out_size, none, b, &b_size, false) &&
           pass(altered, 1, client, b, b_size, none, a, &a_size, client_too_large) &&
           pass(altered, 2, server, a, a_size, client->metadata, b, &b_size, both_too_large) &&
           pass(altered, 3, client, b, b_size, server->metadata, a, &a_size, false);
}

/// One frame from `from` to `to`, sealed, perhaps altered, opened, and opened again.
static void send_frame(const alteration *altered, uint8_t stage, side *from, side *to,
                       uint8_t flags, fuzz_input plain)
{
    size_t size = plain.size + NATIVE_CURVE_OVERHEAD, given_size = size;
    uint8_t *sealed = malloc(size), opened_flags = 0xff;
    native_bytes opened;
    from->mechanism->ops->seal(from->mechanism, flags, (native_bytes){plain.data, plain.size},
                               sealed);
    uint8_t *given =
        altered->stage == stage ? alter(altered, sealed, &given_size) : fuzz_copy(sealed, size);
    bool is_same = same((native_bytes){given, given_size}, sealed, size);
    // As much room as was given, at another place or at the same.
    size_t room_size = given_size > size ? given_size : size;
    uint8_t *other = malloc(room_size ? room_size : 1), *room = altered->by & 1 ? other : given;
    if (room == given && given_size < size)
        room = other;
    const char *reason =
        to->mechanism->ops->open(to->mechanism, given, given_size, room, &opened, &opened_flags);
    FUZZ_REQUIRE((reason == NULL) == is_same, "%s", reason ? reason : "altered, and opened");
    if (!reason) {
        FUZZ_REQUIRE(opened.data >= room && opened.data + opened.size <= room + given_size,
                     "opened elsewhere");
        FUZZ_REQUIRE(same(opened, plain.data, plain.size), "opened to other bytes");
        FUZZ_REQUIRE(opened_flags == flags, "flags %x became %x", flags, opened_flags);
        FUZZ_REQUIRE(
            to->mechanism->ops->open(to->mechanism, sealed, size, room, &opened, &opened_flags),
            "opened a second time");
    }
    free(other);
    free(given);
    free(sealed);
}

static void side_make(side *self, bool server, uint64_t seed, fuzz_input metadata)
{
    curve_pair_make(&self->pair, seed);
    self->metadata = (native_bytes){metadata.data, metadata.size};
    native_security security = {&self->pair.keys};
    self->mechanism = NATIVE_CURVE.create(&security, server, self->metadata);
    FUZZ_REQUIRE(self->mechanism, "no memory");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t FLAGS[] = {0, FRAME_MORE, FRAME_COMMAND};
    fuzz_input in = {data, size};
    alteration altered = {.stage = fuzz_byte(&in), .how = fuzz_byte(&in)};
    altered.where = fuzz_byte(&in) * 256u;
    altered.where += fuzz_byte(&in);
    altered.by = fuzz_byte(&in);
    uint8_t seed = fuzz_byte(&in);
    size_t client_size = fuzz_byte(&in) * 8u, server_size = fuzz_byte(&in) * 8u;
    side client, server;
    side_make(&client, false, seed, fuzz_take(&in, client_size));
    side_make(&server, true, seed + 1000u, fuzz_take(&in, server_size));
    altered.raw = in;
    if (shake_hands(&altered, &client, &server)) {
        send_frame(&altered, 4, &client, &server, FLAGS[seed % 3], in);
        send_frame(&altered, 5, &server, &client, FLAGS[seed / 3 % 3], in);
        uint8_t out[NATIVE_HANDSHAKE_COMMAND_MAX];
        native_step late = NATIVE_CURVE.step(server.mechanism, (native_bytes){data, size}, out);
        FUZZ_REQUIRE(late.reason, "a handshake's command was taken after the handshake");
    }
    NATIVE_CURVE.destroy(client.mechanism);
    NATIVE_CURVE.destroy(server.mechanism);
    return 0;
}
