/* SPDX-License-Identifier: Apache-2.0 */
#include "model/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

#define FAULT_TEXT_SIZE 1024

struct faults fault_list(struct arena *arena)
{
    return (struct faults){ .arena = arena };
}

static void make_room(struct faults *faults)
{
    size_t capacity = faults->capacity == 0 ? 16 : faults->capacity * 2;
    struct fault *items = ARENA_ARRAY(faults->arena, struct fault, capacity);

    if (faults->count > 0) {
        memcpy(items, faults->items, faults->count * sizeof(*items));
    }
    faults->items = items;
    faults->capacity = capacity;
}

/* A fault is one line whatever it quotes: control characters, which could steer a terminal, become
 * '?'; U+0080 to U+009F are some too. */
static void make_printable(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c != '\0'; c++) {
        if (*c < 0x20 || *c == 0x7f) {
            *c = '?';
        } else if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0) {
            c[0] = '?';
            c[1] = '?';
        }
    }
}

/* Ends the text before the character that its buffer's end may have cut in two. */
static void drop_last_character(char *text)
{
    size_t length = strlen(text);

    while (length > 0 && ((unsigned char)text[length - 1] & 0xc0U) == 0x80) {
        length--;
    }
    if (length > 0) {
        text[length - 1] = '\0';
    }
}

void fault_add(struct faults *faults, uint32_t line, const char *fmt, ...)
{
    char text[FAULT_TEXT_SIZE];
    va_list args;
    int length;

    if (faults->count == FAULTS_MAX) {
        faults->dropped++;
        return;
    }
    va_start(args, fmt);
    length = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (length >= (int)sizeof(text)) {
        drop_last_character(text);
    }
    make_printable(text);
    if (faults->count == faults->capacity) {
        make_room(faults);
    }
    faults->items[faults->count].line = line;
    faults->items[faults->count].text = arena_strdup(faults->arena, text);
    faults->count++;
}

static int compare(const void *a, const void *b)
{
    const struct fault *left = a;
    const struct fault *right = b;

    if (left->line != right->line) {
        return left->line < right->line ? -1 : 1;
    }
    return strcmp(left->text, right->text);
}

void fault_sort(struct faults *faults)
{
    size_t kept = 0;

    if (faults->count < 2) {
        return;
    }
    qsort(faults->items, faults->count, sizeof(*faults->items), compare);
    for (size_t i = 1; i < faults->count; i++) {
        if (compare(&faults->items[kept], &faults->items[i]) != 0) {
            faults->items[++kept] = faults->items[i];
        }
    }
    faults->count = kept + 1;
}
