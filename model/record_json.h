/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * record_json: C structs as JSON, described by tables.  One table both reads and writes a struct, so the
 * two cannot drift apart; the formats themselves are in the codecs that use it (model/observed_json.c,
 * diff/plan_json.c, diff/diff_json.c).
 *
 * Reading goes straight from the bytes into the records: by way of a library's tree the largest documents
 * (100,000 guests, 40 MB) took seven times as long.  Nothing is believed: types, ranges, lengths, nesting,
 * UTF-8 and repeated members are checked; members that no table names are passed over; null counts as
 * absent.  Errors name the path: "hosts[2].guests[0].uuid: not a UUID".
 *
 * Writing is byte-stable and always valid UTF-8, whatever the strings hold.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct text;

#define RECORD_JSON_MAX_DEPTH  16 /* Of tables and arrays inside of each other. */
#define RECORD_JSON_MAX_FIELDS 64 /* Of one table. */

enum record_json_type {
    RECORD_JSON_FORMAT,  /* No member of the struct: the text 'format' and nothing else. */
    RECORD_JSON_TEXT,    /* const char *; NULL = unknown. */
    RECORD_JSON_NAME,    /* The same, a host name (text_is_host_name). */
    RECORD_JSON_UUID,    /* The same, a UUID; stored in lower case. */
    RECORD_JSON_U64,     /* uint64_t; 0 = unknown. */
    RECORD_JSON_U32,     /* uint32_t; 0 = unknown. */
    RECORD_JSON_SIZE,    /* size_t; 0 = unknown. */
    RECORD_JSON_BOOL,    /* bool; false if absent. */
    RECORD_JSON_MAYBE,   /* int8_t, 0 or 1; -1 = unknown. */
    RECORD_JSON_COUNT,   /* int32_t; -1 = unknown. */
    RECORD_JSON_INSTANT, /* int64_t, as in base/clock.h; 0 = unknown. */
    RECORD_JSON_ENUM,    /* An enum with names; 0 if absent. */
    RECORD_JSON_CHOICE,  /* bool as one of two names; false if absent. */
    RECORD_JSON_OBJECT,  /* A struct inside, of 'table'; unknown if all of its members are. */
    RECORD_JSON_TEXTS,   /* const char *const *, and a size_t at 'count_offset'; empty = unknown. */
    RECORD_JSON_LIST,    /* Array of structs of 'table', and a size_t as above. */
};

enum record_json_presence {
    RECORD_JSON_REQUIRED, /* A fault if absent or null; always written. */
    RECORD_JSON_ALWAYS,   /* May be absent or null; always written, as null if it has no value. */
    RECORD_JSON_OPTIONAL, /* May be absent or null; left out when unknown, 0 or false. */
};

struct record_json_table;

struct record_json_field {
    const char *name;
    enum record_json_type type;
    enum record_json_presence presence;
    size_t offset;
    size_t count_offset;                    /* TEXTS, LIST. */
    const char *format;                     /* FORMAT. */
    const char *(*name_of)(uint32_t value); /* ENUM, CHOICE: of a value below 'value_count'. */
    uint32_t value_count;
    bool other_is_zero;                    /* ENUM: a name of a later version reads as 0. */
    const struct record_json_table *table; /* OBJECT, LIST. */
    const char *before_item;               /* LIST: line break and indent, or NULL. */
};

struct record_json_table {
    const struct record_json_field *fields; /* In the order of writing. */
    size_t field_count;
    size_t size; /* Of the struct. */
};

/* The common part of a field: RECORD_JSON_FIELD(observed_host, as_of_ms, "as_of", INSTANT, OPTIONAL). */
#define RECORD_JSON_FIELD(struct_, member_, name_, type_, presence_)                   \
    .name = (name_), .type = RECORD_JSON_##type_, .presence = RECORD_JSON_##presence_, \
    .offset = offsetof(struct struct_, member_)

#define RECORD_JSON_TABLE(struct_, fields_)                                                     \
    {                                                                                           \
        .fields = (fields_), .field_count = ARRAY_LEN(fields_), .size = sizeof(struct struct_), \
    }

/* Reads the 'length' bytes, one JSON object, into 'record', a struct of 'table'.  Strings and arrays live
 * in 'arena', arrays in the order of the document.  ERR_INVALID, and 'record' holds nothing useful. */
int record_json_read(struct arena *arena, const char *bytes, size_t length,
                     const struct record_json_table *table, void *record, struct err *err);

/* Appends 'record' as an object, its members in the order of 'table'. */
void record_json_write(struct text *text, const struct record_json_table *table,
                       const void *record);
