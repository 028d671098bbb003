/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Hand: a move that a person runs step by step: which of the steps that the move wants to take it may take now.
 *
 * Only the step that was asked for is taken, and what has no name in the procedure (checks, for example); what
 * was done before is looked at again where the step needs it.  Nothing leads back: whoever runs a move by hand
 * decides about that.  Pure.
 */

#include <stdbool.h>
#include <stdint.h>

#include "model/supply.h"
#include "reconciler/journal/journal.h"
#include "reconciler/step.h"

struct hand {
    const char *step; /* Of the procedure (reconciler/procedure.h); NULL: it is not run by hand. */
    uint32_t done;    /* Places of the steps that were done before, as bits. */
};

/* Takes from the journal which steps are done. */
void hand_read(struct hand *hand, const struct journal_move *move,
               const struct supply_list *supplies, const struct journal_step *steps, size_t count);

/* True if 'next' may be taken. */
bool hand_allows(const struct hand *hand, const struct journal_move *move, const struct step *next);
