/// host.c: see host.h.
#include "host.h"

static void reserve(host_bytes *self, size_t size)
{
    if (self->size + size <= self->capacity)
        return;
    self->capacity = (self->size + size) * 2;
    self->data = realloc(self->data, self->capacity);
    FUZZ_REQUIRE(self->data, "no memory for %zu bytes", self->capacity);
}

void host_append(host_bytes *self, const void *data, size_t size)
{
    reserve(self, size);
    if (size)
        memcpy(self->data + self->size, data, size);
    self->size += size;
}

bool host_is_equal(const host_bytes *a, const host_bytes *b)
{
    return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

void host_log_event(host_bytes *log, char kind, const uint8_t *data, uint64_t size)
{
    reserve(log, 1 + sizeof size + size);
    uint8_t *at = log->data + log->size;
    *at = (uint8_t)kind;
    memcpy(at + 1, &size, sizeof size);
    if (size)
        memcpy(at + 1 + sizeof size, data, size);
    log->size += 1 + sizeof size + size;
}

static const char *allow(host *self)
{
    if (self->events_allowed == 0)
        return "is refused by the host";
    self->events_allowed--;
    return NULL;
}

void host_log_message(host_bytes *log, const message_frame *frames, uint32_t count)
{
    host_log_event(log, 'M', (const uint8_t *)&count, sizeof count);
    for (uint32_t i = 0; i < count; i++)
        host_log_event(log, 'f', frames[i].data, frames[i].size);
}

/// A message that came in one piece can be relayed as it stood on the wire.
static void check_wire(const native_block *block)
{
    const uint8_t *at = block->head.wire;
    const message *head = &block->head;
    for (uint32_t i = 0; at && i < head->frame_count; i++) {
        native_head frame;
        native_read read = native_head_read(at, FRAME_HEAD_SIZE_MAX, &frame);
        bool more = i + 1 < head->frame_count;
        FUZZ_REQUIRE(read.used > 0 && frame.flags == (more ? FRAME_MORE : 0),
                     "head %u of %u on the wire", i, head->frame_count);
        at += read.used;
        FUZZ_REQUIRE(head->frames[i].data == at && head->frames[i].size == frame.size,
                     "frame %u of %u on the wire", i, head->frame_count);
        at += frame.size;
    }
}

static const char *ready(native_peer *peer, native_bytes identity)
{
    host *self = (host *)peer;
    FUZZ_REQUIRE(!self->ready, "ready twice");
    FUZZ_REQUIRE(identity.size <= 255, "an identity of %zu bytes", identity.size);
    self->ready = true;
    host_log_event(&self->log, 'R', identity.data, identity.size);
    return allow(self);
}

static const char *message_came(native_peer *peer, native_block *block)
{
    host *self = (host *)peer;
    FUZZ_REQUIRE(self->ready, "a message before ready");
    FUZZ_REQUIRE(block->head.frame_count > 0, "a message without frames");
    check_wire(block);
    host_log_message(&self->log, block->head.frames, block->head.frame_count);
    native_block_dispose(&block->head);
    return allow(self);
}

static const char *subscription(native_peer *peer, bool subscribes, native_bytes topic)
{
    host *self = (host *)peer;
    FUZZ_REQUIRE(self->ready, "a subscription before ready");
    host_log_event(&self->log, subscribes ? 'S' : 'C', topic.data, topic.size);
    return allow(self);
}

static void output(native_peer *peer, native_bytes bytes)
{
    host *self = (host *)peer;
    FUZZ_REQUIRE(!self->ready || peer->phase != NATIVE_PHASE_TRAFFIC, "plain bytes in traffic");
    host_append(&self->output, bytes.data, bytes.size);
}

static void command(native_peer *peer, native_bytes body)
{
    host *self = (host *)peer;
    native_bytes name, data;
    FUZZ_REQUIRE(native_command_split(body, &name, &data), "a command without a name");
    host_log_event(&self->log, 'P', body.data, body.size);
}

static const native_host HOST = {ready, message_came, subscription, output, command};

void host_open(host *self, native_link link, const char *identity)
{
    *self = (host){.link = link, .events_allowed = UINT64_MAX};
    self->link.pool = transport_pool_create(1u << 20);
    FUZZ_REQUIRE(self->link.pool, "no memory");
    FUZZ_REQUIRE(native_link_set_metadata(&self->link, identity), "no memory");
    FUZZ_REQUIRE(native_peer_open(&self->peer, &self->link, &HOST), "no memory");
}

void host_close(host *self)
{
    native_peer_close(&self->peer);
    transport_pool_destroy(self->link.pool);
    free(self->link.metadata);
    free(self->log.data);
    free(self->output.data);
}

const char *host_feed(host *self, const uint8_t *data, size_t size)
{
    uint8_t *copy = fuzz_copy(data, size);
    const char *reason = native_peer_feed(&self->peer, (native_bytes){copy, size});
    free(copy);
    FUZZ_REQUIRE(!reason || *reason, "an empty reason");
    return reason;
}
