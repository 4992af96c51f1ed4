/// hash.h: SipHash-1-3, the keyed hash of every table whose keys a peer can choose.
///
/// Called by atoms.c (64 bits) and task_ids.c (128 bits, where the hash stands for the id).
/// Written from the SipHash paper (Aumasson and Bernstein 2012) and its 128-bit variant; one
/// compression and three finalization rounds, as in Rust's and Python's own tables.
///
/// Invariant: without the key nobody can choose colliding names.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct hash_key {
    uint64_t k0;
    uint64_t k1;
} hash_key;

typedef struct hash_128 {
    uint64_t low;
    uint64_t high;
} hash_128;

typedef struct hash_state {
    uint64_t v0, v1, v2, v3;
} hash_state;

static inline uint64_t hash_rotate(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

/// One step of splitmix64: spreads a 64-bit seed over the 128 bits of the key.
static inline uint64_t hash_mix_seed(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static inline hash_key hash_key_from_seed(uint64_t seed)
{
    uint64_t k0 = hash_mix_seed(seed);
    return (hash_key){k0, hash_mix_seed(k0 ^ seed)};
}

static inline void hash_round(hash_state *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = hash_rotate(s->v1, 13) ^ s->v0;
    s->v3 = hash_rotate(s->v3, 16) ^ s->v2;
    s->v0 = hash_rotate(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = hash_rotate(s->v1, 17) ^ s->v2;
    s->v3 = hash_rotate(s->v3, 21) ^ s->v0;
    s->v2 = hash_rotate(s->v2, 32);
}

static inline void hash_absorb(hash_state *s, const uint8_t *bytes, size_t size)
{
    const uint8_t *end = bytes + (size & ~(size_t)7);
    uint64_t word;
    for (; bytes != end; bytes += 8) {
        memcpy(&word, bytes, 8); // both supported machines are little-endian
        s->v3 ^= word;
        hash_round(s);
        s->v0 ^= word;
    }
    word = 0;
    if (size & 7)
        memcpy(&word, bytes, size & 7);
    word |= (uint64_t)size << 56;
    s->v3 ^= word;
    hash_round(s);
    s->v0 ^= word;
}

static inline hash_state hash_start(hash_key key)
{
    return (hash_state){
        key.k0 ^ 0x736f6d6570736575u,
        key.k1 ^ 0x646f72616e646f6du,
        key.k0 ^ 0x6c7967656e657261u,
        key.k1 ^ 0x7465646279746573u,
    };
}

static inline uint64_t hash_squeeze(hash_state *s)
{
    hash_round(s);
    hash_round(s);
    hash_round(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

static inline uint64_t hash_bytes(hash_key key, const void *bytes, size_t size)
{
    hash_state s = hash_start(key);
    hash_absorb(&s, bytes, size);
    s.v2 ^= 0xff;
    return hash_squeeze(&s);
}

static inline hash_128 hash_bytes_128(hash_key key, const void *bytes, size_t size)
{
    hash_state s = hash_start(key);
    s.v1 ^= 0xee;
    hash_absorb(&s, bytes, size);
    s.v2 ^= 0xee;
    hash_128 result;
    result.low = hash_squeeze(&s);
    s.v1 ^= 0xdd;
    result.high = hash_squeeze(&s);
    return result;
}
