/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * edit: a change of es.xml by a command, with the rights of whoever runs it: what changes in the file and
 * the plan for it are shown, a person is asked, the file is replaced if nobody was quicker, and the guests
 * are moved, by a controller that runs or else by the command itself.
 *
 * The revision that is replaced is journaled first, so that it can be put back.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "cli/reach.h"
#include "diff/plan.h"
#include "reconciler/source.h"

struct cli;
struct es_edit;

struct edit {
    struct cli *cli;
    const char *only; /* Plan and move this guest alone, or NULL. */
    const char *step; /* Take this step of its move alone, or NULL (cli/handrun.h). */
    bool yes;
    bool dry_run;
    bool checks;        /* A dry run asks the hosts whether each move can be made. */
    bool file_only;     /* Moves are made by a later 'berth apply'. */
    bool carried_out;   /* To the end, as far as it could be. */
    int64_t controller; /* Pid of the berthd that carries the edit out, or 0. */
    struct revision before;
    struct reach_sight sight; /* The revision is the one that comes into the file. */
    struct plan plan;         /* For it. */
    const struct plan_block
        *blocked; /* Guests that stay where the command was to take them away from. */
    size_t blocked_count;
    const char *drained; /* The host that is to be empty in the end, or NULL. */
    bool forced;         /* The plan's moves are forced, each to be asked for (cli/revive.h). */
    const char *dead;    /* Host that the caller says is dead, or NULL. */
};

/* The two options that every edit has, for a command's table. */
#define EDIT_OPTIONS(edit)                                                             \
    { .name = "dry-run", .help = "show it, change nothing", .flag = &(edit).dry_run }, \
    {                                                                                  \
        .name = "yes", .letter = 'y', .help = "do not ask first", .flag = &(edit).yes  \
    }

/* Reads the file, sees who controls the fleet and that a person can be asked.  0, or the exit status
 * after printing why not; likewise the next four. */
int edit_begin(struct edit *edit);

/* Looks at what there is to choose from, with the file as it is: the hosts as they are, and what people have said,
 * but no failure of a move that this very file had asked for, and no window: that says when, not where. */
int edit_look(struct edit *edit);

/* The new revision is the file with the 'count' guests of 'edits' on their new hosts. */
int edit_place(struct edit *edit, const struct es_edit *edits, size_t count);

/* The new revision is the 'length' bytes at 'bytes', which must stay. */
int edit_restore(struct edit *edit, const char *bytes, size_t length);

/* Looks at the hosts, unless it was done before, and plans for the new revision. */
int edit_plan(struct edit *edit);

/* Gives the 'count' guests of 'edits', some that the written edit had, the hosts they had before, unless somebody
 * has changed the file since. */
int edit_put_back(struct edit *edit, const struct es_edit *edits, size_t count);

/* The plan is 'plan', of forced moves, made for the new revision. */
void edit_force(struct edit *edit, const struct plan *plan);

/* Puts the new revision into the file.  0, or the exit status after printing why not. */
int edit_write(struct edit *edit);

/* Shows, asks, writes and moves.  The exit status. */
int edit_carry_out(struct edit *edit);

/* Shows the plan, says that nothing was changed because of edit->blocked, and returns CLI_BLOCKED. */
int edit_refuse(struct edit *edit);

/* Adds to edit->blocked what the plan has against the guests of 'edits', unless it passes by itself. */
void edit_add_blocks(struct edit *edit, const struct es_edit *edits, size_t count);

/* There is nothing to do, which a person has been told: prints the JSON, if that is wanted.  The exit
 * status. */
int edit_leave(struct edit *edit);

/* The host called 'name' in the file as it is, in '*host'. */
int edit_find_host(const struct edit *edit, const char *name, uint32_t *host);

/* Releases what the edit holds. */
void edit_deinit(struct edit *edit);

AUTO_VALUE(edit, struct edit, edit_deinit);
