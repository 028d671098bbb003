/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/lookup.h"

#include <string.h>

#include "base/arena.h"

struct lookup_slot {
    const char *name; /* NULL = free. */
    uint32_t hash;
    uint32_t value;
};

/* Eight bytes at a time, as a large fleet's names are hashed a hundred thousand times; names come from the
 * fleet's own operator, so nobody gains by collisions. */
static uint32_t hash_name(const char *name)
{
    size_t length = strlen(name);
    uint64_t hash = length;
    uint64_t word = 0;

    for (; length > sizeof(word); length -= sizeof(word), name += sizeof(word)) {
        memcpy(&word, name, sizeof(word));
        hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 32;
    }
    word = 0;
    memcpy(&word, name, length);
    hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(hash ^ hash >> 32);
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

static void add(struct lookup *lookup, const char *name, uint32_t hash, uint32_t value)
{
    struct lookup_slot *slot = slot_of(lookup, name, hash);

    if (slot->name == NULL) {
        *slot = (struct lookup_slot){ .name = name, .hash = hash, .value = value };
    }
}

void lookup_add(struct lookup *lookup, const char *name, uint32_t value)
{
    add(lookup, name, hash_name(name), value);
}

uint32_t lookup_find(const struct lookup *lookup, const char *name)
{
    const struct lookup_slot *slot = slot_of(lookup, name, hash_name(name));

    return slot->name == NULL ? LOOKUP_NONE : slot->value;
}

/* Names worked on side by side: enough to hide that each is found somewhere else in memory. */
#define BATCH 32

static const char *name_at(const struct lookup_names *names, size_t index)
{
    return *(const char *const *)(const void *)((const char *)names->first + index * names->stride);
}

static void hash_batch(const struct lookup *lookup, const struct lookup_names *names, size_t first,
                       size_t count, uint32_t hashes[BATCH])
{
    for (size_t i = 0; i < count; i++) {
        hashes[i] = hash_name(name_at(names, first + i));
        __builtin_prefetch(&lookup->slots[hashes[i] & lookup->mask]);
    }
}

static size_t batch_size(const struct lookup_names *names, size_t first)
{
    return names->count - first < BATCH ? names->count - first : BATCH;
}

void lookup_add_all(struct lookup *lookup, struct lookup_names names)
{
    uint32_t hashes[BATCH];

    for (size_t first = 0; first < names.count; first += BATCH) {
        size_t count = batch_size(&names, first);

        hash_batch(lookup, &names, first, count, hashes);
        for (size_t i = 0; i < count; i++) {
            add(lookup, name_at(&names, first + i), hashes[i], (uint32_t)(first + i));
        }
    }
}

void lookup_find_all(const struct lookup *lookup, struct lookup_names names, uint32_t *values)
{
    uint32_t hashes[BATCH];

    for (size_t first = 0; first < names.count; first += BATCH) {
        size_t count = batch_size(&names, first);

        hash_batch(lookup, &names, first, count, hashes);
        for (size_t i = 0; i < count; i++) {
            const char *name = lookup->slots[hashes[i] & lookup->mask].name;

            if (name != NULL) {
                __builtin_prefetch(name);
            }
        }
        for (size_t i = 0; i < count; i++) {
            const struct lookup_slot *slot = slot_of(lookup, name_at(&names, first + i), hashes[i]);

            values[first + i] = slot->name == NULL ? LOOKUP_NONE : slot->value;
        }
    }
}
