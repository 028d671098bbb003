/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/knot.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "diff/capacity.h"
#include "diff/drain.h"
#include "diff/fleet.h"
#include "diff/room.h"
#include "diff/trail.h"

/* Macros that are compared with each other. */
#define CHUNK 4096

/* Guests and hosts that are looked at in all, and by macros that make room on temporary hosts first; then
 * it is left at what was found.  Fleets that are full to the brim would be searched for ever. */
#define LOOKS_MAX      40000000
#define DEEP_LOOKS_MAX 4000000

/* Moves home that are counted in a macro's favour; more would not change which is best. */
#define DRAIN_TRIAL 1000

/* Guests that one macro may send away from one host, and temporary hosts looked at for each. */
#define EVICTIONS_MAX 8
#define HOSTS_MAX     12

/* Occupants tried, in vain, before a host is given up. */
#define BRANCH_MAX 4

/* How many hosts deep a macro makes room for the guests it sends away. */
#define DEPTH_MAX 3

/* How far macros go in the search of one that helps. */
struct effort {
    unsigned depth;
    bool park;  /* They may stop guests early. */
    bool clean; /* They must leave nobody astray. */
};

struct knot {
    struct trail *trail;
    struct drain *drain;
    struct effort effort;
    bool *locked;    /* By guest: sent away in this macro. */
    bool *closed;    /* By host: being emptied in this macro. */
    bool *touched;   /* By host: changed by the macro that was kept last. */
    uint32_t *locks; /* The guests locked. */
    size_t lock_count;
    size_t looks;      /* Guests and hosts looked at. */
    size_t deep_looks; /* Of them, by macros of some depth. */
};

/* How good a macro is: guests brought home, and the moves that takes beyond one each. */
struct score {
    size_t gain;
    size_t extra;
    size_t interruptions;
};

/* A guest that waits, what its host lacks for it, and what its macro was worth when last tried. */
struct waiter {
    uint32_t guest;
    uint64_t lack_kib;
    struct score score;
};

/* An occupant that could go, and what it costs a useful GiB. */
struct leaver {
    uint32_t guest;
    uint64_t cost;
    uint64_t useful;
    uint64_t size;
};

static void note_look(struct knot *knot)
{
    knot->looks++;
    knot->deep_looks += knot->effort.depth > 0;
}

static bool is_tired(const struct knot *knot)
{
    return knot->looks > LOOKS_MAX || (knot->effort.depth > 0 && knot->deep_looks > DEEP_LOOKS_MAX);
}

static int compare_leavers(const void *a, const void *b)
{
    const struct leaver *left = a;
    const struct leaver *right = b;
    /* No overflow: sizes are below 2^45, and costs below 2^7. */
    uint64_t left_cost = left->cost * right->useful;
    uint64_t right_cost = right->cost * left->useful;

    if (left_cost != right_cost) {
        return left_cost < right_cost ? -1 : 1;
    }
    if (left->size != right->size) {
        return left->size < right->size ? -1 : 1;
    }
    return left->guest < right->guest ? -1 : left->guest > right->guest;
}

static uint64_t lack_of(const struct fleet *fleet, uint32_t guest, uint32_t host)
{
    uint64_t need = fleet->guests[guest].charge_kib;
    const struct fleet_memory *memory = fleet_memory_for(fleet, guest, host);

    return memory->charged_kib + need > memory->limit_kib
               ? memory->charged_kib + need - memory->limit_kib
               : 0;
}

/* What the leaving of 'occupant' would bring 'guest' on 'host': memory if that is short, else CPUs or a
 * rival's place, which are no matter of degree. */
static uint64_t usefulness(const struct knot *knot, uint32_t guest, uint32_t host,
                           uint32_t occupant)
{
    const struct fleet *fleet = knot->trail->fleet;
    uint64_t lack = lack_of(fleet, guest, host);
    uint64_t size = fleet->guests[occupant].charge_kib;

    if (lack > 0 && fleet->guests[occupant].pool != fleet->guests[guest].pool) {
        return 0;
    }
    if (lack > 0) {
        return size < lack ? size : lack;
    }
    if (capacity_fit(fleet, guest, host) == CAPACITY_NO_CPU) {
        return fleet->guests[occupant].vcpus;
    }
    return fleet_find_rival(fleet, guest, host) == occupant;
}

/* Who could leave 'host' for 'guest', the best first.  Returns how many, BRANCH_MAX at most. */
static size_t find_leavers(struct knot *knot, uint32_t guest, uint32_t host,
                           struct leaver leavers[BRANCH_MAX + 1])
{
    const struct fleet *fleet = knot->trail->fleet;
    size_t count = 0;

    for (uint32_t p = fleet->hosts[host].occupants; p != FLEET_NONE; p = fleet->places[p].next) {
        uint32_t other = fleet->places[p].guest;
        const struct fleet_guest *this = &fleet->guests[other];
        struct leaver leaver = { .guest = other, .size = this->charge_kib };
        size_t at = count;

        note_look(knot);
        if (other == guest || knot->locked[other] || this->stopped ||
            !fleet_is_movable(fleet, other) || (this->no_detour && !knot->effort.park)) {
            continue;
        }
        leaver.useful = usefulness(knot, guest, host, other);
        leaver.cost = this->at == this->goal ? 2 : 1;
        leaver.cost += fleet_mode(fleet, other) == MOVE_OFFLINE ? 64 : 0;
        if (leaver.useful == 0) {
            continue;
        }
        while (at > 0 && compare_leavers(&leaver, &leavers[at - 1]) < 0) {
            leavers[at] = leavers[at - 1];
            at--;
        }
        leavers[at] = leaver;
        count += count < BRANCH_MAX;
    }
    return count;
}

/* The fullest host that takes 'guest' for a while; rather one that has room for those who wait for it as
 * well. */
static uint32_t find_refuge(struct knot *knot, uint32_t guest)
{
    const struct trail *trail = knot->trail;
    uint64_t size = trail->fleet->guests[guest].charge_kib;
    uint32_t pool = trail->fleet->guests[guest].pool;
    uint32_t fallback = FLEET_NONE;
    size_t seen = 0;

    for (uint32_t host = room_first(trail->room, pool, size);
         host != FLEET_NONE && seen < HOSTS_MAX; host = room_next(trail->room, pool, host)) {
        seen++;
        note_look(knot);
        if (knot->closed[host] || !trail_may_enter(trail, guest, host)) {
            continue;
        }
        if (trail->inbound[fleet_account(trail->fleet, pool, host)] + size <=
            capacity_free_kib(fleet_memory(trail->fleet, pool, host))) {
            return host;
        }
        fallback = fallback == FLEET_NONE ? host : fallback;
    }
    return fallback;
}

static bool make_room(struct knot *knot, uint32_t guest, uint32_t host, unsigned depth);

/* Empties one of the emptiest hosts for 'guest'. */
static uint32_t prepare_refuge(struct knot *knot, uint32_t guest, unsigned depth)
{
    uint32_t hosts[HOSTS_MAX];
    size_t count = 0;
    uint64_t size = knot->trail->fleet->guests[guest].charge_kib;
    uint32_t pool = knot->trail->fleet->guests[guest].pool;

    for (uint32_t host = room_first_below(knot->trail->room, pool, size);
         host != FLEET_NONE && count < HOSTS_MAX;
         host = room_next_below(knot->trail->room, pool, host)) {
        if (!knot->closed[host] && host != knot->trail->fleet->guests[guest].at) {
            hosts[count++] = host;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (make_room(knot, guest, hosts[i], depth)) {
            return hosts[i];
        }
    }
    return FLEET_NONE;
}

static bool send_away(struct knot *knot, uint32_t guest, unsigned depth)
{
    uint32_t refuge = find_refuge(knot, guest);

    if (refuge == FLEET_NONE && depth > 0 && !knot->trail->fleet->guests[guest].no_detour) {
        refuge = prepare_refuge(knot, guest, depth - 1);
    }
    if (refuge != FLEET_NONE) {
        trail_move(knot->trail, guest, refuge);
        return true;
    }
    if (knot->effort.park && trail_may_stop(knot->trail, guest)) {
        trail_stop(knot->trail, guest);
        return true;
    }
    return false;
}

static bool evict_one(struct knot *knot, uint32_t guest, uint32_t host, unsigned depth)
{
    struct leaver leavers[BRANCH_MAX + 1];
    size_t count = find_leavers(knot, guest, host, leavers);

    for (size_t i = 0; i < count && !is_tired(knot); i++) {
        uint32_t leaver = leavers[i].guest;

        knot->locked[leaver] = true;
        knot->locks[knot->lock_count++] = leaver;
        if (send_away(knot, leaver, depth)) {
            return true;
        }
        knot->locked[leaver] = false;
        knot->lock_count--;
    }
    return false;
}

/* Sends guests away from 'host' until 'guest' may enter.  False, and nothing done, if that fails. */
static bool make_room(struct knot *knot, uint32_t guest, uint32_t host, unsigned depth)
{
    size_t mark = knot->trail->count;
    size_t locks = knot->lock_count;

    knot->closed[host] = true;
    for (size_t i = 0; i < EVICTIONS_MAX && !trail_may_enter(knot->trail, guest, host); i++) {
        if (!evict_one(knot, guest, host, depth)) {
            break;
        }
    }
    knot->closed[host] = false;
    if (trail_may_enter(knot->trail, guest, host)) {
        return true;
    }
    trail_undo(knot->trail, mark);
    while (knot->lock_count > locks) {
        knot->locked[knot->locks[--knot->lock_count]] = false;
    }
    return false;
}

/* Drains every host that the steps from 'mark' on have taken somebody from. */
static void drain_sources(struct knot *knot, size_t mark, size_t limit)
{
    size_t count = knot->trail->count;

    for (size_t i = mark; i < count; i++) {
        drain_wake(knot->drain, knot->trail, knot->trail->steps[i].from);
    }
    drain_run(knot->drain, knot->trail, limit);
}

/* Brings 'guest' home and lets others follow.  False, and nothing done, if there is no way. */
static bool run_macro(struct knot *knot, uint32_t guest)
{
    struct trail *trail = knot->trail;
    size_t mark = trail->count;
    uint32_t goal = trail->fleet->guests[guest].goal;
    bool done;

    knot->locked[guest] = true;
    done = make_room(knot, guest, goal, knot->effort.depth);
    knot->locked[guest] = false;
    while (knot->lock_count > 0) {
        knot->locked[knot->locks[--knot->lock_count]] = false;
    }
    if (done) {
        trail_move(trail, guest, goal);
        drain_sources(knot, mark, DRAIN_TRIAL);
    }
    return done;
}

static bool is_better(const struct score *a, const struct score *b)
{
    if (a->gain == 0 || b->gain == 0) {
        return a->gain > b->gain;
    }
    if (a->interruptions != b->interruptions) {
        return a->interruptions < b->interruptions;
    }
    return a->gain * (2 * b->extra + 1) > b->gain * (2 * a->extra + 1);
}

/* Makes the macro of a guest and says what it is worth; the caller keeps it or takes it back. */
static struct score try_macro(struct knot *knot, uint32_t guest)
{
    struct trail *trail = knot->trail;
    size_t mark = trail->count;
    size_t left = trail->left;
    size_t interruptions = trail->interruptions;
    struct score score = { 0 };

    if (is_tired(knot) || trail->fleet->guests[guest].at == trail->fleet->guests[guest].goal ||
        !run_macro(knot, guest)) {
        return score;
    }
    if (trail->left >= left || (knot->effort.clean && trail->astray > 0)) {
        return score;
    }
    score.gain = left - trail->left;
    score.extra = trail->count - mark - score.gain;
    score.interruptions = trail->interruptions - interruptions;
    return score;
}

static bool comes_before(const struct waiter *a, const struct waiter *b)
{
    if (is_better(&a->score, &b->score) || is_better(&b->score, &a->score)) {
        return is_better(&a->score, &b->score);
    }
    if (a->lack_kib != b->lack_kib) {
        return a->lack_kib < b->lack_kib;
    }
    return a->guest < b->guest;
}

/* Lets the first of a heap of waiters sink to where it belongs. */
static void sink(struct waiter *heap, size_t count, size_t at)
{
    struct waiter waiter = heap[at];

    for (size_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && comes_before(&heap[child + 1], &heap[child])) {
            child++;
        }
        if (!comes_before(&heap[child], &waiter)) {
            break;
        }
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = waiter;
}

static bool is_touched(const struct knot *knot, uint32_t guest)
{
    const struct fleet_guest *this = &knot->trail->fleet->guests[guest];

    return knot->touched[this->goal] || knot->touched[this->at];
}

/* Tries the macros of a chunk, all or those of touched hosts, and puts the best first. */
static void rank(struct knot *knot, struct waiter *heap, size_t count, bool all)
{
    size_t mark = knot->trail->count;

    for (size_t i = 0; i < count; i++) {
        if (all || is_touched(knot, heap[i].guest)) {
            heap[i].score = try_macro(knot, heap[i].guest);
            trail_undo(knot->trail, mark);
        }
    }
    for (size_t i = count / 2; i-- > 0;) {
        sink(heap, count, i);
    }
}

/* Marks the hosts of the steps from 'mark' on. */
static void touch(struct knot *knot, size_t mark, bool touched)
{
    for (size_t i = mark; i < knot->trail->count; i++) {
        knot->touched[knot->trail->steps[i].from] = touched;
        knot->touched[knot->trail->steps[i].to] = touched;
    }
}

/* Keeps the best macros of a chunk one by one.  What the others are worth changes with each that is
 * kept, most of all for those who are on, or belong on, a host that it has touched: they are tried again.
 * The best is tried once more before it is kept.  True if any was kept. */
static bool improve(struct knot *knot, struct waiter *heap, size_t count)
{
    struct trail *trail = knot->trail;
    bool any = false;

    rank(knot, heap, count, true);
    while (count > 0 && heap[0].score.gain > 0) {
        size_t mark = trail->count;
        struct score old = heap[0].score;

        heap[0].score = try_macro(knot, heap[0].guest);
        if (heap[0].score.gain > 0 && !is_better(&old, &heap[0].score)) {
            drain_sources(knot, mark, SIZE_MAX);
            heap[0] = heap[--count];
            touch(knot, mark, true);
            rank(knot, heap, count, false);
            touch(knot, mark, false);
            any = true;
        } else {
            trail_undo(trail, mark);
            sink(heap, count, 0);
        }
    }
    return any;
}

static int compare_waiters(const void *a, const void *b)
{
    const struct waiter *left = a;
    const struct waiter *right = b;

    if (left->lack_kib != right->lack_kib) {
        return left->lack_kib < right->lack_kib ? -1 : 1;
    }
    return left->guest < right->guest ? -1 : left->guest > right->guest;
}

/* Everybody who waits, those whose host lacks least first. */
static size_t list_waiters(const struct trail *trail, struct waiter *waiters)
{
    size_t count = 0;

    for (size_t h = 0; h < trail->fleet->host_count; h++) {
        for (uint32_t g = trail->first[h]; g != FLEET_NONE; g = trail->next[g]) {
            waiters[count++] = (struct waiter){
                .guest = g,
                .lack_kib = lack_of(trail->fleet, g, trail->fleet->guests[g].goal),
            };
        }
    }
    if (count > 1) {
        qsort(waiters, count, sizeof(*waiters), compare_waiters);
    }
    return count;
}

/* Goes over everybody who waits, chunk by chunk.  True if some macro was kept. */
static bool go_round(struct knot *knot, struct waiter *waiters)
{
    size_t count = list_waiters(knot->trail, waiters);
    bool any = false;

    for (size_t i = 0; i < count; i += CHUNK) {
        size_t chunk = count - i < CHUNK ? count - i : CHUNK;

        any = improve(knot, &waiters[i], chunk) || any;
    }
    return any;
}

/* Deeper and dearer macros are tried only while cheaper ones do not help. */
static void persist(struct knot *knot, struct waiter *waiters, bool clean)
{
    static const struct effort efforts[] = {
        { .depth = 0 },
        { .depth = 1 },
        { .depth = 2 },
        { .depth = DEPTH_MAX },
        { .depth = 1, .park = true, .clean = true },
    };
    size_t level = 0;

    while (level < ARRAY_LEN(efforts) && knot->trail->left > 0) {
        knot->effort = efforts[level];
        knot->effort.clean = knot->effort.clean || clean;
        level = go_round(knot, waiters) ? 0 : level + 1;
    }
}

void knot_untie(struct trail *trail, struct drain *drain)
{
    size_t guests = trail->fleet->guest_count;
    struct knot knot = {
        .trail = trail,
        .drain = drain,
        .locked = ARENA_ARRAY(trail->arena, bool, guests),
        .closed = ARENA_ARRAY(trail->arena, bool, trail->fleet->host_count),
        .touched = ARENA_ARRAY(trail->arena, bool, trail->fleet->host_count),
        .locks = ARENA_ARRAY(trail->arena, uint32_t, guests),
    };
    struct waiter *waiters = ARENA_ARRAY(trail->arena, struct waiter, guests);
    size_t mark = trail->count;

    trail->room = room_new(trail->arena, trail->fleet);
    persist(&knot, waiters, false);
    if (trail->astray > 0) {
        /* A guest cannot be left on its way: begin again, and keep only what ends well. */
        trail_undo(trail, mark);
        persist(&knot, waiters, true);
    }
    trail->room = NULL;
}
