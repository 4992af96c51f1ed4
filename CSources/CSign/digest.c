/// digest.c: the two bodies of digest.h. Called by sign.c; the invariant is there.
#define OPENSSL_SUPPRESS_DEPRECATED // see digest.h on why the plain contexts are used
#include "digest.h"

#include <openssl/crypto.h>

#ifdef DIGEST_HAS_PLAIN
#define DIGEST_PLAIN(name, member, Prefix)                                                         \
    static void name##_start(digest_plain_state *s)                                                \
    {                                                                                              \
        Prefix##_Init(&s->member);                                                                 \
    }                                                                                              \
    static void name##_update(digest_plain_state *s, const void *data, size_t size)                \
    {                                                                                              \
        Prefix##_Update(&s->member, data, size);                                                   \
    }                                                                                              \
    static void name##_finish(digest_plain_state *s, uint8_t *out)                                 \
    {                                                                                              \
        Prefix##_Final(out, &s->member);                                                           \
    }                                                                                              \
    static const digest_plain name##_plain = {name##_start, name##_update, name##_finish};

DIGEST_PLAIN(md5, md5, MD5)
DIGEST_PLAIN(sha1, sha1, SHA1)
DIGEST_PLAIN(sha224, sha256, SHA224)
DIGEST_PLAIN(sha256, sha256, SHA256)
DIGEST_PLAIN(sha384, sha512, SHA384)
DIGEST_PLAIN(sha512, sha512, SHA512)
#define PLAIN(name) &name##_plain
#else
#define PLAIN(name) NULL
#endif

const digest_name digest_names[] = {
    {"md5", "MD5", PLAIN(md5)},
    {"sha1", "SHA1", PLAIN(sha1)},
    {"sha224", "SHA2-224", PLAIN(sha224)},
    {"sha256", "SHA2-256", PLAIN(sha256)},
    {"sha384", "SHA2-384", PLAIN(sha384)},
    {"sha512", "SHA2-512", PLAIN(sha512)},
    {"sha512_256", "SHA2-512/256", NULL},
    {"sha3_224", "SHA3-224", NULL},
    {"sha3_256", "SHA3-256", NULL},
    {"sha3_384", "SHA3-384", NULL},
    {"sha3_512", "SHA3-512", NULL},
    {"blake2b", "BLAKE2B-512", NULL},
    {"blake2s", "BLAKE2S-256", NULL},
    {NULL, NULL, NULL},
};

bool digest_start(digest *d, const digest_name *name, const EVP_MD *algorithm)
{
    d->plain = name->plain;
    d->context = NULL;
    if (d->plain) {
        d->plain->start(&d->state);
        return true;
    }
    d->context = EVP_MD_CTX_new();
    return d->context && EVP_DigestInit_ex2(d->context, algorithm, NULL);
}

bool digest_copy(digest *to, const digest *from)
{
    if (!from->plain)
        return EVP_MD_CTX_copy_ex(to->context, from->context);
    to->state = from->state;
    return true;
}

bool digest_update(digest *d, const void *data, size_t size)
{
    if (size == 0)
        return true;
    if (!d->plain)
        return EVP_DigestUpdate(d->context, data, size);
    d->plain->update(&d->state, data, size);
    return true;
}

bool digest_finish(digest *d, uint8_t out[DIGEST_SIZE_MAX])
{
    if (!d->plain)
        return EVP_DigestFinal_ex(d->context, out, NULL);
    d->plain->finish(&d->state, out);
    return true;
}

void digest_end(digest *d)
{
    EVP_MD_CTX_free(d->context);
    OPENSSL_cleanse(d, sizeof *d);
}
