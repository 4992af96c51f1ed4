/// curve_stream.c: fuzz target: two peers over CURVE (peer.h, curve.h), their bytes cut into
/// pieces, one byte of them perhaps altered.
///
///     input   altered: 1 (0: none, odd: to the server, even: to the client) | where: 2 | by: 1 |
///             seed: 1 | messages: for each frame its size: 1, more: 1, bytes
///
/// Checked: what arrives is what was sent, in order and whole; if a byte was altered, the first so
/// many of it and nothing else.
#include "curve_pair.h"
#include "host.h"

#define FRAMES_MAX 32u

typedef struct line {
    host *to;
    size_t altered_at; ///< SIZE_MAX: nowhere
    uint8_t by;
    size_t passed;
    uint64_t *random;
    const char *reason;
} line;

/// All that `from` wants to send, in pieces.
static void pass(line *self, host_bytes *from)
{
    size_t at = 0;
    while (at < from->size && !self->reason) {
        size_t size = 1 + fuzz_random(self->random) % 300;
        size = size < from->size - at ? size : from->size - at;
        if (self->altered_at >= self->passed && self->altered_at < self->passed + size)
            from->data[at + self->altered_at - self->passed] ^= self->by;
        self->reason = host_feed(self->to, from->data + at, size);
        self->passed += size;
        at += size;
    }
    from->size = 0;
}

/// What the input says to send, sealed into `from->output`; logged into `sent` as it must arrive.
static void write_messages(host *from, fuzz_input in, host_bytes *sent)
{
    message_frame frames[FRAMES_MAX];
    uint32_t count = 0;
    native_mechanism *mechanism = from->peer.mechanism;
    while (in.size > 0) {
        size_t size = fuzz_byte(&in) * 3u;
        bool more = (fuzz_byte(&in) & 1) && count + 1 < FRAMES_MAX;
        fuzz_input plain = fuzz_take(&in, size);
        more &= in.size > 0;
        uint8_t head[FRAME_HEAD_SIZE_MAX], sealed[255 * 3 + NATIVE_CURVE_OVERHEAD];
        size_t sealed_size = plain.size + NATIVE_CURVE_OVERHEAD;
        size_t head_size = frame_head_write(head, sealed_size, 0);
        mechanism->ops->seal(mechanism, more ? FRAME_MORE : 0,
                             (native_bytes){plain.data, plain.size}, sealed);
        host_append(&from->output, head, head_size);
        host_append(&from->output, sealed, sealed_size);
        frames[count++] = (message_frame){plain.data, plain.size};
        if (!more) {
            host_log_message(sent, frames, count);
            count = 0;
        }
    }
}

static void check_arrived(const host *at, size_t log_before, const host_bytes *sent, bool altered)
{
    size_t size = at->log.size - log_before;
    FUZZ_REQUIRE(size <= sent->size && (altered || size == sent->size), "%zu bytes of %zu", size,
                 sent->size);
    FUZZ_REQUIRE(size == 0 || memcmp(at->log.data + log_before, sent->data, size) == 0,
                 "something else arrived");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, size};
    uint8_t altered = fuzz_byte(&in);
    size_t where = fuzz_byte(&in) * 256u;
    where += fuzz_byte(&in);
    uint8_t by = fuzz_byte(&in);
    uint64_t random = fuzz_byte(&in);
    bool is_altered = altered && by;

    curve_pair pairs[2];
    host client, server;
    for (size_t i = 0; i < 2; i++)
        curve_pair_make(&pairs[i], random + i);
    native_link link = {.mechanism = &NATIVE_CURVE,
                        .sizes = {UINT32_MAX, UINT64_MAX, NATIVE_FRAMES_MAX}};
    link.socket = NATIVE_DEALER, link.security.curve = &pairs[0].keys;
    host_open(&client, link, "client");
    link.socket = NATIVE_ROUTER, link.security.curve = &pairs[1].keys, link.server = true;
    host_open(&server, link, NULL);

    line to_server = {&server, altered & 1 ? where : SIZE_MAX, by, 0, &random, NULL};
    line to_client = {&client, altered && !(altered & 1) ? where : SIZE_MAX, by, 0, &random, NULL};
    while (!to_server.reason && !to_client.reason && client.output.size + server.output.size > 0) {
        pass(&to_server, &client.output);
        pass(&to_client, &server.output);
    }
    bool both_ready = client.ready && server.ready;
    FUZZ_REQUIRE(both_ready || is_altered, "no handshake: %s, %s", to_server.reason,
                 to_client.reason);
    if (both_ready && !to_server.reason && !to_client.reason) {
        host_bytes sent = {0};
        size_t at_client = client.log.size, at_server = server.log.size;
        write_messages(&client, in, &sent);
        pass(&to_server, &client.output);
        check_arrived(&server, at_server, &sent, is_altered && (altered & 1));
        sent.size = 0;
        write_messages(&server, in, &sent);
        pass(&to_client, &server.output);
        check_arrived(&client, at_client, &sent, is_altered && !(altered & 1));
        free(sent.data);
    }
    host_close(&client);
    host_close(&server);
    return 0;
}
