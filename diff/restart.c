/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/restart.h"

#include <string.h>

#include "base/arena.h"
#include "diff/diff.h"
#include "diff/fleet.h"
#include "model/desired.h"
#include "model/observed.h"
#include "model/policy.h"

/* Takes a guest that is off out of the room it is charged for.  False if it is not one of the fleet's. */
static bool set_aside(struct fleet *fleet, const char *name, uint32_t host)
{
    uint32_t index = desired_find_guest(fleet->input->desired, name);
    const struct fleet_guest *guest = index == DESIRED_NONE ? NULL : &fleet->guests[index];

    if (guest == NULL || guest->at != host || guest->in_flight || observed_is_active(guest->seen)) {
        return false;
    }
    fleet_stop(fleet, index);
    return true;
}

struct restart_room restart_room(const struct plan_input *input, const struct observed_guest *guest,
                                 const char *host, const char *const *others, size_t other_count)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct diff diff = diff_compute(&arena, input->desired, input->observed);
    struct fleet fleet = fleet_build(&arena, input, &diff);
    uint32_t at = fleet_find_host(&fleet, host);
    uint32_t index = desired_find_guest(input->desired, guest->name);
    struct fleet_memory *memory =
        fleet_memory(&fleet, fleet_find_pool(&fleet, guest->hugepage_kib), at);
    struct restart_room room = { .fit = CAPACITY_FITS };

    for (size_t i = 0; i < other_count; i++) {
        if (strcmp(others[i], guest->name) != 0) {
            (void)set_aside(&fleet, others[i], at);
        }
    }
    if (set_aside(&fleet, guest->name, at)) {
        room.needs_kib = fleet.guests[index].charge_kib;
        room.fit = capacity_fit(&fleet, index, at);
    } else { /* The file does not name it any more, and it is only the room it takes. */
        room.needs_kib = capacity_size_kib(input->policy, NULL, guest);
        memory->charged_kib -= room.needs_kib;
        room.fit = room.needs_kib <= capacity_free_kib(memory) ? CAPACITY_FITS : CAPACITY_NO_MEMORY;
    }
    if (room.fit == CAPACITY_NO_CPU && input->policy->cpu_policy != POLICY_CPU_STRICT) {
        room.fit = CAPACITY_FITS;
    }
    room.free_kib = capacity_free_kib(memory);
    return room;
}

/* The guest is on 'host' if it is 'here', and not on it otherwise. */
static void suppose_guest(struct arena *arena, const struct observed_guest *guest, bool here,
                          struct observed_host *host)
{
    struct observed_guest *guests =
        ARENA_ARRAY(arena, struct observed_guest, host->guest_count + 1);
    size_t count = 0;

    for (size_t i = 0; i < host->guest_count; i++) {
        if (strcmp(host->guests[i].name, guest->name) != 0) {
            guests[count++] = host->guests[i];
        }
    }
    if (here) {
        guests[count++] = *guest;
        observed_sort_guests(guests, count);
    }
    host->guests = guests;
    host->guest_count = count;
}

static void suppose_no_move(struct arena *arena, const char *guest, struct observed *observed)
{
    struct observed_move *moves =
        ARENA_ARRAY(arena, struct observed_move, observed->in_flight_count + 1);
    size_t count = 0;

    for (size_t i = 0; i < observed->in_flight_count; i++) {
        if (strcmp(observed->in_flight[i].guest, guest) != 0) {
            moves[count++] = observed->in_flight[i];
        }
    }
    observed->in_flight = moves;
    observed->in_flight_count = count;
}

struct restart_room restart_room_elsewhere(const struct plan_input *input,
                                           const struct observed_guest *guest, const char *host)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct observed supposed = *input->observed;
    struct observed_host *hosts =
        ARENA_ARRAY(&arena, struct observed_host, supposed.host_count + 1);
    struct observed_guest stopped = *guest;
    struct plan_input there = *input;

    stopped.owed_start = observed_is_active(guest) || guest->owed_start;
    stopped.state = GUEST_SHUTOFF;
    stopped.job = GUEST_JOB_NONE;
    for (size_t i = 0; i < supposed.host_count; i++) {
        hosts[i] = supposed.hosts[i];
        suppose_guest(&arena, &stopped, strcmp(hosts[i].name, host) == 0, &hosts[i]);
    }
    suppose_no_move(&arena, guest->name, &supposed);
    supposed.hosts = hosts;
    there.observed = &supposed;
    return restart_room(&there, &stopped, host, NULL, 0);
}
