/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * handrun: 'berth migrate --step': a person runs an offline move step by step.
 *
 * The journal keeps the move open between two steps, and nobody else goes on with it.
 */

#include <stdbool.h>

struct cli;
struct edit;
struct es_edit;

/* Checks that 'step' is one.  0, or the exit status after printing why not. */
int handrun_check(const struct edit *edit, const char *step);

/* Checks that no berthd runs if edit->step is to be taken of the move of 'place', or one of its guest is run by hand
 * already.  0, or the exit status after printing which commands make room. */
int handrun_check_alone(struct edit *edit, const struct es_edit *place);

/* Goes on with the move of 'place' if one is run by hand already, with edit->step or, if that is NULL, to its
 * end, or back if 'place' is where its guest came from; '*handled' tells.  The exit status. */
int handrun_go_on(struct edit *edit, const struct es_edit *place, bool *handled);

/* Checks that edit->step may be the first of the move that the plan has for 'place'; '*handled' tells that it may
 * not, or that there is nothing to do in it, which was printed.  The exit status. */
int handrun_check_first(struct edit *edit, const struct es_edit *place, bool *handled);

/* Whether a move of 'guest' is run by hand, in '*found'.  0, or the exit status after printing why not. */
int handrun_find(struct cli *cli, const char *guest, bool *found);

/* Takes the open move of 'guest' back; with --json it prints nothing.  The exit status. */
int handrun_take_back(struct cli *cli, const char *guest);

/* Tells on stderr which step comes next, if the move is still open. */
void handrun_tell_next(struct edit *edit, const char *guest);
