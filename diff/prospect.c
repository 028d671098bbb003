/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/prospect.h"

#include <stdbool.h>

#include "base/arena.h"
#include "diff/capacity.h"
#include "diff/fleet.h"

static bool may_leave(const struct fleet *fleet, uint32_t guest)
{
    return fleet_is_left(fleet, guest) && !fleet->guests[guest].hopeless;
}

struct prospect_leaving *prospect_leaving(struct arena *arena, const struct fleet *fleet)
{
    struct prospect_leaving *leaving =
        ARENA_ARRAY(arena, struct prospect_leaving, fleet_account_count(fleet));

    for (uint32_t g = 0; g < fleet->guest_count; g++) {
        if (may_leave(fleet, g)) {
            leaving[fleet_account_for(fleet, g, fleet->guests[g].at)].kib +=
                fleet->guests[g].charge_kib;
            leaving[fleet->guests[g].at].vcpus += fleet->guests[g].vcpus;
        }
    }
    return leaving;
}

uint32_t prospect_find_rival(const struct fleet *fleet, uint32_t guest)
{
    uint32_t goal = fleet->guests[guest].goal;
    uint32_t found = FLEET_NONE;

    if (fleet_find_rival(fleet, guest, goal) == FLEET_NONE) {
        return FLEET_NONE;
    }
    for (uint32_t p = fleet->hosts[goal].occupants; p != FLEET_NONE; p = fleet->places[p].next) {
        uint32_t other = fleet->places[p].guest;

        if (other < found && fleet_are_rivals(fleet, guest, other) && !may_leave(fleet, other)) {
            found = other;
        }
    }
    return found;
}

struct prospect_leaving prospect_gone(const struct fleet *fleet,
                                      const struct prospect_leaving *leaving, uint32_t guest)
{
    uint32_t goal = fleet->guests[guest].goal;

    return (struct prospect_leaving){
        .kib = leaving[fleet_account_for(fleet, guest, goal)].kib,
        .vcpus = leaving[goal].vcpus,
    };
}

enum prospect prospect_of(const struct fleet *fleet, struct prospect_leaving gone, uint32_t guest)
{
    const struct fleet_guest *this = &fleet->guests[guest];
    const struct fleet_host *goal = &fleet->hosts[this->goal];
    const struct fleet_memory *memory = fleet_memory_for(fleet, guest, this->goal);

    if (memory->charged_kib - gone.kib + this->charge_kib > memory->limit_kib) {
        return PROSPECT_NO_MEMORY;
    }
    if (goal->vcpus - gone.vcpus + this->vcpus > capacity_vcpu_cap(fleet->input->policy, goal)) {
        return PROSPECT_NO_CPU;
    }
    return prospect_find_rival(fleet, guest) != FLEET_NONE ? PROSPECT_RIVAL : PROSPECT_GOOD;
}

/* One more look at everybody.  Returns how many were found hopeless. */
static size_t mark_more(struct fleet *fleet, struct prospect_leaving *leaving)
{
    size_t count = 0;

    for (uint32_t g = 0; g < fleet->guest_count; g++) {
        struct fleet_guest *this = &fleet->guests[g];

        if (may_leave(fleet, g) &&
            prospect_of(fleet, prospect_gone(fleet, leaving, g), g) != PROSPECT_GOOD) {
            this->hopeless = true;
            leaving[fleet_account_for(fleet, g, this->at)].kib -= this->charge_kib;
            leaving[this->at].vcpus -= this->vcpus;
            count++;
        }
    }
    return count;
}

size_t prospect_mark(struct arena *arena, struct fleet *fleet)
{
    struct prospect_leaving *leaving = prospect_leaving(arena, fleet);
    size_t total = 0;
    size_t more;

    do {
        more = mark_more(fleet, leaving);
        total += more;
    } while (more > 0);
    return total;
}
