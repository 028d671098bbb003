/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Verdict: how a play ended: every guest is where the file wants it, or there is a reason that holds, and
 * nothing is left open.
 *
 * A reason that the controller gives is believed only if the fleet, the journal and the orders confirm it.
 */

#include <stdbool.h>

struct play;

/* False while the controller only waits for a next try. */
bool verdict_is_final(const struct play *play);

/* Blames what is not as it must be. */
void verdict_pass(struct play *play);
