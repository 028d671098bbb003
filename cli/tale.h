/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * tale: a guest's move and all that the journal has of it.
 */

#include <stddef.h>

#include "model/supply.h"
#include "reconciler/procedure.h"

struct arena;
struct err;
struct journal;
struct journal_move;
struct journal_step;

struct tale {
    const struct journal_move *move; /* NULL: the guest has not been moved. */
    struct journal_step *steps;
    size_t count;
    struct supply_list supplies;
    struct procedure_row rows[PROCEDURE_STEPS]; /* Of a move that is not live. */
};

/* Reads the open move of 'guest', or else its last one, into 'arena'. */
int tale_read(struct arena *arena, struct journal *journal, const char *guest, struct tale *tale,
              struct err *err);

/* The step of the procedure that comes next, or NULL: also of a live move. */
const char *tale_next(const struct tale *tale);
