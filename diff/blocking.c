/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/blocking.h"

#include "base/arena.h"
#include "diff/fleet.h"
#include "diff/trail.h"

/* Placements that one question may look at, and all questions of one plan together. */
#define QUESTION_BUDGET 50000
#define PLAN_BUDGET     400000

struct blocking {
    struct arena *arena;
    struct fleet *fleet;
    struct trail trail;
    struct exact_problem problem;
    size_t budget; /* Placements that may still be looked at. */
};

struct blocking *blocking_new(struct arena *arena, struct fleet *fleet, struct compat *compat)
{
    struct blocking *blocking = ARENA_NEW(arena, struct blocking);
    size_t left = 0;

    blocking->arena = arena;
    blocking->fleet = fleet;
    blocking->budget = PLAN_BUDGET;
    /* Who is hopeless may still be what others wait for. */
    for (uint32_t g = 0; g < fleet->guest_count; g++) {
        fleet->guests[g].hopeless = false;
        left += fleet_is_left(fleet, g);
    }
    if (left > EXACT_GUESTS) {
        return NULL;
    }
    blocking->trail = trail_new(arena, fleet, compat);
    trail_load(&blocking->trail);
    return exact_fits(&blocking->trail, &blocking->problem) ? blocking : NULL;
}

enum answer {
    STUCK,
    FREE,
    UNKNOWN,
};

/* Whether 'guest' comes home in some plan if the guests of 'absent' are not there. */
static enum answer ask(struct blocking *blocking, uint32_t guest, uint32_t absent)
{
    AUTO(arena) struct arena scratch = ARENA_INIT;
    struct trail_cost any = { .left = EXACT_GUESTS };
    struct exact_answer answer;

    blocking->problem.required = guest;
    blocking->problem.absent = absent;
    blocking->problem.budget =
        blocking->budget < QUESTION_BUDGET ? blocking->budget : QUESTION_BUDGET;
    answer = exact_solve(&scratch, &blocking->problem, &any);
    blocking->budget -= answer.looked_at;
    if (answer.found) {
        return FREE;
    }
    return answer.proven ? STUCK : UNKNOWN;
}

bool blocking_find(struct blocking *blocking, uint32_t guest, struct blocking_set *set)
{
    const struct exact_problem *problem = &blocking->problem;
    uint32_t absent = 0;

    *set = (struct blocking_set){ 0 };
    if (ask(blocking, guest, absent) != STUCK) {
        return false;
    }
    for (unsigned i = 0; i < problem->guest_count; i++) {
        uint32_t other = problem->guests[i];
        enum answer answer = STUCK;

        if (other != guest && fleet_is_left(blocking->fleet, other)) {
            answer = ask(blocking, guest, absent | 1U << i);
        }
        if (answer == UNKNOWN) {
            return false;
        }
        if (other == guest || answer == FREE) {
            set->guests[set->count++] = other;
        } else if (fleet_is_left(blocking->fleet, other)) {
            absent |= 1U << i;
        }
    }
    return true;
}
