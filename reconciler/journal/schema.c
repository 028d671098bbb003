/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/journal/schema.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "reconciler/journal/database.h"

#define APPLICATION_ID INT64_C(0x42727468) /* "Brth" */

static const char version_1[] =
    "CREATE TABLE fence ("
    "  id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), epoch INTEGER NOT NULL) STRICT;"
    "INSERT INTO fence VALUES (1, 1);"
    "CREATE TABLE run ("
    "  epoch INTEGER NOT NULL, seq INTEGER NOT NULL, program TEXT NOT NULL, user TEXT NOT NULL,"
    "  begun_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL, exit_status INTEGER NOT NULL,"
    "  PRIMARY KEY (epoch, seq)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE move ("
    "  epoch INTEGER NOT NULL, seq INTEGER NOT NULL, run INTEGER NOT NULL,"
    "  guest TEXT NOT NULL, uuid TEXT NOT NULL, from_host TEXT NOT NULL, to_host TEXT NOT NULL,"
    "  mode TEXT NOT NULL, detour INTEGER NOT NULL, original TEXT NOT NULL,"
    "  autostart INTEGER NOT NULL, persistent INTEGER NOT NULL, xml_digest TEXT NOT NULL,"
    "  target_digest TEXT NOT NULL, es_digest TEXT NOT NULL, begun_ms INTEGER NOT NULL, deadline_ms INTEGER NOT NULL,"
    "  ended_ms INTEGER NOT NULL, state TEXT NOT NULL, tried INTEGER NOT NULL,"
    "  back INTEGER NOT NULL, target_made INTEGER NOT NULL, source_removed INTEGER NOT NULL,"
    "  cancel_requested INTEGER NOT NULL, unclear INTEGER NOT NULL, error TEXT NOT NULL,"
    "  error_text TEXT, total_ms INTEGER NOT NULL, downtime_ms INTEGER NOT NULL,"
    "  bytes INTEGER NOT NULL, iterations INTEGER NOT NULL,"
    "  PRIMARY KEY (epoch, seq)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX move_open ON move (epoch, seq) WHERE state = 'open';"
    "CREATE INDEX move_guest ON move (guest, epoch, seq);"
    "CREATE TABLE step ("
    "  epoch INTEGER NOT NULL, seq INTEGER NOT NULL, number INTEGER NOT NULL, kind TEXT NOT NULL,"
    "  host TEXT NOT NULL, state TEXT NOT NULL, error_text TEXT, begun_ms INTEGER NOT NULL,"
    "  ended_ms INTEGER NOT NULL,"
    "  PRIMARY KEY (epoch, seq, number)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE owed ("
    "  uuid TEXT NOT NULL PRIMARY KEY, guest TEXT NOT NULL, host TEXT NOT NULL,"
    "  since_ms INTEGER NOT NULL, paid INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE retry ("
    "  guest TEXT NOT NULL PRIMARY KEY, es_digest TEXT NOT NULL, code TEXT NOT NULL,"
    "  attempts INTEGER NOT NULL, next_ms INTEGER NOT NULL, reason TEXT,"
    "  observed_digest TEXT NOT NULL, cleared INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE revision ("
    "  digest TEXT NOT NULL PRIMARY KEY, at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE definition ("
    "  uuid TEXT NOT NULL PRIMARY KEY, guest TEXT NOT NULL, digest TEXT NOT NULL,"
    "  at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE plan ("
    "  epoch INTEGER NOT NULL, seq INTEGER NOT NULL, run INTEGER NOT NULL,"
    "  es_digest TEXT NOT NULL, policy_digest TEXT NOT NULL, plan_digest TEXT NOT NULL,"
    "  at_ms INTEGER NOT NULL, replaced_ms INTEGER NOT NULL,"
    "  PRIMARY KEY (epoch, seq)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE event ("
    "  epoch INTEGER NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL, kind TEXT NOT NULL,"
    "  guest TEXT, host TEXT, text TEXT NOT NULL,"
    "  PRIMARY KEY (epoch, seq)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX event_guest ON event (guest, epoch, seq) WHERE guest IS NOT NULL;"
    "PRAGMA application_id = 0x42727468;";

static const char version_2[] =
    "CREATE TABLE hold ("
    "  scope TEXT NOT NULL, name TEXT NOT NULL, user TEXT NOT NULL, reason TEXT,"
    "  since_ms INTEGER NOT NULL, released INTEGER NOT NULL,"
    "  PRIMARY KEY (scope, name)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE place ("
    "  guest TEXT NOT NULL PRIMARY KEY, uuid TEXT NOT NULL, host TEXT NOT NULL,"
    "  running INTEGER NOT NULL, at_ms INTEGER NOT NULL, forgotten INTEGER NOT NULL)"
    "  STRICT, WITHOUT ROWID;";

/* What an owed start brings with it, and what it must not take for granted. */
static const char version_3[] = "ALTER TABLE owed ADD COLUMN autostart INTEGER NOT NULL DEFAULT 0;"
                                "ALTER TABLE owed ADD COLUMN early INTEGER NOT NULL DEFAULT 0;";

/* How a copy went, and what is due when it did not end. */
static const char version_4[] =
    "ALTER TABLE move ADD COLUMN predicted_ms INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE move ADD COLUMN written_bytes_s INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE move ADD COLUMN throttle_percent INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE move ADD COLUMN postcopy INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE move ADD COLUMN overran INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE move ADD COLUMN fallback INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE retry ADD COLUMN overran INTEGER NOT NULL DEFAULT 0;";

/* What a platform provides for a guest while it moves; guests of dead hosts, started elsewhere. */
static const char version_5[] =
    "ALTER TABLE move ADD COLUMN supplies_digest TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE move ADD COLUMN made INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE move ADD COLUMN by_hand INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE step ADD COLUMN supply TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE step ADD COLUMN note TEXT;"
    "ALTER TABLE definition ADD COLUMN supplies TEXT;"
    "ALTER TABLE place ADD COLUMN autostart INTEGER NOT NULL DEFAULT 1;"
    "ALTER TABLE place ADD COLUMN guarded INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE attest ("
    "  epoch INTEGER NOT NULL, seq INTEGER NOT NULL, host TEXT NOT NULL, user TEXT NOT NULL,"
    "  at_ms INTEGER NOT NULL, used INTEGER NOT NULL, withdrawn INTEGER NOT NULL,"
    "  PRIMARY KEY (epoch, seq)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE leftover ("
    "  uuid TEXT NOT NULL, host TEXT NOT NULL, guest TEXT NOT NULL, to_host TEXT NOT NULL,"
    "  since_ms INTEGER NOT NULL, protection TEXT NOT NULL, cleared INTEGER NOT NULL,"
    "  PRIMARY KEY (uuid, host)) STRICT, WITHOUT ROWID;";

/* By which move something was left over, and where guests are that are not in their places; what tries in vain
 * have cost a guest; which objects are named. */
static const char version_6[] =
    "ALTER TABLE leftover ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE leftover ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE sighting ("
    "  guest TEXT NOT NULL PRIMARY KEY, uuid TEXT NOT NULL, host TEXT NOT NULL,"
    "  running INTEGER NOT NULL, at_ms INTEGER NOT NULL, forgotten INTEGER NOT NULL,"
    "  autostart INTEGER NOT NULL, guarded INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "ALTER TABLE retry ADD COLUMN off_ms INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE retry ADD COLUMN outages INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE retry ADD COLUMN failed_ms INTEGER NOT NULL DEFAULT 0;"
    "UPDATE retry SET off_ms = next_ms;"
    "CREATE INDEX move_xml ON move (xml_digest) WHERE xml_digest <> '';"
    "CREATE INDEX move_supplies ON move (supplies_digest) WHERE supplies_digest <> '';"
    "CREATE INDEX plan_json ON plan (plan_digest);"
    "CREATE INDEX definition_xml ON definition (digest);"
    "CREATE INDEX definition_guest ON definition (guest);";

/* migrations[n] leads from version n to n + 1. */
static const char *const migrations[] = { version_1, version_2, version_3,
                                          version_4, version_5, version_6 };

static int refuse_later(sqlite3 *db, int64_t version, struct err *err)
{
    return err_set(err, ERR_REFUSED,
                   "cannot use the journal in '%s': a later version of berth wrote it (format %lld,"
                   " this one knows %d); use that version",
                   sqlite3_db_filename(db, "main"), (long long)version, schema_version());
}

/* An empty file has version 0 and no tables: SQLite fills it with the first transaction. */
static int identify(sqlite3 *db, int64_t *version, struct err *err)
{
    int64_t id = 0;
    int64_t tables = 0;
    int64_t found = 0;

    if (database_number(db, "PRAGMA application_id", &id, err) != 0 ||
        database_number(db, "PRAGMA user_version", &found, err) != 0 ||
        database_number(db, "SELECT count(*) FROM sqlite_schema", &tables, err) != 0) {
        return -1;
    }
    if (id == APPLICATION_ID ? found < 1 : id != 0 || found != 0 || tables != 0) {
        return err_set(err, ERR_REFUSED, "cannot use '%s': it is no journal of berth; move it away",
                       sqlite3_db_filename(db, "main"));
    }
    if (found > schema_version()) {
        return refuse_later(db, found, err);
    }
    *version = found;
    return 0;
}

static int step(sqlite3 *db, int64_t from, struct err *err)
{
    char set_version[64];

    (void)snprintf(set_version, sizeof(set_version), "PRAGMA user_version = %lld",
                   (long long)from + 1);
    if (database_exec(db, "BEGIN IMMEDIATE", err) != 0) {
        return -1;
    }
    if (database_exec(db, migrations[from], err) != 0 || database_exec(db, set_version, err) != 0 ||
        database_exec(db, "COMMIT", err) != 0) {
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
        return err_wrap(err, "journal format %lld", (long long)from + 1);
    }
    return 0;
}

int schema_version(void)
{
    return (int)ARRAY_LEN(migrations);
}

int schema_migrate(sqlite3 *db, struct err *err)
{
    int64_t version = 0;

    if (identify(db, &version, err) != 0 || database_make_durable(db, err) != 0) {
        return -1;
    }
    for (; version < schema_version(); version++) {
        if (step(db, version, err) != 0) {
            return -1;
        }
    }
    return 0;
}

int schema_check(sqlite3 *db, struct err *err)
{
    int64_t version = 0;

    if (identify(db, &version, err) != 0) {
        return -1;
    }
    if (version == 0) {
        return err_set(err, ERR_NOT_FOUND, "cannot read the journal in '%s': it is empty",
                       sqlite3_db_filename(db, "main"));
    }
    if (version < schema_version()) {
        return err_set(err, ERR_REFUSED,
                       "cannot read the journal in '%s': an earlier version of berth wrote it; "
                       "'berth apply' or berthd brings it up to date",
                       sqlite3_db_filename(db, "main"));
    }
    return 0;
}
