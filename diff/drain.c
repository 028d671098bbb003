/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/drain.h"

#include "base/arena.h"
#include "diff/capacity.h"
#include "diff/fleet.h"
#include "diff/trail.h"
#include "model/policy.h"

/* A move that fits, or did when it was entered; the least is taken first. */
struct candidate {
    bool late; /* Does not relieve a host. */
    int32_t priority;
    uint64_t weight; /* By the favour of the order. */
    uint32_t guest;
};

struct drain {
    const struct fleet *fleet;
    int32_t *priorities; /* By guest; NULL = policy gives none. */
    struct drain_order order;
    struct candidate *heap;
    size_t count;
    bool *entered; /* By guest: it is in the heap. */
};

static int32_t *read_priorities(struct arena *arena, const struct fleet *fleet)
{
    const struct policy *policy = fleet->input->policy;
    int32_t *priorities;

    if (policy->guest_count == 0) {
        return NULL;
    }
    priorities = ARENA_ARRAY(arena, int32_t, fleet->guest_count);
    for (size_t i = 0; i < fleet->guest_count; i++) {
        priorities[i] = policy_guest_priority(policy, fleet->guests[i].name);
    }
    return priorities;
}

struct drain *drain_new(struct arena *arena, const struct fleet *fleet)
{
    struct drain *drain = ARENA_NEW(arena, struct drain);

    drain->fleet = fleet;
    drain->priorities = read_priorities(arena, fleet);
    drain->heap = ARENA_ARRAY(arena, struct candidate, fleet->guest_count);
    drain->entered = ARENA_ARRAY(arena, bool, fleet->guest_count);
    return drain;
}

void drain_set_order(struct drain *drain, struct drain_order order)
{
    drain->order = order;
}

static bool comes_before(const struct candidate *a, const struct candidate *b)
{
    if (a->late != b->late) {
        return !a->late;
    }
    if (a->priority != b->priority) {
        return a->priority > b->priority;
    }
    return a->weight != b->weight ? a->weight > b->weight : a->guest < b->guest;
}

static void push(struct drain *drain, struct candidate candidate)
{
    size_t at = drain->count++;

    while (at > 0 && comes_before(&candidate, &drain->heap[(at - 1) / 2])) {
        drain->heap[at] = drain->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    drain->heap[at] = candidate;
}

static struct candidate pop(struct drain *drain)
{
    struct candidate top = drain->heap[0];
    struct candidate last = drain->heap[--drain->count];
    size_t at = 0;

    for (size_t child = 1; child < drain->count; child = 2 * at + 1) {
        if (child + 1 < drain->count &&
            comes_before(&drain->heap[child + 1], &drain->heap[child])) {
            child++;
        }
        if (!comes_before(&drain->heap[child], &last)) {
            break;
        }
        drain->heap[at] = drain->heap[child];
        at = child;
    }
    drain->heap[at] = last;
    return top;
}

/* How much more is waiting to enter the guest's host than it has room for, of the memory that the guest
 * takes. */
static uint64_t shortage(const struct trail *trail, const struct fleet_guest *guest)
{
    const struct fleet *fleet = trail->fleet;
    uint64_t room = capacity_free_kib(fleet_memory(fleet, guest->pool, guest->at));
    uint64_t inbound = trail->inbound[fleet_account(fleet, guest->pool, guest->at)];

    return inbound > room ? inbound - room : 0;
}

static uint64_t weigh(const struct drain *drain, const struct trail *trail,
                      const struct fleet_guest *guest)
{
    switch (drain->order.favour) {
    case DRAIN_TIGHTEST:
        return shortage(trail, guest);
    case DRAIN_LARGEST:
        return guest->charge_kib;
    case DRAIN_SMALLEST:
        break;
    }
    return UINT64_MAX - guest->charge_kib;
}

static void enter(struct drain *drain, const struct trail *trail, uint32_t guest)
{
    const struct fleet_guest *this = &trail->fleet->guests[guest];
    bool polite = drain->order.polite;

    push(drain,
         (struct candidate){
             .late = polite && !capacity_is_over(fleet_memory_for(trail->fleet, guest, this->at)),
             .priority = polite && drain->priorities != NULL ? drain->priorities[guest] : 0,
             .weight = weigh(drain, trail, this),
             .guest = guest,
         });
    drain->entered[guest] = true;
}

void drain_wake(struct drain *drain, const struct trail *trail, uint32_t host)
{
    for (uint32_t guest = trail->first[host]; guest != FLEET_NONE; guest = trail->next[guest]) {
        if (!drain->entered[guest] && trail_may_enter(trail, guest, host)) {
            enter(drain, trail, guest);
        }
    }
}

void drain_wake_all(struct drain *drain, const struct trail *trail)
{
    for (uint32_t host = 0; host < drain->fleet->host_count; host++) {
        drain_wake(drain, trail, host);
    }
}

void drain_run(struct drain *drain, struct trail *trail, size_t limit)
{
    const struct fleet *fleet = drain->fleet;

    while (drain->count > 0) {
        uint32_t guest = pop(drain).guest;
        uint32_t source = fleet->guests[guest].at;
        uint32_t goal = fleet->guests[guest].goal;

        drain->entered[guest] = false;
        if (limit > 0 && source != goal && trail_may_enter(trail, guest, goal)) {
            trail_move(trail, guest, goal);
            drain_wake(drain, trail, source);
            limit--;
        }
    }
}
