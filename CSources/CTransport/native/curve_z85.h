/// curve_z85.h: RFC 32: binary as printable text, 4 bytes in 5 characters. Called by curve_keys.c.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Reads `size` characters into `size / 5 * 4` bytes. False when `size` is no multiple of 5, a
/// character is none of the 85, or five of them say more than 32 bits hold.
bool native_z85_decode(const char *text, size_t size, uint8_t *out);
