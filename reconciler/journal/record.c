/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/journal/record.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "reconciler/journal/objects.h"

#define TEXT_MAX_BYTES ((size_t)64 * 1024)
#define STATUS_MAX     255
#define TIME_MAX_MS    INT64_C(253402300799999) /* The end of the year 9999. */

enum field_kind {
    FIELD_NUMBER, /* uint64_t; SQLite's integers end at INT64_MAX. */
    FIELD_COUNT,  /* uint32_t */
    FIELD_STATUS, /* int, an exit status. */
    FIELD_TIME,   /* int64_t, an instant or a duration. */
    FIELD_UNTIL,  /* int64_t, an instant or INT64_MAX. */
    FIELD_FLAG,   /* bool */
    FIELD_TEXT,
    FIELD_TEXT_OR_NULL,
    FIELD_NAME, /* Of a guest or a host. */
    FIELD_UUID,
    FIELD_DIGEST,         /* char[DIGEST_TEXT_SIZE] */
    FIELD_DIGEST_OR_NONE, /* The same or "". */
    FIELD_MODE,           /* Enumerations, kept by name. */
    FIELD_GUEST_STATE,
    FIELD_MOVE_STATE,
    FIELD_OP,
    FIELD_STEP_STATE,
    FIELD_ERR,
    FIELD_SCOPE,
    FIELD_SUPPLY,
    FIELD_PROTECTION,
};

struct field {
    const char *column;
    enum field_kind kind;
    size_t offset;
};

struct record_table {
    const char *name;
    const struct field *fields;
    size_t count;
    size_t size;
};

/* One value on its way between a struct and a row. */
struct value {
    int64_t number;
    const char *text; /* NULL: the SQL NULL. */
};

/* The name functions of an enumeration, for a value of which only the kind of field is known. */
#define ENUMERATION(stem, type)                       \
    static const char *name_of_##stem(unsigned value) \
    {                                                 \
        return stem##_name((enum type)value);         \
    }                                                 \
    static unsigned value_of_##stem(const char *name) \
    {                                                 \
        return (unsigned)stem##_from_name(name);      \
    }

ENUMERATION(op_mode, move_mode)
ENUMERATION(op_kind, op_kind)
ENUMERATION(observed_state, guest_state)
ENUMERATION(journal_move_state, journal_move_state)
ENUMERATION(journal_step_state, journal_step_state)
ENUMERATION(err_code, err_code)
ENUMERATION(journal_scope, journal_scope)
ENUMERATION(supply_kind, supply_kind)
ENUMERATION(journal_protection, journal_protection)

static const struct {
    unsigned count;
    const char *(*name)(unsigned value);
    unsigned (*from_name)(const char *name); /* 'count' for no such name. */
} enumerations[] = {
#define AT(field) [FIELD_##field - FIELD_MODE]
    AT(MODE) = { MOVE_MODE_COUNT, name_of_op_mode, value_of_op_mode },
    AT(GUEST_STATE) = { GUEST_STATE_COUNT, name_of_observed_state, value_of_observed_state },
    AT(MOVE_STATE) = { JOURNAL_MOVE_STATE_COUNT, name_of_journal_move_state,
                       value_of_journal_move_state },
    AT(OP) = { OP_KIND_COUNT, name_of_op_kind, value_of_op_kind },
    AT(STEP_STATE) = { JOURNAL_STEP_STATE_COUNT, name_of_journal_step_state,
                       value_of_journal_step_state },
    AT(ERR) = { ERR_CODE_COUNT, name_of_err_code, value_of_err_code },
    AT(SCOPE) = { JOURNAL_SCOPE_COUNT, name_of_journal_scope, value_of_journal_scope },
    AT(SUPPLY) = { SUPPLY_KIND_COUNT, name_of_supply_kind, value_of_supply_kind },
    AT(PROTECTION) = { JOURNAL_PROTECTION_COUNT, name_of_journal_protection,
                       value_of_journal_protection },
#undef AT
};

static const struct field move_fields[] = {
    { "epoch", FIELD_NUMBER, offsetof(struct journal_move, key.epoch) },
    { "seq", FIELD_NUMBER, offsetof(struct journal_move, key.seq) },
    { "run", FIELD_NUMBER, offsetof(struct journal_move, run) },
    { "guest", FIELD_NAME, offsetof(struct journal_move, guest) },
    { "uuid", FIELD_UUID, offsetof(struct journal_move, uuid) },
    { "from_host", FIELD_NAME, offsetof(struct journal_move, from) },
    { "to_host", FIELD_NAME, offsetof(struct journal_move, to) },
    { "mode", FIELD_MODE, offsetof(struct journal_move, mode) },
    { "detour", FIELD_FLAG, offsetof(struct journal_move, detour) },
    { "original", FIELD_GUEST_STATE, offsetof(struct journal_move, original) },
    { "autostart", FIELD_FLAG, offsetof(struct journal_move, autostart) },
    { "persistent", FIELD_FLAG, offsetof(struct journal_move, persistent) },
    { "xml_digest", FIELD_DIGEST_OR_NONE, offsetof(struct journal_move, xml_digest) },
    { "target_digest", FIELD_DIGEST_OR_NONE, offsetof(struct journal_move, target_digest) },
    { "es_digest", FIELD_DIGEST_OR_NONE, offsetof(struct journal_move, es_digest) },
    { "begun_ms", FIELD_TIME, offsetof(struct journal_move, begun_ms) },
    { "deadline_ms", FIELD_TIME, offsetof(struct journal_move, deadline_ms) },
    { "ended_ms", FIELD_TIME, offsetof(struct journal_move, ended_ms) },
    { "state", FIELD_MOVE_STATE, offsetof(struct journal_move, state) },
    { "tried", FIELD_FLAG, offsetof(struct journal_move, tried) },
    { "back", FIELD_FLAG, offsetof(struct journal_move, back) },
    { "target_made", FIELD_FLAG, offsetof(struct journal_move, target_made) },
    { "source_removed", FIELD_FLAG, offsetof(struct journal_move, source_removed) },
    { "cancel_requested", FIELD_FLAG, offsetof(struct journal_move, cancel_requested) },
    { "unclear", FIELD_FLAG, offsetof(struct journal_move, unclear) },
    { "error", FIELD_ERR, offsetof(struct journal_move, error) },
    { "error_text", FIELD_TEXT_OR_NULL, offsetof(struct journal_move, error_text) },
    { "total_ms", FIELD_TIME, offsetof(struct journal_move, total_ms) },
    { "downtime_ms", FIELD_TIME, offsetof(struct journal_move, downtime_ms) },
    { "bytes", FIELD_NUMBER, offsetof(struct journal_move, bytes) },
    { "iterations", FIELD_NUMBER, offsetof(struct journal_move, iterations) },
    { "predicted_ms", FIELD_UNTIL, offsetof(struct journal_move, predicted_ms) },
    { "written_bytes_s", FIELD_NUMBER, offsetof(struct journal_move, written_bytes_s) },
    { "throttle_percent", FIELD_COUNT, offsetof(struct journal_move, throttle_percent) },
    { "postcopy", FIELD_FLAG, offsetof(struct journal_move, postcopy) },
    { "overran", FIELD_FLAG, offsetof(struct journal_move, overran) },
    { "fallback", FIELD_FLAG, offsetof(struct journal_move, fallback) },
    { "supplies_digest", FIELD_DIGEST_OR_NONE, offsetof(struct journal_move, supplies_digest) },
    { "made", FIELD_COUNT, offsetof(struct journal_move, made) },
    { "by_hand", FIELD_FLAG, offsetof(struct journal_move, by_hand) },
};

static const struct field step_fields[] = {
    { "epoch", FIELD_NUMBER, offsetof(struct journal_step, move.epoch) },
    { "seq", FIELD_NUMBER, offsetof(struct journal_step, move.seq) },
    { "number", FIELD_COUNT, offsetof(struct journal_step, number) },
    { "kind", FIELD_OP, offsetof(struct journal_step, kind) },
    { "host", FIELD_NAME, offsetof(struct journal_step, host) },
    { "state", FIELD_STEP_STATE, offsetof(struct journal_step, state) },
    { "error_text", FIELD_TEXT_OR_NULL, offsetof(struct journal_step, error_text) },
    { "begun_ms", FIELD_TIME, offsetof(struct journal_step, begun_ms) },
    { "ended_ms", FIELD_TIME, offsetof(struct journal_step, ended_ms) },
    { "supply", FIELD_SUPPLY, offsetof(struct journal_step, supply) },
    { "note", FIELD_TEXT_OR_NULL, offsetof(struct journal_step, note) },
};

static const struct field owed_fields[] = {
    { "uuid", FIELD_UUID, offsetof(struct journal_owed, uuid) },
    { "guest", FIELD_NAME, offsetof(struct journal_owed, guest) },
    { "host", FIELD_NAME, offsetof(struct journal_owed, host) },
    { "since_ms", FIELD_TIME, offsetof(struct journal_owed, since_ms) },
    { "paid", FIELD_FLAG, offsetof(struct journal_owed, paid) },
    { "autostart", FIELD_FLAG, offsetof(struct journal_owed, autostart) },
    { "early", FIELD_FLAG, offsetof(struct journal_owed, early) },
};

static const struct field retry_fields[] = {
    { "guest", FIELD_NAME, offsetof(struct journal_retry, guest) },
    { "es_digest", FIELD_DIGEST_OR_NONE, offsetof(struct journal_retry, es_digest) },
    { "code", FIELD_ERR, offsetof(struct journal_retry, code) },
    { "attempts", FIELD_COUNT, offsetof(struct journal_retry, attempts) },
    { "next_ms", FIELD_UNTIL, offsetof(struct journal_retry, next_ms) },
    { "reason", FIELD_TEXT_OR_NULL, offsetof(struct journal_retry, reason) },
    { "observed_digest", FIELD_DIGEST_OR_NONE, offsetof(struct journal_retry, observed_digest) },
    { "overran", FIELD_FLAG, offsetof(struct journal_retry, overran) },
    { "off_ms", FIELD_UNTIL, offsetof(struct journal_retry, off_ms) },
    { "outages", FIELD_COUNT, offsetof(struct journal_retry, outages) },
    { "failed_ms", FIELD_TIME, offsetof(struct journal_retry, failed_ms) },
    { "cleared", FIELD_FLAG, offsetof(struct journal_retry, cleared) },
};

static const struct field revision_fields[] = {
    { "digest", FIELD_DIGEST, offsetof(struct journal_revision, digest) },
    { "at_ms", FIELD_TIME, offsetof(struct journal_revision, at_ms) },
};

static const struct field definition_fields[] = {
    { "uuid", FIELD_UUID, offsetof(struct journal_definition, uuid) },
    { "guest", FIELD_NAME, offsetof(struct journal_definition, guest) },
    { "digest", FIELD_DIGEST, offsetof(struct journal_definition, digest) },
    { "at_ms", FIELD_TIME, offsetof(struct journal_definition, at_ms) },
    { "supplies", FIELD_TEXT_OR_NULL, offsetof(struct journal_definition, supplies) },
};

static const struct field run_fields[] = {
    { "epoch", FIELD_NUMBER, offsetof(struct journal_run, key.epoch) },
    { "seq", FIELD_NUMBER, offsetof(struct journal_run, key.seq) },
    { "program", FIELD_TEXT, offsetof(struct journal_run, program) },
    { "user", FIELD_TEXT, offsetof(struct journal_run, user) },
    { "begun_ms", FIELD_TIME, offsetof(struct journal_run, begun_ms) },
    { "ended_ms", FIELD_TIME, offsetof(struct journal_run, ended_ms) },
    { "exit_status", FIELD_STATUS, offsetof(struct journal_run, exit_status) },
};

static const struct field plan_fields[] = {
    { "epoch", FIELD_NUMBER, offsetof(struct journal_plan, key.epoch) },
    { "seq", FIELD_NUMBER, offsetof(struct journal_plan, key.seq) },
    { "run", FIELD_NUMBER, offsetof(struct journal_plan, run) },
    { "es_digest", FIELD_DIGEST_OR_NONE, offsetof(struct journal_plan, es_digest) },
    { "policy_digest", FIELD_DIGEST_OR_NONE, offsetof(struct journal_plan, policy_digest) },
    { "plan_digest", FIELD_DIGEST_OR_NONE, offsetof(struct journal_plan, plan_digest) },
    { "at_ms", FIELD_TIME, offsetof(struct journal_plan, at_ms) },
    { "replaced_ms", FIELD_TIME, offsetof(struct journal_plan, replaced_ms) },
};

static const struct field event_fields[] = {
    { "epoch", FIELD_NUMBER, offsetof(struct journal_event, key.epoch) },
    { "seq", FIELD_NUMBER, offsetof(struct journal_event, key.seq) },
    { "at_ms", FIELD_TIME, offsetof(struct journal_event, at_ms) },
    { "kind", FIELD_TEXT, offsetof(struct journal_event, kind) },
    { "guest", FIELD_TEXT_OR_NULL, offsetof(struct journal_event, guest) },
    { "host", FIELD_TEXT_OR_NULL, offsetof(struct journal_event, host) },
    { "text", FIELD_TEXT, offsetof(struct journal_event, text) },
};

static const struct field hold_fields[] = {
    { "scope", FIELD_SCOPE, offsetof(struct journal_hold, scope) },
    { "name", FIELD_TEXT, offsetof(struct journal_hold, name) },
    { "user", FIELD_TEXT, offsetof(struct journal_hold, user) },
    { "reason", FIELD_TEXT_OR_NULL, offsetof(struct journal_hold, reason) },
    { "since_ms", FIELD_TIME, offsetof(struct journal_hold, since_ms) },
    { "released", FIELD_FLAG, offsetof(struct journal_hold, released) },
};

static const struct field place_fields[] = {
    { "guest", FIELD_NAME, offsetof(struct journal_place, guest) },
    { "uuid", FIELD_UUID, offsetof(struct journal_place, uuid) },
    { "host", FIELD_NAME, offsetof(struct journal_place, host) },
    { "running", FIELD_FLAG, offsetof(struct journal_place, running) },
    { "at_ms", FIELD_TIME, offsetof(struct journal_place, at_ms) },
    { "forgotten", FIELD_FLAG, offsetof(struct journal_place, forgotten) },
    { "autostart", FIELD_FLAG, offsetof(struct journal_place, autostart) },
    { "guarded", FIELD_FLAG, offsetof(struct journal_place, guarded) },
};

static const struct field attest_fields[] = {
    { "epoch", FIELD_NUMBER, offsetof(struct journal_attest, key.epoch) },
    { "seq", FIELD_NUMBER, offsetof(struct journal_attest, key.seq) },
    { "host", FIELD_NAME, offsetof(struct journal_attest, host) },
    { "user", FIELD_TEXT, offsetof(struct journal_attest, user) },
    { "at_ms", FIELD_TIME, offsetof(struct journal_attest, at_ms) },
    { "used", FIELD_FLAG, offsetof(struct journal_attest, used) },
    { "withdrawn", FIELD_FLAG, offsetof(struct journal_attest, withdrawn) },
};

static const struct field leftover_fields[] = {
    { "uuid", FIELD_UUID, offsetof(struct journal_leftover, uuid) },
    { "host", FIELD_NAME, offsetof(struct journal_leftover, host) },
    { "guest", FIELD_NAME, offsetof(struct journal_leftover, guest) },
    { "to_host", FIELD_NAME, offsetof(struct journal_leftover, to) },
    { "since_ms", FIELD_TIME, offsetof(struct journal_leftover, since_ms) },
    { "protection", FIELD_PROTECTION, offsetof(struct journal_leftover, protection) },
    { "cleared", FIELD_FLAG, offsetof(struct journal_leftover, cleared) },
    { "epoch", FIELD_NUMBER, offsetof(struct journal_leftover, key.epoch) },
    { "seq", FIELD_NUMBER, offsetof(struct journal_leftover, key.seq) },
};

#define TABLE(row)                                                                \
    {                                                                             \
#row, row##_fields, ARRAY_LEN(row##_fields), sizeof(struct journal_##row) \
    }

static const struct record_table tables[] = {
    [JOURNAL_MOVE] = TABLE(move),
    [JOURNAL_STEP] = TABLE(step),
    [JOURNAL_OWED] = TABLE(owed),
    [JOURNAL_RETRY] = TABLE(retry),
    [JOURNAL_REVISION] = TABLE(revision),
    [JOURNAL_DEFINITION] = TABLE(definition),
    [JOURNAL_RUN] = TABLE(run),
    [JOURNAL_PLAN] = TABLE(plan),
    [JOURNAL_EVENT] = TABLE(event),
    [JOURNAL_HOLD] = TABLE(hold),
    [JOURNAL_PLACE] = TABLE(place),
    [JOURNAL_ATTEST] = TABLE(attest),
    [JOURNAL_LEFTOVER] = TABLE(leftover),
    [JOURNAL_SIGHTING] = { "sighting", place_fields, ARRAY_LEN(place_fields),
                           sizeof(struct journal_place) },
};

static bool is_text(enum field_kind kind)
{
    return kind >= FIELD_TEXT;
}

static bool is_string(enum field_kind kind)
{
    return kind >= FIELD_TEXT && kind <= FIELD_UUID;
}

static bool is_enum(enum field_kind kind)
{
    return kind >= FIELD_MODE;
}

static unsigned enum_count(enum field_kind kind)
{
    assert(is_enum(kind));
    return enumerations[kind - FIELD_MODE].count;
}

/* NULL for a value that is none. */
static const char *enum_name(enum field_kind kind, unsigned value)
{
    return value < enum_count(kind) ? enumerations[kind - FIELD_MODE].name(value) : NULL;
}

static unsigned enum_from_name(enum field_kind kind, const char *name)
{
    assert(is_enum(kind));
    return enumerations[kind - FIELD_MODE].from_name(name);
}

static bool number_fits(enum field_kind kind, int64_t number)
{
    int64_t max = kind == FIELD_NUMBER   ? INT64_MAX
                  : kind == FIELD_COUNT  ? UINT32_MAX
                  : kind == FIELD_STATUS ? STATUS_MAX
                  : kind == FIELD_FLAG   ? 1
                                         : TIME_MAX_MS;

    return (number >= 0 && number <= max) || (kind == FIELD_UNTIL && number == INT64_MAX);
}

static bool text_fits(enum field_kind kind, const char *s)
{
    if (s == NULL) {
        return kind == FIELD_TEXT_OR_NULL;
    }
    if (is_enum(kind)) {
        return enum_from_name(kind, s) < enum_count(kind);
    }
    if (kind == FIELD_NAME) {
        return text_is_host_name(s);
    }
    if (kind == FIELD_UUID) {
        return text_is_uuid(s);
    }
    if (kind == FIELD_DIGEST || kind == FIELD_DIGEST_OR_NONE) {
        return objects_is_digest(s) || (kind == FIELD_DIGEST_OR_NONE && *s == '\0');
    }
    return strnlen(s, TEXT_MAX_BYTES + 1) <= TEXT_MAX_BYTES;
}

static int check(const struct record_table *table, const struct field *field,
                 const struct value *value, struct err *err)
{
    if (is_text(field->kind) ? text_fits(field->kind, value->text)
                             : number_fits(field->kind, value->number)) {
        return 0;
    }
    if (!is_text(field->kind)) {
        return err_set(err, ERR_INVALID, "table '%s', column '%s': %lld is out of range",
                       table->name, field->column, (long long)value->number);
    }
    return err_set(err, ERR_INVALID, "table '%s', column '%s': '%.64s' is not allowed", table->name,
                   field->column, value->text == NULL ? "NULL" : value->text);
}

#define LOAD(at, type)                           \
    __extension__({                              \
        type loaded_;                            \
        memcpy(&loaded_, (at), sizeof(loaded_)); \
        loaded_;                                 \
    })

#define STORE(at, type, value)                   \
    __extension__({                              \
        type stored_ = (type)(value);            \
        memcpy((at), &stored_, sizeof(stored_)); \
    })

static struct value load_number(enum field_kind kind, const void *at)
{
    /* A number above INT64_MAX turns negative, and check() refuses it. */
    int64_t number = kind == FIELD_COUNT    ? LOAD(at, uint32_t)
                     : kind == FIELD_STATUS ? LOAD(at, int)
                     : kind == FIELD_FLAG   ? LOAD(at, bool)
                                            : LOAD(at, int64_t);

    return (struct value){ .number = number };
}

static struct value load(const struct field *field, const void *item)
{
    const char *at = (const char *)item + field->offset;

    if (!is_text(field->kind)) {
        return load_number(field->kind, at);
    }
    if (is_enum(field->kind)) {
        return (struct value){ .text = enum_name(field->kind, LOAD(at, unsigned)) };
    }
    return (struct value){ .text = is_string(field->kind) ? LOAD(at, const char *) : at };
}

static void store_number(enum field_kind kind, void *at, int64_t number)
{
    if (kind == FIELD_COUNT) {
        STORE(at, uint32_t, number);
    } else if (kind == FIELD_STATUS) {
        STORE(at, int, number);
    } else if (kind == FIELD_FLAG) {
        STORE(at, bool, number);
    } else {
        STORE(at, int64_t, number);
    }
}

/* 'value' has passed check(): a digest fits its array. */
static void store(const struct field *field, struct arena *arena, void *item,
                  const struct value *value)
{
    char *at = (char *)item + field->offset;

    if (!is_text(field->kind)) {
        store_number(field->kind, at, value->number);
    } else if (is_enum(field->kind)) {
        STORE(at, unsigned, enum_from_name(field->kind, value->text));
    } else if (is_string(field->kind)) {
        STORE(at, const char *, arena_strdup_maybe(arena, value->text));
    } else {
        assert(value->text != NULL);
        memcpy(at, value->text, strlen(value->text) + 1);
    }
}

/* What a row holds.  False: not of the column's type, or a text with a NUL inside. */
static bool read_column(sqlite3_stmt *statement, int column, enum field_kind kind,
                        struct value *value)
{
    int type = sqlite3_column_type(statement, column);
    int length;

    *value = (struct value){ 0 };
    if (!is_text(kind)) {
        value->number = sqlite3_column_int64(statement, column);
        return type == SQLITE_INTEGER;
    }
    if (type != SQLITE_TEXT) {
        return type == SQLITE_NULL;
    }
    value->text = (const char *)sqlite3_column_text(statement, column);
    length = sqlite3_column_bytes(statement, column);
    return value->text != NULL && memchr(value->text, '\0', (size_t)length) == NULL;
}

static void append_columns(struct text *sql, const struct record_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        text_printf(sql, "%s%s", i == 0 ? "" : ", ", table->fields[i].column);
    }
}

const struct record_table *record_table(enum journal_kind kind)
{
    assert((size_t)kind < ARRAY_LEN(tables));
    return &tables[kind];
}

size_t record_size(const struct record_table *table)
{
    return table->size;
}

char *record_select(const struct record_table *table, struct arena *arena)
{
    struct text sql = text_new(arena);

    text_append(&sql, "SELECT ");
    append_columns(&sql, table);
    text_printf(&sql, " FROM %s", table->name);
    return sql.data;
}

char *record_insert(const struct record_table *table, struct arena *arena)
{
    struct text sql = text_new(arena);

    text_printf(&sql, "INSERT OR REPLACE INTO %s (", table->name);
    append_columns(&sql, table);
    text_append(&sql, ") VALUES (");
    for (size_t i = 0; i < table->count; i++) {
        text_append(&sql, i == 0 ? "?" : ", ?");
    }
    text_append(&sql, ")");
    return sql.data;
}

int record_bind(sqlite3_stmt *statement, const struct journal_record *record, struct err *err)
{
    const struct record_table *table = record_table(record->kind);

    for (size_t i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        struct value value = load(field, &record->move);
        int status;

        if (check(table, field, &value, err) != 0) {
            return -1;
        }
        status = is_text(field->kind)
                     ? sqlite3_bind_text(statement, (int)i + 1, value.text, -1, SQLITE_STATIC)
                     : sqlite3_bind_int64(statement, (int)i + 1, value.number);
        if (status != SQLITE_OK) {
            return err_set(err, ERR_IO, "table '%s': %s", table->name, sqlite3_errstr(status));
        }
    }
    return 0;
}

int record_read(sqlite3_stmt *statement, const struct record_table *table, struct arena *arena,
                void *item, struct err *err)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        struct value value;

        if (!read_column(statement, (int)i, field->kind, &value)) {
            return err_set(err, ERR_INVALID, "table '%s', column '%s': not of its type",
                           table->name, field->column);
        }
        if (check(table, field, &value, err) != 0) {
            return -1;
        }
        store(field, arena, item, &value);
    }
    return 0;
}

struct journal_record record_copy(struct arena *arena, const struct journal_record *record)
{
    struct journal_record copy = *record;
    const struct record_table *table;

    if (record->kind == JOURNAL_OBJECT) {
        copy.object.bytes = text_copy(arena, record->object.bytes, record->object.length);
        return copy;
    }
    if (record->kind == JOURNAL_PRUNE) {
        return copy;
    }
    table = record_table(record->kind);
    for (size_t i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];

        if (is_string(field->kind)) {
            struct value value = load(field, &record->move);

            store(field, arena, &copy.move, &value);
        }
    }
    return copy;
}
