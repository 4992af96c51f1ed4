/// find.h: where bytes stand inside other bytes. For Swift, which does not see memmem.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// Offset of the first occurrence of `needle` in `hay`, or -1.
ptrdiff_t find_bytes(const uint8_t *hay, size_t hay_size, const uint8_t *needle,
                     size_t needle_size);
