/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Page: a status document (berth.status/1) as a person wants to read it: what is wrong, what moves, what
 * waits and why.  The same page whether berthd or the journal told the status.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct json_t;
struct text;

/* Appends the page about 'status'.  Lines are at most 'width' columns, broken between words; 0 = as long as
 * they are. */
void page_print(struct text *text, const struct json_t *status, size_t width);

/* Sentences that the page is made of, in 'arena', for whoever shows them in another way: each tells one object
 * of the document. */
const char *page_move(struct arena *arena, const struct json_t *move);
const char *page_moving(struct arena *arena, const struct json_t *moving);
const char *page_block(struct arena *arena, const struct json_t *block);
const char *page_retry(struct arena *arena, const struct json_t *status,
                       const struct json_t *retry);
const char *page_hold(struct arena *arena, const struct json_t *hold);
const char *page_drift(struct arena *arena, const struct json_t *status,
                       const struct json_t *drift);
const char *page_condition(struct arena *arena, const struct json_t *status,
                           const struct json_t *condition);

/* True if 'condition' is known not to hold. */
bool page_is_false(struct arena *arena, const struct json_t *condition);
