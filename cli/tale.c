/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/tale.h"

#include "base/err.h"
#include "reconciler/journal/journal.h"

static int find_move(struct arena *arena, struct journal *journal, const char *guest,
                     const struct journal_move **move, struct err *err)
{
    struct journal_move *moves;
    size_t count;

    if (journal->ops->moves(journal, arena, true, guest, 1, &moves, &count, err) != 0 ||
        (count == 0 &&
         journal->ops->moves(journal, arena, false, guest, 1, &moves, &count, err) != 0)) {
        return -1;
    }
    *move = count > 0 ? &moves[count - 1] : NULL;
    return 0;
}

int tale_read(struct arena *arena, struct journal *journal, const char *guest, struct tale *tale,
              struct err *err)
{
    *tale = (struct tale){ .move = NULL };
    if (find_move(arena, journal, guest, &tale->move, err) != 0) {
        return -1;
    }
    if (tale->move == NULL) {
        return 0;
    }
    if (journal->ops->steps(journal, arena, tale->move->key, &tale->steps, &tale->count, err) !=
            0 ||
        journal_read_supplies(journal, arena, tale->move, &tale->supplies, err) != 0) {
        return -1;
    }
    if (tale->move->mode != MOVE_LIVE) {
        procedure_tell(tale->move, &tale->supplies, tale->steps, tale->count, tale->rows);
    }
    return 0;
}

const char *tale_next(const struct tale *tale)
{
    for (size_t i = 0; tale->move->mode != MOVE_LIVE && i < PROCEDURE_STEPS; i++) {
        if (tale->rows[i].state == PROCEDURE_NEXT) {
            return tale->rows[i].name;
        }
    }
    return NULL;
}
