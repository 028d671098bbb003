/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/schedule.h"

#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "diff/capacity.h"
#include "diff/fleet.h"
#include "model/policy.h"

/* Which of several moves that fit is made first.  No order suits every fleet, so each is tried. */
enum favour {
    FAVOUR_TIGHTEST, /* From the host that others wait for most. */
    FAVOUR_LARGEST,
    FAVOUR_SMALLEST,
};

struct order {
    enum favour favour;
    bool polite; /* Hosts over their limit come first, then the priorities of policy. */
};

static const struct order orders[] = {
    { FAVOUR_TIGHTEST, true },  { FAVOUR_LARGEST, true },  { FAVOUR_SMALLEST, true },
    { FAVOUR_TIGHTEST, false }, { FAVOUR_LARGEST, false }, { FAVOUR_SMALLEST, false },
};

/* A move that fits, or did when it was entered; the least is taken first. */
struct candidate {
    bool late; /* Does not relieve a host. */
    int32_t priority;
    uint64_t weight; /* By the favour of the order. */
    uint32_t guest;
};

/* Waiting guests by target, as slices of one array. */
struct queues {
    uint32_t *guests;
    uint32_t *first; /* One more entry than hosts. */
    size_t count;
};

struct attempt {
    struct schedule_step *steps;
    size_t count;
    uint64_t relief; /* Sum of the numbers of the steps that brought a host under its limit. */
};

struct drain {
    struct fleet *fleet;
    const struct queues *queues;
    const int32_t *priorities; /* By guest. */
    struct order order;
    struct candidate *heap;
    size_t heap_count;
    bool *entered;     /* By guest: it is in the heap. */
    uint64_t *inbound; /* By host: what still waits for it, KiB. */
    struct attempt attempt;
};

bool schedule_may_enter(const struct fleet *fleet, uint32_t guest, uint32_t host)
{
    return fleet->hosts[host].reachable && !fleet->hosts[host].maintenance &&
           capacity_fit(fleet, guest, host) == CAPACITY_FITS &&
           fleet_find_rival(fleet, guest, host) == FLEET_NONE;
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
    size_t at = drain->heap_count++;

    while (at > 0 && comes_before(&candidate, &drain->heap[(at - 1) / 2])) {
        drain->heap[at] = drain->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    drain->heap[at] = candidate;
}

static struct candidate pop(struct drain *drain)
{
    struct candidate top = drain->heap[0];
    struct candidate last = drain->heap[--drain->heap_count];
    size_t at = 0;

    for (size_t child = 1; child < drain->heap_count; child = 2 * at + 1) {
        if (child + 1 < drain->heap_count &&
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

/* How much more is waiting to enter 'host' than it has room for. */
static uint64_t shortage(const struct drain *drain, uint32_t host)
{
    uint64_t room = capacity_free_kib(&drain->fleet->hosts[host]);

    return drain->inbound[host] > room ? drain->inbound[host] - room : 0;
}

static uint64_t weigh(const struct drain *drain, const struct fleet_guest *guest)
{
    switch (drain->order.favour) {
    case FAVOUR_TIGHTEST:
        return shortage(drain, guest->at);
    case FAVOUR_LARGEST:
        return guest->charge_kib;
    case FAVOUR_SMALLEST:
        break;
    }
    return UINT64_MAX - guest->charge_kib;
}

static void enter(struct drain *drain, uint32_t guest)
{
    const struct fleet_guest *this = &drain->fleet->guests[guest];
    bool polite = drain->order.polite;

    push(drain, (struct candidate){
                    .late = polite && !capacity_is_over(&drain->fleet->hosts[this->at]),
                    .priority = polite ? drain->priorities[guest] : 0,
                    .weight = weigh(drain, this),
                    .guest = guest,
                });
    drain->entered[guest] = true;
}

/* 'host' may have gained room: enters every guest that waits for it and fits now.  Returns the first
 * that did not before, or FLEET_NONE. */
static uint32_t wake(struct drain *drain, uint32_t host)
{
    uint32_t woken = FLEET_NONE;

    for (uint32_t i = drain->queues->first[host]; i < drain->queues->first[host + 1]; i++) {
        uint32_t guest = drain->queues->guests[i];

        if (!drain->entered[guest] && drain->fleet->guests[guest].at != host &&
            schedule_may_enter(drain->fleet, guest, host)) {
            enter(drain, guest);
            woken = woken == FLEET_NONE ? guest : woken;
        }
    }
    return woken;
}

static void make_move(struct drain *drain, uint32_t guest)
{
    struct fleet_guest *this = &drain->fleet->guests[guest];
    struct attempt *attempt = &drain->attempt;
    struct schedule_step *step = &attempt->steps[attempt->count++];
    uint32_t source = this->at;

    *step = (struct schedule_step){
        .guest = guest,
        .to = this->goal,
        .relief = capacity_is_over(&drain->fleet->hosts[source]),
    };
    fleet_move(drain->fleet, guest, this->goal);
    drain->inbound[this->goal] -= this->charge_kib;
    if (step->relief && !capacity_is_over(&drain->fleet->hosts[source])) {
        attempt->relief += attempt->count;
    }
    step->enable = wake(drain, source);
}

/* Makes every direct move that becomes possible, the most favoured first.  A guest in its place never
 * moves again, so only a departure makes a move possible, and each is looked at when one happens. */
static void run(struct drain *drain)
{
    for (uint32_t host = 0; host < drain->fleet->host_count; host++) {
        (void)wake(drain, host);
    }
    while (drain->heap_count > 0) {
        uint32_t guest = pop(drain).guest;

        drain->entered[guest] = false;
        if (schedule_may_enter(drain->fleet, guest, drain->fleet->guests[guest].goal)) {
            make_move(drain, guest);
        }
    }
}

static struct queues queue_by_target(struct arena *arena, const struct fleet *fleet)
{
    struct queues queues = { .first = ARENA_ARRAY(arena, uint32_t, fleet->host_count + 1) };
    uint32_t *next = ARENA_ARRAY(arena, uint32_t, fleet->host_count + 1);

    for (uint32_t i = 0; i < fleet->guest_count; i++) {
        if (fleet_is_left(fleet, i)) {
            queues.first[fleet->guests[i].goal + 1]++;
            queues.count++;
        }
    }
    for (size_t h = 0; h < fleet->host_count; h++) {
        queues.first[h + 1] += queues.first[h];
    }
    memcpy(next, queues.first, (fleet->host_count + 1) * sizeof(*next));
    queues.guests = ARENA_ARRAY(arena, uint32_t, queues.count);
    for (uint32_t i = 0; i < fleet->guest_count; i++) {
        if (fleet_is_left(fleet, i)) {
            queues.guests[next[fleet->guests[i].goal]++] = i;
        }
    }
    return queues;
}

static int32_t *read_priorities(struct arena *arena, const struct fleet *fleet,
                                const struct queues *queues)
{
    int32_t *priorities = ARENA_ARRAY(arena, int32_t, fleet->guest_count);

    for (size_t i = 0; i < queues->count; i++) {
        uint32_t guest = queues->guests[i];
        const struct policy_guest *own =
            policy_find_guest(fleet->input->policy, fleet->guests[guest].name);

        priorities[guest] = own == NULL ? 0 : own->priority;
    }
    return priorities;
}

static void prepare(struct drain *drain, struct order order, struct schedule_step *steps)
{
    const struct fleet *fleet = drain->fleet;

    drain->order = order;
    drain->heap_count = 0;
    drain->attempt = (struct attempt){ .steps = steps };
    memset(drain->inbound, 0, fleet->host_count * sizeof(*drain->inbound));
    for (size_t i = 0; i < drain->queues->count; i++) {
        const struct fleet_guest *guest = &fleet->guests[drain->queues->guests[i]];

        drain->inbound[guest->goal] += guest->charge_kib;
    }
}

/* Takes the moves back, last first: the fleet is as it was before run(). */
static void undo(struct drain *drain, const uint32_t *origins)
{
    for (size_t i = drain->attempt.count; i > 0; i--) {
        uint32_t guest = drain->attempt.steps[i - 1].guest;

        fleet_move(drain->fleet, guest, origins[guest]);
    }
}

static uint32_t *note_origins(struct arena *arena, const struct fleet *fleet)
{
    uint32_t *origins = ARENA_ARRAY(arena, uint32_t, fleet->guest_count);

    for (size_t i = 0; i < fleet->guest_count; i++) {
        origins[i] = fleet->guests[i].at;
    }
    return origins;
}

struct score {
    size_t left;
    size_t interruptions;
    uint64_t moved_kib;
    uint64_t relief;
};

/* The objective of planner.md; the number of moves follows from 'left' while all are final. */
static struct score score_of(const struct drain *drain)
{
    struct score score = {
        .left = drain->queues->count - drain->attempt.count,
        .relief = drain->attempt.relief,
    };

    for (size_t i = 0; i < drain->attempt.count; i++) {
        const struct fleet_guest *guest = &drain->fleet->guests[drain->attempt.steps[i].guest];

        score.interruptions += guest->mode == MOVE_OFFLINE;
        score.moved_kib += guest->charge_kib;
    }
    return score;
}

static bool is_better(const struct score *a, const struct score *b)
{
    if (a->left != b->left) {
        return a->left < b->left;
    }
    if (a->interruptions != b->interruptions) {
        return a->interruptions < b->interruptions;
    }
    return a->moved_kib != b->moved_kib ? a->moved_kib < b->moved_kib : a->relief < b->relief;
}

struct schedule schedule_find(struct arena *arena, struct fleet *fleet)
{
    struct queues queues = queue_by_target(arena, fleet);
    const uint32_t *origins = note_origins(arena, fleet);
    struct drain drain = {
        .fleet = fleet,
        .queues = &queues,
        .priorities = read_priorities(arena, fleet, &queues),
        .heap = ARENA_ARRAY(arena, struct candidate, queues.count),
        .entered = ARENA_ARRAY(arena, bool, fleet->guest_count),
        .inbound = ARENA_ARRAY(arena, uint64_t, fleet->host_count),
    };
    struct schedule best = { .left = queues.count };
    struct score least = { .left = SIZE_MAX };

    for (size_t i = 0; i < ARRAY_LEN(orders) && best.left > 0; i++) {
        struct score score;

        prepare(&drain, orders[i], ARENA_ARRAY(arena, struct schedule_step, queues.count));
        run(&drain);
        score = score_of(&drain);
        undo(&drain, origins);
        if (is_better(&score, &least)) {
            least = score;
            best = (struct schedule){ drain.attempt.steps, drain.attempt.count, score.left };
        }
    }
    return best;
}
