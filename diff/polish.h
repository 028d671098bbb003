/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Polish: makes a trail better that a search has found, without searching anew (planner.md, POLISH): no
 * needless hops, and relief as soon as may be.  Pure.
 */

struct trail;

/* Drops every hop to a temporary host that the rest of the trail does not need.  The trail ends where it
 * did. */
void polish_trail(struct trail *trail);

/* Brings moves away from hosts that are over their limit forward, where the others allow it: the same
 * steps in another order.  Long trails are left as they are. */
void polish_relief(struct trail *trail);
