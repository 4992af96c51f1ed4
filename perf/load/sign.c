/*
 * load: HMAC-SHA256 with both pads hashed beforehand: one copy of 112 bytes a message instead of
 * two compressions. The generator must cost less than what it measures, so this uses OpenSSL's
 * low-level SHA256 calls: EVP allocates and fetches for each message.
 * Called by message.c. Invariant: load_inner and load_outer hold one block each.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "sign.h"

#include <openssl/sha.h>
#include <string.h>

static SHA256_CTX load_inner, load_outer;

void load_sign_key(const char *key)
{
    uint8_t block[SHA256_CBLOCK] = {0}, pad[SHA256_CBLOCK];
    size_t size = strlen(key);
    if (size > sizeof block) {
        SHA256((const uint8_t *)key, size, block);
    } else {
        memcpy(block, key, size);
    }
    for (size_t i = 0; i < sizeof pad; i++)
        pad[i] = block[i] ^ 0x36;
    SHA256_Init(&load_inner);
    SHA256_Update(&load_inner, pad, sizeof pad);
    for (size_t i = 0; i < sizeof pad; i++)
        pad[i] = block[i] ^ 0x5c;
    SHA256_Init(&load_outer);
    SHA256_Update(&load_outer, pad, sizeof pad);
}

void load_sign(const load_part parts[LOAD_SIGNED_FRAMES], uint8_t hex[LOAD_SIGNATURE_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256_CTX context = load_inner;
    for (int i = 0; i < LOAD_SIGNED_FRAMES; i++) {
        SHA256_Update(&context, parts[i].data, parts[i].size);
    }
    SHA256_Final(digest, &context);
    context = load_outer;
    SHA256_Update(&context, digest, sizeof digest);
    SHA256_Final(digest, &context);
    for (int i = 0; i < SHA256_DIGEST_LENGTH; i++) {
        hex[2 * i] = (uint8_t)digits[digest[i] >> 4];
        hex[2 * i + 1] = (uint8_t)digits[digest[i] & 15];
    }
}
