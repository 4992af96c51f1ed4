/// peer.c: fuzz target: one connection's protocol without encryption (peer.h): greeting, handshake,
/// messages, subscriptions, PING.
///
///     input   options: 1 | largest frame: 1 | events until the host refuses: 1 | split seed: 1 |
///             the peer's bytes
///     options bits 0-1 socket; 2 bound; 3 the bytes begin behind a good handshake;
///             4 E5 n a b stands for n + 1 times the bytes a b; from n = 128 on, for
///             (n - 127) * 512 times
///
/// Checked: cut into pieces in any way, and fed from where the peer gives room, the same bytes give
/// the same events, the same answers, the same reason in the same order; behind a good handshake
/// they are those of peer_reference.c; a message agrees with its wire form (host.c).
#include "peer_reference.h"

/// What E5 makes of a few bytes: frames of 64 KiB and more, messages of more than 65,535 frames.
#define STREAM_SIZE_MAX (160u << 10)

typedef enum pieces { ALL, SMALL, RANDOM, ROOM } pieces;

static void expand(fuzz_input in, bool repeats, host_bytes *out)
{
    while (in.size > 0 && out->size < STREAM_SIZE_MAX) {
        uint8_t byte = fuzz_byte(&in);
        if (!repeats || byte != 0xe5) {
            host_append(out, &byte, 1);
            continue;
        }
        size_t count = fuzz_byte(&in);
        count = count < 128 ? count + 1 : (count - 127) * 512;
        uint8_t pair[2] = {fuzz_byte(&in), fuzz_byte(&in)};
        for (size_t i = 0; i < count && out->size < STREAM_SIZE_MAX; i++)
            host_append(out, pair, sizeof pair);
    }
}

/// A peer's bytes up to where traffic begins.
static void good_handshake(native_socket socket, host_bytes *out)
{
    static const char *const TYPE[] = {"", "DEALER", "ROUTER", "SUB", "PUB"};
    uint8_t greeting[NATIVE_GREETING_SIZE], body[64];
    native_greeting_write(greeting, "NULL", false);
    host_append(out, greeting, sizeof greeting);
    size_t size = native_command_begin(body, "READY");
    size += native_property_write(body + size, "Socket-Type", TYPE[socket], strlen(TYPE[socket]));
    uint8_t head[2] = {FRAME_COMMAND, (uint8_t)size};
    host_append(out, head, sizeof head);
    host_append(out, body, size);
}

static size_t piece(pieces how, size_t left, size_t whole, uint64_t *random)
{
    size_t size = left;
    if (how == SMALL) // byte by byte, if that is not for ever
        size = whole <= 4096 ? 1 : 1021;
    else if (how != ALL)
        size = 1 + fuzz_random(random) % (fuzz_random(random) % 2 ? 16 : 1 + whole / 2);
    return size < left ? size : left;
}

static const char *run(host *self, native_link link, uint8_t allowed, const host_bytes *stream,
                       pieces how, uint64_t random)
{
    const char *reason = NULL;
    host_open(self, link, "task_in");
    if (allowed)
        self->events_allowed = allowed;
    for (size_t at = 0; at < stream->size && !reason;) {
        size_t size = piece(how, stream->size - at, stream->size, &random);
        const uint8_t *data = stream->data + at;
        reactor_room room = how == ROOM ? native_peer_room(&self->peer) : (reactor_room){0};
        if (room.data) {
            size = room.size < size ? room.size : size;
            data = memcpy(room.data, data, size);
        }
        reason = host_feed(self, data, size);
        at += size;
    }
    return reason;
}

static void check_equal(const host *whole, const char *whole_reason, const host *cut,
                        const char *cut_reason)
{
    const char *expected = whole_reason ? whole_reason : "";
    const char *reason = cut_reason ? cut_reason : "";
    FUZZ_REQUIRE(strcmp(expected, reason) == 0, "\"%s\" whole, \"%s\" in pieces", expected, reason);
    FUZZ_REQUIRE(host_is_equal(&whole->log, &cut->log), "other events in pieces: %zu, %zu bytes",
                 whole->log.size, cut->log.size);
    FUZZ_REQUIRE(host_is_equal(&whole->output, &cut->output), "other output in pieces");
    FUZZ_REQUIRE(whole->peer.phase == cut->peer.phase &&
                     whole->peer.dropped_messages == cut->peer.dropped_messages,
                 "phases %d, %d; dropped %u, %u", whole->peer.phase, cut->peer.phase,
                 whole->peer.dropped_messages, cut->peer.dropped_messages);
}

/// `traffic`: the bytes behind the handshake, which was a good one.
static void check_reference(const host *whole, const char *reason, fuzz_input traffic)
{
    peer_reference wanted =
        peer_reference_read(traffic.data, traffic.size, whole->link.sizes.frame_bytes_max);
    host_bytes log = {0};
    host_log_event(&log, 'R', NULL, 0);
    host_append(&log, wanted.log.data, wanted.log.size);
    FUZZ_REQUIRE((reason != NULL) == wanted.closes, "closes: %d: %s", wanted.closes,
                 reason ? reason : "stays");
    FUZZ_REQUIRE(host_is_equal(&whole->log, &log), "other events: %zu bytes, %zu expected",
                 whole->log.size, log.size);
    FUZZ_REQUIRE(whole->peer.dropped_messages == wanted.dropped, "%u dropped, %u expected",
                 whole->peer.dropped_messages, wanted.dropped);
    free(wanted.log.data);
    free(log.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, size};
    uint8_t options = fuzz_byte(&in), largest = fuzz_byte(&in), allowed = fuzz_byte(&in);
    uint64_t seed = fuzz_byte(&in);
    native_link link = {
        .socket = (native_socket)(1 + (options & 3)),
        .server = options & 4,
        .mechanism = &NATIVE_NULL,
        .sizes = {.frame_bytes_max = largest ? (uint64_t)largest * largest : UINT64_MAX,
                  .message_bytes_max = UINT64_MAX,
                  .frames_max = NATIVE_FRAMES_MAX},
    };
    host_bytes stream = {0};
    if (options & 8)
        good_handshake(link.socket, &stream);
    size_t handshake_size = stream.size;
    expand(in, options & 16, &stream);

    host whole, cut;
    const char *reason = run(&whole, link, allowed, &stream, ALL, 0);
    fuzz_input traffic = {stream.data + handshake_size, stream.size - handshake_size};
    if (handshake_size > 0 && allowed == 0)
        check_reference(&whole, reason, traffic);
    for (pieces how = SMALL; how <= ROOM; how++) {
        const char *cut_reason = run(&cut, link, allowed, &stream, how, seed);
        check_equal(&whole, reason, &cut, cut_reason);
        host_close(&cut);
    }
    host_close(&whole);
    free(stream.data);
    return 0;
}
