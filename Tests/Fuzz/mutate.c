/// mutate.c: see mutate.h; corpus.c reads the files.
#include "mutate.h"

typedef enum mutation {
    FLIP_BIT,
    SET_BYTE,
    ADD_TO_BYTE,
    REMOVE,
    REPEAT,
    INSERT_WORD,
    OVERWRITE_WORD,
    SPLICE,
    MUTATIONS,
} mutation;

/// Sizes and edges that parsers trip over.
static const uint8_t BYTES[] = {0,   1,   2,    7,    8,    0x1f, 0x20, '"', '0',
                                '9', ':', '\\', 0x7f, 0x80, 0xc1, 0xdf, 0xff};

static size_t below(uint64_t *random, size_t limit)
{
    return limit ? (size_t)(fuzz_random(random) % limit) : 0;
}

/// Puts `word` in place of the `removed` bytes at `at`.
static void replace(byte_string *self, size_t at, size_t removed, const uint8_t *word, size_t size)
{
    size_t behind = self->size - at - removed;
    if (size > removed && at + size + behind > MUTATION_SIZE_MAX)
        return;
    uint8_t *data = malloc(at + size + behind + 1);
    FUZZ_REQUIRE(data, "no memory");
    memcpy(data, self->data, at);
    memcpy(data + at, word, size);
    memcpy(data + at + size, self->data + at + removed, behind);
    free(self->data);
    *self = (byte_string){data, at + size + behind};
}

static void change_byte(byte_string *self, mutation how, uint64_t *random)
{
    if (self->size == 0)
        return;
    uint8_t *byte = &self->data[below(random, self->size)];
    if (how == FLIP_BIT)
        *byte ^= (uint8_t)(1u << below(random, 8));
    else if (how == SET_BYTE)
        *byte = BYTES[below(random, sizeof BYTES)];
    else
        *byte += (uint8_t)(1 + below(random, 16));
}

static void mutate_once(const corpus *corpus, byte_string *self, uint64_t *random)
{
    mutation how = (mutation)below(random, MUTATIONS);
    size_t at = below(random, self->size + 1);
    size_t some = below(random, self->size - at + 1);
    some = below(random, 2) ? some : some % 9;
    byte_string word = {0};
    if (corpus->word_count)
        word = corpus->words[below(random, corpus->word_count)];
    switch (how) {
    case REMOVE:
        replace(self, at, some, (const uint8_t *)"", 0);
        break;
    case REPEAT: {
        uint8_t *copy = fuzz_copy(self->data + at, some);
        replace(self, below(random, self->size + 1), 0, copy, some);
        free(copy);
        break;
    }
    case INSERT_WORD:
        if (word.size)
            replace(self, at, 0, word.data, word.size);
        break;
    case OVERWRITE_WORD:
        if (word.size)
            replace(self, at, word.size < self->size - at ? word.size : self->size - at, word.data,
                    word.size);
        break;
    case SPLICE: {
        const byte_string *other = &corpus->entries[below(random, corpus->count)];
        size_t from = below(random, other->size + 1);
        replace(self, at, self->size - at, other->data + from, other->size - from);
        break;
    }
    default:
        change_byte(self, how, random);
    }
}

byte_string corpus_mutate(const corpus *corpus, uint64_t seed, uint64_t index)
{
    uint64_t random = seed ^ index * 0xd1342543de82ef95u;
    const byte_string *base = &corpus->entries[below(&random, corpus->count)];
    byte_string made = {malloc(base->size + 1), base->size};
    FUZZ_REQUIRE(made.data, "no memory");
    if (base->size)
        memcpy(made.data, base->data, base->size);
    for (size_t left = 1 + below(&random, 4); left > 0; left--)
        mutate_once(corpus, &made, &random);
    return made;
}
