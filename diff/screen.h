/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Screen: which guests may be moved at all.  Everything that forbids a move whatever the room and the
 * order: where the guest is, what people and policy say, its target, its compatibility.  Pure.
 */

#include <stddef.h>

#include "diff/plan.h"

struct arena;
struct compat;
struct diff;
struct fleet;

/* Decides for each guest of 'fleet' whether it is in its place, waits to be moved ('waiting', 'mode'),
 * or is blocked ('blocked', and a block without certificate in 'blocks', which has room for one a
 * guest).  Returns how many are blocked. */
size_t screen_guests(struct arena *arena, struct fleet *fleet, const struct diff *diff,
                     struct compat *compat, struct plan_block *blocks);

/* Finds, once direct moves do not suffice, who else may take part: guests in their place that may leave
 * it for a while ('displaceable', 'mode'). */
void screen_displaceable(struct arena *arena, struct fleet *fleet, const struct diff *diff);
