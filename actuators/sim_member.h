/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * sim_member: JSON objects as C structures, member by member, after a table that says which member
 * goes where and what it may be.  One table serves reading and writing, so the two cannot disagree.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct json_t;
struct text;

enum sim_member_kind {
    SIM_MEMBER_NAME,   /* const char *: a host name. */
    SIM_MEMBER_UUID,   /* const char * */
    SIM_MEMBER_PLAIN,  /* const char *: as sim_member_is_plain() says. */
    SIM_MEMBER_PROSE,  /* const char *: the text of an error. */
    SIM_MEMBER_NUMBER, /* int64_t or uint64_t, within 'min' and 'max'. */
    SIM_MEMBER_FLAG,   /* bool */
    SIM_MEMBER_WORD,   /* An enumeration: one of 'words'. */
    SIM_MEMBER_NESTED, /* Read and written by whoever knows what is in it. */
    SIM_MEMBER_PASSED, /* Allowed, and passed over. */
};

/* Whose names a WORD may have. */
enum sim_member_words {
    SIM_WORDS_STATE,
    SIM_WORDS_REASON,
    SIM_WORDS_JOB,
    SIM_WORDS_POWER,
    SIM_WORDS_GUARD,
    SIM_WORDS_FENCE,
    SIM_WORDS_WHEN,
    SIM_WORDS_ERROR,
    SIM_WORDS_OP, /* Operations, "observe" and "notice". */
};

struct sim_member {
    const char *name;
    enum sim_member_kind kind;
    size_t offset;
    bool required;
    int64_t min;
    int64_t max;
    enum sim_member_words words;
};

struct sim_table {
    const struct sim_member *members;
    size_t count;
    const void *defaults; /* An object whose values are left out in writing; NULL = none are. */
};

/* True if 's' may be a path, an identity or a name of hardware: 1..1024 printable ASCII characters that
 * mean nothing to XML. */
bool sim_member_is_plain(const char *s);

/* The words for what a PLAIN member must be. */
const char *sim_member_plain_rule(void);

/* Reads the members of 'json' into 'object', which holds the defaults; strings go to 'arena'.  What is
 * missing, unknown or does not fit is ERR_INVALID, "WHERE.NAME: why". */
int sim_member_read(struct arena *arena, struct json_t *json, const struct sim_table *table,
                    const char *where, void *object, struct err *err);

/* Appends the members of 'object' that are required or not at their defaults, with the opening brace
 * and without the closing one. */
void sim_member_write(struct text *text, const struct sim_table *table, const void *object);

/* Appends 's' as a JSON string. */
void sim_member_write_string(struct text *text, const char *s);
