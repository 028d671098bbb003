/* SPDX-License-Identifier: Apache-2.0 */
#include "model/check.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"

/* Longest evidence: two host names of full length, a path and a sentence fit. */
#define EVIDENCE_SIZE 2048

struct check_list check_list(struct arena *arena)
{
    return (struct check_list){ .arena = arena };
}

static struct check *new_item(struct check_list *list)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? CHECK_KIND_COUNT : 2 * list->capacity;
        struct check *items = ARENA_ARRAY(list->arena, struct check, capacity);

        if (list->count > 0) {
            memcpy(items, list->items, list->count * sizeof(*items));
        }
        list->items = items;
        list->capacity = capacity;
    }
    return &list->items[list->count++];
}

static void append(struct check_list *list, const struct check *check)
{
    struct check *item = new_item(list);

    *item = *check;
    item->evidence = arena_strdup(list->arena, check->evidence);
    item->change = arena_strdup_maybe(list->arena, check->change);
}

PRINTF(3, 0)
static void append_formatted(struct check_list *list, struct check check, const char *fmt,
                             va_list args)
{
    char evidence[EVIDENCE_SIZE];

    (void)vsnprintf(evidence, sizeof(evidence), fmt, args);
    check.evidence = evidence;
    append(list, &check);
}

void check_pass(struct check_list *list, enum check_kind kind, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    append_formatted(list, (struct check){ .kind = kind, .result = CHECK_PASSED }, fmt, args);
    va_end(args);
}

void check_warn(struct check_list *list, enum check_kind kind, const char *change, const char *fmt,
                ...)
{
    struct check check = { .kind = kind, .result = CHECK_WARNED, .change = change };
    va_list args;

    va_start(args, fmt);
    append_formatted(list, check, fmt, args);
    va_end(args);
}

void check_skip(struct check_list *list, enum check_kind kind, const char *change, const char *fmt,
                ...)
{
    struct check check = { .kind = kind, .result = CHECK_SKIPPED, .change = change };
    va_list args;

    va_start(args, fmt);
    append_formatted(list, check, fmt, args);
    va_end(args);
}

void check_fail(struct check_list *list, enum check_kind kind, enum err_code code,
                const char *change, const char *fmt, ...)
{
    struct check check = { .kind = kind, .result = CHECK_FAILED, .code = code, .change = change };
    va_list args;

    assert(code != ERR_NONE);
    va_start(args, fmt);
    append_formatted(list, check, fmt, args);
    va_end(args);
}

void check_fail_err(struct check_list *list, enum check_kind kind, const struct err *err)
{
    check_fail(list, kind, err->code, NULL, "%s", err->text);
}

void check_add(struct check_list *list, const struct check *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        append(list, &items[i]);
    }
}

size_t check_count(const struct check *items, size_t count, enum check_result result)
{
    size_t found = 0;

    for (size_t i = 0; i < count; i++) {
        found += items[i].result == result;
    }
    return found;
}

int check_judge(const struct check_list *list, const char *guest, const char *from, const char *to,
                struct err *err)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct check *check = &list->items[i];

        if (check->result == CHECK_FAILED && (from == NULL || strcmp(from, to) == 0)) {
            return err_set(err, check->code, "cannot start guest '%s' on '%s': check '%s': %s",
                           guest, to, check_kind_name(check->kind), check_text(list->arena, check));
        }
        if (check->result == CHECK_FAILED) {
            return err_set(err, check->code,
                           "cannot move guest '%s' from '%s' to '%s': check '%s': %s", guest, from,
                           to, check_kind_name(check->kind), check_text(list->arena, check));
        }
    }
    return 0;
}

const char *check_text(struct arena *arena, const struct check *check)
{
    return check->change == NULL ? check->evidence
                                 : text_format(arena, "%s: %s", check->evidence, check->change);
}

const char *check_kind_name(enum check_kind kind)
{
    static const char *const names[CHECK_KIND_COUNT] = {
#define CHECK_KIND(name, text) [CHECK_##name] = (text),
        CHECK_KINDS
#undef CHECK_KIND
    };

    assert(kind < CHECK_KIND_COUNT);
    return names[kind];
}

const char *check_result_name(enum check_result result)
{
    static const char *const names[CHECK_RESULT_COUNT] = {
        [CHECK_PASSED] = "passed",
        [CHECK_WARNED] = "warned",
        [CHECK_SKIPPED] = "skipped",
        [CHECK_FAILED] = "failed",
    };

    assert(result < CHECK_RESULT_COUNT);
    return names[result];
}
