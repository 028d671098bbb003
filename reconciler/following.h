/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Following: the plan that is being carried out, across passes (planner.md, 'Following a plan').
 *
 * It is kept while file and policy are the same, its remainder verifies and nothing strictly cheaper is
 * known; without this a displaced guest
 * has a direct way home, and the next pass undoes the detour for ever.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/digest.h"
#include "diff/plan.h"

struct text;

struct following {
    struct arena arena; /* Holds 'plan': it outlives the pass it was made in. */
    struct plan plan;
    char policy_digest[DIGEST_TEXT_SIZE];
    size_t next; /* Index of the move to take. */
    bool valid;
};

/* True if there are moves left and they are still right for the world of 'input'. */
bool following_holds(const struct following *following, const struct plan_input *input,
                     const char *policy_digest);

/* True if 'fresh', made for the world as it is now, is strictly cheaper than what is left to do: fewer guests
 * left behind, fewer stopped on the way, fewer moves, less memory, in this order. */
bool following_is_beaten(const struct following *following, const struct plan *fresh);

/* Follows 'plan' from its first move on.  'json' gets its JSON appended, for the journal. */
void following_adopt(struct following *following, const struct plan *plan,
                     const char *policy_digest, struct text *json);

/* The next move, or NULL if none is left. */
const struct plan_move *following_peek(const struct following *following);

/* The next move, which counts as taken; NULL if none is left. */
const struct plan_move *following_take(struct following *following);

/* True if a move of 'guest' is still to be taken. */
bool following_moves(const struct following *following, const char *guest);

/* Releases the plan. */
void following_deinit(struct following *following);
