#include "find.h"

#include <string.h>

ptrdiff_t find_bytes(const uint8_t *hay, size_t hay_size, const uint8_t *needle, size_t needle_size)
{
    const uint8_t *found = memmem(hay, hay_size, needle, needle_size);
    return found ? found - hay : -1;
}
