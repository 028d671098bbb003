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

struct room {
    const struct fleet *fleet;
    struct room_entry *entries; /* By host. */
    uint32_t first[CLASS_COUNT];
    uint64_t used[CLASS_COUNT / 64]; /* A bit for each class that has hosts. */
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

static void enter(struct room *room, uint32_t host, uint32_t class)
{
    struct room_entry *entry = &room->entries[host];

    *entry = (struct room_entry){ room->first[class], FLEET_NONE, class };
    if (entry->next != FLEET_NONE) {
        room->entries[entry->next].previous = host;
    }
    room->first[class] = host;
    room->used[class / 64] |= UINT64_C(1) << class % 64;
}

static void leave(struct room *room, uint32_t host)
{
    const struct room_entry *entry = &room->entries[host];

    if (entry->next != FLEET_NONE) {
        room->entries[entry->next].previous = entry->previous;
    }
    if (entry->previous != FLEET_NONE) {
        room->entries[entry->previous].next = entry->next;
        return;
    }
    room->first[entry->class] = entry->next;
    if (entry->next == FLEET_NONE) {
        room->used[entry->class / 64] &= ~(UINT64_C(1) << entry->class % 64);
    }
}

struct room *room_new(struct arena *arena, const struct fleet *fleet)
{
    struct room *room = ARENA_NEW(arena, struct room);

    room->fleet = fleet;
    room->entries = ARENA_ARRAY(arena, struct room_entry, fleet->host_count);
    for (size_t i = 0; i < CLASS_COUNT; i++) {
        room->first[i] = FLEET_NONE;
    }
    /* Backwards: lists grow at their head, and begin in the order of names. */
    for (uint32_t h = (uint32_t)fleet->host_count; h-- > 0;) {
        if (fleet->hosts[h].reachable && !fleet->hosts[h].maintenance) {
            enter(room, h, class_of(capacity_free_kib(&fleet->hosts[h])));
        } else {
            room->entries[h].class = CLASS_COUNT;
        }
    }
    return room;
}

void room_update(struct room *room, uint32_t host)
{
    uint32_t before = room->entries[host].class;
    uint32_t now = class_of(capacity_free_kib(&room->fleet->hosts[host]));

    if (before != CLASS_COUNT && before != now) {
        leave(room, host);
        enter(room, host, now);
    }
}

/* The first host of the first class from 'class' on that has one. */
static uint32_t climb(const struct room *room, uint32_t class)
{
    for (uint32_t word = class / 64; word < CLASS_COUNT / 64; word++) {
        uint64_t bits = room->used[word];

        if (word == class / 64) {
            bits &= UINT64_MAX << class % 64;
        }
        if (bits != 0) {
            return room->first[word * 64 + (unsigned)__builtin_ctzll(bits)];
        }
    }
    return FLEET_NONE;
}

/* Likewise downwards, from below 'class'. */
static uint32_t descend(const struct room *room, uint32_t class)
{
    for (uint32_t word = class / 64 + 1; word-- > 0;) {
        uint64_t bits = word < CLASS_COUNT / 64 ? room->used[word] : 0;

        if (word == class / 64) {
            bits &= (UINT64_C(1) << class % 64) - 1;
        }
        if (bits != 0) {
            return room->first[word * 64 + 63 - (unsigned)__builtin_clzll(bits)];
        }
    }
    return FLEET_NONE;
}

uint32_t room_first(const struct room *room, uint64_t kib)
{
    return climb(room, class_of(kib));
}

uint32_t room_next(const struct room *room, uint32_t host)
{
    const struct room_entry *entry = &room->entries[host];

    if (entry->next != FLEET_NONE) {
        return entry->next;
    }
    return entry->class + 1 == CLASS_COUNT ? FLEET_NONE : climb(room, entry->class + 1);
}

uint32_t room_first_below(const struct room *room, uint64_t kib)
{
    return descend(room, class_of(kib) + 1);
}

uint32_t room_next_below(const struct room *room, uint32_t host)
{
    const struct room_entry *entry = &room->entries[host];

    return entry->next != FLEET_NONE ? entry->next : descend(room, entry->class);
}
