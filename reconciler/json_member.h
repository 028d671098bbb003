/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * json_member: members of JSON objects, and items of arrays, appended to a text one after the other; commas
 * come by themselves.  Pure.
 */

#include <stdbool.h>
#include <stdint.h>

struct text;

/* Appends a comma unless an object or array has just been opened: before an item of an array. */
void json_member_next(struct text *json);

/* Appends '"NAME":', ready for a value or an opening bracket. */
void json_member_name(struct text *json, const char *name);

/* The same with a value: a string (NULL = null), a number, yes or no, an instant (0 = null). */
void json_member_string(struct text *json, const char *name, const char *value);
void json_member_number(struct text *json, const char *name, uint64_t value);
void json_member_signed(struct text *json, const char *name, int64_t value);
void json_member_flag(struct text *json, const char *name, bool value);
void json_member_instant(struct text *json, const char *name, int64_t wall_ms);
