/// codec.c: see codec.h.
#include "codec.h"

#include <string.h>

#define SIGNATURE_END 9
#define MAJOR_AT      10
#define MECHANISM_AT  12
#define SERVER_AT     32

void native_greeting_write(uint8_t out[NATIVE_GREETING_SIZE], const char *mechanism, bool server)
{
    memset(out, 0, NATIVE_GREETING_SIZE);
    out[0] = 0xff;
    out[8] = 1; // an old peer reads an 8 byte length here; libzmq sends the same
    out[SIGNATURE_END] = 0x7f;
    out[MAJOR_AT] = 3;
    out[MAJOR_AT + 1] = 1;
    memcpy(out + MECHANISM_AT, mechanism, strnlen(mechanism, NATIVE_MECHANISM_NAME_SIZE));
    out[SERVER_AT] = server;
}

static const char *judge_first_bytes(const uint8_t *bytes, size_t size)
{
    static const char *const HTTP[] = {"GET ", "POST", "HEAD", "PUT ", "OPTI", "CONN"};
    if (bytes[0] == 0xff)
        return NULL;
    for (size_t i = 0; i < sizeof HTTP / sizeof HTTP[0]; i++) {
        if (memcmp(bytes, HTTP[i], size < 4 ? size : 4) != 0)
            continue;
        // Fewer bytes might become something else: the reason must not depend on how they came.
        return size < 4 ? NULL : "speaks HTTP, not ZMTP: something else knocked at this port";
    }
    if (bytes[0] == 0x16)
        return "speaks TLS, not ZMTP: something else knocked at this port";
    return "does not speak ZMTP (or a version before 2)";
}

native_read native_greeting_read(const uint8_t *bytes, size_t size, const char *mechanism)
{
    native_read result = {0, NULL};
    if (size == 0)
        return result;
    result.reason = judge_first_bytes(bytes, size);
    if (!result.reason && size > SIGNATURE_END && !(bytes[SIGNATURE_END] & 1))
        result.reason = "speaks ZMTP 1 (libzmq 2); it needs libzmq 4 or newer";
    if (!result.reason && size > MAJOR_AT && bytes[MAJOR_AT] < 3)
        result.reason = "speaks ZMTP 2 (libzmq 3); it needs libzmq 4 or newer";
    if (result.reason || size < MECHANISM_AT + NATIVE_MECHANISM_NAME_SIZE)
        return result;
    char wanted[NATIVE_MECHANISM_NAME_SIZE] = {0};
    memcpy(wanted, mechanism, strnlen(mechanism, sizeof wanted));
    if (memcmp(bytes + MECHANISM_AT, wanted, sizeof wanted) != 0)
        result.reason = "uses another security mechanism; give both sides keys, or none";
    else if (size >= NATIVE_GREETING_SIZE)
        result.used = NATIVE_GREETING_SIZE;
    return result;
}

bool native_command_split(native_bytes body, native_bytes *name, native_bytes *data)
{
    if (body.size == 0 || body.data[0] == 0 || body.data[0] > body.size - 1)
        return false;
    *name = (native_bytes){body.data + 1, body.data[0]};
    *data = (native_bytes){name->data + name->size, body.size - 1 - name->size};
    return true;
}

bool native_bytes_are(native_bytes self, const char *text)
{
    return self.size == strlen(text) && memcmp(self.data, text, self.size) == 0;
}

size_t native_command_begin(uint8_t *out, const char *name)
{
    size_t size = strlen(name);
    out[0] = (uint8_t)size;
    memcpy(out + 1, name, size);
    return size + 1;
}

native_read native_property_read(native_bytes metadata, native_bytes *name, native_bytes *value)
{
    static const char CUT[] = "sent metadata that are cut short";
    size_t name_size = metadata.size ? metadata.data[0] : 0;
    if (name_size == 0 || metadata.size < 1 + name_size + 4)
        return (native_read){0, CUT};
    const uint8_t *at = metadata.data + 1 + name_size;
    size_t value_size =
        (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | (size_t)at[3];
    size_t left = metadata.size - (1 + name_size + 4);
    if (value_size > left)
        return (native_read){0, CUT};
    *name = (native_bytes){metadata.data + 1, name_size};
    *value = (native_bytes){at + 4, value_size};
    return (native_read){1 + name_size + 4 + value_size, NULL};
}

size_t native_property_write(uint8_t *out, const char *name, const void *value, size_t value_size)
{
    size_t at = native_command_begin(out, name);
    for (int shift = 24; shift >= 0; shift -= 8)
        out[at++] = (uint8_t)(value_size >> shift);
    if (value_size)
        memcpy(out + at, value, value_size);
    return at + value_size;
}
