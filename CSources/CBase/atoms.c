/// atoms.c: the table behind atoms.h. Called by the transports and by SchedulerWire.
///
///     slots (open addressing)      entries (index = atom)          bytes (one malloc each)
///     [ 0 | 7 | 0 | 3 | ... ] ---> [ hash, size, references ] ---> "72d4cfda-..."
///
/// Invariant: a slot holds the atom of a live entry or 0, and every live entry is reachable from
/// its hash's slot without crossing a 0. Freed entries are chained and reused last in, first out.
#include "atoms.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"

#define ATOMS_SIZE_MAX  65535u
#define ATOMS_SLOTS_MIN 64u

struct atoms {
    atoms_view view; // first: the inline functions of atoms.h read it
    hash_key key;
    uint32_t *slots;
    uint32_t slot_mask;
    uint32_t entry_capacity;
    uint32_t first_free;
    uint32_t alive;
};

atoms *atoms_create(uint64_t hash_seed)
{
    atoms *table = calloc(1, sizeof *table);
    if (!table)
        return NULL;
    table->key = hash_key_from_seed(hash_seed);
    table->slot_mask = ATOMS_SLOTS_MIN - 1;
    table->entry_capacity = ATOMS_SLOTS_MIN / 2;
    table->view.entry_count = 1;
    table->slots = calloc(ATOMS_SLOTS_MIN, sizeof *table->slots);
    table->view.entries = calloc(table->entry_capacity, sizeof *table->view.entries);
    if (!table->slots || !table->view.entries) {
        atoms_destroy(table);
        return NULL;
    }
    return table;
}

void atoms_destroy(atoms *table)
{
    if (!table)
        return;
    if (table->view.entries)
        for (uint32_t i = 1; i < table->view.entry_count; i++)
            free(table->view.entries[i].bytes);
    free(table->view.entries);
    free(table->slots);
    free(table);
}

/// The slot that holds these bytes, or the empty one where they belong.
static uint32_t atoms_slot(const atoms *table, uint64_t hash, const void *bytes, size_t size)
{
    uint32_t slot = (uint32_t)hash & table->slot_mask;
    for (;; slot = (slot + 1) & table->slot_mask) {
        atom a = table->slots[slot];
        if (a == ATOM_NONE)
            return slot;
        const atoms_entry *entry = &table->view.entries[a];
        if (entry->hash == hash && entry->size == size && !memcmp(entry->bytes, bytes, size))
            return slot;
    }
}

static bool atoms_grow_slots(atoms *table)
{
    uint32_t count = (table->slot_mask + 1) * 2;
    uint32_t *slots = calloc(count, sizeof *slots);
    if (!slots)
        return false;
    uint32_t mask = count - 1;
    for (atom a = 1; a < table->view.entry_count; a++) {
        if (!table->view.entries[a].bytes)
            continue;
        uint32_t slot = (uint32_t)table->view.entries[a].hash & mask;
        while (slots[slot])
            slot = (slot + 1) & mask;
        slots[slot] = a;
    }
    free(table->slots);
    table->slots = slots;
    table->slot_mask = mask;
    return true;
}

/// An unused atom, ATOM_NONE when memory is short.
static atom atoms_take_entry(atoms *table)
{
    atom a = table->first_free;
    if (a != ATOM_NONE) {
        table->first_free = (uint32_t)table->view.entries[a].hash;
        return a;
    }
    if (table->view.entry_count == table->entry_capacity) {
        size_t capacity = (size_t)table->entry_capacity * 2;
        if (capacity > UINT32_MAX / 2)
            return ATOM_NONE;
        atoms_entry *entries = realloc(table->view.entries, capacity * sizeof *entries);
        if (!entries)
            return ATOM_NONE;
        table->view.entries = entries;
        table->entry_capacity = (uint32_t)capacity;
    }
    return table->view.entry_count++;
}

atom atoms_intern(atoms *table, const void *bytes, size_t size)
{
    if (size == 0 || size > ATOMS_SIZE_MAX)
        return ATOM_NONE;
    uint64_t hash = hash_bytes(table->key, bytes, size);
    uint32_t slot = atoms_slot(table, hash, bytes, size);
    if (table->slots[slot]) {
        table->view.entries[table->slots[slot]].references++;
        return table->slots[slot];
    }
    if (table->alive >= table->slot_mask / 2) {
        if (!atoms_grow_slots(table))
            return ATOM_NONE;
        slot = atoms_slot(table, hash, bytes, size);
    }
    uint8_t *copy = malloc(size);
    atom a = copy ? atoms_take_entry(table) : ATOM_NONE;
    if (a == ATOM_NONE) {
        free(copy);
        return ATOM_NONE;
    }
    memcpy(copy, bytes, size);
    table->view.entries[a] = (atoms_entry){copy, hash, (uint32_t)size, 1};
    table->slots[slot] = a;
    table->alive++;
    return a;
}

atom atoms_find(const atoms *table, const void *bytes, size_t size)
{
    if (size == 0 || size > ATOMS_SIZE_MAX)
        return ATOM_NONE;
    return table->slots[atoms_slot(table, hash_bytes(table->key, bytes, size), bytes, size)];
}

void atoms_retain(atoms *table, atom a)
{
    atoms_live(table, a)->references++;
}

/// Empties a slot and moves later members of its cluster back, so that no probe is cut short.
static void atoms_clear_slot(atoms *table, uint32_t hole)
{
    uint32_t mask = table->slot_mask;
    for (uint32_t slot = (hole + 1) & mask; table->slots[slot]; slot = (slot + 1) & mask) {
        uint32_t home = (uint32_t)table->view.entries[table->slots[slot]].hash & mask;
        if (((slot - home) & mask) >= ((slot - hole) & mask)) {
            table->slots[hole] = table->slots[slot];
            hole = slot;
        }
    }
    table->slots[hole] = ATOM_NONE;
}

void atoms_release(atoms *table, atom a)
{
    atoms_entry *entry = atoms_live(table, a);
    if (--entry->references)
        return;
    atoms_clear_slot(table, atoms_slot(table, entry->hash, entry->bytes, entry->size));
    free(entry->bytes);
    *entry = (atoms_entry){.hash = table->first_free};
    table->first_free = a;
    table->alive--;
}

uint32_t atoms_count(const atoms *table)
{
    return table->alive;
}
