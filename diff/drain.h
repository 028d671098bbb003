/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Drain: every move home that fits, one after the other, until none does (planner.md, 'An algorithm
 * that works', DRAIN).
 *
 * A guest that is home never leaves again here, so only a departure makes a move possible, and each is
 * looked at when one happens.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct drain;
struct fleet;
struct trail;

/* Which of several moves that fit is made first.  No order suits every fleet. */
enum drain_favour {
    DRAIN_TIGHTEST, /* From the host that others wait for most. */
    DRAIN_LARGEST,
    DRAIN_SMALLEST,
};

struct drain_order {
    enum drain_favour favour;
    bool polite; /* Hosts over their limit come first, then the priorities of policy. */
};

/* Work space for draining 'fleet', again and again. */
struct drain *drain_new(struct arena *arena, const struct fleet *fleet);

/* From here on moves are made in this order. */
void drain_set_order(struct drain *drain, struct drain_order order);

/* Enters everybody who may go to 'host', which may have gained room, as a candidate of drain_run(). */
void drain_wake(struct drain *drain, const struct trail *trail, uint32_t host);
void drain_wake_all(struct drain *drain, const struct trail *trail);

/* Makes moves until no candidate is left, or 'limit' were made; the candidates are forgotten then. */
void drain_run(struct drain *drain, struct trail *trail, size_t limit);
