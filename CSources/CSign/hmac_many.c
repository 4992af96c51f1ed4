/// hmac_many.c: see hmac_many.h.
///
/// What a lane hashes, piece after piece, each in whole blocks:
///
///     whole blocks, where the message lies | its last bytes, padded | the digest so far, padded
///           from the state `inner`                                  |  from the state `outer`
///
/// The last two are laid out in the lane's `room`; a message in several places is laid out there as
/// a whole. The longest messages begin first, so that the lanes end together.
///
/// Invariant: a lane is idle (`left`) or has blocks left whenever a step begins.
#include "hmac_many.h"

#include <stdlib.h>
#include <string.h>

#include "sha256.h"

/// A pass of sixteen lanes takes the time of so many blocks in the SHA instructions: 340 ns and 55
/// on an Ice Lake.
#define LANES_WORTH 6
/// Without those, OpenSSL takes 166 ns a block there.
#define LANES_WORTH_ALONE 2
/// Messages of so many blocks and more are one length to the order.
#define LENGTHS 32

typedef struct queued {
    const signer_job *job;
    const uint8_t *text; ///< where it lies in one piece; NULL: in several
    uint32_t size;
} queued;

typedef struct lane {
    const signer_job *job;
    uint32_t tail_blocks; ///< to come, in `room`
    bool is_outer;
    uint8_t room[HMAC_COPY_MAX + 2 * SHA256_BLOCK];
} lane;

struct hmac_many {
    sha256_table table;
    signer_body body;
    uint32_t busy; ///< lanes, as bits
    uint32_t queue_size;
    queued queue[HMAC_QUEUE_MAX];
    // One run's: the order of the queue, and how far it has come.
    const uint32_t *inner, *outer;
    uint32_t next;
    uint8_t order[HMAC_QUEUE_MAX];
    lane lanes[SHA256_LANES];
};

hmac_many *hmac_many_create(signer_body body)
{
    bool lanes = sha256_lanes_supported(), pairs = sha256_pair_supported();
    if (body == SIGNER_BEST)
        body = lanes   ? pairs ? SIGNER_AVX512 : SIGNER_AVX512_ALONE
               : pairs ? SIGNER_PAIRS
                       : SIGNER_OPENSSL;
    bool has_it = (body == SIGNER_AVX512 && lanes && pairs) ||
                  (body == SIGNER_AVX512_ALONE && lanes) || (body == SIGNER_PAIRS && pairs);
    hmac_many *m = has_it ? aligned_alloc(_Alignof(hmac_many), sizeof *m) : NULL;
    if (!m)
        return NULL;
    memset(&m->table, 0, sizeof m->table);
    memset(m->table.left, 0xff, sizeof m->table.left);
    m->body = body;
    m->busy = m->queue_size = 0;
    return m;
}

void hmac_many_destroy(hmac_many *m)
{
    free(m);
}

signer_body hmac_many_body(const hmac_many *m)
{
    return m->body;
}

size_t hmac_many_worth(const hmac_many *m)
{
    return m->body == SIGNER_AVX512_ALONE ? LANES_WORTH_ALONE + 1 : 2;
}

bool hmac_many_is_full(const hmac_many *m)
{
    return m->queue_size == HMAC_QUEUE_MAX;
}

bool hmac_many_add(hmac_many *m, const signer_job *job)
{
    static const uint8_t NOTHING[1];
    const uint8_t *text = NOTHING;
    bool scattered = false;
    uint64_t size = 0;
    for (size_t i = 0; i < job->count; i++) {
        const signer_part *p = job->parts + i;
        if (p->size > HMAC_SIZE_MAX - size)
            return false;
        if (size == 0 && p->size)
            text = p->data;
        else if (p->size && p->data != text + size)
            scattered = true;
        size += p->size;
    }
    if (hmac_many_is_full(m) || (scattered && size > HMAC_COPY_MAX))
        return false;
    m->queue[m->queue_size++] = (queued){job, scattered ? NULL : text, (uint32_t)size};
    return true;
}

static void set_state(hmac_many *m, unsigned at, const uint32_t state[8])
{
    for (int i = 0; i < SHA256_WORDS; i++)
        m->table.words[i][at] = state[i];
}

static void get_digest(const hmac_many *m, unsigned at, uint8_t digest[SHA256_DIGEST])
{
    for (int i = 0; i < SHA256_WORDS; i++) {
        uint32_t word = __builtin_bswap32(m->table.words[i][at]);
        memcpy(digest + 4 * i, &word, 4);
    }
}

/// Ends a text whose last `size` bytes are at `text`, of `total` after the block of the pad: a one
/// bit, zeros, the size in bits (FIPS 180-4, 5.1.1). Returns the blocks from `text` on.
static uint32_t pad(uint8_t *text, size_t size, size_t total)
{
    size_t blocks = (size + 1 + 8 + SHA256_BLOCK - 1) / SHA256_BLOCK;
    uint64_t bits = __builtin_bswap64((SHA256_BLOCK + total) * 8);
    text[size] = 0x80;
    memset(text + size + 1, 0, blocks * SHA256_BLOCK - size - 1 - 8);
    memcpy(text + blocks * SHA256_BLOCK - 8, &bits, 8);
    return (uint32_t)blocks;
}

static void begin(hmac_many *m, unsigned at)
{
    const queued *q = m->queue + m->order[m->next++];
    lane *l = m->lanes + at;
    l->job = q->job;
    l->is_outer = false;
    const uint8_t *text = q->text;
    uint32_t blocks = 0, in_room = 0;
    if (text) {
        blocks = q->size / SHA256_BLOCK;
        in_room = q->size % SHA256_BLOCK;
        memcpy(l->room, text + (size_t)blocks * SHA256_BLOCK, in_room);
    } else {
        for (size_t i = 0; i < q->job->count; i++) {
            const signer_part *p = q->job->parts + i;
            if (p->size)
                memcpy(l->room + in_room, p->data, p->size);
            in_room += (uint32_t)p->size;
        }
    }
    l->tail_blocks = pad(l->room, in_room, q->size);
    if (blocks == 0) {
        text = l->room;
        blocks = l->tail_blocks;
        l->tail_blocks = 0;
    }
    m->table.at[at] = text;
    m->table.left[at] = blocks;
    set_state(m, at, m->inner);
}

static void write_hex(const uint8_t digest[SHA256_DIGEST], char *hex)
{
    // A byte's digits at once: '0' + n, and 'a' - '0' - 10 more for ten and above.
    for (int i = 0; i < SHA256_DIGEST; i += 4) {
        uint32_t four;
        memcpy(&four, digest + i, 4);
        uint64_t spread = four;
        spread = (spread | spread << 16) & 0x0000ffff0000ffff;
        spread = (spread | spread << 8) & 0x00ff00ff00ff00ff;
        spread = (spread >> 4 & 0x000f000f000f000f) | (spread & 0x000f000f000f000f) << 8;
        uint64_t letters = (spread + 0x0606060606060606) >> 4 & 0x0101010101010101;
        spread += 0x3030303030303030 + letters * ('a' - '0' - 10);
        memcpy(hex + 2 * i, &spread, 8);
    }
}

/// A piece of the lane's message has ended: the next piece, or the next message.
static void go_on(hmac_many *m, unsigned at)
{
    lane *l = m->lanes + at;
    if (!l->tail_blocks) {
        uint8_t digest[SHA256_DIGEST];
        get_digest(m, at, digest);
        if (l->is_outer) {
            write_hex(digest, l->job->hex);
            if (m->next < m->queue_size) {
                begin(m, at);
            } else {
                m->table.left[at] = SHA256_IDLE;
                m->busy &= ~(1u << at);
            }
            return;
        }
        memcpy(l->room, digest, sizeof digest);
        l->tail_blocks = pad(l->room, sizeof digest, sizeof digest);
        l->is_outer = true;
        set_state(m, at, m->outer);
    }
    m->table.at[at] = l->room;
    m->table.left[at] = l->tail_blocks;
    l->tail_blocks = 0;
}

/// Begins messages in the first `count` lanes, as far as there are any.
static void fill(hmac_many *m, unsigned count)
{
    for (unsigned at = 0; at < count && m->next < m->queue_size; at++) {
        begin(m, at);
        m->busy |= 1u << at;
    }
}

/// As long as it is worth it.
static void run_lanes(hmac_many *m, int worth)
{
    while (__builtin_popcount(m->busy) > worth) {
        uint32_t ended = sha256_lanes_step(&m->table);
        for (; ended; ended &= ended - 1)
            go_on(m, (unsigned)__builtin_ctz(ended));
    }
}

static void run_alone(hmac_many *m, unsigned at)
{
    while (m->busy & 1u << at) {
        sha256_one_step(&m->table, at, m->table.left[at]);
        go_on(m, at);
    }
}

static void run_pair(hmac_many *m)
{
    const uint32_t *left = m->table.left;
    while (m->busy == 3) {
        sha256_pair_step(&m->table, 0, 1, left[0] < left[1] ? left[0] : left[1]);
        for (unsigned at = 0; at < 2; at++)
            if (!left[at])
                go_on(m, at);
    }
}

/// The longest first.
static void set_order(hmac_many *m)
{
    uint8_t lengths[HMAC_QUEUE_MAX], places[LENGTHS + 1] = {0};
    for (uint32_t i = 0; i < m->queue_size; i++) {
        uint32_t blocks = m->queue[i].size / SHA256_BLOCK;
        lengths[i] = blocks < LENGTHS ? (uint8_t)(LENGTHS - 1 - blocks) : 0;
        places[lengths[i] + 1]++;
    }
    for (int i = 1; i < LENGTHS; i++)
        places[i] = (uint8_t)(places[i] + places[i - 1]);
    for (uint32_t i = 0; i < m->queue_size; i++)
        m->order[places[lengths[i]]++] = (uint8_t)i;
}

void hmac_many_run(hmac_many *m, const uint32_t inner[8], const uint32_t outer[8])
{
    set_order(m);
    m->inner = inner;
    m->outer = outer;
    m->next = 0;
    if (m->body == SIGNER_PAIRS) {
        fill(m, 2);
        run_pair(m);
    } else {
        fill(m, SHA256_LANES);
        run_lanes(m, m->body == SIGNER_AVX512 ? LANES_WORTH : 0);
    }
    for (uint32_t busy = m->busy; busy; busy &= busy - 1)
        run_alone(m, (unsigned)__builtin_ctz(busy));
    m->queue_size = 0;
}
