/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Prune: lets go of the past that nothing needs any more, a few keys and objects at a time.
 *
 * What is open stays whatever its age: moves, owed starts, retries, holds, places, words of persons,
 * leftovers, definitions of guests that are known, the active plan and the newest revision, with everything
 * they name; and of each known guest the newest moves, which say how it came to be where it is.
 */

#include <dirent.h>
#include <sqlite3.h>
#include <stdbool.h>

#include "reconciler/journal/journal.h"

struct err;

/* Where a sweep over the folder of objects has got to; zero at first. */
struct prune_sweep {
    DIR *folder;
};

/* The operation of journal_ops that has this name, on the connection 'db'. */
int prune_find_old(sqlite3 *db, struct journal_prune *prune, bool *found, struct err *err);

/* Removes the rows that 'prune' is about, within a transaction of the writer's connection 'db'. */
int prune_rows(sqlite3 *db, const struct journal_prune *prune, struct err *err);

/* Removes those of the next few objects that no row names.  The thread that writes, after a commit: what
 * cannot be removed now is met again. */
void prune_objects(sqlite3 *db, const char *state_dir, struct prune_sweep *sweep);

/* Ends the sweep. */
void prune_sweep_deinit(struct prune_sweep *sweep);
