/// driver.c: runs a fuzz target without a fuzzer: over its corpus, then over seeded mutations of
/// it, from several threads at once. Called by short.sh.
///
///     NAME [--seed N] [--count N] [--only N] [--threads N] [--words FILE] [--write FILE] CORPUS...
///
/// Two threads on one target show to ThreadSanitizer, and to the comparisons within a target,
/// whatever the code keeps outside of what it was given.
///
/// Invariant: whatever ends the process says which input it was and how to run it again.
#include "mutate.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#define THREADS_MAX 16

static corpus inputs;
static uint64_t seed, count, only = UINT64_MAX;
static int threads = 1;
/// How to run one input again, of this thread; written before it runs.
static _Thread_local char replay[512];
static const char *program;

static void say_replay(int number)
{
    // What a signal handler may call.
    ssize_t ignored = write(STDERR_FILENO, replay, strnlen(replay, sizeof replay));
    (void)ignored;
    signal(number, SIG_DFL);
    raise(number);
}

static void run_entry(size_t index)
{
    snprintf(replay, sizeof replay, "replay: Tests/Fuzz/short.sh %s %s\n", program,
             inputs.names[index]);
    LLVMFuzzerTestOneInput(inputs.entries[index].data, inputs.entries[index].size);
}

static void run_mutation(uint64_t index)
{
    byte_string bytes = corpus_mutate(&inputs, seed, index);
    snprintf(replay, sizeof replay, "replay: Tests/Fuzz/short.sh %s --seed %llu --only %llu\n",
             program, (unsigned long long)seed, (unsigned long long)index);
    LLVMFuzzerTestOneInput(bytes.data, bytes.size);
    free(bytes.data);
}

static void *run_thread(void *argument)
{
    uint64_t first = (uint64_t)(uintptr_t)argument;
    // The corpus whole on every thread, so that equal inputs meet.
    for (size_t i = 0; i < inputs.count; i++)
        run_entry(i);
    for (uint64_t i = first; i < count; i += (uint64_t)threads)
        run_mutation(i);
    return NULL;
}

static void run_all(void)
{
    pthread_t running[THREADS_MAX];
    for (int i = 0; i < threads; i++)
        FUZZ_REQUIRE(pthread_create(&running[i], NULL, run_thread, (void *)(uintptr_t)i) == 0,
                     "no thread %d", i);
    for (int i = 0; i < threads; i++)
        pthread_join(running[i], NULL);
}

static bool write_mutation(const char *path)
{
    byte_string bytes = corpus_mutate(&inputs, seed, only);
    FILE *file = fopen(path, "wb");
    bool good = file && fwrite(bytes.data, 1, bytes.size, file) == bytes.size;
    if (file)
        good &= fclose(file) == 0;
    if (!good)
        perror(path);
    free(bytes.data);
    return good;
}

/// Fills in what is above; false with a line on stderr.
static bool read_arguments(int argc, char **argv, const char **written)
{
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        if (strncmp(name, "--", 2) != 0) {
            if (!corpus_read(&inputs, name))
                return false;
            continue;
        }
        const char *value = i + 1 < argc ? argv[++i] : "";
        char *end = "";
        if (strcmp(name, "--seed") == 0)
            seed = strtoull(value, &end, 10);
        else if (strcmp(name, "--count") == 0)
            count = strtoull(value, &end, 10);
        else if (strcmp(name, "--only") == 0)
            only = strtoull(value, &end, 10);
        else if (strcmp(name, "--threads") == 0)
            threads = (int)strtol(value, &end, 10);
        else if (strcmp(name, "--write") == 0)
            *written = value;
        else if (strcmp(name, "--words") != 0 || !corpus_read_words(&inputs, value))
            end = "?";
        if (*value == 0 || *end || threads < 1 || threads > THREADS_MAX) {
            fprintf(stderr, "%s %s: not understood; see Tests/Fuzz/driver.c\n", name, value);
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    const char *written = NULL;
    program = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    if (!read_arguments(argc, argv, &written))
        return 2;
    if (inputs.count == 0) {
        fprintf(stderr, "%s: there is no corpus; name its folder or a file\n", program);
        return 2;
    }
    if (written)
        return write_mutation(written) ? 0 : 1;
    for (int number = 1; number < 32; number++)
        if (number == SIGABRT || number == SIGSEGV || number == SIGBUS || number == SIGILL ||
            number == SIGFPE || number == SIGTRAP || number == SIGTERM)
            signal(number, say_replay);
    if (only != UINT64_MAX)
        run_mutation(only);
    else
        run_all();
    corpus_free(&inputs);
    return 0;
}
