/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/schedule.h"

#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "diff/capacity.h"
#include "diff/compat.h"
#include "diff/drain.h"
#include "diff/exact.h"
#include "diff/fleet.h"
#include "diff/knot.h"
#include "diff/polish.h"
#include "diff/prospect.h"
#include "diff/screen.h"

/* Placements that the search of a small fleet may look at. */
#define EXACT_BUDGET 200000

/* Fleets with no more guests waiting than this are worth every order; for larger ones the first few are
 * nearly as good. */
#define EVERY_ORDER_MAX 500
#define SOME_ORDERS     2

static const struct drain_order orders[] = {
    { DRAIN_TIGHTEST, true },  { DRAIN_LARGEST, true },  { DRAIN_SMALLEST, true },
    { DRAIN_TIGHTEST, false }, { DRAIN_LARGEST, false }, { DRAIN_SMALLEST, false },
};

/* The best steps so far. */
struct best {
    struct trail_step *steps;
    size_t count;
    struct trail_cost cost;
};

struct scheduler {
    struct arena *arena;
    struct trail trail;
    struct drain *drain;
    size_t waiting; /* Guests that have hope. */
    struct best best;
};

bool schedule_may_enter(const struct fleet *fleet, uint32_t guest, uint32_t host)
{
    return fleet->hosts[host].reachable && !fleet->hosts[host].maintenance &&
           capacity_fit(fleet, guest, host) == CAPACITY_FITS &&
           fleet_find_rival(fleet, guest, host) == FLEET_NONE;
}

static size_t order_count(const struct scheduler *scheduler)
{
    return scheduler->waiting <= EVERY_ORDER_MAX ? ARRAY_LEN(orders) : SOME_ORDERS;
}

static void keep(struct scheduler *scheduler, const struct trail_step *steps, size_t count,
                 const struct trail_cost *cost)
{
    struct best *best = &scheduler->best;

    best->steps = ARENA_ARRAY(scheduler->arena, struct trail_step, count);
    if (count > 0) {
        memcpy(best->steps, steps, count * sizeof(*steps));
    }
    best->count = count;
    best->cost = *cost;
}

/* Keeps what the trail has become if it is the best yet. */
static void consider(struct scheduler *scheduler)
{
    struct trail_cost cost = trail_cost(&scheduler->trail);

    if (scheduler->trail.astray == 0 && trail_is_better(&cost, &scheduler->best.cost)) {
        keep(scheduler, scheduler->trail.steps, scheduler->trail.count, &cost);
    }
}

static void drain_all(struct scheduler *scheduler, struct drain_order order)
{
    drain_set_order(scheduler->drain, order);
    drain_wake_all(scheduler->drain, &scheduler->trail);
    drain_run(scheduler->drain, &scheduler->trail, SIZE_MAX);
}

/* Direct moves only. */
static void go_straight(struct scheduler *scheduler)
{
    for (size_t i = 0; i < order_count(scheduler) && scheduler->best.cost.left > 0; i++) {
        drain_all(scheduler, orders[i]);
        consider(scheduler);
        trail_undo(&scheduler->trail, 0);
    }
}

/* By way of temporary hosts.  A move for each guest and one more is the least that is left to hope
 * for. */
static void go_round_about(struct scheduler *scheduler)
{
    for (size_t i = 0; i < order_count(scheduler); i++) {
        drain_all(scheduler, orders[i]);
        knot_untie(&scheduler->trail, scheduler->drain);
        polish_trail(&scheduler->trail);
        polish_relief(&scheduler->trail);
        consider(scheduler);
        trail_undo(&scheduler->trail, 0);
        if (scheduler->best.cost.left == 0 &&
            scheduler->best.count <= scheduler->waiting + 1 + scheduler->waiting / 1000) {
            return;
        }
    }
}

/* Searches a small fleet to the end.  True if it could. */
static bool search(struct scheduler *scheduler, bool *found)
{
    struct exact_problem problem;
    struct exact_answer answer;

    if (!exact_fits(&scheduler->trail, &problem)) {
        return false;
    }
    problem.budget = EXACT_BUDGET;
    answer = exact_solve(scheduler->arena, &problem, &scheduler->best.cost);
    *found = answer.found;
    if (answer.found) {
        for (size_t i = 0; i < answer.step_count; i++) {
            trail_make(&scheduler->trail, &answer.steps[i]);
        }
        polish_relief(&scheduler->trail);
        consider(scheduler);
        trail_undo(&scheduler->trail, 0);
    }
    return answer.proven;
}

struct schedule schedule_find(struct arena *arena, struct fleet *fleet, const struct diff *diff)
{
    size_t hopeless = prospect_mark(arena, fleet);
    struct compat compat = { .arena = arena, .fleet = fleet };
    struct scheduler scheduler = {
        .arena = arena,
        .trail = trail_new(arena, fleet, &compat),
        .drain = drain_new(arena, fleet),
        .best = { .cost = { .left = SIZE_MAX } },
    };
    struct schedule schedule = { .method = PLAN_DIRECT };
    bool found = false;

    trail_load(&scheduler.trail);
    scheduler.waiting = scheduler.trail.left;
    consider(&scheduler);
    go_straight(&scheduler);
    if (scheduler.best.cost.left > 0 || hopeless > 0) {
        screen_displaceable(arena, fleet, diff);
    }
    if (scheduler.best.cost.left > 0) {
        go_round_about(&scheduler);
        schedule.proven = search(&scheduler, &found);
        schedule.method = schedule.proven || found ? PLAN_EXACT : PLAN_HEURISTIC;
    }
    schedule.steps = scheduler.best.steps;
    schedule.count = scheduler.best.count;
    schedule.left = scheduler.best.cost.left + hopeless;
    return schedule;
}
