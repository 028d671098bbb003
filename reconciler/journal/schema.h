/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Schema: the tables of the journal and how they came to be.
 *
 * The version is SQLite's user_version; each step from one to the next is one transaction, and there
 * is no step back.  A released step is never edited: tests/journal keeps a journal of each version.
 */

#include <sqlite3.h>

struct err;

/* The version this program reads and writes. */
int schema_version(void);

/* Brings the database of a writer to schema_version().  ERR_REFUSED: it is a later version's, or no
 * journal at all. */
int schema_migrate(sqlite3 *db, struct err *err);

/* Checks, for a reader, that the database has schema_version().  ERR_NOT_FOUND: still empty;
 * ERR_REFUSED: another version's, or no journal at all. */
int schema_check(sqlite3 *db, struct err *err);
