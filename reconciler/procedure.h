/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Procedure: a move of a guest that is stopped or off, told in the steps of the procedure that Berth replaces:
 * what is done, what comes next, what is left, and in which step there is nothing to do.
 *
 * Berth decides by what it finds (reconciler/step.h, stage.h) and needs none of this; whoever knows the
 * procedure by its names does.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/op.h"
#include "model/supply.h"
#include "reconciler/journal/journal.h"
#include "reconciler/part.h"

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

#define PROCEDURE_STEPS 12
#define PROCEDURE_PARTS 5 /* Of one step, at most. */

/* A set of steps is a mask of these, by their place. */
#define PROCEDURE_BIT(place) (UINT32_C(1) << (place))

struct arena;
struct observed_guest;

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

/* True if the step at 'place' is about what the platform provides, else about the guest itself. */
bool procedure_is_of_supplies(size_t place);

/* The operations of the step at 'place' in their order, as far as 'move' has them; how many. */
size_t procedure_parts(size_t place, const struct journal_move *move,
                       const struct supply_list *supplies, struct part parts[PROCEDURE_PARTS]);

/* The steps whose outcome holds by the journal: done, or skipped as there is nothing to do. */
uint32_t procedure_held(const struct procedure_row rows[PROCEDURE_STEPS]);

/* The same by what both hosts say now of the guest (NULL: it is not there), where they can tell. */
uint32_t procedure_held_now(const struct procedure_row rows[PROCEDURE_STEPS],
                            const struct observed_guest *source,
                            const struct observed_guest *target);

/* The steps whose outcome must hold before the one at 'place' may be taken, whatever its turn: migration.md's table
 * read as preconditions. */
uint32_t procedure_needs(size_t place);

/* How a move of 'guest' (NULL: it is off) that is about to begin stands. */
void procedure_foresee(const char *from, const char *to, enum move_mode mode,
                       const struct observed_guest *guest, const struct supply_list *supplies,
                       struct procedure_row rows[PROCEDURE_STEPS]);

enum procedure_answer {
    PROCEDURE_TAKE,   /* It may be taken. */
    PROCEDURE_LEAVE,  /* There is nothing to do in it: '*why'. */
    PROCEDURE_REFUSE, /* '*why': each thing that it lacks, and the step that brings it about. */
};

/* Whether a person may take the step at 'place' of a move that stands as 'rows' say, now that the source and the
 * target have 'guests' (NULL: it is not there).  '*why' is in 'arena', or NULL. */
enum procedure_answer procedure_judge(struct arena *arena,
                                      const struct procedure_row rows[PROCEDURE_STEPS],
                                      size_t place, const struct observed_guest *const guests[2],
                                      const char **why);
