/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * supply_json: supplies as JSON, "berth.supplies/1" where they stand alone (an object of the journal), and as
 * members of other documents.  Pure.
 */

#include <stddef.h>

#include "model/record_json.h"

struct arena;
struct err;
struct supply_list;

/* Of struct supply, for the tables of other documents. */
extern const struct record_json_table supply_json_table;

/* The text of 'list', one for one list, in 'arena'. */
char *supply_json_write(struct arena *arena, const struct supply_list *list);

/* The list that 'bytes' tell of, in 'arena'.  ERR_INVALID: they tell of none. */
int supply_json_read(struct arena *arena, const char *bytes, size_t length,
                     struct supply_list *list, struct err *err);
