/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Waiting: guests that wait for a window, kept out of the plan with that reason, and hosts that are closed
 * for others on their way.
 *
 * What is under way is never touched: a window says when a move may start.
 */

#include <stdbool.h>
#include <stdint.h>

#include "diff/plan.h"

struct arena;
struct view;

/* Keeps out of 'view' each guest whose move from where it is to where the file wants it may not start now;
 * a guest in its place does not make way for others either.  A host that is closed takes nobody. */
void waiting_exclude(struct arena *arena, struct view *view);

/* NULL if 'move', of a plan for 'view', may start now, else why not. */
const char *waiting_objection(struct arena *arena, const struct view *view,
                              const struct plan_move *move);
