/* SPDX-License-Identifier: Apache-2.0 */
#include "model/record_json.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"
#include "model/json_token.h"

#define PATH_SIZE 160

/* One step from the document to what is being read: a member, or an item if 'name' is NULL. */
struct step {
    const char *name;
    size_t index;
};

struct reader {
    struct json_token_reader tokens;
    struct arena *arena;
    struct step path[RECORD_JSON_MAX_DEPTH];
    size_t depth; /* Steps in 'path'; after a failure, where it happened. */
};

static void *member_of(const struct record_json_field *field, void *record)
{
    return (char *)record + field->offset;
}

static const void *member_in(const struct record_json_field *field, const void *record)
{
    return (const char *)record + field->offset;
}

static size_t *count_of(const struct record_json_field *field, void *record)
{
    return (size_t *)(void *)((char *)record + field->count_offset);
}

static size_t count_in(const struct record_json_field *field, const void *record)
{
    return *(const size_t *)(const void *)((const char *)record + field->count_offset);
}

/* "hosts[2].guests[0].uuid"; what does not fit is cut. */
static void write_path(const struct reader *reader, char path[PATH_SIZE])
{
    size_t used = 0;

    path[0] = '\0';
    for (size_t i = 0; i < reader->depth && used < PATH_SIZE - 1; i++) {
        const struct step *step = &reader->path[i];
        size_t room = PATH_SIZE - used;
        int more = step->name == NULL
                       ? snprintf(path + used, room, "[%zu]", step->index)
                       : snprintf(path + used, room, "%s%s", i == 0 ? "" : ".", step->name);

        used = more >= 0 && (size_t)more < room ? used + (size_t)more : PATH_SIZE - 1;
    }
}

static int read_format(struct reader *reader, const struct record_json_field *field,
                       struct err *err)
{
    if (json_token_string(&reader->tokens, err) != 0) {
        return -1;
    }
    return strcmp(reader->tokens.string, field->format) == 0
               ? 0
               : err_set(err, ERR_INVALID, "must be \"%s\"", field->format);
}

static void lower_case(char *s)
{
    for (; *s != '\0'; s++) {
        if (*s >= 'A' && *s <= 'Z') {
            *s = (char)(*s - 'A' + 'a');
        }
    }
}

static int read_text(struct reader *reader, enum record_json_type type, const char **text,
                     struct err *err)
{
    if (json_token_string(&reader->tokens, err) != 0) {
        return -1;
    }
    if (type == RECORD_JSON_NAME && !text_is_host_name(reader->tokens.string)) {
        return err_set(err, ERR_INVALID, "not a host name");
    }
    if (type == RECORD_JSON_UUID) {
        if (!text_is_uuid(reader->tokens.string)) {
            return err_set(err, ERR_INVALID, "not a UUID");
        }
        lower_case(reader->tokens.string);
    }
    *text = arena_strdup(reader->arena, reader->tokens.string);
    return 0;
}

static uint64_t largest_number(enum record_json_type type)
{
    if (type == RECORD_JSON_U32) {
        return UINT32_MAX;
    }
    return type == RECORD_JSON_COUNT ? INT32_MAX : JSON_TOKEN_MAX_NUMBER;
}

/* Stores 'number', at most largest_number(), in the width of 'type'. */
static void store_number(enum record_json_type type, void *member, uint64_t number)
{
    if (type == RECORD_JSON_U64) {
        *(uint64_t *)member = number;
    } else if (type == RECORD_JSON_SIZE) {
        *(size_t *)member = (size_t)number;
    } else if (type == RECORD_JSON_U32) {
        *(uint32_t *)member = (uint32_t)number;
    } else {
        *(int32_t *)member = (int32_t)number;
    }
}

static int read_number(struct reader *reader, enum record_json_type type, void *member,
                       struct err *err)
{
    uint64_t number;

    if (json_token_number(&reader->tokens, largest_number(type), &number, err) != 0) {
        return -1;
    }
    store_number(type, member, number);
    return 0;
}

static int read_instant(struct reader *reader, int64_t *ms, struct err *err)
{
    if (json_token_string(&reader->tokens, err) != 0) {
        return -1;
    }
    return clock_parse(reader->tokens.string, ms)
               ? 0
               : err_set(err, ERR_INVALID, "not an instant such as 2026-11-23T12:00:00Z");
}

static int unknown_name(struct reader *reader, const struct record_json_field *field,
                        struct err *err)
{
    struct text names = text_new(reader->arena);

    for (uint32_t i = 0; i < field->value_count; i++) {
        text_printf(&names, "%s%s", i == 0 ? "" : ", ", field->name_of(i));
    }
    return err_set(err, ERR_INVALID, "must be one of %s", names.data);
}

static int read_enum(struct reader *reader, const struct record_json_field *field, uint32_t *value,
                     struct err *err)
{
    if (json_token_string(&reader->tokens, err) != 0) {
        return -1;
    }
    for (uint32_t i = 0; i < field->value_count; i++) {
        if (strcmp(field->name_of(i), reader->tokens.string) == 0) {
            *value = i;
            return 0;
        }
    }
    *value = 0;
    return field->other_is_zero ? 0 : unknown_name(reader, field, err);
}

/* Steps into a member or item for the paths of errors; tables nest less deep than the path is long. */
static void step_in(struct reader *reader, const char *name)
{
    assert(reader->depth < ARRAY_LEN(reader->path));
    reader->path[reader->depth++] = (struct step){ .name = name };
}

static int read_object(struct reader *reader, const struct record_json_table *table, void *record,
                       struct err *err);

static int read_item(struct reader *reader, const struct record_json_field *field, void *item,
                     struct err *err)
{
    return field->type == RECORD_JSON_LIST ? read_object(reader, field->table, item, err)
                                           : read_text(reader, RECORD_JSON_TEXT, item, err);
}

/* Reads an array into one that doubles as it grows. */
static int read_array(struct reader *reader, const struct record_json_field *field, void *record,
                      struct err *err)
{
    size_t size = field->type == RECORD_JSON_LIST ? field->table->size : sizeof(const char *);
    size_t capacity = 8;
    size_t count = 0;
    char *items = arena_alloc(reader->arena, capacity, size);
    bool more;

    if (!json_token_take(&reader->tokens, '[')) {
        return err_set(err, ERR_INVALID, "must be an array");
    }
    if (json_token_next(&reader->tokens, ']', true, &more, err) != 0) {
        return -1;
    }
    step_in(reader, NULL);
    while (more) {
        if (count == capacity) {
            char *larger = arena_alloc(reader->arena, capacity * 2, size);

            memcpy(larger, items, count * size);
            items = larger;
            capacity *= 2;
        }
        reader->path[reader->depth - 1].index = count;
        if (read_item(reader, field, items + count * size, err) != 0 ||
            json_token_next(&reader->tokens, ']', false, &more, err) != 0) {
            return -1;
        }
        count++;
    }
    reader->depth--;
    *(void **)member_of(field, record) = items;
    *count_of(field, record) = count;
    return 0;
}

static int read_member(struct reader *reader, const struct record_json_field *field, void *record,
                       struct err *err)
{
    void *member = member_of(field, record);
    bool truth;
    uint32_t value;

    switch (field->type) {
    case RECORD_JSON_FORMAT:
        return read_format(reader, field, err);
    case RECORD_JSON_TEXT:
    case RECORD_JSON_NAME:
    case RECORD_JSON_UUID:
        return read_text(reader, field->type, member, err);
    case RECORD_JSON_U64:
    case RECORD_JSON_U32:
    case RECORD_JSON_SIZE:
    case RECORD_JSON_COUNT:
        return read_number(reader, field->type, member, err);
    case RECORD_JSON_BOOL:
        return json_token_truth(&reader->tokens, member, err);
    case RECORD_JSON_MAYBE:
        if (json_token_truth(&reader->tokens, &truth, err) != 0) {
            return -1;
        }
        *(int8_t *)member = truth;
        return 0;
    case RECORD_JSON_INSTANT:
        return read_instant(reader, member, err);
    case RECORD_JSON_ENUM:
        return read_enum(reader, field, member, err);
    case RECORD_JSON_CHOICE:
        if (read_enum(reader, field, &value, err) != 0) {
            return -1;
        }
        *(bool *)member = value == 1;
        return 0;
    case RECORD_JSON_OBJECT:
        return read_object(reader, field->table, member, err);
    case RECORD_JSON_TEXTS:
    case RECORD_JSON_LIST:
        return read_array(reader, field, record, err);
    }
    return 0;
}

static void store_unknown(const struct record_json_field *field, void *record)
{
    void *member = member_of(field, record);

    switch (field->type) {
    case RECORD_JSON_FORMAT:
        break;
    case RECORD_JSON_TEXT:
    case RECORD_JSON_NAME:
    case RECORD_JSON_UUID:
        *(const char **)member = NULL;
        break;
    case RECORD_JSON_U64:
    case RECORD_JSON_U32:
    case RECORD_JSON_SIZE:
        store_number(field->type, member, 0);
        break;
    case RECORD_JSON_BOOL:
    case RECORD_JSON_CHOICE:
        *(bool *)member = false;
        break;
    case RECORD_JSON_MAYBE:
        *(int8_t *)member = -1;
        break;
    case RECORD_JSON_COUNT:
        *(int32_t *)member = -1;
        break;
    case RECORD_JSON_INSTANT:
        *(int64_t *)member = 0;
        break;
    case RECORD_JSON_ENUM:
        *(uint32_t *)member = 0;
        break;
    case RECORD_JSON_OBJECT:
        for (size_t i = 0; i < field->table->field_count; i++) {
            store_unknown(&field->table->fields[i], member);
        }
        break;
    case RECORD_JSON_TEXTS:
    case RECORD_JSON_LIST:
        *(void **)member = NULL;
        *count_of(field, record) = 0;
        break;
    }
}

/* Index of the field called 'name', or the count.  Documents mostly keep the order of the table, so the
 * search begins where the last one ended. */
static size_t find_field(const struct record_json_table *table, const char *name, size_t hint)
{
    for (size_t i = 0; i < table->field_count; i++) {
        size_t index = (hint + i) % table->field_count;

        if (strcmp(table->fields[index].name, name) == 0) {
            return index;
        }
    }
    return table->field_count;
}

/* Reads the value of the field 'index'; 'seen' has a bit for each that was there, 'known' for each that
 * had a value. */
static int read_field(struct reader *reader, const struct record_json_field *field, uint64_t bit,
                      uint64_t *seen, uint64_t *known, void *record, struct err *err)
{
    step_in(reader, field->name);
    if ((*seen & bit) != 0) {
        return err_set(err, ERR_INVALID, "is there twice");
    }
    *seen |= bit;
    if (!json_token_take_word(&reader->tokens, "null")) {
        *known |= bit;
        if (read_member(reader, field, record, err) != 0) {
            return -1;
        }
    }
    reader->depth--;
    return 0;
}

/* Fills in what the document did not say. */
static int complete(struct reader *reader, const struct record_json_table *table, uint64_t known,
                    void *record, struct err *err)
{
    for (size_t i = 0; i < table->field_count; i++) {
        const struct record_json_field *field = &table->fields[i];

        if ((known & UINT64_C(1) << i) != 0) {
            continue;
        }
        if (field->presence == RECORD_JSON_REQUIRED) {
            step_in(reader, field->name);
            return err_set(err, ERR_INVALID, "is missing");
        }
        store_unknown(field, record);
    }
    return 0;
}

static int read_object(struct reader *reader, const struct record_json_table *table, void *record,
                       struct err *err)
{
    uint64_t seen = 0;
    uint64_t known = 0;
    size_t index = table->field_count - 1;
    bool more = true;

    assert(table->field_count <= RECORD_JSON_MAX_FIELDS);
    if (!json_token_take(&reader->tokens, '{')) {
        return err_set(err, ERR_INVALID, "must be an object");
    }
    for (bool first = true; more; first = false) {
        if (json_token_next(&reader->tokens, '}', first, &more, err) != 0) {
            return -1;
        }
        if (!more) {
            break;
        }
        if (json_token_name(&reader->tokens, err) != 0) {
            return -1;
        }
        index = find_field(table, reader->tokens.string, index + 1);
        if (index == table->field_count) {
            if (json_token_skip(&reader->tokens, reader->depth, err) != 0) {
                return -1;
            }
        } else if (read_field(reader, &table->fields[index], UINT64_C(1) << index, &seen, &known,
                              record, err) != 0) {
            return -1;
        }
    }
    return complete(reader, table, known, record, err);
}

int record_json_read(struct arena *arena, const char *bytes, size_t length,
                     const struct record_json_table *table, void *record, struct err *err)
{
    struct reader reader = {
        .tokens = { .begin = bytes, .at = bytes, .end = bytes + length },
        .arena = arena,
    };
    char path[PATH_SIZE];

    json_token_skip_blanks(&reader.tokens);
    if (reader.tokens.at == reader.tokens.end) {
        return err_set(err, ERR_INVALID, "empty");
    }
    if (read_object(&reader, table, record, err) != 0) {
        write_path(&reader, path);
        return path[0] == '\0' ? -1 : err_wrap(err, "%s", path);
    }
    return json_token_end(&reader.tokens, err);
}

static uint64_t load_number(enum record_json_type type, const void *member)
{
    if (type == RECORD_JSON_U64) {
        return *(const uint64_t *)member;
    }
    if (type == RECORD_JSON_SIZE) {
        return *(const size_t *)member;
    }
    return *(const uint32_t *)member;
}

/* True if the member says nothing: what an OPTIONAL one is left out for. */
static bool is_unknown(const struct record_json_field *field, const void *record)
{
    const void *member = member_in(field, record);

    switch (field->type) {
    case RECORD_JSON_FORMAT:
        return false;
    case RECORD_JSON_TEXT:
    case RECORD_JSON_NAME:
    case RECORD_JSON_UUID:
        return *(const char *const *)member == NULL;
    case RECORD_JSON_U64:
    case RECORD_JSON_U32:
    case RECORD_JSON_SIZE:
        return load_number(field->type, member) == 0;
    case RECORD_JSON_BOOL:
    case RECORD_JSON_CHOICE:
        return !*(const bool *)member;
    case RECORD_JSON_MAYBE:
        return *(const int8_t *)member < 0;
    case RECORD_JSON_COUNT:
        return *(const int32_t *)member < 0;
    case RECORD_JSON_INSTANT:
        return *(const int64_t *)member == 0;
    case RECORD_JSON_ENUM:
        return *(const uint32_t *)member == 0;
    case RECORD_JSON_OBJECT:
        for (size_t i = 0; i < field->table->field_count; i++) {
            if (!is_unknown(&field->table->fields[i], member)) {
                return false;
            }
        }
        return true;
    case RECORD_JSON_TEXTS:
    case RECORD_JSON_LIST:
        return count_in(field, record) == 0;
    }
    return true;
}

static void write_truth(struct text *text, bool truth)
{
    text_append(text, truth ? "true" : "false");
}

static void write_instant(struct text *text, int64_t ms)
{
    char instant[CLOCK_TEXT_SIZE];

    json_token_write_string(text, clock_format(ms, instant));
}

static void write_array(struct text *text, const struct record_json_field *field,
                        const void *record)
{
    const char *items = *(const char *const *)member_in(field, record);
    const char *const *strings = *(const char *const *const *)member_in(field, record);
    size_t count = count_in(field, record);

    text_append_bytes(text, "[", 1);
    for (size_t i = 0; i < count; i++) {
        text_append(text, i == 0 ? "" : ",");
        if (field->type == RECORD_JSON_TEXTS) {
            json_token_write_string(text, strings[i]);
            continue;
        }
        text_append(text, field->before_item == NULL ? "" : field->before_item);
        record_json_write(text, field->table, items + i * field->table->size);
    }
    text_append_bytes(text, "]", 1);
}

static void write_member(struct text *text, const struct record_json_field *field,
                         const void *record)
{
    const void *member = member_in(field, record);

    switch (field->type) {
    case RECORD_JSON_FORMAT:
        json_token_write_string(text, field->format);
        break;
    case RECORD_JSON_TEXT:
    case RECORD_JSON_NAME:
    case RECORD_JSON_UUID:
        json_token_write_string(text, *(const char *const *)member);
        break;
    case RECORD_JSON_U64:
    case RECORD_JSON_U32:
    case RECORD_JSON_SIZE:
    case RECORD_JSON_COUNT:
        json_token_write_number(text, load_number(field->type, member));
        break;
    case RECORD_JSON_BOOL:
        write_truth(text, *(const bool *)member);
        break;
    case RECORD_JSON_MAYBE:
        write_truth(text, *(const int8_t *)member == 1);
        break;
    case RECORD_JSON_INSTANT:
        write_instant(text, *(const int64_t *)member);
        break;
    case RECORD_JSON_ENUM:
        json_token_write_string(text, field->name_of(*(const uint32_t *)member));
        break;
    case RECORD_JSON_CHOICE:
        json_token_write_string(text, field->name_of(*(const bool *)member));
        break;
    case RECORD_JSON_OBJECT:
        record_json_write(text, field->table, member);
        break;
    case RECORD_JSON_TEXTS:
    case RECORD_JSON_LIST:
        write_array(text, field, record);
        break;
    }
}

/* A member without a value is null only where nothing else can say so. */
static bool is_null(const struct record_json_field *field, const void *record)
{
    bool has_null = field->type == RECORD_JSON_TEXT || field->type == RECORD_JSON_NAME ||
                    field->type == RECORD_JSON_UUID || field->type == RECORD_JSON_MAYBE ||
                    field->type == RECORD_JSON_COUNT || field->type == RECORD_JSON_INSTANT;

    return has_null && is_unknown(field, record);
}

void record_json_write(struct text *text, const struct record_json_table *table, const void *record)
{
    const char *separator = "\"";

    text_append_bytes(text, "{", 1);
    for (size_t i = 0; i < table->field_count; i++) {
        const struct record_json_field *field = &table->fields[i];

        if (field->presence == RECORD_JSON_OPTIONAL && is_unknown(field, record)) {
            continue;
        }
        text_append(text, separator);
        text_append(text, field->name);
        text_append_bytes(text, "\":", 2);
        if (is_null(field, record)) {
            text_append(text, "null");
        } else {
            write_member(text, field, record);
        }
        separator = ",\"";
    }
    text_append_bytes(text, "}", 1);
}
