/// sign.h: message signatures: hex HMAC over the four frames after the signature frame.
///
/// HMAC of OpenSSL digests, the key's inner and outer pads hashed once, two state copies a message.
/// With an empty key nothing is signed or checked: signatures are empty frames.
/// Source: jupyter_client's Session.sign. Single owner thread per signer.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct signer signer;
/// The longest signature in hex characters (sha512 and its like).
#define SIGNER_HEX_MAX 128

typedef struct signer_part {
    const uint8_t *data;
    uint64_t size;
} signer_part;

/// A signature to make: where the `signer_hex_size` characters go, not terminated.
typedef struct signer_job {
    const signer_part *parts;
    size_t count;
    char *hex;
} signer_job;

/// A signature to check.
typedef struct signer_check {
    const signer_part *parts;
    size_t count;
    const uint8_t *signature;
    uint64_t signature_size;
    bool valid; ///< the answer
} signer_check;

/// `scheme` as in ipyparallel: "hmac-sha256", "hmac-sha512", "hmac-md5", "hmac-sha3_256",
/// "hmac-blake2b", ... NULL when the digest is unknown, with the reason and the known names in
/// `error` (`error_size` bytes, always terminated).
signer *signer_create(const char *scheme, const void *key, size_t key_size, char *error,
                      size_t error_size);
void signer_destroy(signer *);
/// Hex characters of a signature: 0 with an empty key.
size_t signer_hex_size(const signer *);
/// Writes the signature of `parts` as lower-case hex, not terminated; returns its size. 0 with an
/// empty key, or when OpenSSL fails for want of memory.
size_t signer_sign(signer *, const signer_part *parts, size_t count, char hex[SIGNER_HEX_MAX]);
/// True when `signature` is that of `parts` (compared in constant time), or the key is empty.
bool signer_verify(signer *, const signer_part *parts, size_t count, const uint8_t *signature,
                   size_t signature_size);
/// `signer_sign` for each job. hmac-sha256 goes many at a time, as the CPU allows (hmac_many.h):
/// with AVX-512 in 0.4 of the time of one after the other. False when OpenSSL failed for want of
/// memory: some are not written.
bool signer_sign_all(signer *, const signer_job *jobs, size_t count);
/// `signer_verify` for each check, as fast.
void signer_verify_all(signer *, signer_check *checks, size_t count);

#ifdef __cplusplus
}
#endif
