/// curve_support.h: one side of the mechanism CURVE without a connection, for CTransportTests, with
/// random bytes that come from a seed.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SUPPORT_CURVE_COMMAND_MAX 2048

typedef struct support_curve support_curve;

typedef struct support_curve_step {
    const char *reason; ///< valid as long as the side
    size_t out_size;
    bool done;
    bool has_metadata;
    size_t metadata_size;
} support_curve_step;

/// `secret`: 32 bytes, whose public key is the server's and, on the client's side, its own.
/// `seed`: its random bytes are seed, seed + 1, and so on.
support_curve *support_curve_create(bool server, const uint8_t *secret, uint8_t seed,
                                    const uint8_t *metadata, size_t metadata_size);
/// Another server's public key than ours (client).
void support_curve_set_server(support_curve *, const uint8_t *public_key);
/// Another secret key than that of the public one.
void support_curve_set_secret(support_curve *, const uint8_t *secret_key);
void support_curve_destroy(support_curve *);
support_curve_step support_curve_start(support_curve *, uint8_t *out);
/// `metadata`: SUPPORT_CURVE_COMMAND_MAX bytes of room.
support_curve_step support_curve_take(support_curve *, const uint8_t *body, size_t size,
                                      uint8_t *out, uint8_t *metadata);
/// Flags are ZMTP's: 1 MORE, 4 COMMAND. `out`: size + 33 bytes.
void support_curve_seal(support_curve *, uint8_t flags, const uint8_t *plain, size_t size,
                        uint8_t *out);
/// In place: NULL and where the frame lies in `body`, or a reason.
const char *support_curve_open(support_curve *, uint8_t *body, size_t size, size_t *offset,
                               size_t *plain_size, uint8_t *flags);

void support_curve_public(const uint8_t *secret, uint8_t *public_key);
/// libsodium's own opening of a box. False when it cannot be opened.
bool support_box_open(const uint8_t *box, size_t size, const uint8_t *nonce,
                      const uint8_t *public_key, const uint8_t *secret, uint8_t *out);
bool support_z85_decode(const char *text, size_t size, uint8_t *out);

#ifdef __cplusplus
}
#endif
