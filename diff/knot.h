/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Knot: moves by way of temporary hosts, where direct moves have come to an end (planner.md, MACRO).
 *
 * For a guest that waits, room is made on its host: occupants go to temporary hosts, which may in turn be
 * emptied first.  Several such macros are tried on the trail and the best is kept.  A heuristic: what it
 * leaves may still be possible.  Pure.
 */

#include <stdbool.h>

struct drain;
struct trail;

/* Unties what it can, in the order that 'drain' is set to.  Afterwards nobody is astray: every guest that
 * was moved is home. */
void knot_untie(struct trail *trail, struct drain *drain);
