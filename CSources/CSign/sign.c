/// sign.c: HMAC (RFC 2104) over message parts. Called by SchedulerWire and CTransport's users.
///
///     inner = digest(key ^ 0x36...)   outer = digest(key ^ 0x5c...)    hashed once
///     signature = hex(copy of outer, of (copy of inner, of the parts))  per message
///
/// Invariant: `inner` and `outer` are never changed after signer_create; `work` holds nothing
/// between calls that a later call reads.
#include "sign.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "hmac_many.h"

struct signer {
    size_t digest_size; ///< 0 with an empty key
    digest inner;
    digest outer;
    digest work;
    bool may_many;   ///< the digest is SHA-256, and not only a validated module may hash
    hmac_many *many; ///< NULL: one by one
};

/// The known names, for error texts.
static void signer_list_names(char *text, size_t size)
{
    size_t used = 0;
    text[0] = 0;
    for (const digest_name *name = digest_names; name->hashlib && used < size; name++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", name->hashlib);
}

/// The digest a scheme names; NULL with the reason in `error`.
static const digest_name *signer_find_digest(const char *scheme, EVP_MD **algorithm, char *error,
                                             size_t error_size)
{
    char known[256];
    signer_list_names(known, sizeof known);
    if (!scheme || strncmp(scheme, "hmac-", 5) != 0) {
        snprintf(error, error_size, "signature scheme '%s': expected hmac-HASH with HASH one of %s",
                 scheme ? scheme : "", known);
        return NULL;
    }
    const char *hash = scheme + 5;
    if (!strncmp(hash, "shake_", 6)) {
        snprintf(error, error_size,
                 "signature scheme '%s': its digest has no fixed size; use one of %s", scheme,
                 known);
        return NULL;
    }
    const digest_name *name = digest_names;
    while (name->hashlib && strcmp(name->hashlib, hash) != 0)
        name++;
    if (!name->hashlib) {
        snprintf(error, error_size, "signature scheme '%s': unknown digest; use one of %s", scheme,
                 known);
        return NULL;
    }
    *algorithm = EVP_MD_fetch(NULL, name->openssl, NULL);
    if (!*algorithm) {
        ERR_clear_error();
        snprintf(error, error_size,
                 "signature scheme '%s': this machine's OpenSSL does not offer %s; use another of "
                 "%s",
                 scheme, name->openssl, known);
        return NULL;
    }
    return name;
}

/// The key as one block: hashed when longer, padded with zeros when shorter.
static bool signer_key_block(const digest_name *name, const EVP_MD *algorithm, const void *key,
                             size_t key_size, uint8_t block[DIGEST_BLOCK_MAX])
{
    memset(block, 0, DIGEST_BLOCK_MAX);
    if (key_size <= (size_t)EVP_MD_get_block_size(algorithm)) {
        memcpy(block, key, key_size);
        return true;
    }
    uint8_t hashed[DIGEST_SIZE_MAX];
    digest d;
    bool done = digest_start(&d, name, algorithm) && digest_update(&d, key, key_size) &&
                digest_finish(&d, hashed);
    digest_end(&d);
    if (done)
        memcpy(block, hashed, (size_t)EVP_MD_get_size(algorithm));
    OPENSSL_cleanse(hashed, sizeof hashed);
    return done;
}

static bool signer_start_pad(digest *d, const digest_name *name, const EVP_MD *algorithm,
                             const uint8_t key_block[DIGEST_BLOCK_MAX], uint8_t pad)
{
    uint8_t padded[DIGEST_BLOCK_MAX];
    size_t size = (size_t)EVP_MD_get_block_size(algorithm);
    for (size_t i = 0; i < size; i++)
        padded[i] = key_block[i] ^ pad;
    bool done = digest_start(d, name, algorithm) && digest_update(d, padded, size);
    OPENSSL_cleanse(padded, sizeof padded);
    return done;
}

/// Fills in a signer for a key that is not empty; false when memory is short.
static bool signer_prepare(signer *s, const digest_name *name, const EVP_MD *algorithm,
                           const void *key, size_t key_size)
{
    uint8_t block[DIGEST_BLOCK_MAX];
    s->digest_size = (size_t)EVP_MD_get_size(algorithm);
    bool done = (size_t)EVP_MD_get_block_size(algorithm) <= sizeof block &&
                s->digest_size * 2 <= SIGNER_HEX_MAX &&
                signer_key_block(name, algorithm, key, key_size, block) &&
                signer_start_pad(&s->inner, name, algorithm, block, 0x36) &&
                signer_start_pad(&s->outer, name, algorithm, block, 0x5c) &&
                digest_start(&s->work, name, algorithm);
#ifdef DIGEST_HAS_PLAIN
    // Where only a validated module may hash, ours may not.
    s->may_many =
        done && !strcmp(name->hashlib, "sha256") && !EVP_default_properties_is_fips_enabled(NULL);
    if (s->may_many)
        s->many = hmac_many_create(SIGNER_BEST);
#endif
    OPENSSL_cleanse(block, sizeof block);
    return done;
}

signer *signer_create(const char *scheme, const void *key, size_t key_size, char *error,
                      size_t error_size)
{
    char nowhere[1];
    if (!error || error_size == 0) {
        error = nowhere;
        error_size = sizeof nowhere;
    }
    error[0] = 0;
    EVP_MD *algorithm = NULL;
    const digest_name *name = signer_find_digest(scheme, &algorithm, error, error_size);
    if (!name)
        return NULL;
    signer *s = calloc(1, sizeof *s);
    if (!s || (key_size && !signer_prepare(s, name, algorithm, key, key_size))) {
        snprintf(error, error_size, "signature scheme '%s': OpenSSL could not start it", scheme);
        signer_destroy(s);
        s = NULL;
    }
    EVP_MD_free(algorithm); // the contexts hold their own references
    return s;
}

void signer_destroy(signer *s)
{
    if (!s)
        return;
    digest_end(&s->inner);
    digest_end(&s->outer);
    digest_end(&s->work);
    hmac_many_destroy(s->many);
    free(s);
}

bool signer_use_body(signer *s, signer_body body)
{
    hmac_many *many = s->may_many ? hmac_many_create(body) : NULL;
    if (!many && body != SIGNER_OPENSSL && body != SIGNER_BEST)
        return false;
    hmac_many_destroy(s->many);
    s->many = many;
    return true;
}

signer_body signer_body_of(const signer *s)
{
    return s->many ? hmac_many_body(s->many) : SIGNER_OPENSSL;
}

size_t signer_hex_size(const signer *s)
{
    return s->digest_size * 2;
}

size_t signer_sign(signer *s, const signer_part *parts, size_t count, char hex[SIGNER_HEX_MAX])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t result[DIGEST_SIZE_MAX];
    if (!s->digest_size)
        return 0;
    bool done = digest_copy(&s->work, &s->inner);
    for (size_t i = 0; done && i < count; i++)
        done = digest_update(&s->work, parts[i].data, parts[i].size);
    done = done && digest_finish(&s->work, result) && digest_copy(&s->work, &s->outer) &&
           digest_update(&s->work, result, s->digest_size) && digest_finish(&s->work, result);
    if (!done)
        return 0;
    for (size_t i = 0; i < s->digest_size; i++) {
        hex[2 * i] = digits[result[i] >> 4];
        hex[2 * i + 1] = digits[result[i] & 15];
    }
    return s->digest_size * 2;
}

static bool signer_sign_alone(signer *s, const signer_job *job)
{
    return signer_sign(s, job->parts, job->count, job->hex) == signer_hex_size(s);
}

static void signer_run_many(signer *s)
{
#ifdef DIGEST_HAS_PLAIN
    hmac_many_run(s->many, s->inner.state.sha256.h, s->outer.state.sha256.h);
#else
    (void)s;
#endif
}

bool signer_sign_all(signer *s, const signer_job *jobs, size_t count)
{
    bool done = true;
    bool many = s->many && count >= hmac_many_worth(s->many);
    for (size_t i = 0; i < count; i++) {
        if (!many || !hmac_many_add(s->many, jobs + i))
            done &= signer_sign_alone(s, jobs + i);
        else if (hmac_many_is_full(s->many))
            signer_run_many(s);
    }
    if (many)
        signer_run_many(s);
    return done;
}

/// In a time that does not depend on where they differ. Eight bytes at a time, which every hex size
/// is a multiple of; CRYPTO_memcmp goes one by one.
static bool signer_equal(const void *a, const void *b, size_t size)
{
    uint64_t difference = 0;
    for (size_t at = 0; at < size; at += 8) {
        uint64_t left, right;
        memcpy(&left, (const char *)a + at, 8);
        memcpy(&right, (const char *)b + at, 8);
        difference |= left ^ right;
    }
    __asm__ volatile("" : "+r"(difference)); // the compiler may not leave the loop early
    return difference == 0;
}

bool signer_verify(signer *s, const signer_part *parts, size_t count, const uint8_t *signature,
                   size_t signature_size)
{
    char expected[SIGNER_HEX_MAX];
    if (!s->digest_size)
        return true;
    if (signature_size != s->digest_size * 2)
        return false;
    return signer_sign(s, parts, count, expected) == signature_size &&
           signer_equal(expected, signature, signature_size);
}

/// By `many`, which never fails: nor does what it leaves to OpenSSL's own contexts.
static void signer_verify_many(signer *s, signer_check *checks, size_t count)
{
    char expected[HMAC_QUEUE_MAX][HMAC_HEX_SIZE];
    signer_job jobs[HMAC_QUEUE_MAX];
    for (size_t i = 0; i < count; i++)
        jobs[i] = (signer_job){checks[i].parts, checks[i].count, expected[i]};
    signer_sign_all(s, jobs, count);
    for (size_t i = 0; i < count; i++)
        checks[i].valid = checks[i].signature_size == HMAC_HEX_SIZE &&
                          signer_equal(expected[i], checks[i].signature, HMAC_HEX_SIZE);
}

void signer_verify_all(signer *s, signer_check *checks, size_t count)
{
    while (s->many && count >= hmac_many_worth(s->many)) {
        size_t some = count < HMAC_QUEUE_MAX ? count : HMAC_QUEUE_MAX;
        signer_verify_many(s, checks, some);
        checks += some;
        count -= some;
    }
    for (signer_check *c = checks; c < checks + count; c++)
        c->valid = signer_verify(s, c->parts, c->count, c->signature, c->signature_size);
}
