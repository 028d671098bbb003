/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/journal/query.h"

#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "reconciler/journal/database.h"
#include "reconciler/journal/objects.h"
#include "reconciler/journal/prune.h"
#include "reconciler/journal/record.h"
#include "reconciler/journal/store.h"

/* Ten times the largest fleet.  The newest rows beyond it are history that can be left out; anything
 * else beyond it is no journal. */
#define ROWS_MAX ((size_t)1 << 20)

struct query {
    enum journal_kind kind;
    const char *where; /* May name the parameters :guest, :epoch and :number. */
    const char *order;
    const char *guest;             /* Or NULL. */
    const struct journal_key *key; /* Or NULL. */
    bool newest;                   /* 'order' is descending; the answer is turned round. */
    size_t limit;                  /* 0: all. */
};

struct rows {
    char *items;
    size_t count;
    size_t capacity;
};

static char *next_item(struct rows *rows, size_t size, struct arena *arena)
{
    if (rows->count == rows->capacity) {
        size_t capacity = rows->capacity == 0 ? 8 : rows->capacity * 2;
        char *items = arena_alloc(arena, capacity, size);

        if (rows->count > 0) {
            memcpy(items, rows->items, rows->count * size);
        }
        rows->items = items;
        rows->capacity = capacity;
    }
    return rows->items + rows->count * size;
}

static void reverse(struct rows *rows, size_t size, struct arena *arena)
{
    char *items = arena_alloc(arena, rows->count, size);

    for (size_t i = 0; i < rows->count; i++) {
        memcpy(items + (rows->count - 1 - i) * size, rows->items + i * size, size);
    }
    rows->items = items;
}

static void bind_number(sqlite3_stmt *statement, const char *name, uint64_t number)
{
    int index = sqlite3_bind_parameter_index(statement, name);

    if (index > 0) {
        (void)sqlite3_bind_int64(statement, index,
                                 number > INT64_MAX ? INT64_MAX : (int64_t)number);
    }
}

static size_t row_limit(const struct query *query)
{
    if (query->limit == 0 || query->limit > ROWS_MAX) {
        return query->newest ? ROWS_MAX : ROWS_MAX + 1;
    }
    return query->limit;
}

static int prepare(struct store *store, const struct query *query, sqlite3_stmt **statement,
                   struct err *err)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    char *sql =
        text_format(&arena, "%s WHERE %s ORDER BY %s LIMIT :limit",
                    record_select(record_table(query->kind), &arena), query->where, query->order);
    int guest;

    if (database_prepare(store->reader, sql, statement, err) != 0) {
        return -1;
    }
    guest = sqlite3_bind_parameter_index(*statement, ":guest");
    if (guest > 0) {
        (void)sqlite3_bind_text(*statement, guest, query->guest, -1, SQLITE_STATIC);
    }
    if (query->key != NULL) {
        bind_number(*statement, ":epoch", query->key->epoch);
        bind_number(*statement, ":seq", query->key->seq);
    }
    bind_number(*statement, ":limit", row_limit(query));
    return 0;
}

static int read_rows(struct store *store, struct arena *arena, const struct query *query,
                     sqlite3_stmt *statement, struct rows *rows, struct err *err)
{
    const struct record_table *table = record_table(query->kind);
    int status;

    while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
        char *item = next_item(rows, record_size(table), arena);

        if (rows->count == ROWS_MAX) {
            return err_set(err, ERR_INVALID, "cannot read the journal in '%s': more than %zu rows",
                           sqlite3_db_filename(store->reader, "main"), ROWS_MAX);
        }
        if (record_read(statement, table, arena, item, err) != 0) {
            return err_wrap(err, "cannot read the journal in '%s'",
                            sqlite3_db_filename(store->reader, "main"));
        }
        rows->count++;
    }
    return status == SQLITE_DONE ? 0 : database_error(store->reader, "read", err);
}

static int run(struct journal *self, struct arena *arena, const struct query *query,
               struct rows *rows, struct err *err)
{
    struct store *store = store_of(self);
    AUTO(statement) sqlite3_stmt *statement = NULL;

    if (prepare(store, query, &statement, err) != 0 ||
        read_rows(store, arena, query, statement, rows, err) != 0) {
        return -1;
    }
    if (query->newest && rows->count > 0) {
        reverse(rows, record_size(record_table(query->kind)), arena);
    }
    return 0;
}

/* 'items' is the address of a pointer to the record's struct. */
static int list(struct journal *self, struct arena *arena, const struct query *query, void *items,
                size_t *count, struct err *err)
{
    struct rows rows = { 0 };

    if (run(self, arena, query, &rows, err) != 0) {
        return -1;
    }
    memcpy(items, &rows.items, sizeof(rows.items));
    *count = rows.count;
    return 0;
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are the seam's. */
int query_moves(struct journal *self, struct arena *arena, bool open_only, const char *guest,
                size_t limit, struct journal_move **items, size_t *count, struct err *err)
{
    const struct query query = {
        .kind = JOURNAL_MOVE,
        .where = open_only ? guest == NULL ? "state = 'open'" : "state = 'open' AND guest = :guest"
                 : guest == NULL ? "1"
                                 : "guest = :guest",
        .order = open_only ? "epoch, seq" : "epoch DESC, seq DESC",
        .guest = guest,
        .newest = !open_only,
        .limit = limit,
    };

    return list(self, arena, &query, items, count, err);
}

int query_steps(struct journal *self, struct arena *arena, struct journal_key move,
                struct journal_step **items, size_t *count, struct err *err)
{
    const struct query query = {
        .kind = JOURNAL_STEP,
        .where = "epoch = :epoch AND seq = :seq",
        .order = "number",
        .key = &move,
    };

    return list(self, arena, &query, items, count, err);
}

int query_owed(struct journal *self, struct arena *arena, struct journal_owed **items,
               size_t *count, struct err *err)
{
    const struct query query = { .kind = JOURNAL_OWED, .where = "paid = 0", .order = "uuid" };

    return list(self, arena, &query, items, count, err);
}

int query_retries(struct journal *self, struct arena *arena, struct journal_retry **items,
                  size_t *count, struct err *err)
{
    const struct query query = { .kind = JOURNAL_RETRY, .where = "cleared = 0", .order = "guest" };

    return list(self, arena, &query, items, count, err);
}

int query_revisions(struct journal *self, struct arena *arena, size_t limit,
                    struct journal_revision **items, size_t *count, struct err *err)
{
    const struct query query = {
        .kind = JOURNAL_REVISION,
        .where = "1",
        .order = "at_ms DESC, digest DESC",
        .newest = true,
        .limit = limit,
    };

    return list(self, arena, &query, items, count, err);
}

int query_definitions(struct journal *self, struct arena *arena, struct journal_definition **items,
                      size_t *count, struct err *err)
{
    const struct query query = { .kind = JOURNAL_DEFINITION, .where = "1", .order = "uuid" };

    return list(self, arena, &query, items, count, err);
}

int query_runs(struct journal *self, struct arena *arena, size_t limit, struct journal_run **items,
               size_t *count, struct err *err)
{
    const struct query query = {
        .kind = JOURNAL_RUN,
        .where = "1",
        .order = "epoch DESC, seq DESC",
        .newest = true,
        .limit = limit,
    };

    return list(self, arena, &query, items, count, err);
}

int query_active_plan(struct journal *self, struct arena *arena, struct journal_plan *plan,
                      struct err *err)
{
    const struct query query = {
        .kind = JOURNAL_PLAN,
        .where = "replaced_ms = 0",
        .order = "epoch DESC, seq DESC",
        .newest = true,
        .limit = 1,
    };
    struct rows rows = { 0 };

    if (run(self, arena, &query, &rows, err) != 0) {
        return -1;
    }
    if (rows.count == 0) {
        return err_set(err, ERR_NOT_FOUND, "cannot read the active plan in '%s': there is none",
                       store_of(self)->state_dir);
    }
    memcpy(plan, rows.items, sizeof(*plan));
    return 0;
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are the seam's. */
int query_events(struct journal *self, struct arena *arena, const char *guest, size_t limit,
                 struct journal_event **items, size_t *count, struct err *err)
{
    const struct query query = {
        .kind = JOURNAL_EVENT,
        .where = guest == NULL ? "1" : "guest = :guest",
        .order = "epoch DESC, seq DESC",
        .guest = guest,
        .newest = true,
        .limit = limit,
    };

    return list(self, arena, &query, items, count, err);
}

int query_holds(struct journal *self, struct arena *arena, struct journal_hold **items,
                size_t *count, struct err *err)
{
    const struct query query = { .kind = JOURNAL_HOLD,
                                 .where = "released = 0",
                                 .order = "scope, name" };

    return list(self, arena, &query, items, count, err);
}

int query_places(struct journal *self, struct arena *arena, struct journal_place **items,
                 size_t *count, struct err *err)
{
    const struct query query = { .kind = JOURNAL_PLACE,
                                 .where = "forgotten = 0",
                                 .order = "guest" };

    return list(self, arena, &query, items, count, err);
}

int query_sightings(struct journal *self, struct arena *arena, struct journal_place **items,
                    size_t *count, struct err *err)
{
    const struct query query = { .kind = JOURNAL_SIGHTING,
                                 .where = "forgotten = 0",
                                 .order = "guest" };

    return list(self, arena, &query, items, count, err);
}

int query_attests(struct journal *self, struct arena *arena, struct journal_attest **items,
                  size_t *count, struct err *err)
{
    const struct query query = { .kind = JOURNAL_ATTEST,
                                 .where = "used = 0 AND withdrawn = 0",
                                 .order = "epoch, seq" };

    return list(self, arena, &query, items, count, err);
}

int query_leftovers(struct journal *self, struct arena *arena, struct journal_leftover **items,
                    size_t *count, struct err *err)
{
    const struct query query = { .kind = JOURNAL_LEFTOVER,
                                 .where = "cleared = 0",
                                 .order = "uuid, host" };

    return list(self, arena, &query, items, count, err);
}

int query_object(struct journal *self, struct arena *arena, const char *digest, char **bytes,
                 size_t *length, struct err *err)
{
    return objects_read(store_of(self)->state_dir, arena, digest, bytes, length, err);
}

int query_find_old(struct journal *self, struct journal_prune *prune, bool *found, struct err *err)
{
    return prune_find_old(store_of(self)->reader, prune, found, err);
}

int query_next_seq(struct journal *self, uint64_t *seq, struct err *err)
{
    static const char sql[] = "SELECT max("
                              "ifnull((SELECT max(seq) FROM run WHERE epoch = fence.epoch), 0),"
                              "ifnull((SELECT max(seq) FROM move WHERE epoch = fence.epoch), 0),"
                              "ifnull((SELECT max(seq) FROM plan WHERE epoch = fence.epoch), 0),"
                              "ifnull((SELECT max(seq) FROM event WHERE epoch = fence.epoch), 0))"
                              " FROM fence";
    sqlite3 *db = store_of(self)->reader;
    int64_t greatest;

    if (database_number(db, sql, &greatest, err) != 0) {
        return -1;
    }
    if (greatest < 0 || greatest == INT64_MAX) {
        return err_set(err, ERR_INVALID, "cannot read the journal in '%s': no seq is left",
                       sqlite3_db_filename(db, "main"));
    }
    *seq = (uint64_t)greatest + 1;
    return 0;
}
