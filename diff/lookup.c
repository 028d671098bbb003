/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/lookup.h"

#include <string.h>

#include "base/arena.h"

struct lookup_slot {
    const char *name; /* NULL = free. */
    uint32_t hash;
    uint32_t value;
};

/* FNV-1a: names are short and come from the fleet's own operator. */
static uint32_t hash_name(const char *name)
{
    uint32_t hash = UINT32_C(2166136261);

    for (; *name != '\0'; name++) {
        hash = (hash ^ (unsigned char)*name) * UINT32_C(16777619);
    }
    return hash;
}

/* The slot that holds 'name', or the free one where it belongs. */
static struct lookup_slot *slot_of(const struct lookup *lookup, const char *name, uint32_t hash)
{
    size_t at = hash & lookup->mask;

    while (lookup->slots[at].name != NULL &&
           (lookup->slots[at].hash != hash || strcmp(lookup->slots[at].name, name) != 0)) {
        at = (at + 1) & lookup->mask;
    }
    return &lookup->slots[at];
}

struct lookup lookup_new(struct arena *arena, size_t count)
{
    size_t size = 8;

    /* At most half full, so that a search always ends at a free slot, and soon. */
    while (size / 2 < count) {
        size *= 2;
    }
    return (struct lookup){
        .slots = ARENA_ARRAY(arena, struct lookup_slot, size),
        .mask = size - 1,
    };
}

void lookup_add(struct lookup *lookup, const char *name, uint32_t value)
{
    uint32_t hash = hash_name(name);
    struct lookup_slot *slot = slot_of(lookup, name, hash);

    if (slot->name == NULL) {
        *slot = (struct lookup_slot){ .name = name, .hash = hash, .value = value };
    }
}

uint32_t lookup_find(const struct lookup *lookup, const char *name)
{
    const struct lookup_slot *slot = slot_of(lookup, name, hash_name(name));

    return slot->name == NULL ? LOOKUP_NONE : slot->value;
}
