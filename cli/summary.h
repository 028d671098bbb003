/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Summary: what came of moves, whether the command made them itself or followed a berthd that did.  Pure.
 */

#include <stddef.h>

struct plan_block;
struct text;

struct summary {
    int status; /* contract.md §6 */
    size_t moved;
    size_t failed;  /* Moves that ended without their guest on its target. */
    size_t stuck;   /* Moves left open. */
    size_t blocked; /* Guests that could not be placed. */
    const struct plan_block *blocks;
    size_t block_count;
};

/* Appends a "berth.apply/1" object, and one line for a person: none if nothing was done. */
void summary_json(struct text *text, const struct summary *summary);
void summary_text(struct text *text, const struct summary *summary);

/* Appends the member "blocked" of an object: an array of who stays and why. */
void summary_json_blocked(struct text *text, const struct plan_block *blocks, size_t count);
