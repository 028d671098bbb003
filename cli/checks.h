/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * checks: a command asks the hosts whether the moves of its plan can be made (reconciler/preflight.h).
 */

#include <stdbool.h>

struct cli;
struct plan;
struct reach_sight;

/* Puts the checks of each move into plan->moves, in cli->arena; 'sight' is what the plan was made for.  0, or
 * the exit status after printing why nothing could be asked. */
int checks_make(struct cli *cli, const struct reach_sight *sight, struct plan *plan);

/* True if a check of some move has failed. */
bool checks_failed(const struct plan *plan);
