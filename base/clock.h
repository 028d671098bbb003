/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Clock: wall-clock instants as values, and their text form.  Reading a clock is base/loop.h's.
 *
 * An instant is int64_t milliseconds since 1970-01-01T00:00:00Z; its text is RFC 3339 in UTC with
 * whole seconds, "2026-11-23T12:00:00Z".  Pure.
 */

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_TEXT_SIZE 32

/* Days from 1970-01-01 to a date of the Gregorian calendar, and the date of such a day. */
int64_t clock_days(int64_t year, int64_t month, int64_t day);
void clock_date(int64_t days, int64_t *year, int64_t *month, int64_t *day);

/* Writes the text form of 'wall_ms' into 'buffer' and returns it.  Years 0000..9999. */
char *clock_format(int64_t wall_ms, char buffer[CLOCK_TEXT_SIZE]);

/* Reads the text form (fractions of a second are allowed and cut to milliseconds); false if 's' is
 * anything else. */
bool clock_parse(const char *s, int64_t *wall_ms);

/* Writes a duration the way people say it: "850 ms", "12 s", "3 min 20 s", "2 h 5 min". */
char *clock_format_duration(int64_t duration_ms, char buffer[CLOCK_TEXT_SIZE]);
