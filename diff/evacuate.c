/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/evacuate.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "diff/capacity.h"
#include "diff/compat.h"
#include "diff/diff.h"
#include "diff/fleet.h"
#include "model/desired.h"
#include "model/es_edit.h"
#include "model/policy.h"
#include "model/quantity.h"

/* How many hosts may be looked at in search of a choice for all guests, and how often a choice that the
 * planner does not accept is made again. */
#define LOOKS_MAX    2000000
#define ATTEMPTS_MAX 32

/* A guest of the host. */
struct evacuee {
    uint32_t guest;
    int32_t priority; /* By policy. */
    uint64_t kib;
    uint32_t vcpus;
    uint32_t target; /* Host of the file, or DESIRED_NONE. */
    bool *allowed;   /* By host of the file: all but its room. */
    bool stays;
    struct plan_block block; /* Why it stays, or would if no host has room. */
};

struct evacuate {
    struct arena *arena;
    struct arena *scratch;
    const struct plan_input *input;
    struct diff diff;
    struct fleet fleet;
    struct compat compat;
    uint32_t host;
    size_t host_count;
    uint32_t *seats; /* Host of the fleet, by host of the file. */
    uint64_t *vcpus; /* By host of the file: what it puts there, and guests that are not in it. */
    uint64_t *loads_kib;      /* Likewise, by account of the fleet. */
    struct evacuee *evacuees; /* Who chooses first, first. */
    size_t count;
    size_t looks;
};

/* How well a host suits: the least is best. */
struct rank {
    bool is_move;  /* The guest is not there yet. */
    bool over_cpu; /* More vCPUs than the host is to carry. */
    uint64_t left_kib;
    uint32_t host;
};

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare_ranks(const struct rank *a, const struct rank *b)
{
    if (a->is_move != b->is_move) {
        return a->is_move ? 1 : -1;
    }
    if (a->over_cpu != b->over_cpu) {
        return a->over_cpu ? 1 : -1;
    }
    return a->left_kib != b->left_kib ? compare_u64(a->left_kib, b->left_kib)
                                      : compare_u64(a->host, b->host);
}

static int compare_evacuees(const void *a, const void *b)
{
    const struct evacuee *left = a;
    const struct evacuee *right = b;

    if (left->priority != right->priority) {
        return left->priority > right->priority ? -1 : 1;
    }
    return left->kib != right->kib ? compare_u64(right->kib, left->kib)
                                   : compare_u64(left->guest, right->guest);
}

/* Numbers of guests are in the order of their names. */
static int compare_names(const void *a, const void *b)
{
    return compare_u64(((const struct evacuee *)a)->guest, ((const struct evacuee *)b)->guest);
}

static const struct desired_guest *guest_of(const struct evacuate *evacuate, uint32_t guest)
{
    return &evacuate->input->desired->guests[guest];
}

static uint64_t size_of(const struct evacuate *evacuate, uint32_t guest)
{
    return capacity_size_kib(evacuate->input->policy, guest_of(evacuate, guest),
                             evacuate->fleet.guests[guest].seen);
}

/* What is put on a host of the file of the memory that 'guest' takes. */
static uint64_t *load_of(const struct evacuate *evacuate, uint32_t guest, uint32_t host)
{
    return &evacuate->loads_kib[fleet_account_for(&evacuate->fleet, guest, evacuate->seats[host])];
}

/* What is put on a host of the file: vCPUs in all, memory as far as the file does not name who takes it. */
static void load_host(struct evacuate *evacuate, uint32_t host)
{
    const struct fleet *fleet = &evacuate->fleet;
    uint32_t seat = fleet_find_host(fleet, evacuate->input->desired->hosts[host].name);

    evacuate->seats[host] = seat;
    evacuate->vcpus[host] = fleet->hosts[seat].vcpu_file;
    for (uint32_t pool = 0; pool < fleet->pool_count; pool++) {
        evacuate->loads_kib[fleet_account(fleet, pool, seat)] =
            fleet_memory(fleet, pool, seat)->unlisted_kib;
    }
}

/* Who is kept out of planning stays where it is, whatever the file says, and takes room there too. */
static void load_who_stays(struct evacuate *evacuate, uint32_t guest)
{
    const struct fleet *fleet = &evacuate->fleet;
    const struct fleet_guest *this = &fleet->guests[guest];
    uint32_t host;

    if (this->at == FLEET_NONE || this->at == this->goal ||
        plan_find_exclusion(evacuate->input, this->name) == NULL) {
        return;
    }
    evacuate->loads_kib[fleet_account_for(fleet, guest, this->at)] += this->charge_kib;
    host = desired_find_host(evacuate->input->desired, fleet->hosts[this->at].name);
    if (host != DESIRED_NONE) {
        evacuate->vcpus[host] += this->vcpus;
    }
}

static void load_hosts(struct evacuate *evacuate)
{
    const struct desired *desired = evacuate->input->desired;

    evacuate->host_count = desired->host_count;
    evacuate->seats = ARENA_ARRAY(evacuate->scratch, uint32_t, desired->host_count + 1);
    evacuate->loads_kib =
        ARENA_ARRAY(evacuate->scratch, uint64_t, fleet_account_count(&evacuate->fleet));
    evacuate->vcpus = ARENA_ARRAY(evacuate->scratch, uint64_t, desired->host_count + 1);
    for (uint32_t h = 0; h < desired->host_count; h++) {
        load_host(evacuate, h);
    }
    for (uint32_t i = 0; i < desired->guest_count; i++) {
        *load_of(evacuate, i, desired->guests[i].host) += size_of(evacuate, i);
        load_who_stays(evacuate, i);
    }
}

/* Hosts with a guest that 'evacuee' is kept apart from by the file as it is. */
static void forbid_rivals(const struct evacuate *evacuate, struct evacuee *evacuee)
{
    const struct desired *desired = evacuate->input->desired;

    if (guest_of(evacuate, evacuee->guest)->cluster_count == 0) {
        return;
    }
    for (uint32_t i = 0; i < desired->guest_count; i++) {
        uint32_t host = desired->guests[i].host;

        if (evacuee->allowed[host] && fleet_are_rivals(&evacuate->fleet, evacuee->guest, i)) {
            evacuee->allowed[host] = false;
            evacuee->block.code = PLAN_APART;
            evacuee->block.reason = text_format(
                evacuate->arena, "every other host has a guest of its cluster or cannot "
                                 "take it");
        }
    }
}

/* A guest of which it is not known where it is has no compatibility: the planner says what it has. */
static void allow_hosts(struct evacuate *evacuate, struct evacuee *evacuee)
{
    const struct fleet_guest *guest = &evacuate->fleet.guests[evacuee->guest];
    const struct plan_exclusion *exclusion = plan_find_exclusion(evacuate->input, guest->name);
    enum move_mode mode = MOVE_LIVE;
    struct compat_objection objection = { PLAN_NO_CAPACITY, NULL };

    if (exclusion != NULL) {
        evacuee->stays = true;
        evacuee->block.code = exclusion->code;
        evacuee->block.reason = exclusion->reason;
        return;
    }
    if (guest->seen != NULL &&
        !compat_choose_mode(&evacuate->compat, evacuee->guest, &mode, &objection)) {
        evacuee->stays = true;
        evacuee->block.code = objection.code;
        evacuee->block.reason = objection.reason;
        return;
    }
    evacuee->block.code = PLAN_UNREACHABLE;
    evacuee->block.reason = "no other host of the file answers and takes guests";
    for (uint32_t h = 0; h < evacuate->host_count; h++) {
        const struct fleet_host *host = &evacuate->fleet.hosts[evacuate->seats[h]];

        if (h == evacuate->host || !host->reachable || host->maintenance) {
            continue;
        }
        evacuee->allowed[h] =
            guest->seen == NULL || guest->at == evacuate->seats[h] ||
            compat_judge(&evacuate->compat, evacuee->guest, evacuate->seats[h], mode, &objection);
        if (!evacuee->allowed[h]) {
            evacuee->block.code = objection.code;
            evacuee->block.reason = objection.reason;
        }
    }
    forbid_rivals(evacuate, evacuee);
}

static void load_evacuees(struct evacuate *evacuate)
{
    const struct desired *desired = evacuate->input->desired;

    evacuate->evacuees = ARENA_ARRAY(evacuate->scratch, struct evacuee, desired->guest_count + 1);
    for (uint32_t i = 0; i < desired->guest_count; i++) {
        if (desired->guests[i].host == evacuate->host) {
            struct evacuee *evacuee = &evacuate->evacuees[evacuate->count++];

            *evacuee = (struct evacuee){
                .guest = i,
                .priority = policy_guest_priority(evacuate->input->policy, desired->guests[i].name),
                .kib = size_of(evacuate, i),
                .vcpus = capacity_vcpus(&desired->guests[i], evacuate->fleet.guests[i].seen),
                .target = DESIRED_NONE,
                .allowed = ARENA_ARRAY(evacuate->scratch, bool, desired->host_count),
                .block.guest = desired->guests[i].name,
            };
            allow_hosts(evacuate, evacuee);
        }
    }
    qsort(evacuate->evacuees, evacuate->count, sizeof(*evacuate->evacuees), compare_evacuees);
}

/* True if 'host' can have the evacuee beside what it has, and how well. */
static bool rank_host(const struct evacuate *evacuate, const struct evacuee *evacuee, uint32_t host,
                      struct rank *rank)
{
    const struct fleet_host *seat = &evacuate->fleet.hosts[evacuate->seats[host]];
    const struct fleet_memory *memory =
        fleet_memory_for(&evacuate->fleet, evacuee->guest, evacuate->seats[host]);
    uint64_t needs = *load_of(evacuate, evacuee->guest, host) + evacuee->kib;

    if (!evacuee->allowed[host] || needs > memory->limit_kib) {
        return false;
    }
    *rank = (struct rank){
        .is_move = evacuate->fleet.guests[evacuee->guest].at != evacuate->seats[host],
        .over_cpu = evacuate->vcpus[host] + evacuee->vcpus > seat->vcpu_limit,
        .left_kib = memory->limit_kib - needs,
        .host = host,
    };
    return !rank->over_cpu || evacuate->input->policy->cpu_policy != POLICY_CPU_STRICT;
}

/* The best host after 'tried' (NULL: of all), or DESIRED_NONE; its rank in '*best'. */
static uint32_t find_host(struct evacuate *evacuate, const struct evacuee *evacuee,
                          const struct rank *tried, struct rank *best)
{
    uint32_t found = DESIRED_NONE;
    struct rank rank;

    for (uint32_t h = 0; h < evacuate->host_count; h++) {
        if (rank_host(evacuate, evacuee, h, &rank) &&
            (tried == NULL || compare_ranks(&rank, tried) > 0) &&
            (found == DESIRED_NONE || compare_ranks(&rank, best) < 0)) {
            found = h;
            *best = rank;
        }
    }
    evacuate->looks += evacuate->host_count;
    return found;
}

static void put(struct evacuate *evacuate, struct evacuee *evacuee, uint32_t host)
{
    evacuee->target = host;
    *load_of(evacuate, evacuee->guest, host) += evacuee->kib;
    evacuate->vcpus[host] += evacuee->vcpus;
}

static void take(struct evacuate *evacuate, struct evacuee *evacuee)
{
    if (evacuee->target != DESIRED_NONE) {
        *load_of(evacuate, evacuee->guest, evacuee->target) -= evacuee->kib;
        evacuate->vcpus[evacuee->target] -= evacuee->vcpus;
        evacuee->target = DESIRED_NONE;
    }
}

static void take_all(struct evacuate *evacuate)
{
    for (size_t i = 0; i < evacuate->count; i++) {
        take(evacuate, &evacuate->evacuees[i]);
    }
}

/* A host for every guest that does not stay, by depth-first search; false, with none placed, if there is
 * no way or the search is too long. */
static bool place_all(struct evacuate *evacuate)
{
    struct rank *ranks = ARENA_ARRAY(evacuate->scratch, struct rank, evacuate->count + 1);
    bool *began = ARENA_ARRAY(evacuate->scratch, bool, evacuate->count + 1);
    size_t i = 0;

    evacuate->looks = 0;
    while (i < evacuate->count) {
        struct evacuee *evacuee = &evacuate->evacuees[i];
        const struct rank *tried = began[i] ? &ranks[i] : NULL;
        struct rank best = { 0 };
        uint32_t host;

        take(evacuate, evacuee);
        host = evacuee->stays || evacuate->looks > LOOKS_MAX
                   ? DESIRED_NONE
                   : find_host(evacuate, evacuee, tried, &best);
        if (host != DESIRED_NONE) {
            put(evacuate, evacuee, host);
            ranks[i] = best;
            began[i++] = true;
        } else if (evacuee->stays && !began[i]) {
            began[i++] = true;
        } else if (i == 0 || evacuate->looks > LOOKS_MAX) {
            take_all(evacuate);
            return false;
        } else {
            began[i--] = false;
        }
    }
    return true;
}

/* Why a guest has no host: room, if a host would take it but for that. */
static void explain_no_room(const struct evacuate *evacuate, struct evacuee *evacuee)
{
    for (uint32_t h = 0; h < evacuate->host_count; h++) {
        if (evacuee->allowed[h]) {
            evacuee->block.code = PLAN_NO_CAPACITY;
            evacuee->block.reason =
                text_format(evacuate->arena, "no other host that can take it has room for its %s",
                            quantity_size_text(evacuate->arena, evacuee->kib));
            return;
        }
    }
}

/* The best host for a guest as they are loaded; DESIRED_NONE, and it stays, if it finds none. */
static uint32_t find_host_or_stay(struct evacuate *evacuate, struct evacuee *evacuee)
{
    struct rank best;
    uint32_t host = evacuee->stays ? DESIRED_NONE : find_host(evacuate, evacuee, NULL, &best);

    if (host == DESIRED_NONE && !evacuee->stays) {
        evacuee->stays = true;
        explain_no_room(evacuate, evacuee);
    }
    return host;
}

/* A host for as many as one after the other finds one for; the others stay. */
static void place_some(struct evacuate *evacuate)
{
    for (size_t i = 0; i < evacuate->count; i++) {
        struct evacuee *evacuee = &evacuate->evacuees[i];
        uint32_t host = find_host_or_stay(evacuate, evacuee);

        if (host != DESIRED_NONE) {
            put(evacuate, evacuee, host);
        }
    }
}

/* Who finds no host, however the others choose, is none to search for. */
static void give_up_hopeless(struct evacuate *evacuate)
{
    for (size_t i = 0; i < evacuate->count; i++) {
        (void)find_host_or_stay(evacuate, &evacuate->evacuees[i]);
    }
}

/* Plans for the file with the chosen hosts. */
static struct plan plan_choice(struct evacuate *evacuate)
{
    const struct desired *before = evacuate->input->desired;
    struct desired after = *before;
    struct desired_guest *guests =
        ARENA_ARRAY(evacuate->scratch, struct desired_guest, before->guest_count + 1);
    struct plan_input input = *evacuate->input;

    memcpy(guests, before->guests, before->guest_count * sizeof(*guests));
    for (size_t i = 0; i < evacuate->count; i++) {
        const struct evacuee *evacuee = &evacuate->evacuees[i];

        guests[evacuee->guest].host =
            evacuee->target == DESIRED_NONE ? evacuate->host : evacuee->target;
    }
    after.guests = guests;
    input.desired = &after;
    return plan_build(evacuate->arena, &input);
}

/* True if another host could change that. */
static bool is_of_target(enum plan_code code)
{
    return code == PLAN_NO_CAPACITY || code == PLAN_DEADLOCK || code == PLAN_APART ||
           code == PLAN_MAINTENANCE || code == PLAN_INCOMPATIBLE || code == PLAN_UNREACHABLE;
}

/* Takes the planner's objections: another host next time, or none any more.  True if there are none. */
static bool learn(struct evacuate *evacuate, const struct plan *plan, bool last)
{
    bool agreed = true;

    for (size_t i = 0; i < evacuate->count; i++) {
        struct evacuee *evacuee = &evacuate->evacuees[i];
        const struct plan_block *block =
            evacuee->target == DESIRED_NONE ? NULL : plan_find_block(plan, evacuee->block.guest);

        if (block != NULL) {
            agreed = false;
            evacuee->allowed[evacuee->target] = false;
            evacuee->block = *block;
            evacuee->stays = last || !is_of_target(block->code);
        }
    }
    return agreed;
}

/* Who had no room may have some now that others are known to stay. */
static void forget_room(struct evacuate *evacuate)
{
    for (size_t i = 0; i < evacuate->count; i++) {
        struct evacuee *evacuee = &evacuate->evacuees[i];

        evacuee->stays = evacuee->stays && evacuee->block.code != PLAN_NO_CAPACITY;
    }
}

/* Chooses once.  True if the planner agrees. */
static bool attempt(struct evacuate *evacuate, bool last)
{
    AUTO(arena) struct arena scratch = ARENA_INIT; /* An attempt leaves nothing. */
    struct arena *kept = evacuate->scratch;
    struct plan plan;

    evacuate->scratch = &scratch;
    give_up_hopeless(evacuate);
    if (!place_all(evacuate)) {
        place_some(evacuate);
    }
    plan = plan_choice(evacuate);
    evacuate->scratch = kept;
    return learn(evacuate, &plan, last);
}

static struct evacuation write_down(const struct evacuate *evacuate)
{
    struct es_edit *edits = ARENA_ARRAY(evacuate->arena, struct es_edit, evacuate->count + 1);
    struct plan_block *blocked =
        ARENA_ARRAY(evacuate->arena, struct plan_block, evacuate->count + 1);
    struct evacuation evacuation = { .edits = edits, .blocked = blocked };

    qsort(evacuate->evacuees, evacuate->count, sizeof(*evacuate->evacuees), compare_names);
    for (size_t i = 0; i < evacuate->count; i++) {
        const struct evacuee *evacuee = &evacuate->evacuees[i];

        if (evacuee->target == DESIRED_NONE) {
            blocked[evacuation.block_count++] = evacuee->block;
        } else {
            edits[evacuation.edit_count++] =
                (struct es_edit){ evacuee->block.guest,
                                  evacuate->input->desired->hosts[evacuee->target].name };
        }
    }
    return evacuation;
}

struct evacuation evacuate_find(struct arena *arena, const struct plan_input *input, uint32_t host)
{
    AUTO(arena) struct arena scratch = ARENA_INIT;
    struct evacuate evacuate = {
        .arena = arena,
        .scratch = &scratch,
        .input = input,
        .diff = diff_compute(&scratch, input->desired, input->observed),
        .host = host,
    };

    evacuate.fleet = fleet_build(&scratch, input, &evacuate.diff);
    evacuate.compat = (struct compat){ .arena = arena, .fleet = &evacuate.fleet };
    load_hosts(&evacuate);
    load_evacuees(&evacuate);
    for (size_t i = 1; !attempt(&evacuate, i >= ATTEMPTS_MAX); i++) {
        take_all(&evacuate);
        forget_room(&evacuate);
    }
    return write_down(&evacuate);
}
