/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/room.h"

#include "base/arena.h"
#include "diff/capacity.h"
#include "diff/fleet.h"

/* A class is a power of two and the three bits below it: hosts in one differ by an eighth at most. */
#define CLASS_BITS  3
#define CLASS_COUNT (64 << CLASS_BITS)

struct room_entry {
    uint32_t next;
    uint32_t previous;
    uint32_t class; /* CLASS_COUNT = not indexed. */
};

/* The hosts by their memory of one kind. */
struct shelf {
    struct room_entry *entries; /* By host. */
    uint32_t first[CLASS_COUNT];
    uint64_t used[CLASS_COUNT / 64]; /* A bit for each class that has hosts. */
};

struct room {
    const struct fleet *fleet;
    struct shelf *shelves; /* By kind of memory. */
};

static uint32_t class_of(uint64_t kib)
{
    unsigned log = kib == 0 ? 0 : 63 - (unsigned)__builtin_clzll(kib);

    if (log < CLASS_BITS) {
        return (uint32_t)kib;
    }
    return (uint32_t)(((log - CLASS_BITS + 1) << CLASS_BITS) +
                      (kib >> (log - CLASS_BITS) & ((1U << CLASS_BITS) - 1)));
}

static void enter(struct shelf *shelf, uint32_t host, uint32_t class)
{
    struct room_entry *entry = &shelf->entries[host];

    *entry = (struct room_entry){ shelf->first[class], FLEET_NONE, class };
    if (entry->next != FLEET_NONE) {
        shelf->entries[entry->next].previous = host;
    }
    shelf->first[class] = host;
    shelf->used[class / 64] |= UINT64_C(1) << class % 64;
}

static void leave(struct shelf *shelf, uint32_t host)
{
    const struct room_entry *entry = &shelf->entries[host];

    if (entry->next != FLEET_NONE) {
        shelf->entries[entry->next].previous = entry->previous;
    }
    if (entry->previous != FLEET_NONE) {
        shelf->entries[entry->previous].next = entry->next;
        return;
    }
    shelf->first[entry->class] = entry->next;
    if (entry->next == FLEET_NONE) {
        shelf->used[entry->class / 64] &= ~(UINT64_C(1) << entry->class % 64);
    }
}

static uint32_t class_on(const struct fleet *fleet, uint32_t pool, uint32_t host)
{
    return class_of(capacity_free_kib(fleet_memory(fleet, pool, host)));
}

static void fill(struct arena *arena, struct shelf *shelf, const struct fleet *fleet, uint32_t pool)
{
    shelf->entries = ARENA_ARRAY(arena, struct room_entry, fleet->host_count);
    for (size_t i = 0; i < CLASS_COUNT; i++) {
        shelf->first[i] = FLEET_NONE;
    }
    /* Backwards: lists grow at their head, and begin in the order of names. */
    for (uint32_t h = (uint32_t)fleet->host_count; h-- > 0;) {
        if (fleet->hosts[h].reachable && !fleet->hosts[h].maintenance) {
            enter(shelf, h, class_on(fleet, pool, h));
        } else {
            shelf->entries[h].class = CLASS_COUNT;
        }
    }
}

struct room *room_new(struct arena *arena, const struct fleet *fleet)
{
    struct room *room = ARENA_NEW(arena, struct room);

    room->fleet = fleet;
    room->shelves = ARENA_ARRAY(arena, struct shelf, fleet->pool_count);
    for (uint32_t pool = 0; pool < fleet->pool_count; pool++) {
        fill(arena, &room->shelves[pool], fleet, pool);
    }
    return room;
}

void room_update(struct room *room, uint32_t pool, uint32_t host)
{
    struct shelf *shelf = &room->shelves[pool];
    uint32_t before = shelf->entries[host].class;
    uint32_t now = class_on(room->fleet, pool, host);

    if (before != CLASS_COUNT && before != now) {
        leave(shelf, host);
        enter(shelf, host, now);
    }
}

/* The first host of the first class from 'class' on that has one. */
static uint32_t climb(const struct shelf *shelf, uint32_t class)
{
    for (uint32_t word = class / 64; word < CLASS_COUNT / 64; word++) {
        uint64_t bits = shelf->used[word];

        if (word == class / 64) {
            bits &= UINT64_MAX << class % 64;
        }
        if (bits != 0) {
            return shelf->first[word * 64 + (unsigned)__builtin_ctzll(bits)];
        }
    }
    return FLEET_NONE;
}

/* Likewise downwards, from below 'class'. */
static uint32_t descend(const struct shelf *shelf, uint32_t class)
{
    for (uint32_t word = class / 64 + 1; word-- > 0;) {
        uint64_t bits = word < CLASS_COUNT / 64 ? shelf->used[word] : 0;

        if (word == class / 64) {
            bits &= (UINT64_C(1) << class % 64) - 1;
        }
        if (bits != 0) {
            return shelf->first[word * 64 + 63 - (unsigned)__builtin_clzll(bits)];
        }
    }
    return FLEET_NONE;
}

uint32_t room_first(const struct room *room, uint32_t pool, uint64_t kib)
{
    return climb(&room->shelves[pool], class_of(kib));
}

uint32_t room_next(const struct room *room, uint32_t pool, uint32_t host)
{
    const struct shelf *shelf = &room->shelves[pool];
    const struct room_entry *entry = &shelf->entries[host];

    if (entry->next != FLEET_NONE) {
        return entry->next;
    }
    return entry->class + 1 == CLASS_COUNT ? FLEET_NONE : climb(shelf, entry->class + 1);
}

uint32_t room_first_below(const struct room *room, uint32_t pool, uint64_t kib)
{
    return descend(&room->shelves[pool], class_of(kib) + 1);
}

uint32_t room_next_below(const struct room *room, uint32_t pool, uint32_t host)
{
    const struct shelf *shelf = &room->shelves[pool];
    const struct room_entry *entry = &shelf->entries[host];

    return entry->next != FLEET_NONE ? entry->next : descend(shelf, entry->class);
}
