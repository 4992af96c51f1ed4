/// native_support.c: see native_support.h.
#include "native_support.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../CSources/CTransport/native/peer.h"

struct support_protocol {
    native_peer peer;
    native_link link;
    char *log;
    size_t log_size;
    uint8_t *output;
    size_t output_size;
};

static void say(support_protocol *self, const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    size = size < (int)sizeof line ? size : (int)sizeof line - 1;
    self->log = realloc(self->log, self->log_size + (size_t)size + 1);
    memcpy(self->log + self->log_size, line, (size_t)size + 1);
    self->log_size += (size_t)size;
}

static const char *ready(native_peer *peer, native_bytes identity)
{
    say((support_protocol *)peer, "ready %.*s\n", (int)identity.size, (const char *)identity.data);
    return NULL;
}

static const char *message_came(native_peer *peer, native_block *block)
{
    support_protocol *self = (support_protocol *)peer;
    uint64_t hash = 14695981039346656037ull;
    say(self, "message %u:", block->head.frame_count);
    for (uint32_t i = 0; i < block->head.frame_count; i++) {
        const message_frame *frame = &block->head.frames[i];
        if (i < 20)
            say(self, "%llu,", (unsigned long long)frame->size);
        for (uint64_t j = 0; j < frame->size; j++)
            hash = (hash ^ frame->data[j]) * 1099511628211ull;
    }
    say(self, " #%llx\n", (unsigned long long)hash);
    native_block_dispose(&block->head);
    return NULL;
}

static const char *subscription(native_peer *peer, bool subscribes, native_bytes topic)
{
    say((support_protocol *)peer, "%s %.*s\n", subscribes ? "subscribe" : "cancel", (int)topic.size,
        (const char *)topic.data);
    return NULL;
}

static void output(native_peer *peer, native_bytes bytes)
{
    support_protocol *self = (support_protocol *)peer;
    self->output = realloc(self->output, self->output_size + bytes.size);
    memcpy(self->output + self->output_size, bytes.data, bytes.size);
    self->output_size += bytes.size;
}

static void command(native_peer *peer, native_bytes body)
{
    say((support_protocol *)peer, "command %.*s %zu\n", body.data[0], (const char *)body.data + 1,
        body.size);
}

static const native_host HOST = {ready, message_came, subscription, output, command};

support_protocol *support_protocol_create(int socket, uint64_t frame_bytes_max)
{
    support_protocol *self = calloc(1, sizeof *self);
    self->link = (native_link){.socket = (native_socket)socket,
                               .server = true,
                               .mechanism = &NATIVE_NULL,
                               .sizes = {frame_bytes_max, UINT64_MAX, NATIVE_FRAMES_MAX},
                               .pool = transport_pool_create(NATIVE_POOL_KEPT_BYTES_MAX)};
    native_link_set_metadata(&self->link, NULL);
    say(self, "%s", "");
    native_peer_open(&self->peer, &self->link, &HOST);
    return self;
}

void support_protocol_limit(support_protocol *self, uint64_t message_bytes_max, uint32_t frames_max)
{
    self->link.sizes.message_bytes_max = message_bytes_max;
    self->link.sizes.frames_max = frames_max;
}

uint32_t support_protocol_dropped(const support_protocol *self)
{
    return self->peer.dropped_messages;
}

uint32_t support_protocol_promised(const support_protocol *self)
{
    return self->peer.promised_tenths;
}

void support_protocol_destroy(support_protocol *self)
{
    native_peer_close(&self->peer);
    transport_pool_destroy(self->link.pool);
    free(self->link.metadata);
    free(self->log);
    free(self->output);
    free(self);
}

const char *support_protocol_feed(support_protocol *self, const uint8_t *bytes, size_t size)
{
    return native_peer_feed(&self->peer, (native_bytes){bytes, size});
}

const char *support_protocol_log(const support_protocol *self)
{
    return self->log;
}

const uint8_t *support_protocol_output(const support_protocol *self, size_t *size)
{
    *size = self->output_size;
    return self->output;
}
