/// loads.h: the load vector and the choosers (leastload, lru, twobin, weighted, plainrandom).
///
/// One entry an engine slot. Engines stand in LRU order: a new one goes to the front, one that
/// gets a task goes to the back. The order is a 32-bit stamp beside the load, so an assignment
/// writes one entry and never shifts the vector; the choosers compare `load << 32 | stamp`, lru
/// the stamp alone.
///
/// Choosers (ipyparallel 9.2, task_scheduler.py; SEMANTICS section 3), over the eligible engines
/// in LRU order: lru the first; leastload the lowest load, first of equals; twobin two uniform
/// picks (which may coincide), the earlier of the two; plainrandom uniform; weighted two picks
/// with probability proportional to 1/(1e-6 + load), the less loaded of the two, the first pick on
/// a tie.
///
/// Cost: `loads_choose` without a mask is O(log n) with fan-out 64 for leastload and lru and O(1)
/// for twobin and plainrandom; weighted and every masked choice is a SIMD scan.
///
/// Invariant: stamps of occupied slots are distinct. Single owner thread; no clock, no random
/// source: random bits are an argument.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct loads loads;
#define LOADS_NONE UINT32_MAX
/// The largest load an entry can hold, some 500 million tasks; `loads_set` saturates there. (Not
/// all of 29 bits: see kernels.h.)
#define LOADS_MAX 0x1fefffffu

typedef enum loads_scheme {
    LOADS_LEASTLOAD = 0,
    LOADS_LRU = 1,
    LOADS_TWOBIN = 2,
    LOADS_WEIGHTED = 3,
    LOADS_PLAINRANDOM = 4,
} loads_scheme;

/// `hwm`: an engine with load >= hwm is not available; 0 means no limit.
loads *loads_create(loads_scheme scheme, uint32_t hwm);
void loads_destroy(loads *);

/// A call that names a slot which is not occupied (or, to insert, which is) changes nothing; memory
/// that runs out ends the process with one line.
///
/// Occupies `slot` (any unoccupied index; the vector grows) with load 0, at the LRU front.
void loads_insert(loads *, uint32_t slot);
void loads_remove(loads *, uint32_t slot);
bool loads_contains(const loads *, uint32_t slot);

/// The load; 0 for a slot that is not occupied.
uint32_t loads_get(const loads *, uint32_t slot);
/// Sets the load; the LRU place does not change. (A finished task: load - 1.)
void loads_set(loads *, uint32_t slot, uint32_t load);
/// Moves the slot to the back of the LRU order (it got a task) or to the front.
void loads_to_back(loads *, uint32_t slot);
void loads_to_front(loads *, uint32_t slot);

/// Engines present; engines available (load < hwm); one past the highest slot ever used.
uint32_t loads_count(const loads *);
uint32_t loads_available(const loads *);
uint32_t loads_capacity(const loads *);
/// True when the slot is occupied and below hwm.
bool loads_is_available(const loads *, uint32_t slot);

/// The chosen slot among all available engines, or LOADS_NONE when there is none. `random` are
/// two words of random bits, used by twobin, weighted and plainrandom only.
uint32_t loads_choose(loads *, const uint64_t random[2]);

/// The chosen slot among available engines whose bit is set. Bit i of word w is slot 64 * w + i;
/// only words [first_word, last_word) are looked at (others count as zero); words past the
/// capacity are ignored.
uint32_t loads_choose_masked(loads *, const uint64_t *mask, uint32_t first_word, uint32_t last_word,
                             const uint64_t random[2]);

/// Slots in LRU order, least recently used first; returns how many were written (for tests,
/// invariants and reports; O(n log n)).
uint32_t loads_lru_order(const loads *, uint32_t *slots, uint32_t capacity);
/// True when the inner structure agrees with a recount from the vector.
bool loads_check(const loads *);

/// The kernels in use: "scalar", "sse4.2", "avx2", "avx512" or "neon". Picked once from CPUID;
/// the environment variable YARDMASTER_KERNEL forces one (an unknown or unsupported name falls
/// back to the best and is told by `loads_kernel_note`).
const char *loads_kernel_name(void);
/// NULL, or one line that says why the forced kernel was not used.
const char *loads_kernel_note(void);

#ifdef __cplusplus
}
#endif
