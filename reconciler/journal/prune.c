/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/journal/prune.h"

#include <stdint.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/text.h"
#include "reconciler/journal/database.h"
#include "reconciler/journal/objects.h"

/* Keys, and objects, that are looked at in one go: some milliseconds of the thread that commits. */
#define WINDOW  100
#define OBJECTS 250

/* Revisions that are kept, however new the others are: each is a whole file. */
#define REVISIONS_MAX "1000"

/* Moves of a guest that are kept as long as it is known, and what is known: debts and drift look this far
 * back. */
#define NEWEST_MOVES "8"
#define KNOWN(row)                                                                            \
    "(EXISTS (SELECT 1 FROM place WHERE place.guest = " row ".guest AND place.forgotten = 0)" \
    " OR EXISTS (SELECT 1 FROM sighting WHERE sighting.guest = " row ".guest"                 \
    " AND sighting.forgotten = 0))"

/* Rows of the window; what has no seq is looked at with the last one alone: there may be thousands of guests. */
#define BY_KEY   "epoch = (SELECT epoch FROM fence) AND seq > :after AND seq <= :upto AND "
#define BY_SWEEP ":upto >= :last AND "

#define OLD(instant) "(seq <= :spare OR " instant " < :before)"

#define NEWEST(column, table) \
    "(SELECT " column " FROM " table " ORDER BY epoch DESC, seq DESC LIMIT 1)"
#define ACTIVE_PLAN(column) "ifnull(" NEWEST(column, "plan WHERE replaced_ms = 0") ", '')"

/* Nothing open is about the guest with the UUID of 'row', or names the key of 'row'. */
#define UNBURDENED(row)                                                                \
    "NOT EXISTS (SELECT 1 FROM owed WHERE owed.uuid = " row ".uuid AND owed.paid = 0)" \
    " AND NOT EXISTS (SELECT 1 FROM leftover"                                          \
    " WHERE leftover.uuid = " row ".uuid AND leftover.cleared = 0)"
#define UNVOUCHED                                                      \
    "NOT EXISTS (SELECT 1 FROM attest WHERE attest.epoch = move.epoch" \
    " AND attest.seq = move.seq AND attest.used = 0 AND attest.withdrawn = 0)"
#define NO_OPEN_MOVE(which) \
    "NOT EXISTS (SELECT 1 FROM move WHERE move.state = 'open' AND " which ")"

/* There are enough later moves of the guest. */
#define OUTLIVED                                             \
    "EXISTS (SELECT 1 FROM move AS later"                    \
    " WHERE later.guest = move.guest"                        \
    " AND (later.epoch, later.seq) > (move.epoch, move.seq)" \
    " LIMIT 1 OFFSET " NEWEST_MOVES " - 1)"

/* A table, and which of its rows go.  In this order: steps go with their moves, and places stay as long as
 * they tell of a definition that its guest is gone. */
static const struct pruned {
    const char *table;
    const char *where;
} pruned[] = {
    { "move", BY_KEY "state <> 'open'"
                     " AND " OLD("ended_ms") " AND " UNBURDENED(
                         "move") " AND " UNVOUCHED " AND (NOT " KNOWN("move") " OR " OUTLIVED ")" },
    { "step", BY_KEY "NOT EXISTS (SELECT 1 FROM move"
                     " WHERE move.epoch = step.epoch AND move.seq = step.seq)" },
    { "event", BY_KEY OLD("at_ms") },
    { "plan", BY_KEY OLD("max(at_ms, replaced_ms)") " AND seq <> " ACTIVE_PLAN("seq") },
    { "run", BY_KEY OLD("max(begun_ms, ended_ms)") " AND seq < " NEWEST(
                 "seq", "run") " AND " NO_OPEN_MOVE("move.run = run.seq") },
    { "owed", BY_SWEEP "paid = 1 AND since_ms < :before" },
    { "retry", BY_SWEEP "cleared = 1 AND failed_ms < :before" },
    { "hold", BY_SWEEP "released = 1 AND since_ms < :before" },
    { "attest",
      BY_SWEEP "(used = 1 OR withdrawn = 1) AND at_ms < :before"
               " AND " NO_OPEN_MOVE("move.epoch = attest.epoch AND move.seq = attest.seq") },
    { "leftover", BY_SWEEP "cleared = 1 AND since_ms < :before" },
    { "definition",
      BY_SWEEP "at_ms < :before AND guest IN"
               " (SELECT guest FROM place WHERE forgotten = 1 AND at_ms < :before)"
               " AND " UNBURDENED("definition") " AND NOT " KNOWN(
                   "definition") " AND " NO_OPEN_MOVE("move.uuid = definition.uuid") },
    { "place", BY_SWEEP "forgotten = 1 AND at_ms < :before AND NOT EXISTS"
                        " (SELECT 1 FROM definition WHERE definition.guest = place.guest)" },
    { "sighting", BY_SWEEP "forgotten = 1 AND at_ms < :before" },
    { "revision", BY_SWEEP "(at_ms < :before OR at_ms < (SELECT at_ms FROM revision"
                           " ORDER BY at_ms DESC LIMIT 1 OFFSET " REVISIONS_MAX " - 1))"
                           " AND digest <> (SELECT digest FROM revision"
                           " ORDER BY at_ms DESC, digest DESC LIMIT 1)"
                           " AND digest <> " ACTIVE_PLAN("es_digest") " AND " NO_OPEN_MOVE(
                               "move.es_digest = revision.digest") },
};

/* Whether a row names an object. */
static const char is_named[] = "SELECT EXISTS (SELECT 1 FROM revision WHERE digest = :digest)"
                               " OR EXISTS (SELECT 1 FROM definition WHERE digest = :digest)"
                               " OR EXISTS (SELECT 1 FROM plan WHERE plan_digest = :digest)"
                               " OR EXISTS (SELECT 1 FROM move WHERE xml_digest = :digest"
                               " AND xml_digest <> '')"
                               " OR EXISTS (SELECT 1 FROM move WHERE supplies_digest = :digest"
                               " AND supplies_digest <> '')";

/* The next key behind :after that there is in 'table'. */
#define NEXT_OF(table)                                                          \
    "SELECT (SELECT seq FROM " table " WHERE epoch = (SELECT epoch FROM fence)" \
    " AND seq > :after ORDER BY seq LIMIT 1) AS seq"

/* And in all of them. */
static const char next_key[] = "SELECT min(seq) FROM (" NEXT_OF("run") " UNION ALL " NEXT_OF(
    "move") " UNION ALL " NEXT_OF("plan") " UNION ALL " NEXT_OF("event") ")";

static void bind(sqlite3_stmt *statement, const char *name, int64_t number)
{
    int index = sqlite3_bind_parameter_index(statement, name);

    if (index > 0) {
        (void)sqlite3_bind_int64(statement, index, number);
    }
}

static int64_t as_number(uint64_t seq)
{
    return seq > INT64_MAX ? INT64_MAX : (int64_t)seq;
}

static void bind_all(sqlite3_stmt *statement, const struct journal_prune *prune)
{
    bind(statement, ":after", as_number(prune->after));
    bind(statement, ":upto", as_number(prune->upto));
    bind(statement, ":last", as_number(prune->last));
    bind(statement, ":spare", as_number(prune->spare));
    bind(statement, ":before", prune->before_ms);
}

/* The number that the first row of 'sql' begins with; 0 for NULL. */
static int ask(sqlite3 *db, const char *sql, const struct journal_prune *prune, int64_t *number,
               struct err *err)
{
    AUTO(statement) sqlite3_stmt *statement = NULL;

    if (database_prepare(db, sql, &statement, err) != 0) {
        return -1;
    }
    bind_all(statement, prune);
    if (sqlite3_step(statement) != SQLITE_ROW) {
        return database_error(db, "read", err);
    }
    *number = sqlite3_column_int64(statement, 0);
    return 0;
}

int prune_find_old(sqlite3 *db, struct journal_prune *prune, bool *found, struct err *err)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    int64_t number = 0;

    *found = false;
    if (ask(db, next_key, prune, &number, err) != 0) {
        return -1;
    }
    prune->after = number > 0 ? (uint64_t)number - 1 : prune->last;
    prune->upto = prune->after + WINDOW < prune->last ? prune->after + WINDOW : prune->last;
    for (size_t i = 0; i < ARRAY_LEN(pruned) && !*found; i++) {
        if (ask(db,
                text_format(&arena, "SELECT EXISTS (SELECT 1 FROM %s WHERE %s)", pruned[i].table,
                            pruned[i].where),
                prune, &number, err) != 0) {
            return -1;
        }
        *found = number != 0;
    }
    return 0;
}

int prune_rows(sqlite3 *db, const struct journal_prune *prune, struct err *err)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    for (size_t i = 0; i < ARRAY_LEN(pruned); i++) {
        AUTO(statement) sqlite3_stmt *statement = NULL;

        if (database_prepare(
                db,
                text_format(&arena, "DELETE FROM %s WHERE %s", pruned[i].table, pruned[i].where),
                &statement, err) != 0) {
            return -1;
        }
        bind_all(statement, prune);
        if (sqlite3_step(statement) != SQLITE_DONE) {
            return database_error(db, "write", err);
        }
    }
    return 0;
}

/* In doubt it is. */
static bool has_name(sqlite3_stmt *statement, const char *digest)
{
    bool named;

    (void)sqlite3_bind_text(statement, 1, digest, -1, SQLITE_STATIC);
    named = sqlite3_step(statement) != SQLITE_ROW || sqlite3_column_int(statement, 0) != 0;
    (void)sqlite3_reset(statement);
    return named;
}

void prune_objects(sqlite3 *db, const char *state_dir, struct prune_sweep *sweep)
{
    AUTO(statement) sqlite3_stmt *statement = NULL;
    const struct dirent *entry;
    struct err ignored;

    if (sweep->folder == NULL) {
        sweep->folder = objects_open(state_dir);
    }
    if (sweep->folder == NULL || database_prepare(db, is_named, &statement, &ignored) != 0) {
        return;
    }
    for (size_t i = 0; i < OBJECTS; i++) {
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody else has this stream. */
        entry = readdir(sweep->folder);
        if (entry == NULL) {
            prune_sweep_deinit(sweep); /* The next one begins anew. */
            return;
        }
        if (objects_is_digest(entry->d_name) && !has_name(statement, entry->d_name)) {
            (void)unlinkat(dirfd(sweep->folder), entry->d_name, 0);
        }
    }
}

void prune_sweep_deinit(struct prune_sweep *sweep)
{
    if (sweep->folder != NULL) {
        (void)closedir(sweep->folder);
        sweep->folder = NULL;
    }
}
