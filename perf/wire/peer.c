/*
 * wire: one ZMTP peer, from greeting to messages; what is sent is in output.c.
 * Called by the loops of the load generator and the floor relay, in one thread.
 * Invariant: what a peer sends wrong ends that peer with a reason in `why`, never the program.
 */
#define _GNU_SOURCE
#include "wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    WIRE_GREETING_SIZE = 64,
    WIRE_READ_MIN = 4096 /* less free space than this: make room before reading */
};

void *wire_grow(void *block, size_t size)
{
    void *grown = realloc(block, size);
    if (grown == NULL) {
        fprintf(stderr, "out of memory: %zu bytes\n", size);
        abort();
    }
    return grown;
}

void wire_peer_init(wire_peer *peer, uint32_t kind, uint32_t index, size_t in_capacity)
{
    memset(peer, 0, sizeof *peer);
    peer->fd = -1;
    peer->kind = kind;
    peer->index = index;
    peer->in_capacity = in_capacity;
    peer->why = "";
}

static uint8_t *wire_put_property(uint8_t *at, const char *name, const void *value, size_t size)
{
    uint8_t name_size = (uint8_t)strlen(name);
    *at++ = name_size;
    memcpy(at, name, name_size);
    at += name_size;
    at[0] = at[1] = 0;
    at[2] = (uint8_t)(size >> 8);
    at[3] = (uint8_t)size;
    if (size)
        memcpy(at + 4, value, size);
    return at + 4 + size;
}

void wire_peer_open(wire_peer *peer, int fd, bool is_tcp, const char *socket_type,
                    const void *identity, size_t identity_size)
{
    static const uint8_t ready[] = "\x05READY";
    peer->fd = fd;
    peer->stream_tcp = is_tcp;
    peer->state = WIRE_GREETING;
    peer->in_start = peer->in_end = peer->scan = 0;
    peer->out_start = peer->out_end = 0;
    peer->gap_start = peer->gap_end = peer->frame_count = peer->subscriptions = 0;
    peer->skip = 0;
    peer->message_open = peer->message_taken = peer->dirty = peer->want_write = false;
    if (peer->in == NULL)
        peer->in = wire_grow(NULL, peer->in_capacity);
    uint8_t body[512], *end = body;
    memcpy(end, ready, sizeof ready - 1);
    end =
        wire_put_property(end + sizeof ready - 1, "Socket-Type", socket_type, strlen(socket_type));
    end = wire_put_property(end, "Identity", identity, identity_size);
    size_t body_size = (size_t)(end - body);
    uint8_t *at = wire_reserve(peer, WIRE_GREETING_SIZE + 16 + sizeof body);
    memset(at, 0, WIRE_GREETING_SIZE);
    at[0] = 0xff;
    at[9] = 0x7f;
    at[10] = 3;
    at[11] = 1;
    memcpy(at + 12, "NULL", 4);
    at = wire_put_head(at + WIRE_GREETING_SIZE, body_size, false);
    at[body_size > 255 ? -9 : -2] |= WIRE_COMMAND;
    memcpy(at, body, body_size);
    wire_commit(peer, at + body_size);
}

void wire_peer_close(wire_peer *peer)
{
    if (peer->fd >= 0)
        close(peer->fd);
    free(peer->in);
    free(peer->out);
    free(peer->gaps);
    wire_peer_init(peer, peer->kind, peer->index, peer->in_capacity);
}

static void wire_make_room(wire_peer *peer)
{
    size_t used = peer->in_end - peer->in_start;
    if (peer->in_start > 0 && (used == 0 || peer->in_capacity - peer->in_end < WIRE_READ_MIN)) {
        memmove(peer->in, peer->in + peer->in_start, used);
        peer->in_start = 0;
        peer->in_end = used;
    }
    if (peer->in_capacity - peer->in_end < WIRE_READ_MIN) {
        peer->in_capacity *= 2;
        peer->in = wire_grow(peer->in, peer->in_capacity);
    }
}

static ssize_t wire_drop(wire_peer *peer)
{
    static uint8_t scratch[256 * 1024];
    size_t want = peer->skip > (1u << 30) ? (1u << 30) : (size_t)peer->skip;
    ssize_t got;
    if (peer->stream_tcp) {
        got = recv(peer->fd, NULL, want, MSG_TRUNC | MSG_DONTWAIT);
    } else {
        got = recv(peer->fd, scratch, want < sizeof scratch ? want : sizeof scratch, 0);
    }
    if (got > 0)
        peer->skip -= (uint64_t)got;
    return got;
}

static void wire_release(wire_peer *peer)
{
    if (!peer->message_taken)
        return;
    peer->in_start += peer->scan;
    peer->scan = 0;
    peer->frame_count = 0;
    peer->message_taken = false;
}

int wire_peer_read(wire_peer *peer)
{
    ssize_t got;
    wire_release(peer);
    if (peer->skip > 0) {
        got = wire_drop(peer);
    } else {
        wire_make_room(peer);
        got = recv(peer->fd, peer->in + peer->in_end, peer->in_capacity - peer->in_end, 0);
        if (got > 0)
            peer->in_end += (size_t)got;
    }
    if (got > 0)
        return got > INT32_MAX ? INT32_MAX : (int)got;
    if (got == 0)
        return wire_fail(peer, "closed by the other side");
    if (errno == EAGAIN || errno == EINTR)
        return 0;
    return wire_fail(peer, strerror(errno));
}

static int wire_read_greeting(wire_peer *peer)
{
    const uint8_t *at = peer->in + peer->in_start;
    if (peer->in_end - peer->in_start < WIRE_GREETING_SIZE)
        return 0;
    if (at[0] != 0xff || (at[9] & 1) == 0)
        return wire_fail(peer, "not a ZMTP greeting");
    if (at[10] < 3)
        return wire_fail(peer, "ZMTP older than 3.0");
    if (memcmp(at + 12, "NULL\0", 5) != 0)
        return wire_fail(peer, "mechanism is not NULL");
    peer->in_start += WIRE_GREETING_SIZE;
    peer->state = WIRE_HANDSHAKE;
    return 1;
}

static int wire_read_ready(wire_peer *peer, const uint8_t *at, const uint8_t *end)
{
    while (at < end) {
        size_t name_size = *at++;
        if ((size_t)(end - at) < name_size + 4)
            return wire_fail(peer, "READY is cut short");
        const uint8_t *name = at;
        at += name_size;
        size_t size = (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
        at += 4;
        if ((size_t)(end - at) < size)
            return wire_fail(peer, "READY is cut short");
        if (name_size == 8 && memcmp(name, "Identity", 8) == 0 && size <= WIRE_IDENTITY_MAX) {
            memcpy(peer->identity, at, size);
            peer->identity_size = (uint8_t)size;
        }
        at += size;
    }
    peer->state = WIRE_UP;
    return 1;
}

static int wire_command(wire_peer *peer, const uint8_t *at, size_t size)
{
    const uint8_t *end = at + size;
    if (size < 1 || (size_t)at[0] + 1 > size)
        return wire_fail(peer, "bad command");
    size_t name_size = at[0];
    const uint8_t *rest = at + 1 + name_size;
    if (name_size == 5 && memcmp(at + 1, "READY", 5) == 0)
        return wire_read_ready(peer, rest, end);
    if (name_size == 5 && memcmp(at + 1, "ERROR", 5) == 0) {
        return wire_fail(peer, "the other side refused the handshake");
    }
    if (name_size == 9 && memcmp(at + 1, "SUBSCRIBE", 9) == 0)
        peer->subscriptions++;
    if (name_size == 6 && memcmp(at + 1, "CANCEL", 6) == 0)
        peer->subscriptions--;
    if (name_size == 4 && memcmp(at + 1, "PING", 4) == 0 && end - rest >= 2 && end - rest <= 18) {
        uint8_t pong[32] = {WIRE_COMMAND, (uint8_t)(5 + end - rest - 2), 4, 'P', 'O', 'N', 'G'};
        memcpy(pong + 7, rest + 2, (size_t)(end - rest - 2));
        size_t pong_size = (size_t)pong[1] + 2;
        memcpy(wire_reserve(peer, pong_size), pong, pong_size);
        peer->out_end += pong_size;
    }
    return 1;
}

/* One frame at in_start + scan: 1 taken, 0 incomplete, -1 broken. */
static int wire_scan_frame(wire_peer *peer)
{
    const uint8_t *at = peer->in + peer->in_start + peer->scan;
    size_t have = peer->in_end - peer->in_start - peer->scan, head = 2;
    if (have < 2)
        return 0;
    uint8_t flags = at[0];
    uint64_t size = at[1];
    if (flags & ~(WIRE_MORE | WIRE_LONG | WIRE_COMMAND))
        return wire_fail(peer, "bad flags");
    if (flags & WIRE_LONG) {
        head = WIRE_FRAME_HEAD_MAX;
        if (have < head)
            return 0;
        for (int i = 2; i < 9; i++)
            size = size << 8 | at[i];
        if (size >> 40)
            return wire_fail(peer, "frame larger than a terabyte");
    }
    size_t stored = (size_t)size;
    if (have - head < size) {
        bool cut = peer->cut_large && size > WIRE_LARGE_SIZE && !(flags & WIRE_COMMAND);
        if (!cut || have - head < WIRE_CUT_SIZE)
            return 0;
        stored = WIRE_CUT_SIZE;
        peer->skip = size - (have - head);
        peer->in_end = peer->in_start + peer->scan + head + stored;
    }
    if (flags & WIRE_COMMAND) {
        if (peer->message_open)
            return wire_fail(peer, "command inside a message");
        int result = wire_command(peer, at + head, stored);
        peer->in_start += head + stored;
        return result;
    }
    if (peer->state != WIRE_UP)
        return wire_fail(peer, "message before READY");
    if (peer->frame_count == WIRE_FRAMES_MAX)
        return wire_fail(peer, "too many frames");
    peer->frames[peer->frame_count++] = (wire_span){peer->scan + head, stored, size};
    peer->scan += head + stored;
    peer->message_open = flags & WIRE_MORE;
    return 1;
}

int wire_peer_next(wire_peer *peer, wire_message *message)
{
    wire_release(peer);
    if (peer->state == WIRE_GREETING) {
        int result = wire_read_greeting(peer);
        if (result <= 0)
            return result;
    }
    for (;;) {
        /* A cut frame is not over until its last byte has been dropped. */
        if (peer->skip > 0)
            return 0;
        if (peer->frame_count > 0 && !peer->message_open)
            break;
        int result = wire_scan_frame(peer);
        if (result <= 0)
            return result;
    }
    peer->message_taken = true;
    *message = (wire_message){peer->in + peer->in_start, peer->frames, peer->frame_count};
    return 1;
}

void wire_subscribe_all(wire_peer *peer)
{
    static const uint8_t command[] = "\x04\x0a\x09SUBSCRIBE";
    memcpy(wire_reserve(peer, sizeof command), command, sizeof command - 1);
    peer->out_end += sizeof command - 1;
}
