/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Blocking: the guests that keep each other from moving, not one more than it takes (planner.md,
 * 'Impossible?').
 *
 * A deletion filter: whoever can be taken out of the world without bringing the guest home has no part
 * in its trouble.  Each question is searched to the end, in small fleets only; what arithmetic tells in
 * fleets of any size is chain.h's.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diff/exact.h"

struct arena;
struct blocking;
struct compat;
struct fleet;

struct blocking_set {
    uint32_t guests[EXACT_GUESTS]; /* Sorted. */
    size_t count;
};

/* Prepares the search for sets on 'fleet' as a plan leaves it.  NULL if the fleet is too large. */
struct blocking *blocking_new(struct arena *arena, struct fleet *fleet, struct compat *compat);

/* Finds an irreducible set of guests that are left, 'guest' among them, that keeps it where it is: even if
 * nobody else who is left were in the world, no order of moves brings it home, and one does if any other
 * of the set was not there either.  False if that cannot be proven. */
bool blocking_find(struct blocking *blocking, uint32_t guest, struct blocking_set *set);
