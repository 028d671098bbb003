/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/hand.h"

#include <string.h>

#include "reconciler/procedure.h"

void hand_read(struct hand *hand, const struct journal_move *move,
               const struct supply_list *supplies, const struct journal_step *steps, size_t count)
{
    struct procedure_row rows[PROCEDURE_STEPS];

    procedure_tell(move, supplies, steps, count, rows);
    hand->done = 0;
    for (size_t i = 0; i < PROCEDURE_STEPS; i++) {
        if (rows[i].state == PROCEDURE_DONE) {
            hand->done |= UINT32_C(1) << i;
        }
    }
}

/* What is provided on the source or withdrawn on the target undoes what was done. */
static bool leads_back(const struct step *next)
{
    return next->back || (next->op == OP_PROVIDE && next->side == 0) ||
           (next->op == OP_WITHDRAW && next->side == 1);
}

bool hand_allows(const struct hand *hand, const struct journal_move *move, const struct step *next)
{
    const char *name = procedure_name(next->op, next->supply);

    if (hand->step == NULL || move->cancel_requested || next->action != STEP_RUN) {
        return true;
    }
    if (leads_back(next)) {
        return false;
    }
    return name == NULL || strcmp(name, hand->step) == 0 ||
           (hand->done >> procedure_find(name) & 1U) != 0;
}
