/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/remedy.h"

#include "diff/chain.h"
#include "diff/fleet.h"
#include "diff/schedule.h"
#include "model/observed.h"

/* A guest that was moved, and from where. */
struct change {
    uint32_t guest;
    uint32_t from;
    bool stopped;
};

struct attempt {
    struct fleet *fleet;
    const struct chain *chain;
    struct change changes[CHAIN_MAX + 1];
    size_t count;
};

static bool is_home(const struct fleet *fleet, uint32_t guest)
{
    return fleet->guests[guest].at == fleet->guests[guest].goal;
}

static void move(struct attempt *attempt, uint32_t guest, uint32_t host)
{
    const struct fleet_guest *this = &attempt->fleet->guests[guest];

    attempt->changes[attempt->count++] = (struct change){ guest, this->at, this->stopped };
    fleet_move(attempt->fleet, guest, host);
}

/* Brings everybody of the chain home who fits, again and again. */
static void drain(struct attempt *attempt)
{
    struct fleet *fleet = attempt->fleet;

    for (size_t i = 0; i < attempt->chain->guest_count;) {
        uint32_t guest = attempt->chain->guests[i];

        if (!is_home(fleet, guest) && schedule_may_enter(fleet, guest, fleet->guests[guest].goal)) {
            move(attempt, guest, fleet->guests[guest].goal);
            i = 0;
        } else {
            i++;
        }
    }
}

static void take_back(struct attempt *attempt)
{
    while (attempt->count > 0) {
        const struct change *change = &attempt->changes[--attempt->count];

        fleet_take_back(attempt->fleet, change->guest, change->from, change->stopped);
    }
}

static bool are_all_home(const struct fleet *fleet, const struct chain *chain)
{
    for (size_t i = 0; i < chain->guest_count; i++) {
        if (!is_home(fleet, chain->guests[i])) {
            return false;
        }
    }
    return true;
}

/* True if the whole chain comes home once 'guest' is out of the way: on the fleet's nowhere, or stopped
 * where it is.  Were it less, a plan might prefer others to the one that was asked about. */
static bool helps(struct attempt *attempt, uint32_t guest, bool park)
{
    struct fleet *fleet = attempt->fleet;
    uint32_t origin = fleet->guests[guest].at;
    bool helped;

    if (park) {
        fleet_stop(fleet, guest);
    } else {
        move(attempt, guest, fleet_nowhere(fleet));
    }
    drain(attempt);
    helped = are_all_home(fleet, attempt->chain);
    take_back(attempt);
    if (park) {
        fleet_take_back(fleet, guest, origin, false);
    }
    return helped;
}

static bool may_be_asked(const struct fleet_guest *guest, bool park)
{
    return !guest->stopped && guest->at != guest->goal && guest->seen != NULL &&
           (!park ||
            (!guest->park && guest->seen->state == GUEST_RUNNING && guest->seen->persistent));
}

static uint32_t find(struct fleet *fleet, const struct chain *chain, bool park)
{
    struct attempt attempt = { .fleet = fleet, .chain = chain };
    uint32_t best = FLEET_NONE;

    for (size_t i = 0; i < chain->guest_count; i++) {
        uint32_t guest = chain->guests[i];
        uint64_t size = fleet->guests[guest].charge_kib;
        bool smaller = best == FLEET_NONE || size < fleet->guests[best].charge_kib ||
                       (size == fleet->guests[best].charge_kib && guest < best);

        if (smaller && may_be_asked(&fleet->guests[guest], park) && helps(&attempt, guest, park)) {
            best = guest;
        }
    }
    return best;
}

uint32_t remedy_by_detour(struct fleet *fleet, const struct chain *chain)
{
    return find(fleet, chain, false);
}

uint32_t remedy_by_park(struct fleet *fleet, const struct chain *chain)
{
    return find(fleet, chain, true);
}

bool remedy_by_leaving(struct fleet *fleet, const struct chain *chain, uint32_t guest)
{
    struct attempt attempt = { .fleet = fleet, .chain = chain };
    bool helped;

    move(&attempt, guest, fleet_nowhere(fleet));
    drain(&attempt);
    helped = is_home(fleet, chain->guests[0]);
    take_back(&attempt);
    return helped;
}
