/// differential.c: one kernel of the load vector against the scalar one, on the same random and
/// adversarial inputs, first function by function and then through whole vectors.
///
/// Built and run by neon.sh under an emulator; it runs natively just as well:
///     differential KERNEL [SEED]
/// Prints what it compared. Exit status: 0 all equal, 1 a mismatch (named with the seed), 2 a bad
/// argument, 77 when this CPU does not support KERNEL.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "loads_testing.h"

#define WORDS  70u
#define SLOTS  (WORDS * LOADS_BLOCK)
#define ROUNDS 4000
#define STEPS  3000

static uint64_t seed, state;
static unsigned long long compared;
static int failures;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void expect(bool equal, const char *what, uint64_t detail)
{
    compared++;
    if (!equal && failures++ < 20) {
        printf("MISMATCH %s (%" PRIu64 "); replay with seed %" PRIu64 "\n", what, detail, seed);
    }
}

static int64_t keys[SLOTS] __attribute__((aligned(64)));
static double weights[SLOTS] __attribute__((aligned(64)));
static uint64_t mask[WORDS], available[WORDS];

/// Keys as vectors hold them: distinct stamps, loads from all equal to the limits, some absent.
static void fill_keys(int pattern)
{
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        int64_t stamp = (slot * 2654435761u) ^ (uint32_t)seed;
        int64_t load = 5;
        switch (pattern % 6) {
        case 1:
            load = next_random() % 4;
            break;
        case 2:
            load = (int64_t)(next_random() % (LOADS_MAX + 1ull));
            break;
        case 3:
            load = LOADS_MAX - (int64_t)(next_random() % 2);
            break;
        case 4:
            load = slot % LOADS_BLOCK == 63 || slot % LOADS_BLOCK == 0 ? 1 : 2;
            break;
        default:
            break;
        }
        bool has_room = next_random() % 8 != 0 || pattern % 3 == 0;
        keys[slot] = (has_room ? LOADS_KEY_AVAILABLE : LOADS_KEY_FULL) | load << 32 | stamp;
        weights[slot] = 1.0 / (1e-6 + (double)load);
        if (pattern % 5 == 4 && next_random() % 4 == 0) {
            keys[slot] = LOADS_KEY_ABSENT;
        }
    }
    if (pattern % 7 == 6) {
        // The smallest of all in a last lane.
        uint32_t slot = (uint32_t)(next_random() % WORDS) * LOADS_BLOCK + 63;
        keys[slot] = LOADS_KEY_AVAILABLE + (int64_t)(next_random() % 9);
    }
}

static void fill_mask(uint64_t *words, int pattern)
{
    for (uint32_t word = 0; word < WORDS; word++) {
        switch ((pattern + (int)(next_random() % 3)) % 7) {
        case 0:
            words[word] = UINT64_MAX;
            break;
        case 1:
            words[word] = next_random();
            break;
        case 2:
            words[word] = next_random() & next_random() & next_random();
            break;
        case 3:
            words[word] = 1ull << (next_random() % 64);
            break;
        case 4:
            words[word] = ~(1ull << (next_random() % 64));
            break;
        default:
            words[word] = 0;
        }
    }
}

static void compare_functions(const loads_kernel *kernel)
{
    const loads_kernel *scalar = &loads_kernel_scalar;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t detail = (uint64_t)round;
        fill_keys(round);
        fill_mask(mask, (int)(next_random() % 7));
        fill_mask(available, (int)(next_random() % 3));
        // A set bit of `available` promises an available key.
        for (uint32_t slot = 0; slot < SLOTS; slot++) {
            if (keys[slot] >= LOADS_KEY_FULL) {
                available[slot / 64] &= ~(1ull << (slot % 64));
            }
        }
        uint32_t count = (uint32_t)(next_random() % (SLOTS / 8)) * 8;
        count = round % 2 == 0 ? count % 72 : count;
        int64_t smallest = scalar->minimum(keys, count);
        expect(kernel->minimum(keys, count) == smallest, "minimum", detail);
        int64_t wanted = round % 4 == 0 ? 12345 : keys[next_random() % SLOTS];
        expect(kernel->find(keys, count, smallest) == scalar->find(keys, count, smallest),
               "find the minimum", detail);
        expect(kernel->find(keys, count, wanted) == scalar->find(keys, count, wanted), "find",
               detail);
        uint32_t first = (uint32_t)(next_random() % (WORDS + 1));
        uint32_t last = first + (uint32_t)(next_random() % (WORDS + 1 - first));
        if (round % 3 == 0) {
            first = 0;
            last = WORDS;
        }
        expect(kernel->masked_minimum(keys, mask, available, first, last) ==
                   scalar->masked_minimum(keys, mask, available, first, last),
               "masked minimum", detail);
        expect(kernel->count_bits(mask, available, first, last) ==
                   scalar->count_bits(mask, available, first, last),
               "count of bits", detail);
        double sum = kernel->sum_weights(weights, mask, available, first, last);
        double expected = scalar->sum_weights(weights, mask, available, first, last);
        expect(memcmp(&sum, &expected, sizeof sum) == 0, "sum of weights", detail);
    }
}

static void step(loads *const pair[2], uint32_t limit)
{
    uint32_t slot = (uint32_t)(next_random() % (limit + 3));
    uint32_t words = limit / LOADS_BLOCK + 2;
    uint64_t random[2] = {next_random(), next_random()};
    uint64_t action = next_random() % 12;
    uint32_t chosen[2];
    if (action < 3 && words <= WORDS) {
        fill_mask(mask, (int)(next_random() % 7));
    }
    for (int side = 0; side < 2; side++) {
        loads *vector = pair[side];
        if (action < 6) {
            chosen[side] =
                action < 3 && words <= WORDS
                    ? loads_choose_masked(vector, mask, (uint32_t)(random[0] % 2), words, random)
                    : loads_choose(vector, random);
            loads_set(vector, chosen[side], loads_get(vector, chosen[side]) + 1);
            loads_to_back(vector, chosen[side]);
        } else if (action < 8) {
            uint32_t load = loads_get(vector, slot);
            loads_set(vector, slot, load == 0 ? 0 : load - 1);
        } else if (action == 8) {
            loads_remove(vector, slot);
        } else if (action == 9) {
            loads_to_front(vector, slot);
        } else {
            loads_insert(vector, slot);
        }
        if (random[1] % 512 == 0) {
            loads_force_stamps(vector, (uint32_t)(random[0] % 3));
        }
    }
    if (action < 6) {
        expect(chosen[0] == chosen[1], "choice", slot);
    }
}

static void compare_vectors(const char *name)
{
    static const uint32_t sizes[] = {0, 1, 7, 8, 9, 63, 64, 65, 4096, 100000};
    for (int scheme = LOADS_LEASTLOAD; scheme <= LOADS_PLAINRANDOM; scheme++) {
        for (size_t index = 0; index < sizeof sizes / sizeof sizes[0]; index++) {
            uint32_t size = sizes[index], hwm = (uint32_t)(next_random() % 4);
            loads *pair[2] = {loads_create(scheme, hwm), loads_create(scheme, hwm)};
            bool ready = loads_use_kernel(pair[0], "scalar") && loads_use_kernel(pair[1], name);
            expect(ready, "use of the kernel", 0);
            for (uint32_t slot = 0; slot < size; slot++) {
                loads_insert(pair[0], slot);
                loads_insert(pair[1], slot);
            }
            // A weighted choice reads everything: fewer of them on the largest.
            int steps = size > 5000 && scheme == LOADS_WEIGHTED ? STEPS / 10 : STEPS;
            for (int count = 0; count < steps; count++) {
                step(pair, size);
                if (count % 501 == 0) {
                    expect(loads_check(pair[1]), "check", size);
                }
            }
            expect(loads_check(pair[0]) && loads_check(pair[1]), "check at the end", size);
            loads_destroy(pair[0]);
            loads_destroy(pair[1]);
        }
    }
}

int main(int argument_count, char **arguments)
{
    if (argument_count < 2) {
        fprintf(stderr, "usage: differential KERNEL [SEED]\n");
        return 2;
    }
    const loads_kernel *kernel = loads_kernel_named(arguments[1]);
    if (kernel == NULL) {
        printf("skipped: this CPU does not support the kernel %s\n", arguments[1]);
        return 77;
    }
    seed = argument_count > 2 ? strtoull(arguments[2], NULL, 10) : 20260101;
    state = seed * 2 + 1;
    compare_functions(kernel);
    unsigned long long functions = compared;
    compare_vectors(arguments[1]);
    printf("%s against scalar, seed %" PRIu64 ": %llu function results and %llu vector results, "
           "%d mismatches (picked for this CPU: %s)\n",
           arguments[1], seed, functions, compared - functions, failures, loads_kernel_name());
    return failures == 0 ? 0 : 1;
}
