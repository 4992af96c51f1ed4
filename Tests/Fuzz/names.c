/// names.c: fuzz target: message ids and routing ids, which peers choose (task_ids.h, atoms.h).
///
///     input   hash seed: 1 | name | C1 C1 | name | C1 C1 | ...
///
/// Checked: against a plain list, that equal names have one index or atom and others another, that
/// ids are never forgotten and atoms are when the last reference goes.
#include "fuzz.h"

#include "../../CSources/CBase/include/atoms.h"
#include "../../CSources/CBase/include/task_ids.h"

#define NAMES_MAX 64u

typedef struct plain_list {
    fuzz_input names[NAMES_MAX];
    uint32_t count;
} plain_list;

static uint32_t index_of(const plain_list *self, fuzz_input name)
{
    for (uint32_t i = 0; i < self->count; i++)
        if (self->names[i].size == name.size && !memcmp(self->names[i].data, name.data, name.size))
            return i;
    return UINT32_MAX;
}

static void check_ids(uint64_t seed, fuzz_input in)
{
    plain_list list = {.count = 0};
    task_ids *ids = task_ids_create(seed);
    FUZZ_REQUIRE(ids, "no memory");
    while (in.size > 0 && list.count < NAMES_MAX) {
        fuzz_input name = fuzz_field(&in);
        uint8_t *copy = fuzz_copy(name.data, name.size);
        uint32_t known = index_of(&list, name);
        FUZZ_REQUIRE(task_ids_find(ids, copy, name.size) == known, "found before it came");
        bool is_new = false;
        uint32_t index = task_ids_intern(ids, copy, name.size, &is_new);
        free(copy);
        if (name.size == 0) {
            FUZZ_REQUIRE(index == TASK_ID_NONE, "an empty id has index %u", index);
            continue;
        }
        FUZZ_REQUIRE(is_new == (known == UINT32_MAX), "new: %d", is_new);
        FUZZ_REQUIRE(index == (is_new ? list.count : known), "index %u, known %u", index, known);
        if (is_new)
            list.names[list.count++] = name;
    }
    FUZZ_REQUIRE(task_ids_count(ids) == list.count, "%u ids", task_ids_count(ids));
    for (uint32_t i = 0; i < list.count; i++)
        FUZZ_REQUIRE(task_ids_find(ids, list.names[i].data, list.names[i].size) == i, "%u lost", i);
    task_ids_destroy(ids);
}

static void check_atoms(uint64_t seed, fuzz_input in)
{
    plain_list list = {.count = 0};
    atom held[NAMES_MAX];
    uint32_t references[NAMES_MAX] = {0};
    atoms *names = atoms_create(seed);
    FUZZ_REQUIRE(names, "no memory");
    while (in.size > 0 && list.count < NAMES_MAX) {
        fuzz_input name = fuzz_field(&in);
        uint32_t known = index_of(&list, name);
        atom made = atoms_intern(names, name.data, name.size);
        FUZZ_REQUIRE((made == ATOM_NONE) == (name.size == 0), "atom %u of %zu bytes", made,
                     name.size);
        if (made == ATOM_NONE)
            continue;
        if (known == UINT32_MAX) {
            known = list.count++;
            list.names[known] = name;
            held[known] = made;
        }
        FUZZ_REQUIRE(held[known] == made, "atom %u, before %u", made, held[known]);
        references[known]++;
        size_t size;
        const uint8_t *bytes = atoms_bytes(names, made, &size);
        FUZZ_REQUIRE(size == name.size && !memcmp(bytes, name.data, size), "other bytes");
    }
    FUZZ_REQUIRE(atoms_count(names) == list.count, "%u atoms", atoms_count(names));
    for (uint32_t i = 0; i < list.count; i++) {
        while (references[i]-- > 0) {
            atom found = atoms_find(names, list.names[i].data, list.names[i].size);
            FUZZ_REQUIRE(found == held[i], "atom %u is lost", held[i]);
            atoms_release(names, found);
        }
        FUZZ_REQUIRE(atoms_find(names, list.names[i].data, list.names[i].size) == ATOM_NONE,
                     "atom %u outlives its references", held[i]);
    }
    FUZZ_REQUIRE(atoms_count(names) == 0, "%u atoms", atoms_count(names));
    atoms_destroy(names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, size};
    uint64_t seed = fuzz_byte(&in);
    check_ids(seed, in);
    check_atoms(seed, in);
    return 0;
}
