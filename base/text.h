/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Text: a growing string in an arena, and the few questions about strings that every layer asks.
 *
 * A text never fails: out of memory aborts (base/arena.h).  'data' is NUL-terminated after every
 * call.  Pure; any thread that owns the arena.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

struct arena;

struct text {
    struct arena *arena;
    char *data;
    size_t length; /* Bytes before the NUL. */
    size_t capacity;
};

/* An empty text whose storage comes from 'arena'. */
struct text text_new(struct arena *arena);

/* The same with room for 'size' bytes before it has to grow. */
struct text text_new_sized(struct arena *arena, size_t size);

/* Appends formatted output. */
void text_printf(struct text *text, const char *fmt, ...) PRINTF(2, 3);

/* Appends the string 's'. */
void text_append(struct text *text, const char *s);

/* Appends 'length' bytes. */
void text_append_bytes(struct text *text, const char *bytes, size_t length);

/* Appends the character 'c' 'count' times. */
void text_fill(struct text *text, char c, size_t count);

/* Formatted string living in 'arena'. */
char *text_format(struct arena *arena, const char *fmt, ...) PRINTF(2, 3);

/* Copy of the 'length' bytes at 's' as a string in 'arena'. */
char *text_copy(struct arena *arena, const char *s, size_t length);

/* The same without those bytes at both ends that are in 'blanks'. */
char *text_trim(struct arena *arena, const char *s, size_t length, const char *blanks);

/* 's' as it may be shown within a line of a terminal: characters that would steer one (U+0000..U+001F,
 * U+007F..U+009F, line separators, changes of writing direction) are '?'.  For names and sentences from
 * outside.  's' itself if there is none, else a copy in 'arena'. */
const char *text_visible(struct arena *arena, const char *s);

/* Columns that the 'length' bytes of UTF-8 at 's' take, as far as one character is one column. */
size_t text_columns(const char *s, size_t length);

/* True if both are NULL or equal. */
bool text_equal(const char *a, const char *b);

/* strcmp() where NULL sorts first: a total order for comparators. */
int text_compare(const char *a, const char *b);

/* Sorts 'count' items of 'size' bytes by their bytes' order: strings, or structs whose first member is one.  NULL is
 * allowed for none. */
void text_sort(void *items, size_t count, size_t size);

/* Sorts 'count' strings and drops repetitions; returns how many are left. */
size_t text_sort_unique(const char **texts, size_t count);

/* The one of items that are sorted like that which is, or begins with, 'text'; NULL if there is none. */
void *text_find(const char *text, const void *items, size_t count, size_t size);

/* True if 's' is a host name as contract.md §2 allows: letters, digits, '-', '.', '_'; 1..253 bytes,
 * no empty label, no label of more than 63 bytes. */
bool text_is_host_name(const char *s);

/* True if 's' is a UUID in the canonical form 8-4-4-4-12 of hexadecimal digits. */
bool text_is_uuid(const char *s);

/* Reads a decimal number without sign or blanks that ends the string; false if it does not parse or
 * exceeds 'max'. */
bool text_to_u64(const char *s, uint64_t max, uint64_t *value);

/* Index of 'name' among 'count' names, or 'count': for enums with stable names. */
size_t text_index(const char *const *names, size_t count, const char *name);
