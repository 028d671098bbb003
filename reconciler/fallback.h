/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Fallback: what policy puts in the place of a live move whose copy did not end by its deadline.  It is
 * due from then on, for that revision of the file, until the guest has arrived or 'berth retry' forgets
 * the failure.  Pure.
 */

#include <stdbool.h>

#include "model/op.h"

struct arena;
struct journal_move;
struct ledger;
struct policy;
struct view;

/* True if 'move', which has failed just now, gives way to its guest's fallback at once. */
bool fallback_follows(const struct policy *policy, const struct journal_move *move);

/* True if a move of 'guest' in 'mode', for the revision 'es_digest', is the fallback that is due. */
bool fallback_is_due(const struct ledger *ledger, const struct policy *policy, const char *guest,
                     const char *es_digest, enum move_mode mode);

/* Makes 'offline' the mode of each guest of 'view' for which that is due, in the policy of this pass: so
 * planner and verifier see the same. */
void fallback_apply(struct arena *arena, struct view *view, const struct ledger *ledger);
