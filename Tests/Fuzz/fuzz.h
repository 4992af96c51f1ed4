/// fuzz.h: what the fuzz targets of this folder have in common. A target is one C file that defines
/// LLVMFuzzerTestOneInput; libFuzzer calls it (run.sh), and so does driver.c in the short test
/// (short.sh), there from several threads at once.
///
/// Invariant: a target keeps nothing between calls and asks no clock: equal bytes, equal behaviour.
///
/// A new target NAME is NAME.c here, a line in make_corpus.py (then run it) and, when what it calls
/// lies in a folder of CSources that no target calls yet, a line in SOURCES of the Makefile.
/// words/NAME.dict is optional. run.sh, short.sh and `make test` find a target by its file.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/// What must hold whatever the bytes were. The rest is a printf format: what was seen instead.
#define FUZZ_REQUIRE(condition, ...)                                                               \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s: ", __FILE__, __LINE__, #condition);                \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fputc('\n', stderr);                                                                   \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/// The bytes of a run, taken from the front.
typedef struct fuzz_input {
    const uint8_t *data;
    size_t size;
} fuzz_input;

/// Ends a field of an input with several: a byte pair that is neither UTF-8 nor MessagePack.
#define FUZZ_SEPARATOR "\xc1\xc1"

/// 0 when all is taken.
static inline uint8_t fuzz_byte(fuzz_input *self)
{
    if (self->size == 0)
        return 0;
    self->size--;
    return *self->data++;
}

/// At most `size` bytes.
static inline fuzz_input fuzz_take(fuzz_input *self, size_t size)
{
    fuzz_input taken = {self->data, size < self->size ? size : self->size};
    self->data += taken.size;
    self->size -= taken.size;
    return taken;
}

/// The bytes up to the next separator, which is taken too, or all.
static inline fuzz_input fuzz_field(fuzz_input *self)
{
    for (size_t at = 0; at + 2 <= self->size; at++) {
        if (memcmp(self->data + at, FUZZ_SEPARATOR, 2) == 0) {
            fuzz_input field = fuzz_take(self, at);
            fuzz_take(self, 2);
            return field;
        }
    }
    return fuzz_take(self, self->size);
}

/// An allocation of exactly these bytes, so that a sanitizer sees a look beyond. Never NULL.
static inline uint8_t *fuzz_copy(const void *data, size_t size)
{
    uint8_t *copy = malloc(size);
    FUZZ_REQUIRE(copy || size == 0, "no memory for %zu bytes", size);
    if (!copy)
        copy = malloc(1);
    if (size)
        memcpy(copy, data, size);
    return copy;
}

/// The same with a zero byte behind, up to the first one within.
static inline char *fuzz_text(fuzz_input field)
{
    const uint8_t *end = field.size ? memchr(field.data, 0, field.size) : NULL;
    size_t size = end ? (size_t)(end - field.data) : field.size;
    char *text = malloc(size + 1);
    FUZZ_REQUIRE(text, "no memory for %zu bytes", size);
    if (size)
        memcpy(text, field.data, size);
    text[size] = 0;
    return text;
}

/// splitmix64, as in the Swift tests: the next number of a sequence.
static inline uint64_t fuzz_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
