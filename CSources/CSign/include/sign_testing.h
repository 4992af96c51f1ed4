/// sign_testing.h: which of the bodies a signer uses. For tests and benchmarks.
#pragma once
#include "sign.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum signer_body {
    SIGNER_BEST = 0,     ///< what the CPU has
    SIGNER_AVX512,       ///< sixteen at a time, the left over in the SHA instructions
    SIGNER_AVX512_ALONE, ///< the same on a CPU without SHA instructions
    SIGNER_PAIRS,        ///< two at a time in the SHA instructions
    SIGNER_OPENSSL,      ///< one at a time
} signer_body;

/// Makes the signer use it from now on. False, and nothing changed: this CPU does not have it, the
/// digest is not SHA-256, or memory is short.
bool signer_use_body(signer *, signer_body);
/// Which one it uses.
signer_body signer_body_of(const signer *);

#ifdef __cplusplus
}
#endif
