/// plain.c: see scan_is_plain in scan.h.
#include "plain.h"

#include "scan.h"

bool scan_is_plain(const uint8_t *bytes, size_t size)
{
    plain_block odd = {0};
    if (size < PLAIN_BLOCK) {
        uint8_t padded[PLAIN_BLOCK];
        memset(padded, ' ', PLAIN_BLOCK);
        if (size)
            memcpy(padded, bytes, size);
        return !plain_any(plain_odd(plain_load(padded)));
    }
    for (size_t at = 0; at + PLAIN_BLOCK <= size; at += PLAIN_BLOCK)
        odd |= plain_odd(plain_load(bytes + at));
    odd |= plain_odd(plain_load(bytes + size - PLAIN_BLOCK)); // some of it for the second time
    return !plain_any(odd);
}
