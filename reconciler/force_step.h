/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Force_step: what to do next for a forced move: step.h for a source that cannot be asked.
 *
 * Its target is looked at, what may run the guest is fenced, it is defined, and what was fenced is fenced
 * again right before the start, because a device may have lied.  It never goes back to its source: what fails
 * before the guest has run takes the definition away again and leaves the guest down, with the reason.  What
 * a crash interrupts is not gone on with, unless the guest runs: whoever asked must ask again.  Pure.
 */

#include "reconciler/step.h"

/* Decides.  'move' is the journaled intent. */
struct step force_step_next(const struct journal_move *move, const struct step_facts *facts);
