/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Step: what to do next for one move, decided from what the journal intended and what both hosts say.
 *
 * There is no program counter: the same pure function drives a move that was just begun, one whose last
 * operation failed, and one that a crash left half done.  It leans on the verdict of diff/settle.h and
 * adds the direction: forward, or back to the source.
 */

#include <stdbool.h>

#include "base/err.h"
#include "diff/settle.h"
#include "model/op.h"
#include "reconciler/journal/journal.h"

struct observed_guest;

/* How often the start of a guest is tried on one host before the move turns round, and how often an
 * operation may fail before a person is asked. */
#define STEP_START_TRIES     2u
#define STEP_AUTOSTART_TRIES 3u
#define STEP_TRIES_MAX       6u

enum step_action {
    STEP_RUN,    /* Do 'op' on 'side'. */
    STEP_WAIT,   /* Nothing to do now; look again. */
    STEP_END,    /* The move is over with 'state'. */
    STEP_STUCK,  /* Only time or a person helps: the move stays open, its guest is held. */
    STEP_SEARCH, /* The guest is on neither host: look on all. */
};

struct step_facts {
    enum settle_verdict verdict;
    const struct observed_guest *guests[2]; /* At the source and target; NULL = not seen there. */
    bool resumed;  /* The move was begun by an earlier run, or an earlier pass gave it up. */
    bool stranger; /* The target has something of its name or UUID that is not simply this guest. */
    bool proven;   /* PREFLIGHT passed since this controller took the move up. */
    bool owed;     /* Its guest was owed a start before this move. */
    bool early;    /* Its guest was stopped early: others may have its room at the source by now. */
    const struct err *error; /* Of the last operation, or NULL if it succeeded or none was tried. */
    enum op_kind failed;     /* The operation 'error' is of. */
    unsigned failures;       /* Operations that failed since the move was taken up. */
    enum settle_view views[2]; /* Of a forced move, as the next: what both hosts say. */
    bool fenced; /* Whoever may run the guest is certain not to, and nothing else was done since. */
    bool started; /* A start was intended. */
    bool voided;  /* The host that a person vouched to be dead has answered. */
};

struct step {
    enum step_action action;
    enum op_kind op;
    unsigned side;           /* 0 = source, 1 = target. */
    bool back;               /* From now on the move goes back to its source. */
    enum supply_kind supply; /* Of PROVIDE and WITHDRAW (reconciler/stage.h). */
    bool prepared;           /* PREFLIGHT: what the platform provides is there by now. */
    enum journal_move_state state;
    const char *text; /* Why, for people; NULL where the operation says it all. */
};

/* The steps that decisions are made of: do 'op' on 'side', ... */
struct step step_run(enum op_kind op, unsigned side);

/* ... the move is over, ... */
struct step step_end(enum journal_move_state state, const char *text);

/* ... the same with the guest on 'side', which is given its autostart back first (a migration loses it, a stop
 * clears it), ... */
struct step step_end_on(const struct journal_move *move, const struct step_facts *facts,
                        unsigned side, enum journal_move_state state, const char *text);

/* ... only time or a person helps. */
struct step step_stuck(const char *text);

/* True if the last operation was 'op' and failed. */
bool step_has_failed(const struct step_facts *facts, enum op_kind op);

/* Decides.  'move' is the journaled intent. */
struct step step_next(const struct journal_move *move, const struct step_facts *facts);
