/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Exact: the best plan for a few guests on a few hosts, proven by looking at every placement that could
 * be on a better one's way (planner.md: A* over placement vectors).
 *
 * Best in the order of the objective: guests left, interruptions, moves, memory moved.  The effort is
 * bounded by a number of placements, never by time.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diff/trail.h"

struct arena;

#define EXACT_HOSTS  8
#define EXACT_GUESTS 16

struct exact_problem {
    const struct trail *trail; /* The world as its steps leave it; not changed. */
    uint32_t hosts[EXACT_HOSTS];
    size_t host_count;
    uint32_t guests[EXACT_GUESTS]; /* Who may move; all are on, and belong on, these hosts. */
    size_t guest_count;
    uint32_t required; /* A guest that must get home, or FLEET_NONE. */
    uint32_t absent;   /* Bit i: guests[i] is taken out of the world. */
    size_t budget;     /* Placements that may be looked at. */
};

struct exact_answer {
    bool found;  /* 'steps' are better than the bound. */
    bool proven; /* Nothing is better than the steps, or than the bound if none were found. */
    struct trail_step *steps;
    size_t step_count;
    size_t looked_at; /* Placements. */
};

/* Searches for steps that cost less than 'bound', which counts from the trail's present state; its 'left'
 * are guests of the problem. */
struct exact_answer exact_solve(struct arena *arena, const struct exact_problem *problem,
                                const struct trail_cost *bound);

/* The problem of a whole fleet.  False if it is too large. */
bool exact_fits(const struct trail *trail, struct exact_problem *problem);
