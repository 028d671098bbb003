/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Procedure: a move of a guest that is stopped or off, told in the steps of the procedure that Berth replaces:
 * what is done, what comes next, what is left, and in which step there is nothing to do.
 *
 * Berth decides by what it finds (reconciler/step.h, stage.h) and needs none of this; whoever knows the
 * procedure by its names does.  Pure.
 */

#include <stdint.h>

#include "model/op.h"
#include "model/supply.h"
#include "reconciler/journal/journal.h"

enum procedure_state {
    PROCEDURE_REMAINING,
    PROCEDURE_NEXT,
    PROCEDURE_RUNNING,
    PROCEDURE_DONE,
    PROCEDURE_FAILED,
    PROCEDURE_UNCLEAR, /* Ended by a crash, or without an answer. */
    PROCEDURE_SKIPPED,
    PROCEDURE_STATE_COUNT,
};

#define PROCEDURE_STEPS 11

/* One step, in the order of the procedure. */
struct procedure_row {
    const char *name; /* "DETACH_VOLUMES" */
    enum procedure_state state;
    const char *host; /* Where it is done. */
    const char *text; /* Why it failed, was skipped or had less to do, or NULL. */
    int64_t begun_ms; /* 0 = it has not. */
    int64_t ended_ms;
};

/* The step that an operation belongs to, or NULL. */
const char *procedure_name(enum op_kind kind, enum supply_kind supply);

/* How 'move', which is not a live one, stands after the 'count' journaled 'steps'; 'supplies' are what the
 * platform provides for its guest.  Strings are shared with the arguments. */
void procedure_tell(const struct journal_move *move, const struct supply_list *supplies,
                    const struct journal_step *steps, size_t count,
                    struct procedure_row rows[PROCEDURE_STEPS]);

/* The step at 'place' in the procedure, below PROCEDURE_STEPS. */
const char *procedure_step(size_t place);

/* Place of the step called 'name' in the procedure, or PROCEDURE_STEPS. */
size_t procedure_find(const char *name);

/* Stable name of a state. */
const char *procedure_state_name(enum procedure_state state);
