/// atoms.h: interned byte strings (routing ids, engine uuids, monitor topics), counted.
///
/// The scheduler compares, stores and sends names as 32-bit atoms. An engine's uuid in a hub
/// notification, in a task's `targets` and as a routing id is one and the same atom.
///
/// Invariant: equal bytes have equal atoms while any reference is held; an atom whose count
/// reaches zero may be reused for other bytes. Single owner thread.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uint32_t atom;
#define ATOM_NONE 0u

typedef struct atoms atoms;

/// `hash_seed` keys the table's hash, so that peers cannot choose colliding names.
atoms *atoms_create(uint64_t hash_seed);
void atoms_destroy(atoms *);

/// The atom of these bytes, with one more reference. Size 1 to 65535; ATOM_NONE otherwise, or
/// when memory is short. Atoms are small: at most one more than were ever alive at once, so that
/// an array indexed by atom stays dense. Like all calls below, traps on an atom that is not alive.
atom atoms_intern(atoms *, const void *bytes, size_t size);
/// The atom of these bytes if it is alive, without a reference; else ATOM_NONE.
atom atoms_find(const atoms *, const void *bytes, size_t size);
void atoms_retain(atoms *, atom);
void atoms_release(atoms *, atom);
/// The bytes of a live atom, valid while it is held.
static inline const uint8_t *atoms_bytes(const atoms *, atom, size_t *size);
/// Atoms alive.
uint32_t atoms_count(const atoms *);

// What the inline functions need to see of the table: its first members (atoms.c draws them).
typedef struct atoms_entry {
    uint8_t *bytes; ///< NULL when free
    uint64_t hash;  ///< or, when free, the next free atom
    uint32_t size;
    uint32_t references;
} atoms_entry;

typedef struct atoms_view {
    atoms_entry *entries;
    uint32_t entry_count; ///< entries ever used; entry 0 is ATOM_NONE
} atoms_view;

/// The entry of a live atom. Anything else is our own error, never a peer's: it traps.
static inline atoms_entry *atoms_live(const atoms *table, atom a)
{
    const atoms_view *view = (const atoms_view *)table;
    if (a == ATOM_NONE || a >= view->entry_count || !view->entries[a].bytes)
        __builtin_trap();
    return &view->entries[a];
}

static inline const uint8_t *atoms_bytes(const atoms *table, atom a, size_t *size)
{
    const atoms_entry *entry = atoms_live(table, a);
    if (size)
        *size = entry->size;
    return entry->bytes;
}

#ifdef __cplusplus
}
#endif
