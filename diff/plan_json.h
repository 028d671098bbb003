/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * plan_json: a plan as JSON, format "berth.plan/1" (contract.md §5), and back (the journal keeps the
 * active plan).  A codec in the sense of R1.
 */

#include <stddef.h>

struct arena;
struct err;
struct plan;
struct text;

/* Appends the JSON, one line a move, ending in a newline; byte-stable. */
void plan_json_write(struct text *text, const struct plan *plan);

/* Reads what plan_json_write() wrote; anything else is ERR_INVALID. */
int plan_json_read(struct arena *arena, const char *bytes, size_t length, struct plan *plan,
                   struct err *err);
