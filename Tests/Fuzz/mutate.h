/// mutate.h: seeded mutations of a corpus, for driver.c.
///
/// Invariant: mutation `index` of a seed depends on these two and the corpus alone, so that one of
/// them can be run again by itself.
#pragma once
#include "fuzz.h"

/// Mutations grow no entry beyond this.
#define MUTATION_SIZE_MAX 4096u

typedef struct byte_string {
    uint8_t *data;
    size_t size;
} byte_string;

typedef struct corpus {
    byte_string *entries;
    char **names; ///< of entries: their files
    size_t count;
    byte_string *words; ///< of the dictionary
    size_t word_count;
} corpus;

/// A file, or all files of a folder in the order of their names. False with a line on stderr when
/// it cannot be read.
bool corpus_read(corpus *, const char *path);
/// A dictionary as libFuzzer takes them: lines of name="word" with \xNN, \" and \\.
bool corpus_read_words(corpus *, const char *path);
void corpus_free(corpus *);
/// Writes at most MUTATION_SIZE_MAX bytes, unless an entry is larger; to be freed.
byte_string corpus_mutate(const corpus *, uint64_t seed, uint64_t index);
