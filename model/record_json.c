/* SPDX-License-Identifier: Apache-2.0 */
#include "model/record_json.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"

#define PATH_SIZE 160

/* One step from the document to what is being read: a member, or an item if 'name' is NULL. */
struct step {
    const char *name;
    size_t index;
};

struct reader {
    struct arena *arena;
    struct err *err;
    const char *begin;
    const char *at;
    const char *end;
    struct step path[RECORD_JSON_MAX_DEPTH];
    size_t depth;
    char string[RECORD_JSON_MAX_TEXT + 1]; /* The last one read. */
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

static int PRINTF(2, 3) fail(struct reader *reader, const char *fmt, ...)
{
    char path[PATH_SIZE];
    char reason[ERR_TEXT_SIZE];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(reason, sizeof(reason), fmt, args);
    va_end(args);
    (void)err_set(reader->err, ERR_INVALID, "%s", reason);
    write_path(reader, path);
    return path[0] == '\0' ? -1 : err_wrap(reader->err, "%s", path);
}

/* What is not JSON is told with its line too. */
static int syntax_error(struct reader *reader, const char *reason)
{
    size_t line = 1;

    for (const char *c = reader->begin; c < reader->at; c++) {
        line += *c == '\n';
    }
    return fail(reader, "line %zu: %s", line,
                reader->at == reader->end ? "ends too early" : reason);
}

static void skip_blanks(struct reader *reader)
{
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\n' ||
                                        *reader->at == '\t' || *reader->at == '\r')) {
        reader->at++;
    }
}

static bool take(struct reader *reader, char c)
{
    if (reader->at == reader->end || *reader->at != c) {
        return false;
    }
    reader->at++;
    return true;
}

static bool take_word(struct reader *reader, const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, word, length) != 0) {
        return false;
    }
    reader->at += length;
    return true;
}

/* Between the items of an array or object that ends in 'close': is there one more to read? */
static int next_item(struct reader *reader, char close, bool first, bool *more)
{
    skip_blanks(reader);
    *more = !take(reader, close);
    if (!*more || first) {
        return 0;
    }
    if (!take(reader, ',')) {
        return syntax_error(reader, close == '}' ? "expected ',' or '}'" : "expected ',' or ']'");
    }
    skip_blanks(reader);
    return 0;
}

static bool is_in(unsigned char byte, unsigned char low, unsigned char high)
{
    return byte >= low && byte <= high;
}

/* Bytes of the UTF-8 sequence at 's' (The Unicode Standard, table 3-7), or 0 if it is none or longer than
 * 'room'. */
static size_t utf8_length(const char *s, size_t room)
{
    const unsigned char *u = (const unsigned char *)s;
    size_t length = u[0] < 0x80 ? 1 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
    unsigned char low = 0x80;
    unsigned char high = 0xbf;

    if (length == 1) {
        return 1;
    }
    if (u[0] == 0xe0 || u[0] == 0xf0) {
        low = u[0] == 0xe0 ? 0xa0 : 0x90; /* Below it: an overlong form. */
    } else if (u[0] == 0xed || u[0] == 0xf4) {
        high = u[0] == 0xed ? 0x9f : 0x8f; /* Above it: a surrogate, or past U+10FFFF. */
    }
    if (length > room || !is_in(u[0], 0xc2, 0xf4) || !is_in(u[1], low, high)) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if (!is_in(u[i], 0x80, 0xbf)) {
            return 0;
        }
    }
    return length;
}

static size_t put_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

static bool take_hex(struct reader *reader, uint32_t *unit)
{
    uint32_t sum = 0;

    for (int i = 0; i < 4; i++, reader->at++) {
        char c = reader->at < reader->end ? *reader->at : '\0';

        if (c >= '0' && c <= '9') {
            sum = sum * 16 + (uint32_t)(c - '0');
        } else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) {
            sum = sum * 16 + (uint32_t)((c | 0x20) - 'a') + 10;
        } else {
            return false;
        }
    }
    *unit = sum;
    return true;
}

/* The character behind "\u", whose second half follows if it is a surrogate.  NUL would end a C string
 * early and is refused. */
static bool take_unicode(struct reader *reader, uint32_t *code)
{
    uint32_t low;

    if (!take_hex(reader, code) || *code == 0 || (*code >= 0xdc00 && *code <= 0xdfff)) {
        return false;
    }
    if (*code < 0xd800 || *code > 0xdbff) {
        return true;
    }
    if (!take_word(reader, "\\u") || !take_hex(reader, &low) || low < 0xdc00 || low > 0xdfff) {
        return false;
    }
    *code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

/* Decodes what follows a backslash to 'out'; its length, or 0. */
static size_t take_escape(struct reader *reader, char *out)
{
    const char *const letters = "\"\\/bfnrt";
    const char *const meanings = "\"\\/\b\f\n\r\t";
    char letter = reader->at < reader->end ? *reader->at : '\0';
    const char *found = letter == '\0' ? NULL : strchr(letters, letter);
    uint32_t code;

    if (found != NULL) {
        reader->at++;
        *out = meanings[found - letters];
        return 1;
    }
    return take(reader, 'u') && take_unicode(reader, &code) ? put_utf8(out, code) : 0;
}

/* True for the bytes that stand for themselves in a string. */
static bool is_plain(char c)
{
    return (unsigned char)c >= ' ' && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

/* Reads a string into reader->string. */
static int read_string(struct reader *reader)
{
    size_t used = 0;

    if (!take(reader, '"')) {
        return fail(reader, "must be a string");
    }
    while (!take(reader, '"')) {
        size_t length;

        if (reader->at == reader->end) {
            return syntax_error(reader, "");
        }
        if (RECORD_JSON_MAX_TEXT - used < 4) {
            return fail(reader, "longer than %zu bytes", RECORD_JSON_MAX_TEXT - 4);
        }
        if (is_plain(*reader->at)) {
            reader->string[used++] = *reader->at++;
            continue;
        }
        if (take(reader, '\\')) {
            length = take_escape(reader, reader->string + used);
        } else {
            length = (unsigned char)*reader->at < ' '
                         ? 0
                         : utf8_length(reader->at, (size_t)(reader->end - reader->at));
            memcpy(reader->string + used, reader->at, length);
            reader->at += length;
        }
        if (length == 0) {
            return syntax_error(reader, "not a valid character of a string");
        }
        used += length;
    }
    reader->string[used] = '\0';
    return 0;
}

/* Reads the name of a member, and the colon behind it, into reader->string. */
static int read_name(struct reader *reader)
{
    if (reader->at == reader->end || *reader->at != '"') {
        return syntax_error(reader, "expected a member's name in quotes");
    }
    if (read_string(reader) != 0) {
        return -1;
    }
    skip_blanks(reader);
    if (!take(reader, ':')) {
        return syntax_error(reader, "expected ':'");
    }
    skip_blanks(reader);
    return 0;
}

static bool is_digit_next(const struct reader *reader)
{
    return reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9';
}

static bool skip_digits(struct reader *reader)
{
    bool any = is_digit_next(reader);

    while (is_digit_next(reader)) {
        reader->at++;
    }
    return any;
}

/* Passes over any number JSON allows. */
static int skip_number(struct reader *reader)
{
    bool good;

    (void)take(reader, '-');
    good = take(reader, '0') ? !is_digit_next(reader) : skip_digits(reader);
    if (good && take(reader, '.')) {
        good = skip_digits(reader);
    }
    if (good && (take(reader, 'e') || take(reader, 'E'))) {
        (void)(take(reader, '+') || take(reader, '-'));
        good = skip_digits(reader);
    }
    return good ? 0 : syntax_error(reader, "not a value");
}

static int skip_value(struct reader *reader, size_t depth);

/* Passes over the items behind the bracket that 'close' matches. */
static int skip_items(struct reader *reader, char close, size_t depth)
{
    bool more = true;

    if (depth > RECORD_JSON_MAX_DEPTH) {
        return fail(reader, "nested more than %d deep", RECORD_JSON_MAX_DEPTH);
    }
    for (bool first = true; more; first = false) {
        if (next_item(reader, close, first, &more) != 0 ||
            (more && close == '}' && read_name(reader) != 0) ||
            (more && skip_value(reader, depth) != 0)) {
            return -1;
        }
    }
    return 0;
}

/* Passes over a value that no table asks for. */
static int skip_value(struct reader *reader, size_t depth)
{
    if (reader->at < reader->end && *reader->at == '"') {
        return read_string(reader);
    }
    if (take(reader, '{')) {
        return skip_items(reader, '}', depth + 1);
    }
    if (take(reader, '[')) {
        return skip_items(reader, ']', depth + 1);
    }
    if (take_word(reader, "true") || take_word(reader, "false") || take_word(reader, "null")) {
        return 0;
    }
    return skip_number(reader);
}

static int read_format(struct reader *reader, const struct record_json_field *field)
{
    if (read_string(reader) != 0) {
        return -1;
    }
    return strcmp(reader->string, field->format) == 0
               ? 0
               : fail(reader, "must be \"%s\"", field->format);
}

static void lower_case(char *s)
{
    for (; *s != '\0'; s++) {
        if (*s >= 'A' && *s <= 'Z') {
            *s = (char)(*s - 'A' + 'a');
        }
    }
}

static int read_text(struct reader *reader, enum record_json_type type, const char **text)
{
    if (read_string(reader) != 0) {
        return -1;
    }
    if (type == RECORD_JSON_NAME && !text_is_host_name(reader->string)) {
        return fail(reader, "not a host name");
    }
    if (type == RECORD_JSON_UUID) {
        if (!text_is_uuid(reader->string)) {
            return fail(reader, "not a UUID");
        }
        lower_case(reader->string);
    }
    *text = arena_strdup(reader->arena, reader->string);
    return 0;
}

static uint64_t largest_number(enum record_json_type type)
{
    if (type == RECORD_JSON_U32) {
        return UINT32_MAX;
    }
    return type == RECORD_JSON_COUNT ? INT32_MAX : RECORD_JSON_MAX_NUMBER;
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

static int read_number(struct reader *reader, enum record_json_type type, void *member)
{
    const char *first = reader->at;
    uint64_t max = largest_number(type);
    uint64_t number = 0;
    bool good = is_digit_next(reader);

    for (; is_digit_next(reader); reader->at++) {
        number = number * 10 + (uint64_t)(*reader->at - '0');
        good = good && number <= max && (number != 0 || reader->at == first) &&
               (*first != '0' || reader->at == first);
    }
    if (!good || (reader->at < reader->end && strchr(".eE", *reader->at) != NULL)) {
        return fail(reader, "must be an integer from 0 to %" PRIu64, max);
    }
    store_number(type, member, number);
    return 0;
}

static int read_truth(struct reader *reader, bool *truth)
{
    *truth = take_word(reader, "true");
    return *truth || take_word(reader, "false") ? 0 : fail(reader, "must be true or false");
}

static int read_instant(struct reader *reader, int64_t *ms)
{
    if (read_string(reader) != 0) {
        return -1;
    }
    return clock_parse(reader->string, ms)
               ? 0
               : fail(reader, "not an instant such as 2026-11-23T12:00:00Z");
}

static int unknown_name(struct reader *reader, const struct record_json_field *field)
{
    struct text names = text_new(reader->arena);

    for (uint32_t i = 0; i < field->value_count; i++) {
        text_printf(&names, "%s%s", i == 0 ? "" : ", ", field->name_of(i));
    }
    return fail(reader, "must be one of %s", names.data);
}

static int read_enum(struct reader *reader, const struct record_json_field *field, uint32_t *value)
{
    if (read_string(reader) != 0) {
        return -1;
    }
    for (uint32_t i = 0; i < field->value_count; i++) {
        if (strcmp(field->name_of(i), reader->string) == 0) {
            *value = i;
            return 0;
        }
    }
    *value = 0;
    return field->other_is_zero ? 0 : unknown_name(reader, field);
}

/* Steps into a member or item for the paths of errors; tables nest less deep than the path is long. */
static void step_in(struct reader *reader, const char *name)
{
    assert(reader->depth < ARRAY_LEN(reader->path));
    reader->path[reader->depth++] = (struct step){ .name = name };
}

static int read_object(struct reader *reader, const struct record_json_table *table, void *record);

static int read_item(struct reader *reader, const struct record_json_field *field, void *item)
{
    return field->type == RECORD_JSON_LIST ? read_object(reader, field->table, item)
                                           : read_text(reader, RECORD_JSON_TEXT, item);
}

/* Reads an array into one that doubles as it grows. */
static int read_array(struct reader *reader, const struct record_json_field *field, void *record)
{
    size_t size = field->type == RECORD_JSON_LIST ? field->table->size : sizeof(const char *);
    size_t capacity = 8;
    size_t count = 0;
    char *items = arena_alloc(reader->arena, capacity, size);
    bool more;

    if (!take(reader, '[')) {
        return fail(reader, "must be an array");
    }
    if (next_item(reader, ']', true, &more) != 0) {
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
        if (read_item(reader, field, items + count * size) != 0 ||
            next_item(reader, ']', false, &more) != 0) {
            return -1;
        }
        count++;
    }
    reader->depth--;
    *(void **)member_of(field, record) = items;
    *count_of(field, record) = count;
    return 0;
}

static int read_member(struct reader *reader, const struct record_json_field *field, void *record)
{
    void *member = member_of(field, record);
    bool truth;
    uint32_t value;

    switch (field->type) {
    case RECORD_JSON_FORMAT:
        return read_format(reader, field);
    case RECORD_JSON_TEXT:
    case RECORD_JSON_NAME:
    case RECORD_JSON_UUID:
        return read_text(reader, field->type, member);
    case RECORD_JSON_U64:
    case RECORD_JSON_U32:
    case RECORD_JSON_SIZE:
    case RECORD_JSON_COUNT:
        return read_number(reader, field->type, member);
    case RECORD_JSON_BOOL:
        return read_truth(reader, member);
    case RECORD_JSON_MAYBE:
        if (read_truth(reader, &truth) != 0) {
            return -1;
        }
        *(int8_t *)member = truth;
        return 0;
    case RECORD_JSON_INSTANT:
        return read_instant(reader, member);
    case RECORD_JSON_ENUM:
        return read_enum(reader, field, member);
    case RECORD_JSON_CHOICE:
        if (read_enum(reader, field, &value) != 0) {
            return -1;
        }
        *(bool *)member = value == 1;
        return 0;
    case RECORD_JSON_OBJECT:
        return read_object(reader, field->table, member);
    case RECORD_JSON_TEXTS:
    case RECORD_JSON_LIST:
        return read_array(reader, field, record);
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
                      uint64_t *seen, uint64_t *known, void *record)
{
    step_in(reader, field->name);
    if ((*seen & bit) != 0) {
        return fail(reader, "is there twice");
    }
    *seen |= bit;
    if (!take_word(reader, "null")) {
        *known |= bit;
        if (read_member(reader, field, record) != 0) {
            return -1;
        }
    }
    reader->depth--;
    return 0;
}

/* Fills in what the document did not say. */
static int complete(struct reader *reader, const struct record_json_table *table, uint64_t known,
                    void *record)
{
    for (size_t i = 0; i < table->field_count; i++) {
        const struct record_json_field *field = &table->fields[i];

        if ((known & UINT64_C(1) << i) != 0) {
            continue;
        }
        if (field->presence == RECORD_JSON_REQUIRED) {
            step_in(reader, field->name);
            return fail(reader, "is missing");
        }
        store_unknown(field, record);
    }
    return 0;
}

static int read_object(struct reader *reader, const struct record_json_table *table, void *record)
{
    uint64_t seen = 0;
    uint64_t known = 0;
    size_t index = table->field_count - 1;
    bool more = true;

    assert(table->field_count <= RECORD_JSON_MAX_FIELDS);
    if (!take(reader, '{')) {
        return fail(reader, "must be an object");
    }
    for (bool first = true; more; first = false) {
        if (next_item(reader, '}', first, &more) != 0) {
            return -1;
        }
        if (!more) {
            break;
        }
        if (read_name(reader) != 0) {
            return -1;
        }
        index = find_field(table, reader->string, index + 1);
        if (index == table->field_count) {
            if (skip_value(reader, reader->depth) != 0) {
                return -1;
            }
        } else if (read_field(reader, &table->fields[index], UINT64_C(1) << index, &seen, &known,
                              record) != 0) {
            return -1;
        }
    }
    return complete(reader, table, known, record);
}

int record_json_read(struct arena *arena, const char *bytes, size_t length,
                     const struct record_json_table *table, void *record, struct err *err)
{
    struct reader reader = {
        .arena = arena,
        .err = err,
        .begin = bytes,
        .at = bytes,
        .end = bytes + length,
    };

    skip_blanks(&reader);
    if (reader.at == reader.end) {
        return err_set(err, ERR_INVALID, "empty");
    }
    if (read_object(&reader, table, record) != 0) {
        return -1;
    }
    skip_blanks(&reader);
    return reader.at == reader.end ? 0 : syntax_error(&reader, "something follows the end");
}

/* Appends the byte 'byte', which a JSON string cannot hold as it is. */
static void write_escaped(struct text *text, unsigned char byte)
{
    switch (byte) {
    case '"':
        text_append(text, "\\\"");
        break;
    case '\\':
        text_append(text, "\\\\");
        break;
    case '\n':
        text_append(text, "\\n");
        break;
    case '\t':
        text_append(text, "\\t");
        break;
    default:
        if (byte < 0x80) {
            text_printf(text, "\\u%04x", byte);
        } else {
            text_append(text, "\xef\xbf\xbd"); /* U+FFFD */
        }
        break;
    }
}

void record_json_write_string(struct text *text, const char *s)
{
    size_t kept = 0; /* Bytes before it are in the text. */
    size_t length;

    if (s == NULL) {
        text_append(text, "null");
        return;
    }
    length = strlen(s);
    text_append_bytes(text, "\"", 1);
    for (size_t i = 0; i < length;) {
        size_t step = is_plain(s[i])                ? 1
                      : (unsigned char)s[i] >= 0x80 ? utf8_length(s + i, length - i)
                                                    : 0;

        if (step > 0) {
            i += step;
            continue;
        }
        text_append_bytes(text, s + kept, i - kept);
        write_escaped(text, (unsigned char)s[i]);
        kept = ++i;
    }
    text_append_bytes(text, s + kept, length - kept);
    text_append_bytes(text, "\"", 1);
}

static void write_number(struct text *text, uint64_t number)
{
    char digits[20];
    size_t first = sizeof(digits);

    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    text_append_bytes(text, digits + first, sizeof(digits) - first);
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

    record_json_write_string(text, clock_format(ms, instant));
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
            record_json_write_string(text, strings[i]);
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
        record_json_write_string(text, field->format);
        break;
    case RECORD_JSON_TEXT:
    case RECORD_JSON_NAME:
    case RECORD_JSON_UUID:
        record_json_write_string(text, *(const char *const *)member);
        break;
    case RECORD_JSON_U64:
    case RECORD_JSON_U32:
    case RECORD_JSON_SIZE:
    case RECORD_JSON_COUNT:
        write_number(text, load_number(field->type, member));
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
        record_json_write_string(text, field->name_of(*(const uint32_t *)member));
        break;
    case RECORD_JSON_CHOICE:
        record_json_write_string(text, field->name_of(*(const bool *)member));
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
