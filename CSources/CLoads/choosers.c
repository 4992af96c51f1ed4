/// choosers.c: the five choosers, with and without a mask.
///
/// Called by the scheduler for every placement. Invariant: a chosen slot is available, and its bit
/// is set in the mask when there is one.
///
/// twobin, weighted and plainrandom pick positions of the LRU order in the original. A uniform
/// position is a uniform engine, and a position drawn by the weight of what stands there is an
/// engine drawn by its weight: so slots are picked in any order, and the rules that look at the
/// order compare stamps. The distribution is the same and nothing has to be sorted.
#include "vector.h"

/// A number in [0, count). Of the 2^64 inputs some numbers get one more than others: a bias of
/// at most count / 2^64, under 3e-10 even for 2^32 engines, which no test could ever tell.
static uint64_t below(uint64_t count, uint64_t random)
{
    return (uint64_t)((unsigned __int128)random * count >> 64);
}

/// The engine that stands earlier in LRU order.
static uint32_t earlier(const loads *vector, uint32_t a, uint32_t b)
{
    uint32_t stamp_a = loads_key_stamp(vector, vector->levels[0][a]);
    uint32_t stamp_b = loads_key_stamp(vector, vector->levels[0][b]);
    return stamp_b < stamp_a ? b : a;
}

/// The slot of the `rank`th set bit (from 0) of mask & available; there are more than `rank`.
static uint32_t select_bit(const loads *vector, const uint64_t *mask, uint32_t first, uint32_t last,
                           uint64_t rank)
{
    // Whole groups of words are counted off, then words, then bits.
    const uint32_t group = 16;
    for (; first + group <= last; first += group) {
        uint64_t inside = vector->kernel->count_bits(mask, vector->available, first, first + group);
        if (rank < inside) {
            break;
        }
        rank -= inside;
    }
    uint64_t bits = mask[first] & vector->available[first];
    for (uint64_t inside; (inside = (uint64_t)__builtin_popcountll(bits)) <= rank;) {
        rank -= inside;
        first++;
        bits = mask[first] & vector->available[first];
    }
    for (; rank > 0; rank--) {
        bits &= bits - 1;
    }
    return first * LOADS_BLOCK + (uint32_t)__builtin_ctzll(bits);
}

static uint32_t choose_uniform(const loads *vector, const uint64_t *mask, uint32_t first,
                               uint32_t last, const uint64_t random[2])
{
    uint64_t count = vector->kernel->count_bits(mask, vector->available, first, last);
    if (count == 0) {
        return LOADS_NONE;
    }
    uint32_t a = select_bit(vector, mask, first, last, below(count, random[0]));
    if (vector->scheme == LOADS_PLAINRANDOM) {
        return a;
    }
    uint32_t b = select_bit(vector, mask, first, last, below(count, random[1]));
    return earlier(vector, a, b);
}

static double sum_words(const loads *vector, const uint64_t *mask, uint32_t first, uint32_t last)
{
    return vector->kernel->sum_weights(vector->weights, mask, vector->available, first, last);
}

/// The first eligible slot of one word at which the running sum reaches `target`; the last one
/// when rounding keeps the sum below it (the word was chosen with its weights added in lanes).
static uint32_t weigh_word(const loads *vector, uint64_t bits, uint32_t word, double target)
{
    double sum = 0;
    uint32_t slot = LOADS_NONE;
    for (; bits != 0; bits &= bits - 1) {
        slot = word * LOADS_BLOCK + (uint32_t)__builtin_ctzll(bits);
        sum += vector->weights[slot];
        if (sum >= target) {
            break;
        }
    }
    return slot;
}

/// The slot at which the prefix sums over the eligible slots reach `target`, which is at most the
/// sum of them all: word sums are added here in the same order as for that sum.
static uint32_t weigh(const loads *vector, const uint64_t *mask, uint32_t first, uint32_t last,
                      double target)
{
    double sum = 0;
    uint32_t slot = LOADS_NONE;
    for (uint32_t word = first; word < last; word++) {
        uint64_t bits = mask[word] & vector->available[word];
        if (bits == 0) {
            continue;
        }
        double before = sum;
        sum += sum_words(vector, mask, word, word + 1);
        if (sum >= target) {
            slot = weigh_word(vector, bits, word, target - before);
            break;
        }
    }
    return slot;
}

static uint32_t choose_weighted(const loads *vector, const uint64_t *mask, uint32_t first,
                                uint32_t last, const uint64_t random[2])
{
    double total = sum_words(vector, mask, first, last);
    if (!(total > 0)) {
        return LOADS_NONE;
    }
    // 53 random bits make a number in [0, 1), as Python's random() does.
    uint32_t a = weigh(vector, mask, first, last, (double)(random[0] >> 11) * 0x1p-53 * total);
    uint32_t b = weigh(vector, mask, first, last, (double)(random[1] >> 11) * 0x1p-53 * total);
    uint32_t load_a = loads_key_load(vector, vector->levels[0][a]);
    uint32_t load_b = loads_key_load(vector, vector->levels[0][b]);
    return load_b < load_a ? b : a;
}

static uint32_t words_in_use(const loads *vector)
{
    return (uint32_t)loads_tree_nodes(vector->capacity, 1);
}

uint32_t loads_choose(loads *vector, const uint64_t random[2])
{
    uint32_t count = vector->available_count;
    if (count == 0) {
        return LOADS_NONE;
    }
    switch (vector->scheme) {
    case LOADS_TWOBIN:
        return earlier(vector, vector->dense[below(count, random[0])],
                       vector->dense[below(count, random[1])]);
    case LOADS_PLAINRANDOM:
        return vector->dense[below(count, random[0])];
    case LOADS_WEIGHTED:
        return choose_weighted(vector, vector->available, 0, words_in_use(vector), random);
    case LOADS_LEASTLOAD:
    case LOADS_LRU:
        break;
    }
    return loads_tree_minimum(vector);
}

uint32_t loads_choose_masked(loads *vector, const uint64_t *mask, uint32_t first_word,
                             uint32_t last_word, const uint64_t random[2])
{
    uint32_t words = words_in_use(vector);
    last_word = last_word < words ? last_word : words;
    if (first_word >= last_word || vector->available_count == 0) {
        return LOADS_NONE;
    }
    switch (vector->scheme) {
    case LOADS_TWOBIN:
    case LOADS_PLAINRANDOM:
        return choose_uniform(vector, mask, first_word, last_word, random);
    case LOADS_WEIGHTED:
        return choose_weighted(vector, mask, first_word, last_word, random);
    case LOADS_LEASTLOAD:
    case LOADS_LRU:
        break;
    }
    return vector->kernel->masked_minimum(vector->levels[0], mask, vector->available, first_word,
                                          last_word);
}
