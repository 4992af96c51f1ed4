/// corpus.c: the files of mutate.h: corpora and dictionaries. Called by driver.c.
#include "mutate.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

static void *grow(void *array, size_t count, size_t size)
{
    void *grown = realloc(array, (count + 1) * size);
    FUZZ_REQUIRE(grown, "no memory");
    return grown;
}

static bool fail(const char *path)
{
    fprintf(stderr, "%s: cannot be read: %s\n", path, strerror(errno));
    return false;
}

static bool read_file(const char *path, byte_string *out)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return fail(path);
    *out = (byte_string){NULL, 0};
    for (size_t count = 1, capacity = 0; count > 0; out->size += count) {
        if (out->size == capacity)
            out->data = grow(out->data, capacity = capacity * 2 + 4096, 1);
        count = fread(out->data + out->size, 1, capacity - out->size, file);
    }
    bool good = !ferror(file);
    fclose(file);
    return good || fail(path);
}

static bool add_file(corpus *self, const char *path)
{
    byte_string bytes;
    if (!read_file(path, &bytes))
        return false;
    self->entries = grow(self->entries, self->count, sizeof *self->entries);
    self->names = grow(self->names, self->count, sizeof *self->names);
    self->entries[self->count] = bytes;
    self->names[self->count++] = strdup(path);
    return true;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

bool corpus_read(corpus *self, const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return fail(path);
    if (!S_ISDIR(info.st_mode))
        return add_file(self, path);
    struct dirent **found;
    int count = scandir(path, &found, is_visible, alphasort);
    if (count < 0)
        return fail(path);
    bool good = true;
    for (int i = 0; i < count; i++) {
        char file[4096];
        snprintf(file, sizeof file, "%s/%s", path, found[i]->d_name);
        good = good && add_file(self, file);
        free(found[i]);
    }
    free(found);
    return good;
}

/// The word in quotes on one line, unescaped in place. False when the line has none.
static bool unquote(char *line, byte_string *word)
{
    char *in = strchr(line, '"'), *out = line;
    if (*line == '#' || !in)
        return false;
    for (in++; *in && *in != '"'; in++) {
        unsigned code;
        if (*in == '\\' && in[1] == 'x' && sscanf(in + 2, "%2x", &code) == 1) {
            *out++ = (char)code;
            in += 3;
        } else {
            in += *in == '\\' && in[1];
            *out++ = *in;
        }
    }
    *word = (byte_string){(uint8_t *)line, (size_t)(out - line)};
    return word->size > 0;
}

bool corpus_read_words(corpus *self, const char *path)
{
    FILE *file = fopen(path, "r");
    char line[512];
    byte_string word;
    if (!file)
        return fail(path);
    while (fgets(line, sizeof line, file)) {
        if (!unquote(line, &word))
            continue;
        self->words = grow(self->words, self->word_count, sizeof *self->words);
        self->words[self->word_count++] = (byte_string){fuzz_copy(word.data, word.size), word.size};
    }
    fclose(file);
    return true;
}

void corpus_free(corpus *self)
{
    for (size_t i = 0; i < self->count; i++) {
        free(self->entries[i].data);
        free(self->names[i]);
    }
    for (size_t i = 0; i < self->word_count; i++)
        free(self->words[i].data);
    free(self->entries);
    free(self->names);
    free(self->words);
    *self = (corpus){0};
}
