/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Calendar: expressions for points in local time that return, such as "Mon..Fri 22:00" or
 * "*-*-01 03:00 Europe/Berlin".
 *
 * The notation is that of systemd.time(7), 'Calendar Events', less fractions of seconds and years of two
 * digits; berth.conf(5) describes what is read.  Every part is a set of values, so that two ways to write
 * the same points in time are equal.
 */

#include <stdbool.h>
#include <stdint.h>

#define CALENDAR_YEAR_MIN 1970 /* The range of systemd. */
#define CALENDAR_YEAR_MAX 2199

struct arena;
struct err;

/* Bit i stands for the value i, in 'years' for CALENDAR_YEAR_MIN + i. */
struct calendar {
    uint64_t seconds;
    uint64_t minutes;
    uint64_t hours;
    uint64_t days; /* 'from_end': 1 is the last day of the month. */
    uint64_t months;
    uint64_t years[4];
    uint64_t weekdays; /* Bit 0 is Monday. */
    bool from_end;
    const char *zone; /* Of reconciler/zone.h; NULL = the expression names none. */
};

/* Reads an expression; a zone it names exists on this machine.  -1 with ERR_INVALID and a text that names
 * the part and what is wrong with it, without echoing it.  The zone's name lives in 'arena'. */
int calendar_parse(struct arena *arena, const char *text, struct calendar *calendar,
                   struct err *err);

/* The first instant after 'after_ms' (base/clock.h) that the expression means, in '*next_ms'; false if
 * there is none until the end of CALENDAR_YEAR_MAX.  As with systemd, a local time that clocks put forward
 * leave out does not come on that day, and one that clocks put back bring twice counts once, the first
 * time. */
bool calendar_next(const struct calendar *calendar, int64_t after_ms, int64_t *next_ms);

/* The expression in one form for all ways to write it, "Mon..Fri *-*-* 22:00:00 Europe/Berlin". */
const char *calendar_text(struct arena *arena, const struct calendar *calendar);
