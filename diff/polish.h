/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Polish: takes needless hops out of a trail that heuristics have made (planner.md, POLISH).  Pure.
 */

struct trail;

/* Drops every hop to a temporary host that the rest of the trail does not need.  The trail ends where it
 * did. */
void polish_trail(struct trail *trail);
