/// scan_testing.h: the bodies of the comparison behind known shapes, for tests to hold against each
/// other. The scheduler's code uses match.h.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// match.h's rule by one body: 1 or 0; -1: this CPU or build has no body of that name ("any",
/// "avx2", "avx512").
int shape_match_by(const char *body, const uint8_t *now, const uint8_t *then, const uint8_t *free,
                   uint32_t size);

#ifdef __cplusplus
}
#endif
