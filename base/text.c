/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

#define TEXT_FIRST_BYTES ((size_t)64)

#define HOST_NAME_MAX_BYTES  253
#define HOST_LABEL_MAX_BYTES 63

static void reserve(struct text *text, size_t more)
{
    size_t need = text->length + more + 1;
    size_t capacity = text->capacity;
    char *data;

    if (need <= capacity) {
        return;
    }
    while (capacity < need) {
        capacity *= 2;
    }
    data = arena_alloc(text->arena, capacity, 1);
    memcpy(data, text->data, text->length + 1);
    text->data = data;
    text->capacity = capacity;
}

static void PRINTF(2, 0) append_va(struct text *text, const char *fmt, va_list args)
{
    va_list again;
    int length;

    va_copy(again, args);
    length = vsnprintf(NULL, 0, fmt, args);
    if (length < 0) {
        abort();
    }
    reserve(text, (size_t)length);
    (void)vsnprintf(text->data + text->length, (size_t)length + 1, fmt, again);
    va_end(again);
    text->length += (size_t)length;
}

struct text text_new(struct arena *arena)
{
    return text_new_sized(arena, TEXT_FIRST_BYTES);
}

struct text text_new_sized(struct arena *arena, size_t size)
{
    size_t capacity = size < TEXT_FIRST_BYTES ? TEXT_FIRST_BYTES : size + 1;
    struct text text = { .arena = arena, .capacity = capacity };

    text.data = arena_alloc(arena, capacity, 1);
    return text;
}

void text_printf(struct text *text, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    append_va(text, fmt, args);
    va_end(args);
}

void text_append(struct text *text, const char *s)
{
    text_append_bytes(text, s, strlen(s));
}

void text_append_bytes(struct text *text, const char *bytes, size_t length)
{
    reserve(text, length);
    memcpy(text->data + text->length, bytes, length);
    text->length += length;
    text->data[text->length] = '\0';
}

void text_fill(struct text *text, char c, size_t count)
{
    reserve(text, count);
    memset(text->data + text->length, c, count);
    text->length += count;
    text->data[text->length] = '\0';
}

char *text_format(struct arena *arena, const char *fmt, ...)
{
    struct text text = text_new(arena);
    va_list args;

    va_start(args, fmt);
    append_va(&text, fmt, args);
    va_end(args);
    return text.data;
}

char *text_copy(struct arena *arena, const char *s, size_t length)
{
    char *copy = arena_alloc(arena, length + 1, 1);

    memcpy(copy, s, length);
    return copy;
}

char *text_trim(struct arena *arena, const char *s, size_t length, const char *blanks)
{
    while (length > 0 && strchr(blanks, *s) != NULL) {
        s++;
        length--;
    }
    while (length > 0 && strchr(blanks, s[length - 1]) != NULL) {
        length--;
    }
    return text_copy(arena, s, length);
}

/* Bytes of the character at 's' if it would steer a terminal, else 0. */
static size_t steering_length(const char *s)
{
    const unsigned char *u = (const unsigned char *)s;

    if (u[0] < 0x20 || u[0] == 0x7f) {
        return 1;
    }
    if (u[0] == 0xc2 && u[1] >= 0x80 && u[1] <= 0x9f) { /* C1: one of them begins a sequence too. */
        return 2;
    }
    if (u[0] == 0xe2 && u[1] == 0x80 && u[2] >= 0xa8 && u[2] <= 0xae) { /* U+2028..U+202E */
        return 3;
    }
    return u[0] == 0xe2 && u[1] == 0x81 && u[2] >= 0xa6 && u[2] <= 0xa9 ? 3
                                                                        : 0; /* U+2066..U+2069 */
}

const char *text_visible(struct arena *arena, const char *s)
{
    size_t clean = 0;
    struct text text;

    while (s[clean] != '\0' && steering_length(s + clean) == 0) {
        clean++;
    }
    if (s[clean] == '\0') {
        return s;
    }
    text = text_new(arena);
    text_append_bytes(&text, s, clean);
    for (s += clean; *s != '\0';) {
        size_t length = steering_length(s);

        text_append_bytes(&text, length > 0 ? "?" : s, 1);
        s += length > 0 ? length : 1;
    }
    return text.data;
}

size_t text_columns(const char *s, size_t length)
{
    size_t columns = 0;

    for (size_t i = 0; i < length; i++) {
        columns += ((unsigned char)s[i] & 0xC0) != 0x80;
    }
    return columns;
}

bool text_equal(const char *a, const char *b)
{
    return text_compare(a, b) == 0;
}

int text_compare(const char *a, const char *b)
{
    if (a == NULL || b == NULL) {
        return (a != NULL) - (b != NULL);
    }
    return strcmp(a, b);
}

static int compare_first(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int compare_key(const void *text, const void *item)
{
    return strcmp(text, *(const char *const *)item);
}

void text_sort(void *items, size_t count, size_t size)
{
    if (count > 1) {
        qsort(items, count, size, compare_first);
    }
}

size_t text_sort_unique(const char **texts, size_t count)
{
    size_t kept = 0;

    text_sort(texts, count, sizeof(*texts));
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || strcmp(texts[kept - 1], texts[i]) != 0) {
            texts[kept++] = texts[i];
        }
    }
    return kept;
}

void *text_find(const char *text, const void *items, size_t count, size_t size)
{
    return count == 0 ? NULL : bsearch(text, items, count, size, compare_key);
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

bool text_is_host_name(const char *s)
{
    size_t label = 0;
    size_t i = 0;

    for (; s[i] != '\0'; i++) {
        if (i == HOST_NAME_MAX_BYTES) {
            return false;
        }
        if (s[i] == '.') {
            if (label == 0) {
                return false;
            }
            label = 0;
        } else if (!is_name_byte(s[i]) || ++label > HOST_LABEL_MAX_BYTES) {
            return false;
        }
    }
    return label > 0 && s[0] != '-';
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool text_is_uuid(const char *s)
{
    const size_t length = 36;

    for (size_t i = 0; i < length; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? s[i] != '-' : !is_hex(s[i])) {
            return false;
        }
    }
    return s[length] == '\0';
}

bool text_to_u64(const char *s, uint64_t max, uint64_t *value)
{
    uint64_t sum = 0;

    if (*s == '\0') {
        return false;
    }
    for (; *s != '\0'; s++) {
        if (*s < '0' || *s > '9' || __builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, (uint64_t)(*s - '0'), &sum)) {
            return false;
        }
    }
    if (sum > max) {
        return false;
    }
    *value = sum;
    return true;
}

size_t text_index(const char *const *names, size_t count, const char *name)
{
    size_t i = 0;

    while (i < count && strcmp(names[i], name) != 0) {
        i++;
    }
    return i;
}
