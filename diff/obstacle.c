/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/obstacle.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "diff/blocking.h"
#include "diff/capacity.h"
#include "diff/chain.h"
#include "diff/compat.h"
#include "diff/fleet.h"
#include "diff/prospect.h"
#include "diff/remedy.h"
#include "diff/schedule.h"
#include "model/quantity.h"

/* Hosts looked at, the emptiest first, for a third host that could help. */
#define HELPERS_MAX 32

struct obstacle_map {
    struct fleet *fleet;
    struct compat compat;
    struct blocking *blocking; /* NULL = the fleet is too large to be searched. */
    struct chain_map waiting;  /* Who waits for whom. */
    uint32_t *helpers;         /* Hosts that take guests, most room first. */
    size_t helper_count;
};

struct helper {
    uint32_t host;
    uint64_t free_kib;
};

static int compare_helpers(const void *a, const void *b)
{
    const struct helper *left = a;
    const struct helper *right = b;

    if (left->free_kib != right->free_kib) {
        return left->free_kib > right->free_kib ? -1 : 1;
    }
    return left->host < right->host ? -1 : left->host > right->host;
}

static void rank_helpers(struct arena *arena, struct obstacle_map *map)
{
    const struct fleet *fleet = map->fleet;
    struct helper *helpers = ARENA_ARRAY(arena, struct helper, fleet->host_count);

    map->helpers = ARENA_ARRAY(arena, uint32_t, fleet->host_count);
    for (uint32_t h = 0; h < fleet->host_count; h++) {
        if (fleet->hosts[h].reachable && !fleet->hosts[h].maintenance) {
            helpers[map->helper_count++] =
                (struct helper){ h, capacity_free_kib(&fleet->hosts[h].ordinary) };
        }
    }
    if (map->helper_count > 1) {
        qsort(helpers, map->helper_count, sizeof(*helpers), compare_helpers);
    }
    for (size_t i = 0; i < map->helper_count; i++) {
        map->helpers[i] = helpers[i].host;
    }
}

struct obstacle_map *obstacle_map_new(struct arena *arena, struct fleet *fleet)
{
    struct obstacle_map *map = ARENA_NEW(arena, struct obstacle_map);

    map->fleet = fleet;
    map->compat = (struct compat){ .arena = arena, .fleet = fleet };
    map->blocking = blocking_new(arena, fleet, &map->compat);
    map->waiting = chain_map_new(arena, fleet);
    rank_helpers(arena, map);
    return map;
}

static enum prospect judge(const struct obstacle_map *map, uint32_t guest)
{
    return prospect_of(map->fleet, prospect_gone(map->fleet, map->waiting.leaving, guest), guest);
}

/* The first of the chain, after its head, that could not move even if everybody left; FLEET_NONE if
 * they only stand in each other's way. */
static uint32_t root_of(const struct obstacle_map *map, const struct chain *chain)
{
    for (size_t i = 1; i < chain->guest_count; i++) {
        if (judge(map, chain->guests[i]) != PROSPECT_GOOD) {
            return chain->guests[i];
        }
    }
    return FLEET_NONE;
}

/* " in 2 MiB pages", or nothing for ordinary memory. */
static const char *kind_text(struct arena *arena, const struct fleet *fleet, uint32_t guest)
{
    return quantity_pages_text(arena, fleet_page_kib(fleet, fleet->guests[guest].pool));
}

/* "needs 64 GiB on 'kvm2', which has 12 GiB free of 512 GiB" */
static void print_memory(struct text *text, const struct fleet *fleet, uint32_t guest)
{
    const struct fleet_guest *this = &fleet->guests[guest];
    const struct fleet_memory *memory = fleet_memory_for(fleet, guest, this->goal);
    uint64_t room = capacity_free_kib(memory);

    text_append(text, "needs ");
    quantity_print_size(text, this->charge_kib);
    text_printf(text, "%s on '%s', which ", kind_text(text->arena, fleet, guest),
                fleet->hosts[this->goal].name);
    if (memory->limit_kib == 0 && this->pool != 0) {
        text_append(text, "has set aside none of them");
        return;
    }
    if (capacity_is_over(memory)) {
        text_append(text, "is ");
        quantity_print_size(text, memory->charged_kib - memory->limit_kib);
        text_append(text, " over its limit of ");
    } else {
        text_append(text, "has ");
        text_append(text, room == 0 ? "nothing" : quantity_size_text(text->arena, room));
        text_append(text, " free of ");
    }
    quantity_print_size(text, memory->limit_kib);
}

static void print_cpu(struct text *text, const struct fleet *fleet, const struct fleet_guest *guest)
{
    const struct fleet_host *target = &fleet->hosts[guest->goal];
    uint64_t cap = capacity_vcpu_cap(fleet->input->policy, target);
    uint64_t room = cap > target->vcpus ? cap - target->vcpus : 0;

    text_printf(text, "needs %u vCPUs on '%s', which has %llu free of %llu", guest->vcpus,
                target->name, (unsigned long long)room, (unsigned long long)cap);
}

/* What the guest's target lacks now, by the first rule that forbids the move. */
static void print_lack(struct text *text, const struct fleet *fleet, uint32_t guest)
{
    const struct fleet_guest *this = &fleet->guests[guest];
    uint32_t rival = fleet_find_rival(fleet, guest, this->goal);

    switch (capacity_fit(fleet, guest, this->goal)) {
    case CAPACITY_NO_MEMORY:
        print_memory(text, fleet, guest);
        break;
    case CAPACITY_NO_CPU:
        print_cpu(text, fleet, this);
        break;
    case CAPACITY_FITS:
        text_printf(text, "must be apart from '%s', which is on '%s'",
                    rival == FLEET_NONE ? this->name : fleet->guests[rival].name,
                    fleet->hosts[this->goal].name);
        break;
    }
}

/* " until 'b' and 2 more leave" */
static void print_departures(struct text *text, const struct obstacle_map *map, uint32_t host)
{
    uint32_t first = map->waiting.first[host];
    size_t more = 0;

    if (first == FLEET_NONE) {
        return;
    }
    for (uint32_t g = map->waiting.next[first]; g != FLEET_NONE; g = map->waiting.next[g]) {
        more++;
    }
    if (more == 0) {
        text_printf(text, " until '%s' leaves", map->fleet->guests[first].name);
    } else {
        text_printf(text, " until '%s' and %zu more leave", map->fleet->guests[first].name, more);
    }
}

/* Sentences of a certificate while it is written. */
struct advice {
    const char *lines[6];
    size_t count;
};

/* A size that reads as no less than 'kib', whatever the digits that are printed. */
static uint64_t at_least(uint64_t kib)
{
    uint64_t unit = 1;

    while (kib / unit >= 1024) {
        unit *= 1024;
    }
    if (kib % unit == 0) {
        return kib;
    }
    return ((kib * 10 + unit - 1) / unit * unit + 9) / 10;
}

static bool lacks_cpu(const struct fleet *fleet, uint32_t guest)
{
    const struct fleet_guest *this = &fleet->guests[guest];
    const struct fleet_host *target = &fleet->hosts[this->goal];

    return target->vcpus + this->vcpus > capacity_vcpu_cap(fleet->input->policy, target);
}

/* "2 more vCPUs on 'kvm2' for 'a', a higher cpu_overcommit, or cpu_policy = warn" */
static void print_cpu_advice(struct text *text, const struct fleet *fleet, uint32_t guest)
{
    const struct fleet_guest *this = &fleet->guests[guest];
    const struct fleet_host *target = &fleet->hosts[this->goal];
    uint64_t need = target->vcpus + this->vcpus;
    uint64_t cap = capacity_vcpu_cap(fleet->input->policy, target);
    bool warn = need <= target->vcpu_file; /* Other than strict, policy would let it in. */

    text_printf(text, "%llu more vCPUs on '%s' for '%s'%s a higher cpu_overcommit%s",
                (unsigned long long)(need - cap), target->name, this->name, warn ? "," : " or",
                warn ? ", or cpu_policy = warn" : "");
}

/* "'a' and 'b' leaving 'kvm2'": everybody there whom the guest must be apart from. */
static void print_rivals(struct text *text, const struct fleet *fleet, uint32_t guest)
{
    uint32_t goal = fleet->guests[guest].goal;
    uint32_t rival = fleet_find_rival(fleet, guest, goal);

    if (rival == FLEET_NONE) {
        return;
    }
    for (; rival != FLEET_NONE; rival = fleet_next_rival(fleet, guest, goal, rival)) {
        text_printf(text, "%s'%s'", text->length > 0 ? " and " : "", fleet->guests[rival].name);
    }
    text_printf(text, " leaving '%s'", fleet->hosts[goal].name);
}

/* What the guest's host would have to offer for the guest to come at once: that always helps. */
static void advise_place(struct arena *arena, struct advice *advice, const struct fleet *fleet,
                         uint32_t guest)
{
    const struct fleet_guest *this = &fleet->guests[guest];
    const struct fleet_host *target = &fleet->hosts[this->goal];
    const struct fleet_memory *memory = fleet_memory_for(fleet, guest, this->goal);
    struct text text = text_new(arena);

    if (capacity_fit(fleet, guest, this->goal) == CAPACITY_NO_MEMORY) {
        text_printf(&text, "%s more room%s on '%s' for '%s'",
                    quantity_size_text(arena, at_least(memory->charged_kib + this->charge_kib -
                                                       memory->limit_kib)),
                    kind_text(arena, fleet, guest), target->name, this->name);
    }
    if (lacks_cpu(fleet, guest)) {
        text_append(&text, text.length > 0 ? " and " : "");
        print_cpu_advice(&text, fleet, guest);
    }
    print_rivals(&text, fleet, guest);
    if (text.length > 0) {
        advice->lines[advice->count++] = text.data;
    }
}

static const char *code_text(const struct fleet *fleet, uint32_t guest)
{
    enum plan_code code = fleet->guests[guest].blocked;

    return code == PLAN_CODE_COUNT ? "waiting" : plan_code_name(code);
}

/* Names a guest whose leaving would suffice: the file puts it elsewhere too, and it is blocked. */
static void advise_stuck(struct arena *arena, struct advice *advice, const struct fleet *fleet,
                         uint32_t guest)
{
    uint32_t host = fleet->guests[guest].goal;
    const struct fleet_memory *memory = fleet_memory_for(fleet, guest, host);
    uint64_t need = memory->charged_kib + fleet->guests[guest].charge_kib;
    uint32_t stuck = FLEET_NONE;
    bool suffices = !lacks_cpu(fleet, guest) && fleet_find_rival(fleet, guest, host) == FLEET_NONE;

    for (uint32_t p = fleet->hosts[host].occupants; p != FLEET_NONE; p = fleet->places[p].next) {
        const struct fleet_guest *other = &fleet->guests[fleet->places[p].guest];

        if (fleet->places[p].guest < stuck && other->goal != host &&
            other->blocked != PLAN_CODE_COUNT && suffices &&
            other->pool == fleet->guests[guest].pool &&
            need <= memory->limit_kib + other->charge_kib) {
            stuck = fleet->places[p].guest;
        }
    }
    if (stuck != FLEET_NONE) {
        advice->lines[advice->count++] =
            text_format(arena, "'%s' leaving '%s' (it is blocked: %s)", fleet->guests[stuck].name,
                        fleet->hosts[host].name, code_text(fleet, stuck));
    }
}

/* A third host with room for 'guest', or FLEET_NONE. */
static uint32_t find_helper(const struct obstacle_map *map, const struct chain *chain,
                            uint32_t guest)
{
    for (size_t i = 0; i < map->helper_count && i < HELPERS_MAX; i++) {
        if (!chain_has_host(chain, map->helpers[i]) &&
            schedule_may_enter(map->fleet, guest, map->helpers[i])) {
            return map->helpers[i];
        }
    }
    return FLEET_NONE;
}

/* Says who could wait elsewhere for the chain to untie; only what was tried and helped. */
static void advise_detour(struct arena *arena, struct advice *advice,
                          const struct obstacle_map *map, const struct chain *chain)
{
    struct fleet *fleet = map->fleet;
    uint32_t guest = remedy_by_detour(fleet, chain);
    uint32_t helper = guest == FLEET_NONE ? FLEET_NONE : find_helper(map, chain, guest);

    if (guest == FLEET_NONE) {
        return;
    }
    if (helper != FLEET_NONE && fleet->guests[guest].no_detour) {
        advice->lines[advice->count++] = text_format(
            arena, "detour = yes for '%s': '%s' has %s free", fleet->guests[guest].name,
            fleet->hosts[helper].name,
            quantity_size_text(arena, capacity_free_kib(fleet_memory_for(fleet, guest, helper))));
        return;
    }
    advice->lines[advice->count++] =
        text_format(arena, "%s free%s on any third host that may take '%s'%s",
                    quantity_size_text(arena, at_least(fleet->guests[guest].charge_kib)),
                    kind_text(arena, fleet, guest), fleet->guests[guest].name,
                    fleet->guests[guest].no_detour ? ", and detour = yes for it" : "");
}

/* Says who could be stopped for it; the last resort. */
static void advise_park(struct arena *arena, struct advice *advice, const struct obstacle_map *map,
                        const struct chain *chain)
{
    uint32_t guest = remedy_by_park(map->fleet, chain);

    if (guest != FLEET_NONE) {
        advice->lines[advice->count++] =
            text_format(arena, "park = yes for '%s', which is then stopped until it has its place",
                        map->fleet->guests[guest].name);
    }
}

static int compare_index(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

static struct plan_certificate certify(struct arena *arena, const struct fleet *fleet,
                                       struct chain *chain, const struct advice *advice,
                                       bool proven)
{
    const char **guests = ARENA_ARRAY(arena, const char *, chain->guest_count);
    const char **hosts = ARENA_ARRAY(arena, const char *, chain->host_count);
    const char **unblock = ARENA_ARRAY(arena, const char *, advice->count);

    qsort(chain->guests, chain->guest_count, sizeof(*chain->guests), compare_index);
    qsort(chain->hosts, chain->host_count, sizeof(*chain->hosts), compare_index);
    for (size_t i = 0; i < chain->guest_count; i++) {
        guests[i] = fleet->guests[chain->guests[i]].name;
    }
    for (size_t i = 0; i < chain->host_count; i++) {
        hosts[i] = fleet->hosts[chain->hosts[i]].name;
    }
    for (size_t i = 0; i < advice->count; i++) {
        unblock[i] = advice->lines[i];
    }
    return (struct plan_certificate){
        .guests = guests,
        .guest_count = chain->guest_count,
        .hosts = hosts,
        .host_count = chain->host_count,
        .unblock = unblock,
        .unblock_count = advice->count,
        .proven = proven,
    };
}

/* The target cannot hold the guest whatever moves: room must be made by a person. */
static struct plan_block explain_room(struct arena *arena, const struct fleet *fleet,
                                      uint32_t guest)
{
    const struct fleet_guest *this = &fleet->guests[guest];
    struct chain alone = { { guest }, 1, { this->goal }, 1 };
    struct text reason = text_new(arena);
    struct advice advice = { 0 };

    print_lack(&reason, fleet, guest);
    advise_place(arena, &advice, fleet, guest);
    advise_stuck(arena, &advice, fleet, guest);
    return (struct plan_block){
        .guest = this->name,
        .code = PLAN_NO_CAPACITY,
        .reason = reason.data,
        .certificate = certify(arena, fleet, &alone, &advice, true),
    };
}

/* A guest it must be apart from is there to stay; but for that one, arithmetic lets it come. */
static struct plan_block explain_rival(struct arena *arena, const struct fleet *fleet,
                                       uint32_t guest)
{
    const struct fleet_guest *this = &fleet->guests[guest];
    uint32_t rival = prospect_find_rival(fleet, guest);
    struct chain both = { { guest, rival }, 2, { this->goal }, 1 };
    struct advice advice = { 0 };

    advise_place(arena, &advice, fleet, guest);
    return (struct plan_block){
        .guest = this->name,
        .code = PLAN_APART,
        .reason = text_format(
            arena,
            "must be apart from '%s', which is in the same cluster, is on '%s' and "
            "does not move (%s)",
            fleet->guests[rival].name, fleet->hosts[this->goal].name, code_text(fleet, rival)),
        .certificate = certify(arena, fleet, &both, &advice, true),
    };
}

/* Leaves no more in the chain than what it takes.  False, and the chain as it was, if nothing can be
 * proven. */
static bool reduce(const struct obstacle_map *map, struct chain *chain)
{
    struct blocking_set set;

    if (chain_reduce(&map->waiting, chain)) {
        return true;
    }
    if (map->blocking == NULL || !blocking_find(map->blocking, chain->guests[0], &set)) {
        return false;
    }
    *chain = (struct chain){ 0 };
    for (size_t i = 0; i < set.count; i++) {
        (void)chain_add_guest(chain, set.guests[i]);
    }
    chain_find_hosts(chain, map->fleet);
    return true;
}

static enum plan_code code_of_lack(const struct fleet *fleet, uint32_t guest)
{
    return capacity_fit(fleet, guest, fleet->guests[guest].goal) == CAPACITY_FITS
               ? PLAN_APART
               : PLAN_NO_CAPACITY;
}

/* Everybody would fit if everybody else went first. */
static struct plan_block explain_order(struct arena *arena, const struct obstacle_map *map,
                                       uint32_t guest)
{
    const struct fleet *fleet = map->fleet;
    struct chain chain = chain_follow(&map->waiting, guest);
    uint32_t root = root_of(map, &chain);
    struct text reason = text_new(arena);
    struct advice advice = { 0 };
    bool proven;

    print_lack(&reason, fleet, guest);
    print_departures(&reason, map, fleet->guests[guest].goal);
    if (root == FLEET_NONE) {
        advise_detour(arena, &advice, map, &chain);
    } else {
        text_printf(&reason, ", and '%s' in turn ", fleet->guests[root].name);
        print_lack(&reason, fleet, root);
        if (remedy_by_leaving(map->fleet, &chain, root)) {
            advise_place(arena, &advice, fleet, root);
            advise_stuck(arena, &advice, fleet, root);
        }
    }
    advise_place(arena, &advice, fleet, guest);
    if (root == FLEET_NONE) {
        advise_park(arena, &advice, map, &chain);
    }
    proven = reduce(map, &chain);
    return (struct plan_block){
        .guest = fleet->guests[guest].name,
        .code = root == FLEET_NONE ? PLAN_DEADLOCK : code_of_lack(fleet, guest),
        .reason = reason.data,
        .certificate = certify(arena, fleet, &chain, &advice, proven),
    };
}

struct plan_block obstacle_explain(struct arena *arena, const struct obstacle_map *map,
                                   uint32_t guest)
{
    switch (judge(map, guest)) {
    case PROSPECT_GOOD:
        break;
    case PROSPECT_NO_MEMORY:
    case PROSPECT_NO_CPU:
        return explain_room(arena, map->fleet, guest);
    case PROSPECT_RIVAL:
        return explain_rival(arena, map->fleet, guest);
    }
    return explain_order(arena, map, guest);
}
