/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Schedule: in which order the waiting guests move, so that every move fits at its instant (planner.md,
 * 'An algorithm that works').
 *
 * Knows room and rivals only; whether a guest may move at all was decided before.  Every step is a
 * final move today.  Pure, deterministic.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct fleet;

struct schedule_step {
    uint32_t guest;
    uint32_t to;
    bool relief;     /* Its source was over its limit before. */
    uint32_t enable; /* A guest that fits on the source only after this step, or FLEET_NONE. */
};

struct schedule {
    const struct schedule_step *steps;
    size_t count;
    size_t left; /* Waiting guests that no order was found for. */
};

/* Orders the guests of 'fleet' that are waiting.  The fleet is as before afterwards: whoever wants the
 * state after the steps makes them. */
struct schedule schedule_find(struct arena *arena, struct fleet *fleet);

/* True if 'guest' may enter 'host' now: there is room, the host takes guests, and no rival is there. */
bool schedule_may_enter(const struct fleet *fleet, uint32_t guest, uint32_t host);
