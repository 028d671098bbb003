/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Commit: one batch, all of it or nothing: its objects first, then its records in one transaction.
 */

#include <sqlite3.h>

#include "reconciler/journal/journal.h"

struct err;

/* Writes 'batch' through the writer's connection 'db'; blocks until it is durable.  'err' is filled
 * unless the answer is JOURNAL_COMMITTED. */
enum journal_result commit_batch(sqlite3 *db, const char *state_dir,
                                 const struct journal_batch *batch, struct err *err);
