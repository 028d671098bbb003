/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Evacuate: other hosts for the guests that the file puts on one host, so that it can be emptied.
 *
 * A host is chosen so that everything the file then puts there fits at once, members of a cluster that are
 * apart stay apart, and planner and compatibility agree: the choice is proven by planning for it.  The
 * guest of the highest priority chooses first, among equals the largest, the host that it fills best, one that
 * it is on already before all others.  Pure, deterministic.
 */

#include <stddef.h>
#include <stdint.h>

#include "diff/plan.h"

struct arena;
struct es_edit;

struct evacuation {
    const struct es_edit *edits; /* Guests and their new hosts, by name of the guest. */
    size_t edit_count;
    const struct plan_block *blocked; /* Guests that stay, and why; by name. */
    size_t block_count;
};

/* Finds hosts for the guests of host 'host' of input->desired.  Everything lives in 'arena' or is shared
 * with the input. */
struct evacuation evacuate_find(struct arena *arena, const struct plan_input *input, uint32_t host);
