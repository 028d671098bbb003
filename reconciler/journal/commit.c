/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/journal/commit.h"

#include <stdint.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "reconciler/journal/database.h"
#include "reconciler/journal/objects.h"
#include "reconciler/journal/prune.h"
#include "reconciler/journal/record.h"

/* The statements of one transaction, each compiled when its table first comes up. */
struct inserts {
    sqlite3 *db;
    sqlite3_stmt *of[JOURNAL_OBJECT];
};

static void inserts_deinit(struct inserts *inserts)
{
    for (size_t i = 0; i < ARRAY_LEN(inserts->of); i++) {
        (void)sqlite3_finalize(inserts->of[i]);
    }
}

AUTO_VALUE(inserts, struct inserts, inserts_deinit);

static int prepare(struct inserts *inserts, enum journal_kind kind, struct err *err)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    return database_prepare(inserts->db, record_insert(record_table(kind), &arena),
                            &inserts->of[kind], err);
}

static int write_row(struct inserts *inserts, const struct journal_record *record, struct err *err)
{
    sqlite3 *db = inserts->db;

    if (inserts->of[record->kind] == NULL && prepare(inserts, record->kind, err) != 0) {
        return -1;
    }
    if (record_bind(inserts->of[record->kind], record, err) != 0) {
        return err_wrap(err, "cannot write the journal in '%s'", sqlite3_db_filename(db, "main"));
    }
    if (sqlite3_step(inserts->of[record->kind]) != SQLITE_DONE) {
        return database_error(db, "write", err);
    }
    (void)sqlite3_reset(inserts->of[record->kind]);
    return 0;
}

static int write_rows(sqlite3 *db, const struct journal_batch *batch, struct err *err)
{
    AUTO(inserts) struct inserts inserts = { .db = db };

    for (size_t i = 0; i < batch->count; i++) {
        const struct journal_record *record = &batch->records[i];

        if (record->kind == JOURNAL_PRUNE
                ? prune_rows(db, &record->prune, err) != 0
                : record->kind != JOURNAL_OBJECT && write_row(&inserts, record, err) != 0) {
            return -1;
        }
    }
    return 0;
}

static int raise_fence(sqlite3 *db, uint64_t epoch, struct err *err)
{
    AUTO(statement) sqlite3_stmt *statement = NULL;

    if (epoch > INT64_MAX) {
        return err_set(err, ERR_INVALID, "cannot write the journal in '%s': no such epoch",
                       sqlite3_db_filename(db, "main"));
    }
    if (database_prepare(db, "UPDATE fence SET epoch = ?", &statement, err) != 0) {
        return -1;
    }
    (void)sqlite3_bind_int64(statement, 1, (int64_t)epoch);
    return sqlite3_step(statement) == SQLITE_DONE ? 0 : database_error(db, "write", err);
}

/* Read inside the transaction that writes: nobody can raise it in between. */
static enum journal_result pass_fence(sqlite3 *db, uint64_t epoch, struct err *err)
{
    int64_t current;

    if (database_number(db, "SELECT epoch FROM fence", &current, err) != 0) {
        return JOURNAL_FAILED;
    }
    if (current < 1) {
        (void)err_set(err, ERR_INVALID, "cannot write the journal in '%s': table 'fence' is broken",
                      sqlite3_db_filename(db, "main"));
        return JOURNAL_FAILED;
    }
    if (epoch < (uint64_t)current) {
        (void)err_set(err, ERR_REFUSED,
                      "cannot write the journal in '%s': a controller of epoch %lld owns it, this "
                      "one is of epoch %llu",
                      sqlite3_db_filename(db, "main"), (long long)current,
                      (unsigned long long)epoch);
        return JOURNAL_FENCED;
    }
    return epoch == (uint64_t)current || raise_fence(db, epoch, err) == 0 ? JOURNAL_COMMITTED
                                                                          : JOURNAL_FAILED;
}

/* A full disk is met before the frame that makes the transaction whole is written, so nothing was
 * kept.  After any other failure that frame may lie in the log unsynced, for a crash to bring back. */
static enum journal_result finish(sqlite3 *db, struct err *err)
{
    if (sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK) {
        return JOURNAL_COMMITTED;
    }
    (void)database_error(db, "write", err);
    switch (sqlite3_errcode(db) & 0xff) {
    case SQLITE_FULL:
    case SQLITE_BUSY:
        return JOURNAL_FAILED;
    default:
        return JOURNAL_UNKNOWN;
    }
}

static enum journal_result run_transaction(sqlite3 *db, const struct journal_batch *batch,
                                           struct err *err)
{
    enum journal_result result = pass_fence(db, batch->epoch, err);

    if (result != JOURNAL_COMMITTED) {
        return result;
    }
    return write_rows(db, batch, err) == 0 ? finish(db, err) : JOURNAL_FAILED;
}

enum journal_result commit_batch(sqlite3 *db, const char *state_dir,
                                 const struct journal_batch *batch, struct err *err)
{
    enum journal_result result;

    if (objects_write(state_dir, batch, err) != 0 ||
        database_exec(db, "BEGIN IMMEDIATE", err) != 0) {
        return JOURNAL_FAILED;
    }
    result = run_transaction(db, batch, err);
    if (sqlite3_get_autocommit(db) == 0) {
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    }
    return result;
}
