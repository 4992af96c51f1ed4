/*
 * wire: ZMTP 3.1 NULL over one non-blocking stream socket, framing only.
 *
 * Used by the load generator (perf/load) and by the floor relay (perf/floor).
 * Invariant: in[in_start, in_start + scan) holds the frames of the message in progress, already
 * described by frames[0, frame_count); bytes after that have not been looked at.
 *
 *      in   0 .. in_start .. in_start+scan .. in_end .. in_capacity
 *           spent  | message so far | unread bytes | free
 */
#ifndef PERF_WIRE_H
#define PERF_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WIRE_MORE = 1, WIRE_LONG = 2, WIRE_COMMAND = 4 }; /* flags of a frame */

enum {
    WIRE_FRAMES_MAX = 24,        /* frames a message; ours have at most 10 */
    WIRE_IDENTITY_MAX = 255,     /* ZMTP's own limit */
    WIRE_LARGE_SIZE = 64 * 1024, /* a longer frame may be cut, see wire_peer.cut_large */
    WIRE_CUT_SIZE = 64,          /* bytes kept of a frame that was cut */
    WIRE_FRAME_HEAD_MAX = 9,     /* flags and a long size */
    WIRE_URL_SIZE = 256
};

typedef struct {
    size_t offset; /* from the start of the message */
    size_t stored; /* bytes present; less than size when the frame was cut */
    uint64_t size; /* bytes the peer sent */
} wire_span;

/* Bytes that go out from a shared block, between two parts of the output buffer. */
typedef struct {
    size_t at; /* position in the output buffer before which they go */
    const uint8_t *data;
    size_t size;
} wire_gap;

typedef enum { WIRE_DOWN, WIRE_CONNECTING, WIRE_GREETING, WIRE_HANDSHAKE, WIRE_UP } wire_state;

typedef struct wire_peer {
    int fd;
    wire_state state;
    uint32_t kind;          /* the owner's: what this peer is */
    uint32_t index;         /* the owner's: which one of its kind */
    bool stream_tcp;        /* MSG_TRUNC drops bytes without copying on tcp only */
    bool cut_large;         /* keep WIRE_CUT_SIZE bytes of frames that do not fit */
    bool dirty;             /* the owner's list of peers to flush holds it */
    bool want_write;        /* the kernel's buffer was full */
    bool message_open;      /* the last frame scanned had MORE */
    bool message_taken;     /* the message at in_start was handed out */
    uint32_t subscriptions; /* SUBSCRIBE minus CANCEL seen */
    uint8_t *in;
    size_t in_capacity, in_start, in_end, scan;
    uint64_t skip; /* bytes of a cut frame still to be dropped */
    wire_span frames[WIRE_FRAMES_MAX];
    uint32_t frame_count;
    uint8_t *out;
    size_t out_capacity, out_start, out_end;
    wire_gap *gaps;
    uint32_t gap_capacity, gap_start, gap_end;
    uint8_t identity[WIRE_IDENTITY_MAX]; /* what the peer called itself */
    uint8_t identity_size;
    const char *why; /* reason of the last failure */
} wire_peer;

/* One received message; valid until the next call on the same peer. */
typedef struct {
    const uint8_t *base;
    const wire_span *frames;
    uint32_t count;
} wire_message;

static inline int wire_fail(wire_peer *peer, const char *why)
{
    peer->why = why;
    return -1;
}

static inline const uint8_t *wire_frame(const wire_message *message, uint32_t index)
{
    return message->base + message->frames[index].offset;
}

/* address.c. urls are tcp with ip:port, [ip6]:port or a star for the ip, and ipc with a path. */
int wire_listen(const char *url, char actual[WIRE_URL_SIZE]); /* fd, or -1 with errno */
int wire_connect(const char *url, bool *is_tcp);              /* fd in progress, or -1 with errno */
int wire_accept(int listener, bool *is_tcp);                  /* fd, or -1 with errno */
int wire_free_url(const char *transport, const char *directory, const char *name,
                  char url[WIRE_URL_SIZE]); /* an address nobody has: 0 or -1 */

/* peer.c */
void wire_peer_init(wire_peer *peer, uint32_t kind, uint32_t index, size_t in_capacity);
void wire_peer_open(wire_peer *peer, int fd, bool is_tcp, const char *socket_type,
                    const void *identity, size_t identity_size);
void wire_peer_close(wire_peer *peer);
int wire_peer_read(wire_peer *peer); /* bytes read, 0 none now, -1 gone (why) */
int wire_peer_next(wire_peer *peer, wire_message *message); /* 1, 0 incomplete, -1 broken (why) */
void wire_subscribe_all(wire_peer *peer);

/* output.c: reserve at most SIZE bytes, fill them, commit what was used. */
uint8_t *wire_reserve(wire_peer *peer, size_t size);
static inline void wire_commit(wire_peer *peer, const uint8_t *end)
{
    peer->out_end = (size_t)(end - peer->out);
}
int wire_peer_flush(wire_peer *peer); /* 1 all sent, 0 would block, -1 gone (why) */
void wire_put_gap(wire_peer *peer, const uint8_t *data, size_t size);
uint8_t *wire_put_head(uint8_t *at, uint64_t size, bool more);
uint8_t *wire_put_frame(uint8_t *at, const void *data, size_t size, bool more);
static inline bool wire_has_output(const wire_peer *peer)
{
    return peer->out_start != peer->out_end || peer->gap_start != peer->gap_end;
}

/* realloc that ends the program when it fails */
__attribute__((returns_nonnull)) void *wire_grow(void *block, size_t size);

#endif
