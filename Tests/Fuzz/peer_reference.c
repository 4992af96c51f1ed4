/// peer_reference.c: see peer_reference.h.
#include "peer_reference.h"

#define FRAMES_MAX 65535u

typedef struct plain_message {
    message_frame *frames;
    size_t count;
} plain_message;

static bool is_name(const uint8_t *name, size_t size, const char *text)
{
    return size == strlen(text) && memcmp(name, text, size) == 0;
}

/// False when it ends the connection.
static bool take_command(const uint8_t *body, size_t size, host_bytes *log)
{
    if (size == 0 || body[0] == 0 || size < 1u + body[0])
        return false;
    const uint8_t *name = body + 1, *data = name + body[0];
    size_t name_size = body[0], data_size = size - 1 - name_size;
    if (is_name(name, name_size, "SUBSCRIBE")) {
        host_log_event(log, 'S', data, data_size);
    } else if (is_name(name, name_size, "CANCEL")) {
        host_log_event(log, 'C', data, data_size);
    } else if (is_name(name, name_size, "PING")) {
        uint8_t pong[5 + 16] = "\4PONG";
        if (data_size < 2 || data_size > 2 + 16)
            return false;
        memcpy(pong + 5, data + 2, data_size - 2);
        host_log_event(log, 'P', pong, 5 + data_size - 2);
    }
    return !is_name(name, name_size, "ERROR");
}

static void take_frame(plain_message *message, const uint8_t *body, size_t size, bool more,
                       peer_reference *out)
{
    if (message->count < FRAMES_MAX)
        message->frames[message->count] = (message_frame){body, size};
    message->count++;
    if (more)
        return;
    if (message->count <= FRAMES_MAX)
        host_log_message(&out->log, message->frames, (uint32_t)message->count);
    else
        out->dropped++;
    message->count = 0;
}

peer_reference peer_reference_read(const uint8_t *data, size_t size, uint64_t frame_bytes_max)
{
    peer_reference out = {.closes = false};
    size_t frames_max = size / 2 + 1 < FRAMES_MAX ? size / 2 + 1 : FRAMES_MAX;
    plain_message message = {malloc(frames_max * sizeof(message_frame)), 0};
    FUZZ_REQUIRE(message.frames, "no memory");
    for (size_t at = 0; size - at >= 2 && !out.closes;) {
        uint8_t flags = data[at];
        bool more = flags & 1, is_long = flags & 2, command = flags & 4;
        uint64_t body_size = data[at + 1];
        if (flags > 7 || (command && more)) {
            out.closes = true;
            break;
        }
        if (is_long && size - at < 9)
            break;
        for (size_t i = 2; is_long && i < 9; i++)
            body_size = body_size << 8 | data[at + i];
        at += is_long ? 9 : 2;
        out.closes =
            body_size >> 63 || body_size > frame_bytes_max || (command && body_size >= 64u << 10);
        if (out.closes || body_size > size - at)
            break;
        if (command)
            out.closes = !take_command(data + at, (size_t)body_size, &out.log);
        else
            take_frame(&message, data + at, (size_t)body_size, more, &out);
        at += (size_t)body_size;
    }
    free(message.frames);
    return out;
}
