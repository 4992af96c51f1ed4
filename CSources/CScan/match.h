/// match.h: whether a frame is what a shape says: the comparison behind shape_find. Called by
/// shape.c.
///
/// Bodies for AVX-512 (64 bytes at a time), AVX2 (32) and any CPU (16); they agree on every input.
#pragma once
#include <stdbool.h>
#include <stdint.h>

/// `now` has `size` bytes, more than 0; `then` and `free` have zeros behind theirs, to the next
/// multiple of 64.
/// `free` is 0xff where a byte may differ but must be plain (plain.h), and 0 elsewhere.
typedef bool shape_matcher(const uint8_t *now, const uint8_t *then, const uint8_t *free,
                           uint32_t size);

/// The best of this CPU, or what YARDMASTER_KERNEL asks for: `scalar`, `sse4.2` and `neon` mean the
/// one for any CPU here. What the CPU does not have is not given.
shape_matcher *shape_matcher_pick(void);
