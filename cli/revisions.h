/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * revisions: the es.xml texts that the journal keeps, as commands show them and people name them: by the
 * beginning of their digest, or by how far back they are, 1 being the newest.
 */

#include <stddef.h>

#include "base/base.h"

struct arena;
struct cli;
struct err;
struct journal;
struct journal_revision;

struct revisions {
    struct journal *journal;              /* NULL: nothing was ever journaled. */
    const struct journal_revision *items; /* The newest last. */
    size_t count;
};

/* Reads the list, into cli->arena.  Nothing journaled yet is an empty one. */
int revisions_open(struct cli *cli, struct revisions *revisions, struct err *err);

/* The revision that 'name' means.  ERR_NOT_FOUND; ERR_INVALID: it is no name, or that of several. */
int revisions_find(const struct revisions *revisions, const char *name,
                   const struct journal_revision **found, struct err *err);

/* The bytes of a revision, in 'arena'. */
int revisions_read(const struct revisions *revisions, struct arena *arena,
                   const struct journal_revision *revision, char **bytes, size_t *length,
                   struct err *err);

/* Prints the newest 'limit' (0 = all).  The exit status. */
int revisions_print(struct cli *cli, size_t limit);

/* Closes what revisions_open() opened. */
void revisions_close(struct revisions *revisions);

AUTO_VALUE(revisions, struct revisions, revisions_close);
