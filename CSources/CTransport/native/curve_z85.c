/// curve_z85.c: see curve_z85.h.
///
/// Invariant: nothing beyond `size` characters is looked at, and no zero byte passes for a digit.
#include "curve_z85.h"

#include <string.h>

bool native_z85_decode(const char *text, size_t size, uint8_t *out)
{
    static const char DIGITS[] = "0123456789abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
    if (size % 5 != 0)
        return false;
    for (size_t i = 0; i < size; i += 5) {
        uint64_t value = 0;
        for (size_t j = 0; j < 5; j++) {
            const char *digit = memchr(DIGITS, text[i + j], sizeof DIGITS - 1);
            if (!digit)
                return false;
            value = value * 85 + (uint64_t)(digit - DIGITS);
        }
        if (value > UINT32_MAX)
            return false;
        for (int shift = 24; shift >= 0; shift -= 8)
            *out++ = (uint8_t)(value >> shift);
    }
    return true;
}
