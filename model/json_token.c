/* SPDX-License-Identifier: Apache-2.0 */
#include "model/json_token.h"

#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"

/* What is not JSON is told with its line. */
static int syntax_error(const struct json_token_reader *reader, const char *reason, struct err *err)
{
    size_t line = 1;

    for (const char *c = reader->begin; c < reader->at; c++) {
        line += *c == '\n';
    }
    return err_set(err, ERR_INVALID, "line %zu: %s", line,
                   reader->at == reader->end ? "ends too early" : reason);
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

static bool take_hex(struct json_token_reader *reader, uint32_t *unit)
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
static bool take_unicode(struct json_token_reader *reader, uint32_t *code)
{
    uint32_t low;

    if (!take_hex(reader, code) || *code == 0 || (*code >= 0xdc00 && *code <= 0xdfff)) {
        return false;
    }
    if (*code < 0xd800 || *code > 0xdbff) {
        return true;
    }
    if (!json_token_take_word(reader, "\\u") || !take_hex(reader, &low) || low < 0xdc00 ||
        low > 0xdfff) {
        return false;
    }
    *code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

/* Decodes what follows a backslash to 'out'; its length, or 0. */
static size_t take_escape(struct json_token_reader *reader, char *out)
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
    return json_token_take(reader, 'u') && take_unicode(reader, &code) ? put_utf8(out, code) : 0;
}

/* True for the bytes that stand for themselves in a string. */
static bool is_plain(char c)
{
    return (unsigned char)c >= ' ' && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

void json_token_skip_blanks(struct json_token_reader *reader)
{
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\n' ||
                                        *reader->at == '\t' || *reader->at == '\r')) {
        reader->at++;
    }
}

bool json_token_take(struct json_token_reader *reader, char c)
{
    if (reader->at == reader->end || *reader->at != c) {
        return false;
    }
    reader->at++;
    return true;
}

bool json_token_take_word(struct json_token_reader *reader, const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, word, length) != 0) {
        return false;
    }
    reader->at += length;
    return true;
}

int json_token_next(struct json_token_reader *reader, char close, bool first, bool *more,
                    struct err *err)
{
    json_token_skip_blanks(reader);
    *more = !json_token_take(reader, close);
    if (!*more || first) {
        return 0;
    }
    if (!json_token_take(reader, ',')) {
        return syntax_error(reader, close == '}' ? "expected ',' or '}'" : "expected ',' or ']'",
                            err);
    }
    json_token_skip_blanks(reader);
    return 0;
}

/* Decodes one character of a string to 'out', at most four bytes. */
static int read_character(struct json_token_reader *reader, char *out, size_t *length,
                          struct err *err)
{
    if (reader->at == reader->end) {
        return syntax_error(reader, "", err);
    }
    if (is_plain(*reader->at)) {
        *out = *reader->at++;
        *length = 1;
        return 0;
    }
    if (json_token_take(reader, '\\')) {
        *length = take_escape(reader, out);
    } else {
        bool control = (unsigned char)*reader->at < ' ';

        *length = control ? 0 : utf8_length(reader->at, (size_t)(reader->end - reader->at));
        memcpy(out, reader->at, *length);
        reader->at += *length;
    }
    return *length > 0 ? 0 : syntax_error(reader, "not a valid character of a string", err);
}

int json_token_string(struct json_token_reader *reader, struct err *err)
{
    size_t used = 0;
    size_t length = 0;

    if (!json_token_take(reader, '"')) {
        return err_set(err, ERR_INVALID, "must be a string");
    }
    while (!json_token_take(reader, '"')) {
        if (used >= JSON_TOKEN_MAX_TEXT) {
            return err_set(err, ERR_INVALID, "longer than %zu bytes", JSON_TOKEN_MAX_TEXT);
        }
        if (read_character(reader, reader->string + used, &length, err) != 0) {
            return -1;
        }
        used += length;
    }
    reader->string[used] = '\0';
    return 0;
}

int json_token_name(struct json_token_reader *reader, struct err *err)
{
    if (reader->at == reader->end || *reader->at != '"') {
        return syntax_error(reader, "expected a member's name in quotes", err);
    }
    if (json_token_string(reader, err) != 0) {
        return -1;
    }
    json_token_skip_blanks(reader);
    if (!json_token_take(reader, ':')) {
        return syntax_error(reader, "expected ':'", err);
    }
    json_token_skip_blanks(reader);
    return 0;
}

static bool is_digit_next(const struct json_token_reader *reader)
{
    return reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9';
}

static bool skip_digits(struct json_token_reader *reader)
{
    bool any = is_digit_next(reader);

    while (is_digit_next(reader)) {
        reader->at++;
    }
    return any;
}

int json_token_number(struct json_token_reader *reader, uint64_t max, uint64_t *number,
                      struct err *err)
{
    const char *first = reader->at;
    uint64_t sum = 0;
    bool good = is_digit_next(reader);

    for (; is_digit_next(reader); reader->at++) {
        good = good && (*first != '0' || reader->at == first);
        if (sum <= max) { /* Else it is too large already and must not wrap around. */
            sum = sum * 10 + (uint64_t)(*reader->at - '0');
        }
    }
    if (reader->at < reader->end && strchr(".eE", *reader->at) != NULL && *reader->at != '\0') {
        good = false;
    }
    if (!good || sum > max) {
        return err_set(err, ERR_INVALID, "must be an integer from 0 to %" PRIu64, max);
    }
    *number = sum;
    return 0;
}

int json_token_truth(struct json_token_reader *reader, bool *truth, struct err *err)
{
    bool found = json_token_take_word(reader, "true");

    if (!found && !json_token_take_word(reader, "false")) {
        return err_set(err, ERR_INVALID, "must be true or false");
    }
    *truth = found;
    return 0;
}

/* Passes over any number JSON allows. */
static int skip_number(struct json_token_reader *reader, struct err *err)
{
    bool good;

    (void)json_token_take(reader, '-');
    good = json_token_take(reader, '0') ? !is_digit_next(reader) : skip_digits(reader);
    if (good && json_token_take(reader, '.')) {
        good = skip_digits(reader);
    }
    if (good && (json_token_take(reader, 'e') || json_token_take(reader, 'E'))) {
        (void)(json_token_take(reader, '+') || json_token_take(reader, '-'));
        good = skip_digits(reader);
    }
    return good ? 0 : syntax_error(reader, "not a value", err);
}

/* Passes over the rest of a string, of any length. */
static int skip_string(struct json_token_reader *reader, struct err *err)
{
    char character[4];
    size_t length;

    while (!json_token_take(reader, '"')) {
        if (read_character(reader, character, &length, err) != 0) {
            return -1;
        }
    }
    return 0;
}

/* Passes over the items behind the bracket that 'close' matches. */
static int skip_items(struct json_token_reader *reader, char close, size_t depth, struct err *err)
{
    bool more = true;

    if (depth > JSON_TOKEN_MAX_DEPTH) {
        return err_set(err, ERR_INVALID, "nested more than %d deep", JSON_TOKEN_MAX_DEPTH);
    }
    for (bool first = true; more; first = false) {
        if (json_token_next(reader, close, first, &more, err) != 0 ||
            (more && close == '}' && json_token_name(reader, err) != 0) ||
            (more && json_token_skip(reader, depth, err) != 0)) {
            return -1;
        }
    }
    return 0;
}

int json_token_skip(struct json_token_reader *reader, size_t depth, struct err *err)
{
    if (json_token_take(reader, '"')) {
        return skip_string(reader, err);
    }
    if (json_token_take(reader, '{')) {
        return skip_items(reader, '}', depth + 1, err);
    }
    if (json_token_take(reader, '[')) {
        return skip_items(reader, ']', depth + 1, err);
    }
    if (json_token_take_word(reader, "true") || json_token_take_word(reader, "false") ||
        json_token_take_word(reader, "null")) {
        return 0;
    }
    return skip_number(reader, err);
}

int json_token_end(struct json_token_reader *reader, struct err *err)
{
    json_token_skip_blanks(reader);
    return reader->at == reader->end ? 0 : syntax_error(reader, "something follows the end", err);
}

/* True at a character of U+0080..U+009F: JSON may hold it raw, but some terminals obey it. */
static bool is_late_control(const char *s)
{
    const unsigned char *u = (const unsigned char *)s;

    return u[0] == 0xc2 && u[1] >= 0x80 && u[1] <= 0x9f;
}

/* Bytes at 's', which 'room' end, that a string is written with as they are; 0 if they must not be. */
static size_t plain_length(const char *s, size_t room)
{
    if (is_plain(*s)) {
        return 1;
    }
    return (unsigned char)*s < 0x80 || is_late_control(s) ? 0 : utf8_length(s, room);
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

void json_token_write_string(struct text *text, const char *s)
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
        size_t step = plain_length(s + i, length - i);

        if (step > 0) {
            i += step;
            continue;
        }
        text_append_bytes(text, s + kept, i - kept);
        if (is_late_control(s + i)) {
            i++; /* The byte behind 0xc2 is the number of the character. */
            text_printf(text, "\\u%04x", (unsigned char)s[i]);
        } else {
            write_escaped(text, (unsigned char)s[i]);
        }
        kept = ++i;
    }
    text_append_bytes(text, s + kept, length - kept);
    text_append_bytes(text, "\"", 1);
}

void json_token_write_number(struct text *text, uint64_t number)
{
    char digits[20];
    size_t first = sizeof(digits);

    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    text_append_bytes(text, digits + first, sizeof(digits) - first);
}
