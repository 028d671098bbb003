/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Hand: a move that a person runs step by step: whether the step that is asked for may be taken now, and what is
 * to be done for it.
 *
 * A step has no turn.  It is taken if what it builds upon holds (reconciler/procedure.h), by what both hosts say
 * of the guest and by what the move has done of the rest, which is looked at again first.  Nothing else is done,
 * nothing is tried for ever, and nothing leads back: whoever runs a move by hand decides about that.  The last
 * step that was missing ends the move as ever.  Pure.
 */

#include <stdbool.h>

#include "base/err.h"
#include "model/supply.h"
#include "reconciler/journal/journal.h"
#include "reconciler/procedure.h"
#include "reconciler/stage.h"
#include "reconciler/step.h"

struct arena;
struct observed_guest;

struct hand {
    const char *step; /* Of the procedure, or NULL: it is not run by hand. */
    struct procedure_row rows[PROCEDURE_STEPS]; /* As the move stood when it was taken up. */
    bool stopped;                               /* The guest was, since then. */
    struct err err; /* Why the step was not taken or did not succeed; code ERR_NONE: it did. */
};

enum hand_choice {
    HAND_TAKE,   /* Do it. */
    HAND_LEAVE,  /* There is nothing to do, or nothing more. */
    HAND_REFUSE, /* Something that it builds upon does not hold. */
    HAND_FAIL,   /* It was tried, and a person has to look. */
};

struct hand_turn {
    enum hand_choice choice;
    struct step step; /* Of HAND_TAKE. */
    const char *text; /* Of HAND_REFUSE, and of HAND_LEAVE if nothing was done at all; else NULL. */
};

/* Takes from the journal how the move stands. */
void hand_read(struct hand *hand, const struct journal_move *move,
               const struct supply_list *supplies, const struct journal_step *steps, size_t count);

/* An operation has succeeded. */
void hand_note_done(struct hand *hand, enum op_kind op);

/* What to do for hand->step; 'automatic' is what would come next if nobody had asked for it. */
struct hand_turn hand_next(struct arena *arena, const struct hand *hand,
                           const struct journal_move *move, const struct step_facts *facts,
                           const struct stage *stage, const struct step *automatic);
