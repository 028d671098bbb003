/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/sim_member.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "actuators/sim_fleet.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

#define PLAIN_MAX 1024

static const char *const power_names[SIM_POWER_COUNT] = {
    [SIM_POWER_ON] = "on",
    [SIM_POWER_OFF] = "off",
    [SIM_POWER_FROZEN] = "frozen",
};

static const char *const fence_names[SIM_FENCE_COUNT] = {
    [SIM_FENCE_WORKS] = "works",
    [SIM_FENCE_FAILS] = "fails",
    [SIM_FENCE_LIES] = "lies",
    [SIM_FENCE_LATE] = "late",
};

static const char *const when_names[SIM_WHEN_COUNT] = {
    [SIM_WHEN_BEFORE] = "before", [SIM_WHEN_MIDDLE] = "middle", [SIM_WHEN_LOST] = "lost",
    [SIM_WHEN_AFTER] = "after",   [SIM_WHEN_HANG] = "hang",     [SIM_WHEN_TWICE] = "twice",
};

bool sim_member_is_plain(const char *s)
{
    size_t length = strnlen(s, PLAIN_MAX + 1);

    for (size_t i = 0; i < length; i++) {
        if (s[i] <= ' ' || s[i] > '~' || strchr("<>&'\"", s[i]) != NULL) {
            return false;
        }
    }
    return length >= 1 && length <= PLAIN_MAX;
}

const char *sim_member_plain_rule(void)
{
    return "1 to 1024 printable characters without quotes and <>&";
}

/* ERR_CODE_COUNT for no such name: err_code_from_name() falls back to a real code. */
static enum err_code code_from_name(const char *name)
{
    enum err_code code = err_code_from_name(name);

    return strcmp(err_code_name(code), name) == 0 ? code : ERR_CODE_COUNT;
}

static bool op_from_name(const char *name, unsigned *op)
{
    *op = op_kind_from_name(name);
    if (*op < OP_KIND_COUNT) {
        return true;
    }
    *op = strcmp(name, "notice") == 0 ? SIM_TARGET_NOTICE : SIM_TARGET_OBSERVE;
    return *op == SIM_TARGET_NOTICE || strcmp(name, "observe") == 0;
}

static const char *op_name(unsigned op)
{
    switch (op) {
    case SIM_TARGET_OBSERVE:
        return "observe";
    case SIM_TARGET_NOTICE:
        return "notice";
    default:
        return op_kind_name(op);
    }
}

/* Reads the name of an enumeration's value; false if there is none of that name. */
static bool read_word(enum sim_member_words words, const char *name, unsigned *value)
{
    switch (words) {
    case SIM_WORDS_STATE:
        return (*value = observed_state_from_name(name)) < GUEST_STATE_COUNT;
    case SIM_WORDS_REASON:
        return (*value = observed_reason_from_name(name)) < GUEST_REASON_COUNT;
    case SIM_WORDS_JOB:
        return (*value = observed_job_from_name(name)) < GUEST_JOB_COUNT;
    case SIM_WORDS_POWER:
        *value = (unsigned)text_index(power_names, SIM_POWER_COUNT, name);
        return *value < SIM_POWER_COUNT;
    case SIM_WORDS_GUARD:
        return (*value = observed_guard_from_name(name)) < OBSERVED_GUARD_COUNT;
    case SIM_WORDS_FENCE:
        *value = (unsigned)text_index(fence_names, SIM_FENCE_COUNT, name);
        return *value < SIM_FENCE_COUNT;
    case SIM_WORDS_WHEN:
        *value = (unsigned)text_index(when_names, SIM_WHEN_COUNT, name);
        return *value < SIM_WHEN_COUNT;
    case SIM_WORDS_ERROR:
        return (*value = code_from_name(name)) < ERR_CODE_COUNT;
    case SIM_WORDS_OP:
        return op_from_name(name, value);
    }
    return false;
}

static const char *word_of(enum sim_member_words words, unsigned value)
{
    switch (words) {
    case SIM_WORDS_STATE:
        return observed_state_name(value);
    case SIM_WORDS_REASON:
        return observed_reason_name(value);
    case SIM_WORDS_JOB:
        return observed_job_name(value);
    case SIM_WORDS_POWER:
        return power_names[value];
    case SIM_WORDS_GUARD:
        return observed_guard_name(value);
    case SIM_WORDS_FENCE:
        return fence_names[value];
    case SIM_WORDS_WHEN:
        return when_names[value];
    case SIM_WORDS_ERROR:
        return err_code_name(value);
    case SIM_WORDS_OP:
        return op_name(value);
    }
    return "";
}

/* What a member of 'kind' must be, for the sentence that refuses it. */
static const char *wanted(enum sim_member_kind kind)
{
    static const char *const rules[] = {
        [SIM_MEMBER_NAME] = "a host name",
        [SIM_MEMBER_UUID] = "a UUID",
        [SIM_MEMBER_PROSE] = "a sentence of less than 256 bytes",
        [SIM_MEMBER_NUMBER] = "a whole number within its range",
        [SIM_MEMBER_FLAG] = "true or false",
        [SIM_MEMBER_WORD] = "one of the names in docs/simulation.md",
    };

    return kind == SIM_MEMBER_PLAIN ? sim_member_plain_rule() : rules[kind];
}

static bool text_fits(enum sim_member_kind kind, const char *s)
{
    return kind == SIM_MEMBER_NAME    ? text_is_host_name(s)
           : kind == SIM_MEMBER_UUID  ? text_is_uuid(s)
           : kind == SIM_MEMBER_PLAIN ? sim_member_is_plain(s)
                                      : strnlen(s, ERR_TEXT_SIZE) < ERR_TEXT_SIZE;
}

static bool read_text(struct arena *arena, enum sim_member_kind kind, const char *s,
                      const char **place)
{
    if (s == NULL || !text_fits(kind, s)) {
        return false;
    }
    *place = arena_strdup(arena, s);
    return true;
}

/* Reads 'json' into the place of 'member' in 'object'; false if it does not fit. */
static bool read_value(struct arena *arena, json_t *json, const struct sim_member *member,
                       void *object)
{
    void *place = (char *)object + member->offset;
    const char *s = json_string_value(json);

    switch (member->kind) {
    case SIM_MEMBER_FLAG:
        *(bool *)place = json_is_true(json);
        return json_is_boolean(json);
    case SIM_MEMBER_NUMBER:
        *(int64_t *)place = json_integer_value(json);
        return json_is_integer(json) && json_integer_value(json) >= member->min &&
               json_integer_value(json) <= member->max;
    case SIM_MEMBER_WORD:
        return s != NULL && read_word(member->words, s, place);
    case SIM_MEMBER_NAME:
    case SIM_MEMBER_UUID:
    case SIM_MEMBER_PLAIN:
    case SIM_MEMBER_PROSE:
        return read_text(arena, member->kind, s, place);
    case SIM_MEMBER_NESTED:
    case SIM_MEMBER_PASSED:
        break;
    }
    return true;
}

static int unknown_member(json_t *json, const struct sim_table *table, const char *where,
                          struct err *err)
{
    const char *key;
    json_t *value;

    json_object_foreach(json, key, value)
    {
        size_t i = 0;

        while (i < table->count && strcmp(table->members[i].name, key) != 0) {
            i++;
        }
        if (i == table->count) {
            return err_set(err, ERR_INVALID, "%s.%.64s: no such member", where, key);
        }
    }
    return err_set(err, ERR_INVALID, "%s: no such member", where);
}

int sim_member_read(struct arena *arena, struct json_t *json, const struct sim_table *table,
                    const char *where, void *object, struct err *err)
{
    size_t found = 0;

    if (!json_is_object(json)) {
        return err_set(err, ERR_INVALID, "%s: must be an object", where);
    }
    for (size_t i = 0; i < table->count; i++) {
        const struct sim_member *member = &table->members[i];
        json_t *value = json_object_get(json, member->name);

        if (value == NULL && member->required) {
            return err_set(err, ERR_INVALID, "%s.%s: is missing", where, member->name);
        }
        if (value == NULL) {
            continue;
        }
        found++;
        if (!read_value(arena, value, member, object)) {
            return err_set(err, ERR_INVALID, "%s.%s: must be %s", where, member->name,
                           wanted(member->kind));
        }
    }
    return found == json_object_size(json) ? 0 : unknown_member(json, table, where, err);
}

void sim_member_write_string(struct text *text, const char *s)
{
    text_append(text, "\"");
    for (; *s != '\0'; s++) {
        size_t safe =
            strcspn(s, "\"\\\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"
                       "\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f");

        text_append_bytes(text, s, safe);
        s += safe;
        if (*s == '\0') {
            break;
        }
        if (*s == '"' || *s == '\\') {
            text_fill(text, '\\', 1);
            text_fill(text, *s, 1);
        } else {
            text_printf(text, "\\u%04x", (unsigned)*s);
        }
    }
    text_append(text, "\"");
}

static void write_value(struct text *text, const struct sim_member *member, const void *place)
{
    switch (member->kind) {
    case SIM_MEMBER_FLAG:
        text_append(text, *(const bool *)place ? "true" : "false");
        break;
    case SIM_MEMBER_NUMBER:
        text_printf(text, "%" PRId64, *(const int64_t *)place);
        break;
    case SIM_MEMBER_WORD:
        sim_member_write_string(text, word_of(member->words, *(const unsigned *)place));
        break;
    case SIM_MEMBER_NAME:
    case SIM_MEMBER_UUID:
    case SIM_MEMBER_PLAIN:
    case SIM_MEMBER_PROSE:
        sim_member_write_string(text, *(const char *const *)place);
        break;
    case SIM_MEMBER_NESTED:
    case SIM_MEMBER_PASSED:
        break;
    }
}

static bool same_value(const struct sim_member *member, const void *a, const void *b)
{
    switch (member->kind) {
    case SIM_MEMBER_FLAG:
        return *(const bool *)a == *(const bool *)b;
    case SIM_MEMBER_NUMBER:
        return *(const int64_t *)a == *(const int64_t *)b;
    case SIM_MEMBER_WORD:
        return *(const unsigned *)a == *(const unsigned *)b;
    case SIM_MEMBER_NAME:
    case SIM_MEMBER_UUID:
    case SIM_MEMBER_PLAIN:
    case SIM_MEMBER_PROSE:
        return text_equal(*(const char *const *)a, *(const char *const *)b);
    case SIM_MEMBER_NESTED:
    case SIM_MEMBER_PASSED:
        break;
    }
    return true;
}

/* True if 'member' of 'object' says nothing that its absence would not. */
static bool goes_unsaid(const struct sim_table *table, const struct sim_member *member,
                        const void *object)
{
    if (member->kind == SIM_MEMBER_NESTED || member->kind == SIM_MEMBER_PASSED) {
        return true;
    }
    return !member->required && table->defaults != NULL &&
           same_value(member, (const char *)object + member->offset,
                      (const char *)table->defaults + member->offset);
}

void sim_member_write(struct text *text, const struct sim_table *table, const void *object)
{
    const char *before = "{";

    for (size_t i = 0; i < table->count; i++) {
        const struct sim_member *member = &table->members[i];

        if (goes_unsaid(table, member, object)) {
            continue;
        }
        text_append(text, before);
        text_append(text, "\"");
        text_append(text, member->name);
        text_append(text, "\":");
        write_value(text, member, (const char *)object + member->offset);
        before = ",";
    }
    if (before[0] == '{') {
        text_append(text, before);
    }
}
