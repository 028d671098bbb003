/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/chain.h"

#include "base/arena.h"
#include "diff/fleet.h"

struct chain_map chain_map_new(struct arena *arena, struct fleet *fleet)
{
    struct chain_map map = {
        .fleet = fleet,
        .leaving = prospect_leaving(arena, fleet),
        .first = ARENA_ARRAY(arena, uint32_t, fleet->host_count),
        .next = ARENA_ARRAY(arena, uint32_t, fleet->guest_count),
    };

    for (size_t h = 0; h < fleet->host_count; h++) {
        map.first[h] = FLEET_NONE;
    }
    /* Backwards, so that each list is in the order of names. */
    for (uint32_t g = (uint32_t)fleet->guest_count; g-- > 0;) {
        if (fleet_is_left(fleet, g)) {
            map.next[g] = map.first[fleet->guests[g].at];
            map.first[fleet->guests[g].at] = g;
        }
    }
    return map;
}

static bool has(const uint32_t *items, size_t count, uint32_t item)
{
    for (size_t i = 0; i < count; i++) {
        if (items[i] == item) {
            return true;
        }
    }
    return false;
}

static bool add(uint32_t *items, size_t *count, uint32_t item)
{
    if (has(items, *count, item)) {
        return true;
    }
    if (*count == CHAIN_MAX) {
        return false;
    }
    items[(*count)++] = item;
    return true;
}

bool chain_add_guest(struct chain *chain, uint32_t guest)
{
    return add(chain->guests, &chain->guest_count, guest);
}

bool chain_add_host(struct chain *chain, uint32_t host)
{
    return add(chain->hosts, &chain->host_count, host);
}

bool chain_has_host(const struct chain *chain, uint32_t host)
{
    return has(chain->hosts, chain->host_count, host);
}

void chain_find_hosts(struct chain *chain, const struct fleet *fleet)
{
    chain->host_count = 0;
    for (size_t i = 0; i < chain->guest_count; i++) {
        (void)chain_add_host(chain, fleet->guests[chain->guests[i]].goal);
        if (chain->guest_count > 1) {
            (void)chain_add_host(chain, fleet->guests[chain->guests[i]].at);
        }
    }
}

struct chain chain_follow(const struct chain_map *map, uint32_t guest)
{
    struct chain chain = { .guests = { guest }, .guest_count = 1 };

    for (size_t i = 0; i < chain.guest_count; i++) {
        uint32_t goal = map->fleet->guests[chain.guests[i]].goal;

        if (!chain_add_host(&chain, goal)) {
            break;
        }
        for (uint32_t g = map->first[goal]; g != FLEET_NONE; g = map->next[g]) {
            if (!chain_add_guest(&chain, g)) {
                break;
            }
        }
    }
    return chain;
}

/*
 * The proof.  Members that stay where they are are marked hopeless; whoever else is left is out of the way,
 * as if not in the world.
 */

/* Members of a chain, bit by bit. */
struct cast {
    const struct chain_map *map;
    const struct chain *chain;
    uint32_t arrived; /* At home. */
};

static bool is_in(uint32_t set, size_t member)
{
    return (set >> member & 1) != 0;
}

static struct fleet_guest *guest_of(const struct cast *cast, size_t member)
{
    return &cast->map->fleet->guests[cast->chain->guests[member]];
}

/* What 'other' takes of the memory that 'guest' would take on 'host'. */
static uint64_t take_from_same(const struct fleet *fleet, uint32_t guest, uint32_t other,
                               uint32_t host)
{
    bool same = fleet_account_for(fleet, guest, host) == fleet_account_for(fleet, other, host);

    return same ? fleet->guests[other].charge_kib : 0;
}

/* True if the member's host can hold it once all have left it but those who stay. */
static bool may_come(const struct cast *cast, size_t member)
{
    const struct fleet *fleet = cast->map->fleet;
    uint32_t guest = cast->chain->guests[member];
    uint32_t goal = fleet->guests[guest].goal;
    struct prospect_leaving gone = prospect_gone(fleet, cast->map->leaving, guest);

    for (size_t i = 0; i < cast->chain->guest_count; i++) {
        const struct fleet_guest *other = guest_of(cast, i);

        /* What arrived there is there to stay: less leaves than was there before.  It may be below zero;
         * sums of unsigned numbers are right all the same. */
        if ((other->hopeless && other->at == goal) ||
            (is_in(cast->arrived, i) && other->goal == goal)) {
            gone.kib -= take_from_same(fleet, guest, cast->chain->guests[i], goal);
            gone.vcpus -= other->vcpus;
        }
    }
    return prospect_of(fleet, gone, guest) == PROSPECT_GOOD;
}

static void let_all_leave(const struct cast *cast)
{
    for (size_t i = 0; i < cast->chain->guest_count; i++) {
        guest_of(cast, i)->hopeless = false;
    }
}

/* True if the first of the chain cannot come home whatever the order: whoever's host cannot hold it stays,
 * and so do, one after the other, all who would need its room. */
static bool is_stuck(const struct chain_map *map, const struct chain *chain, uint32_t absent)
{
    struct cast cast = { .map = map, .chain = chain };
    bool more = true;
    bool stuck;

    while (more) {
        more = false;
        for (size_t i = 0; i < chain->guest_count; i++) {
            if (!is_in(absent, i) && !guest_of(&cast, i)->hopeless && !may_come(&cast, i)) {
                guest_of(&cast, i)->hopeless = true;
                more = true;
            }
        }
    }
    stuck = guest_of(&cast, 0)->hopeless;
    let_all_leave(&cast);
    return stuck;
}

/* True if the first of the chain comes home by direct moves: all stay, and leave one after the other as
 * they fit. */
static bool is_free(const struct chain_map *map, const struct chain *chain, uint32_t absent)
{
    struct cast cast = { .map = map, .chain = chain };
    bool more = true;

    for (size_t i = 0; i < chain->guest_count; i++) {
        guest_of(&cast, i)->hopeless = !is_in(absent, i);
    }
    while (more) {
        more = false;
        for (size_t i = 0; i < chain->guest_count; i++) {
            if (guest_of(&cast, i)->hopeless && may_come(&cast, i)) {
                guest_of(&cast, i)->hopeless = false;
                cast.arrived |= 1U << i;
                more = true;
            }
        }
    }
    let_all_leave(&cast);
    return is_in(cast.arrived, 0);
}

/* The chain without those in 'absent', with the hosts they are on and belong on. */
static struct chain without(const struct chain_map *map, const struct chain *chain, uint32_t absent)
{
    struct chain rest = { 0 };

    for (size_t i = 0; i < chain->guest_count; i++) {
        if (!is_in(absent, i)) {
            (void)chain_add_guest(&rest, chain->guests[i]);
        }
    }
    chain_find_hosts(&rest, map->fleet);
    return rest;
}

bool chain_reduce(const struct chain_map *map, struct chain *chain)
{
    uint32_t absent = 0;

    if (!is_stuck(map, chain, 0)) {
        return false;
    }
    for (size_t i = 1; i < chain->guest_count; i++) {
        if (is_stuck(map, chain, absent | 1U << i)) {
            absent |= 1U << i;
        } else if (!is_free(map, chain, absent | 1U << i)) {
            return false;
        }
    }
    *chain = without(map, chain, absent);
    return true;
}
