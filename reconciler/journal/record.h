/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Record: the records of journal.h as rows, one description a table for writing, reading and copying.
 *
 * A row is checked by the same rules before it is written and after it is read: what the journal
 * took it can give back, and what somebody changed in the file is an error, never a crash.  Objects
 * are no rows.
 */

#include <sqlite3.h>
#include <stddef.h>

#include "reconciler/journal/journal.h"

struct arena;
struct err;
struct record_table;

/* The description of 'kind', which is neither JOURNAL_OBJECT nor JOURNAL_PRUNE. */
const struct record_table *record_table(enum journal_kind kind);

/* Bytes of the struct that a row of 'table' becomes. */
size_t record_size(const struct record_table *table);

/* "SELECT <columns> FROM <table>", in 'arena'. */
char *record_select(const struct record_table *table, struct arena *arena);

/* "INSERT OR REPLACE ...", with a parameter a column, in 'arena'. */
char *record_insert(const struct record_table *table, struct arena *arena);

/* Binds 'record' to a statement made from record_insert(); its strings must outlive the statement.
 * ERR_INVALID names the table and the column that cannot be kept. */
int record_bind(sqlite3_stmt *statement, const struct journal_record *record, struct err *err);

/* Fills the struct at 'item' from the row of a statement made from record_select(), strings in
 * 'arena'.  ERR_INVALID names the table and the column that holds what it cannot. */
int record_read(sqlite3_stmt *statement, const struct record_table *table, struct arena *arena,
                void *item, struct err *err);

/* Deep copy of 'record' into 'arena', bytes of an object included. */
struct journal_record record_copy(struct arena *arena, const struct journal_record *record);
