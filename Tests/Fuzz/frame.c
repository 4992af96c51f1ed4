/// frame.c: fuzz target: frame heads (codec.h), one behind the other as far as they go.
///
///     input   head | body | head | body | ...
///
/// Checked: each head says what RFC 23 says of its bytes; with fewer bytes it is the same or
/// incomplete; what is read and written again is the same head in the shortest form.
#include "fuzz.h"

#include "../../CSources/CTransport/native/codec.h"

/// The head of `size` bytes the slow way: bytes used, 0 incomplete, -1 wrong.
static int expected(const uint8_t *data, size_t size, native_head *out)
{
    if (size < 2)
        return 0;
    bool more = data[0] & 1, is_long = data[0] & 2, command = data[0] & 4;
    if (data[0] > 7 || (more && command))
        return -1;
    out->flags = (uint8_t)((more ? FRAME_MORE : 0) | (command ? FRAME_COMMAND : 0));
    out->size = data[1];
    if (!is_long)
        return 2;
    if (size < 9)
        return 0;
    for (size_t i = 2; i < 9; i++)
        out->size = out->size * 256 + data[i];
    return data[1] & 0x80 ? -1 : 9;
}

static native_read read_exactly(const uint8_t *data, size_t size, native_head *head)
{
    uint8_t *copy = fuzz_copy(data, size);
    native_read read = native_head_read(copy, size, head);
    free(copy);
    native_head wanted;
    int used = expected(data, size, &wanted);
    FUZZ_REQUIRE((used < 0) == (read.reason != NULL), "%s", read.reason ? read.reason : "taken");
    FUZZ_REQUIRE(read.used == (size_t)(used < 0 ? 0 : used), "%zu bytes used", read.used);
    if (used > 0)
        FUZZ_REQUIRE(head->size == wanted.size && head->flags == wanted.flags, "size %llu flags %x",
                     (unsigned long long)head->size, head->flags);
    return read;
}

static void check_written(native_head head, const uint8_t *data, size_t used)
{
    uint8_t out[FRAME_HEAD_SIZE_MAX];
    native_head again;
    size_t size = frame_head_write(out, head.size, head.flags);
    FUZZ_REQUIRE(size == (head.size <= FRAME_SHORT_SIZE_MAX ? 2 : 9), "written as %zu", size);
    native_read read = read_exactly(out, size, &again);
    FUZZ_REQUIRE(read.used == size && again.size == head.size && again.flags == head.flags,
                 "written and read again: size %llu", (unsigned long long)again.size);
    // Only LONG with a small size has a second form.
    FUZZ_REQUIRE(size != used || memcmp(out, data, size) == 0, "not the bytes it was read from");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        native_head head;
        size_t left = size - at;
        native_read read = {0, NULL};
        for (size_t i = 0; i <= left && i <= FRAME_HEAD_SIZE_MAX + 1; i++) {
            native_read before = read;
            read = read_exactly(data + at, i, &head);
            FUZZ_REQUIRE(!before.reason || read.reason, "refused before, not with %zu bytes", i);
            FUZZ_REQUIRE(!before.used || before.used == read.used, "%zu, then %zu bytes used",
                         before.used, read.used);
        }
        if (read.reason || read.used == 0)
            break;
        check_written(head, data + at, read.used);
        at += read.used;
        at += head.size < size - at ? (size_t)head.size : size - at;
    }
    return 0;
}
