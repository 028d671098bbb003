/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Document: what a berthd answers, taken apart with care: whatever a member is not, is as if it were
 * absent, and strings come out fit to be shown (text_visible()).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

struct arena;
struct err;
struct json_t;

struct document {
    struct json_t *root; /* An object; NULL = nothing was read. */
};

/* Reads an object that says it is 'format' (NULL: any).  ERR_FAILED: it is none; ERR_INCOMPATIBLE:
 * another version's. */
int document_parse(struct document *document, const char *bytes, size_t length, const char *format,
                   struct err *err);
void document_deinit(struct document *document);

AUTO_VALUE(document, struct document, document_deinit);

/* The member 'name' of 'object'; of no object (NULL) there is none.  Absent is NULL, 0, false. */
const char *document_string(struct arena *arena, const struct json_t *object, const char *name);
const char *document_word(struct arena *arena, const struct json_t *object,
                          const char *name); /* A string; absent is "?". */
int64_t document_number(const struct json_t *object, const char *name);
bool document_flag(const struct json_t *object, const char *name);
int64_t document_instant(const struct json_t *object, const char *name); /* Wall clock, in ms. */
const struct json_t *document_object(const struct json_t *object, const char *name);

/* True if the member is a whole number. */
bool document_is_number(const struct json_t *object, const char *name);

/* How many objects the array 'name' holds, and the one at 'index'. */
size_t document_count(const struct json_t *object, const char *name);
const struct json_t *document_item(const struct json_t *object, const char *name, size_t index);
