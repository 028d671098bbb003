/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Schedule: which moves, in which order, bring the waiting guests home, every move fitting at its instant
 * (planner.md, 'An algorithm that works').
 *
 * Direct moves come first.  Where they end, guests go by way of temporary hosts (knot.h), and a small
 * fleet is searched to the end (exact.h).  Whether a guest may move at all was decided before.  Pure,
 * deterministic.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diff/plan.h"
#include "diff/trail.h"

struct arena;
struct diff;
struct fleet;

struct schedule {
    const struct trail_step *steps;
    size_t count;
    size_t left; /* Waiting guests that no way was found for. */
    enum plan_method method;
    bool
        proven; /* By a search: no schedule is better in guests left, interruptions, moves, memory. */
};

/* Brings the guests of 'fleet' home that are waiting.  The fleet is as before afterwards, but for what is
 * known of its guests ('hopeless', and 'displaceable' if any is left): whoever wants the state after the
 * steps makes them. */
struct schedule schedule_find(struct arena *arena, struct fleet *fleet, const struct diff *diff);

/* True if 'guest' may enter 'host' now: there is room, the host takes guests, and no rival is there. */
bool schedule_may_enter(const struct fleet *fleet, uint32_t guest, uint32_t host);
