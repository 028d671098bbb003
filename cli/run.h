/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * run: a command carries a plan out itself: it asks, moves guest after guest with progress on stderr,
 * and ends when nothing more can be done now.
 */

#include <stdbool.h>

#include "cli/summary.h"
#include "diff/plan.h"
#include "reconciler/force.h"

struct cli;
struct err;
struct reach_sight;
struct text;

/* A guest of a dead host that is to be started elsewhere, and what came of it. */
struct run_forced {
    struct force_request request;
    bool begun;   /* It was not refused. */
    bool unclear; /* Nobody answered whether it was. */
    struct summary summary;
};

/* Moves that are asked for, whoever makes them (cli/follow.h). */
struct run_request {
    const char *only; /* Move this guest alone, or NULL. */
    const char *step; /* Take this step of its move alone, or NULL. */
    bool rest;        /* Take every step that is left of the move of 'only' that is run by hand. */
    bool back;        /* Take the move of 'only' that is run by hand back. */
    const char *agreed; /* The plan as a person has seen it and said yes, or NULL: it is printed. */
    struct text
        *json; /* Gets the result as a "berth.apply/1" object; NULL: it is printed as text. */
    struct run_forced
        *forced; /* NULL, or 'only' is moved by this: no plan and no result is printed. */
};

/* Fills '*plan' for what 'sight' holds, in cli->arena: moves of 'only' alone (NULL: of all), each live one with
 * its forecast, and no word about why others stay.  0, or the exit status after printing what was wrong. */
int run_plan(struct cli *cli, struct reach_sight *sight, const char *only, struct plan *plan);

/* True if a person can be asked; else says so, with 'hint'. */
bool run_can_ask(struct cli *cli, const char *hint);

/* Shows 'plan', which is about to be carried out; one that comes 'again' only on stderr, by its length.  False
 * if it could not be printed, which was told. */
bool run_show_plan(struct cli *cli, const struct run_request *request, const struct plan *plan,
                   bool again);

/* Prints why a forced move was refused.  The exit status. */
int run_refuse_forced(const struct err *err);

/* A person's answer to whether to go on. */
bool run_is_wanted(void);

/* Moves guests as the config's es.xml says.  The exit status. */
int run_moves(struct cli *cli, const struct run_request *request);
