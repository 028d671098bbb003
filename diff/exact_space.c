/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/exact_space.h"

#include <string.h>

#include "diff/capacity.h"
#include "diff/compat.h"
#include "diff/fleet.h"
#include "model/op.h"

static unsigned host_of(const struct exact_problem *problem, uint32_t host)
{
    unsigned i = 0;

    while (problem->hosts[i] != host) {
        i++;
    }
    return i;
}

static unsigned guest_of(const struct exact_problem *problem, uint32_t guest)
{
    unsigned i = 0;

    while (i < problem->guest_count && problem->guests[i] != guest) {
        i++;
    }
    return i;
}

static void open_host(struct exact_space *space, const struct exact_problem *problem, unsigned h)
{
    const struct fleet *fleet = problem->trail->fleet;
    const struct fleet_host *host = &fleet->hosts[problem->hosts[h]];

    space->hosts[h] = (struct exact_host){
        .vcpu_limit = host->vcpu_limit,
        .vcpu_cap = capacity_vcpu_cap(fleet->input->policy, host),
        .fixed_vcpus = host->vcpus,
    };
    for (uint32_t pool = 0; pool < fleet->pool_count; pool++) {
        const struct fleet_memory *memory = fleet_memory(fleet, pool, problem->hosts[h]);

        space->hosts[h].limit_kib[pool] = memory->limit_kib;
        space->hosts[h].fixed_kib[pool] = memory->charged_kib;
    }
}

static bool may_run(const struct exact_problem *problem, uint32_t guest, uint32_t from, uint32_t to)
{
    const struct fleet *fleet = problem->trail->fleet;
    const struct fleet_guest *this = &fleet->guests[guest];
    enum move_mode mode = from == this->at ? fleet_mode(fleet, guest) : this->later_mode;
    struct compat_objection objection;

    if (from == to || !fleet->hosts[to].reachable || fleet->hosts[to].maintenance ||
        (to != this->goal && this->no_detour)) {
        return false;
    }
    if (to == this->goal && from == this->at && this->hops == 0) {
        return true; /* Judged when the guest was screened. */
    }
    return compat_judge_hop(problem->trail->compat, guest, from, to, mode, &objection);
}

/* True if somebody who cannot move keeps the guest from 'host'. */
static bool has_fixed_rival(const struct exact_problem *problem, uint32_t guest, uint32_t host)
{
    const struct fleet *fleet = problem->trail->fleet;

    for (uint32_t p = fleet->hosts[host].occupants; p != FLEET_NONE; p = fleet->places[p].next) {
        uint32_t other = fleet->places[p].guest;

        if (guest_of(problem, other) == problem->guest_count &&
            fleet_are_rivals(fleet, guest, other)) {
            return true;
        }
    }
    return false;
}

static uint8_t find_entries(const struct exact_problem *problem, uint32_t guest, uint32_t from,
                            uint8_t closed)
{
    uint8_t hosts = 0;

    for (unsigned to = 0; to < problem->host_count; to++) {
        if ((closed >> to & 1) == 0 && may_run(problem, guest, from, problem->hosts[to])) {
            hosts |= (uint8_t)(1U << to);
        }
    }
    return hosts;
}

static uint8_t find_stops(const struct exact_problem *problem, uint32_t guest)
{
    const struct fleet_guest *this = &problem->trail->fleet->guests[guest];
    struct compat_objection objection;
    uint8_t hosts = 0;

    for (unsigned h = 0; this->park && h < problem->host_count; h++) {
        if (problem->hosts[h] != this->goal &&
            compat_judge_hop(problem->trail->compat, guest, problem->hosts[h], this->goal,
                             MOVE_OFFLINE, &objection)) {
            hosts |= (uint8_t)(1U << h);
        }
    }
    return hosts;
}

static uint16_t find_rivals(const struct exact_problem *problem, uint32_t guest)
{
    uint16_t rivals = 0;

    for (unsigned i = 0; i < problem->guest_count; i++) {
        if (fleet_are_rivals(problem->trail->fleet, guest, problem->guests[i])) {
            rivals |= (uint16_t)(1U << i);
        }
    }
    return rivals;
}

static void open_guest(struct exact_space *space, const struct exact_problem *problem, unsigned g)
{
    const struct fleet *fleet = problem->trail->fleet;
    uint32_t guest = problem->guests[g];
    const struct fleet_guest *this = &fleet->guests[guest];
    struct exact_guest *own = &space->guests[g];
    uint8_t closed = 0;

    *own = (struct exact_guest){
        .kib = this->charge_kib,
        .pool = (uint8_t)this->pool,
        .vcpus = this->vcpus,
        .origin = (uint8_t)host_of(problem, this->at),
        .goal = (uint8_t)host_of(problem, this->goal),
        .rivals = find_rivals(problem, guest),
        .stop = find_stops(problem, guest),
        .first_offline = fleet_mode(fleet, guest) == MOVE_OFFLINE,
        .later_offline = this->later_mode == MOVE_OFFLINE,
        .no_return = fleet_mode(fleet, guest) != this->later_mode,
    };
    for (unsigned h = 0; h < problem->host_count; h++) {
        closed |= (uint8_t)(has_fixed_rival(problem, guest, problem->hosts[h]) ? 1U << h : 0);
    }
    for (unsigned h = 0; h < problem->host_count; h++) {
        own->enter[h] = find_entries(problem, guest, problem->hosts[h], closed);
    }
    space->hosts[own->origin].fixed_kib[own->pool] -= own->kib;
    space->hosts[own->origin].fixed_vcpus -= own->vcpus;
    space->start.at[g] = own->origin;
}

static bool are_interchangeable(const struct exact_space *space, unsigned a, unsigned b)
{
    const struct exact_guest *left = &space->guests[a];
    const struct exact_guest *right = &space->guests[b];

    return left->kib == right->kib && left->pool == right->pool && left->vcpus == right->vcpus &&
           left->goal == right->goal &&
           memcmp(left->enter, right->enter, sizeof(left->enter)) == 0 &&
           left->stop == right->stop && left->rivals == right->rivals &&
           left->first_offline == right->first_offline &&
           left->later_offline == right->later_offline && !left->no_return && !right->no_return;
}

static void find_twin(struct exact_space *space, unsigned guest)
{
    space->guests[guest].twin = (uint8_t)guest;
    for (unsigned i = guest; i-- > 0;) {
        if (are_interchangeable(space, i, guest)) {
            space->guests[guest].twin = (uint8_t)i;
            return;
        }
    }
}

void exact_space_build(struct exact_space *space, const struct exact_problem *problem)
{
    *space = (struct exact_space){
        .host_count = (unsigned)problem->host_count,
        .pool_count = (unsigned)problem->trail->fleet->pool_count,
        .guest_count = (unsigned)problem->guest_count,
    };
    memset(space->start.at, EXACT_SPACE_ABSENT, sizeof(space->start.at));
    for (unsigned h = 0; h < problem->host_count; h++) {
        open_host(space, problem, h);
    }
    for (unsigned g = 0; g < problem->guest_count; g++) {
        open_guest(space, problem, g);
        if ((problem->absent >> g & 1) == 0) {
            space->present |= (uint16_t)(1U << g);
        } else {
            space->start.at[g] = EXACT_SPACE_ABSENT;
        }
        find_twin(space, g);
    }
}

static bool moves(const struct exact_space *space, unsigned guest)
{
    return ((space->present & ~space->frozen) >> guest & 1) != 0;
}

/* Everybody home but for the frozen. */
static struct exact_placement end_of(const struct exact_space *space)
{
    struct exact_placement end = space->start;

    for (unsigned g = 0; g < space->guest_count; g++) {
        if (moves(space, g)) {
            end.at[g] = space->guests[g].goal;
        }
    }
    return end;
}

bool exact_space_can_end(const struct exact_space *space)
{
    struct exact_placement end = end_of(space);
    struct exact_load load = exact_space_load(space, &end);

    for (unsigned g = 0; g < space->guest_count; g++) {
        const struct exact_host *goal = &space->hosts[space->guests[g].goal];
        uint8_t pool = space->guests[g].pool;

        if (end.at[g] != space->start.at[g] &&
            (load.kib[pool][end.at[g]] > goal->limit_kib[pool] ||
             load.vcpus[end.at[g]] > goal->vcpu_cap ||
             (load.guests[end.at[g]] & space->guests[g].rivals) != 0)) {
            return false;
        }
    }
    return true;
}

struct exact_load exact_space_load(const struct exact_space *space,
                                   const struct exact_placement *placement)
{
    struct exact_load load = { 0 };

    for (unsigned h = 0; h < space->host_count; h++) {
        for (unsigned pool = 0; pool < space->pool_count; pool++) {
            load.kib[pool][h] = space->hosts[h].fixed_kib[pool];
        }
        load.vcpus[h] = space->hosts[h].fixed_vcpus;
    }
    for (unsigned g = 0; g < space->guest_count; g++) {
        uint8_t at = placement->at[g];

        if (at == EXACT_SPACE_ABSENT) {
            continue;
        }
        /* A stopped guest takes no room, but is defined where it was. */
        load.guests[at % EXACT_SPACE_STOPPED] |= (uint16_t)(1U << g);
        if (at < EXACT_SPACE_STOPPED) {
            load.kib[space->guests[g].pool][at] += space->guests[g].kib;
            load.vcpus[at] += space->guests[g].vcpus;
        }
    }
    return load;
}

bool exact_space_may_enter(const struct exact_space *space, const struct exact_placement *placement,
                           const struct exact_load *load, unsigned guest, unsigned host)
{
    const struct exact_guest *who = &space->guests[guest];
    const struct exact_host *where = &space->hosts[host];
    uint8_t at = placement->at[guest];
    uint8_t entries = who->enter[at % EXACT_SPACE_STOPPED];

    if (at >= EXACT_SPACE_STOPPED) {
        entries = (uint8_t)(1U << who->goal);
    }
    return (entries >> host & 1) != 0 && !(who->no_return && host == who->origin) &&
           load->kib[who->pool][host] + who->kib <= where->limit_kib[who->pool] &&
           load->vcpus[host] + who->vcpus <=
               (host == who->goal ? where->vcpu_cap : where->vcpu_limit) &&
           (load->guests[host] & who->rivals) == 0;
}

bool exact_space_may_stop(const struct exact_space *space, const struct exact_placement *placement,
                          unsigned guest)
{
    uint8_t at = placement->at[guest];

    return at < EXACT_SPACE_ABSENT && (space->guests[guest].stop >> at & 1) != 0;
}

bool exact_space_is_away(const struct exact_space *space, const struct exact_placement *placement,
                         unsigned guest)
{
    return moves(space, guest) && placement->at[guest] != space->guests[guest].goal;
}

bool exact_space_interrupts(const struct exact_space *space,
                            const struct exact_placement *placement, unsigned guest)
{
    const struct exact_guest *who = &space->guests[guest];
    uint8_t at = placement->at[guest];

    return at >= EXACT_SPACE_STOPPED ||
           (at == who->origin ? who->first_offline : who->later_offline);
}

/* The nearest guest before it that is interchangeable with it and moves too, or itself. */
static unsigned moving_twin(const struct exact_space *space, unsigned guest)
{
    unsigned twin = guest;

    do {
        unsigned before = space->guests[twin].twin;

        if (before == twin) {
            return guest;
        }
        twin = before;
    } while (!moves(space, twin));
    return twin;
}

void exact_space_normalize(const struct exact_space *space, struct exact_placement *placement)
{
    for (unsigned g = 1; g < space->guest_count; g++) {
        unsigned at = g;
        unsigned twin = moves(space, g) ? moving_twin(space, g) : g;

        while (twin != at && placement->at[twin] > placement->at[at]) {
            uint8_t other = placement->at[twin];

            placement->at[twin] = placement->at[at];
            placement->at[at] = other;
            at = twin;
            twin = moving_twin(space, at);
        }
    }
}
