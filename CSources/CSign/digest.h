/// digest.h: running digests that are cheap to copy: what HMAC with pre-hashed pads needs.
///
/// Called by sign.c only. Two bodies, both OpenSSL's:
///   plain     md5, sha1, sha2: OpenSSL's own contexts, copied as structures. No allocation;
///             half the time of an EVP digest for half a kilobyte. Deprecated in name since 3.0
///             (their replacement allocates twice a message), so absent where OpenSSL was built
///             without deprecated functions; then EVP does it all.
///   EVP       every other digest.
///
/// Invariant: a digest is offered only when EVP_MD_fetch finds it, whichever body runs it, so that
/// a machine's OpenSSL configuration (FIPS, say) decides what may be used.
#pragma once
#include <openssl/evp.h>
#include <openssl/opensslconf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if !defined(OPENSSL_NO_DEPRECATED_3_0) && !defined(SIGN_EVP_ONLY)
#define DIGEST_HAS_PLAIN 1
#include <openssl/md5.h>
#include <openssl/sha.h>
#endif

#define DIGEST_SIZE_MAX EVP_MAX_MD_SIZE
/// The largest block of a digest offered here: 144 bytes, sha3_224.
#define DIGEST_BLOCK_MAX 144

typedef union digest_plain_state {
    uint64_t none;
#ifdef DIGEST_HAS_PLAIN
    MD5_CTX md5;
    SHA_CTX sha1;
    SHA256_CTX sha256; ///< sha224 too
    SHA512_CTX sha512; ///< sha384 too
#endif
} digest_plain_state;

typedef struct digest_plain {
    void (*start)(digest_plain_state *);
    void (*update)(digest_plain_state *, const void *data, size_t size);
    void (*finish)(digest_plain_state *, uint8_t *out);
} digest_plain;

/// A digest by its hashlib name.
typedef struct digest_name {
    const char *hashlib;
    const char *openssl;
    const digest_plain *plain; ///< NULL: through EVP
} digest_name;

/// A digest under way.
typedef struct digest {
    const digest_plain *plain; ///< NULL: `context` is used, else `state`
    EVP_MD_CTX *context;
    digest_plain_state state;
} digest;

/// The known names, ended by one whose `hashlib` is NULL.
extern const digest_name digest_names[];

/// False when OpenSSL fails (memory).
bool digest_start(digest *, const digest_name *, const EVP_MD *);
/// Makes `to`, started for the same digest, what `from` is.
bool digest_copy(digest *to, const digest *from);
bool digest_update(digest *, const void *data, size_t size);
bool digest_finish(digest *, uint8_t out[DIGEST_SIZE_MAX]);
/// Wipes and frees.
void digest_end(digest *);
