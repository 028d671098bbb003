/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * supply_json: supplies as JSON, "berth.supplies/1", as the journal keeps them.  Pure.
 */

#include <stddef.h>

struct arena;
struct err;
struct supply_list;

/* The text of 'list', one for one list, in 'arena'. */
char *supply_json_write(struct arena *arena, const struct supply_list *list);

/* The list that 'bytes' tell of, in 'arena'.  ERR_INVALID: they tell of none. */
int supply_json_read(struct arena *arena, const char *bytes, size_t length,
                     struct supply_list *list, struct err *err);
