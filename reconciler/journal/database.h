/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Database: connections to a journal file and SQLite's answers as errors.
 *
 * A connection is used by one thread at a time.  The writer keeps the -wal and -shm files when it
 * closes (SQLITE_FCNTL_PERSIST_WAL), so that a reader never has to create them.
 */

#include <sqlite3.h>
#include <stdint.h>

#include "base/base.h"
#include "base/err.h"

/* Opens 'path', creating it (0600) if need be, for writing. */
int database_open(const char *path, sqlite3 **db, struct err *err);

/* Opens the existing 'path' for reading; creates no file.  A file without -wal and -shm (a restored
 * copy) has no writer and is read as it is.  ERR_NOT_FOUND: no such file. */
int database_open_readonly(const char *path, sqlite3 **db, struct err *err);

/* Makes a writer's connection keep what it commits: write-ahead log, synced at every commit. */
int database_make_durable(sqlite3 *db, struct err *err);

/* Runs statements that return nothing. */
int database_exec(sqlite3 *db, const char *sql, struct err *err);

/* Compiles the one statement 'sql'; the caller finalizes it. */
int database_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **statement, struct err *err);

/* First column of the first row of 'sql', or 0 if it is NULL or there is no row. */
int database_number(sqlite3 *db, const char *sql, int64_t *value, struct err *err);

/* Fills 'err' from the connection's last failure, "cannot VERB the journal in 'FILE': why", and what
 * to do where there is something.  Returns -1. */
int database_error(sqlite3 *db, const char *verb, struct err *err);

AUTO_POINTER(database, sqlite3, sqlite3_close);
AUTO_POINTER(statement, sqlite3_stmt, sqlite3_finalize);
