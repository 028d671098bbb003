/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * json_token: the words of JSON (RFC 8259), read one after the other from bytes, and written to a text.
 * What they mean together is model/record_json.h's.  Pure.
 *
 * Failures are ERR_INVALID: "line 3: expected ':'" where it is not JSON, else what the value must be.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct text;

#define JSON_TOKEN_MAX_TEXT   ((size_t)4096)      /* Bytes of one string. */
#define JSON_TOKEN_MAX_NUMBER (UINT64_C(1) << 53) /* Every JSON reader keeps integers up to it. */
#define JSON_TOKEN_MAX_DEPTH  16                  /* Of what is passed over. */

/* Where reading stands.  'begin', 'at' and 'end' are the reader's user's to set at first. */
struct json_token_reader {
    const char *begin;
    const char *at;
    const char *end;
    char string[JSON_TOKEN_MAX_TEXT + 4]; /* The last one read, decoded. */
};

/* Passes over white space. */
void json_token_skip_blanks(struct json_token_reader *reader);

/* Passes over 'c', or 'word', if it is next; false if not. */
bool json_token_take(struct json_token_reader *reader, char c);
bool json_token_take_word(struct json_token_reader *reader, const char *word);

/* Between the items of an array or object that ends in 'close': whether one more follows, at which the
 * reader then stands.  'first' before the first. */
int json_token_next(struct json_token_reader *reader, char close, bool first, bool *more,
                    struct err *err);

/* Reads a string into reader->string.  An escaped NUL, which would end it early, is refused. */
int json_token_string(struct json_token_reader *reader, struct err *err);

/* Reads the name of a member into reader->string, and passes over the colon. */
int json_token_name(struct json_token_reader *reader, struct err *err);

/* Reads an integer from 0 to 'max' (<= JSON_TOKEN_MAX_NUMBER). */
int json_token_number(struct json_token_reader *reader, uint64_t max, uint64_t *number,
                      struct err *err);

/* Reads true or false. */
int json_token_truth(struct json_token_reader *reader, bool *truth, struct err *err);

/* Passes over any value; 'depth' is how deep it already stands. */
int json_token_skip(struct json_token_reader *reader, size_t depth, struct err *err);

/* Checks that nothing but white space is left. */
int json_token_end(struct json_token_reader *reader, struct err *err);

/* Appends 's' as a JSON string, or null.  Bytes that are not UTF-8 become U+FFFD; controls that a terminal
 * might obey are escaped, U+0080..U+009F included. */
void json_token_write_string(struct text *text, const char *s);

/* Appends 'number' in decimal. */
void json_token_write_number(struct text *text, uint64_t number);
