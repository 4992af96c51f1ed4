/*
 * wire: output. Bytes are gathered in one buffer a peer, large shared blocks stay where they are,
 * and both go out in one system call.
 * Called by the load generator and the floor relay, in one thread.
 * Invariant: gaps[gap_start, gap_end) are ordered by position, none before out_start.
 */
#define _GNU_SOURCE
#include "wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { WIRE_IOVECS = 64 };

static void wire_compact_output(wire_peer *peer)
{
    size_t moved = peer->out_start;
    memmove(peer->out, peer->out + moved, peer->out_end - moved);
    peer->out_start = 0;
    peer->out_end -= moved;
    uint32_t kept = peer->gap_end - peer->gap_start;
    if (kept > 0)
        memmove(peer->gaps, peer->gaps + peer->gap_start, kept * sizeof *peer->gaps);
    peer->gap_start = 0;
    peer->gap_end = kept;
    for (uint32_t i = 0; i < kept; i++)
        peer->gaps[i].at -= moved;
}

uint8_t *wire_reserve(wire_peer *peer, size_t size)
{
    bool full = peer->out_capacity - peer->out_end < size;
    if (full && peer->out_start > peer->out_capacity / 2)
        wire_compact_output(peer);
    if (peer->out_capacity - peer->out_end < size) {
        size_t capacity = peer->out_capacity ? peer->out_capacity : 1024;
        while (capacity - peer->out_end < size)
            capacity *= 2;
        peer->out = wire_grow(peer->out, capacity);
        peer->out_capacity = capacity;
    }
    return peer->out + peer->out_end;
}

void wire_put_gap(wire_peer *peer, const uint8_t *data, size_t size)
{
    if (size == 0)
        return;
    if (peer->gap_end == peer->gap_capacity) {
        peer->gap_capacity = peer->gap_capacity ? peer->gap_capacity * 2 : 8;
        peer->gaps = wire_grow(peer->gaps, peer->gap_capacity * sizeof *peer->gaps);
    }
    peer->gaps[peer->gap_end++] = (wire_gap){peer->out_end, data, size};
}

uint8_t *wire_put_head(uint8_t *at, uint64_t size, bool more)
{
    if (size <= 255) {
        at[0] = more ? WIRE_MORE : 0;
        at[1] = (uint8_t)size;
        return at + 2;
    }
    at[0] = (uint8_t)(WIRE_LONG | (more ? WIRE_MORE : 0));
    for (int i = 8; i >= 1; i--, size >>= 8)
        at[i] = (uint8_t)size;
    return at + WIRE_FRAME_HEAD_MAX;
}

uint8_t *wire_put_frame(uint8_t *at, const void *data, size_t size, bool more)
{
    at = wire_put_head(at, size, more);
    memcpy(at, data, size);
    return at + size;
}

static int wire_gather(wire_peer *peer, struct iovec *vectors)
{
    size_t at = peer->out_start;
    int count = 0;
    for (uint32_t i = peer->gap_start; i < peer->gap_end && count < WIRE_IOVECS - 2; i++) {
        wire_gap *gap = &peer->gaps[i];
        if (gap->at > at)
            vectors[count++] = (struct iovec){peer->out + at, gap->at - at};
        vectors[count++] = (struct iovec){(void *)(uintptr_t)gap->data, gap->size};
        at = gap->at;
        if (i + 1 < peer->gap_end && count >= WIRE_IOVECS - 2)
            return count;
    }
    if (at < peer->out_end)
        vectors[count++] = (struct iovec){peer->out + at, peer->out_end - at};
    return count;
}

static void wire_sent(wire_peer *peer, size_t sent)
{
    while (sent > 0) {
        bool gap_next = peer->gap_start < peer->gap_end;
        wire_gap *gap = gap_next ? &peer->gaps[peer->gap_start] : NULL;
        size_t plain = (gap_next ? gap->at : peer->out_end) - peer->out_start;
        size_t step = sent < plain ? sent : plain;
        peer->out_start += step;
        sent -= step;
        if (sent == 0 || !gap_next)
            break;
        step = sent < gap->size ? sent : gap->size;
        gap->data += step;
        gap->size -= step;
        sent -= step;
        if (gap->size == 0)
            peer->gap_start++;
    }
    if (!wire_has_output(peer)) {
        peer->out_start = peer->out_end = 0;
        peer->gap_start = peer->gap_end = 0;
    }
}

int wire_peer_flush(wire_peer *peer)
{
    struct iovec vectors[WIRE_IOVECS];
    while (wire_has_output(peer)) {
        struct msghdr header = {.msg_iov = vectors};
        header.msg_iovlen = (size_t)wire_gather(peer, vectors);
        ssize_t sent = sendmsg(peer->fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN)
            return 0;
        if (sent < 0)
            return wire_fail(peer, strerror(errno));
        wire_sent(peer, (size_t)sent);
    }
    return 1;
}
