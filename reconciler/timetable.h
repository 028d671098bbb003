/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Timetable: what berth.conf says about when moves may start and when drift is corrected, as a value.
 * Whether a move may start now is reconciler/opening.h's answer.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reconciler/calendar.h"

struct text;

/* [window NAME]: open from each point of 'opens' for 'lasts_ms'.  Openings may overlap. */
struct timetable_window {
    const char *name;
    struct calendar opens;
    int64_t lasts_ms; /* > 0 */
};

/* What a blackout keeps from being moved: everything, or what is to do with these hosts and guests. */
struct timetable_scope {
    bool fleet;
    const char *const *hosts;
    size_t host_count;
    const char *const *guests;
    size_t guest_count;
};

/* [blackout NAME]: nothing starts in [from, until). */
struct timetable_blackout {
    const char *name;
    int64_t from_ms;
    int64_t until_ms; /* > from_ms */
    struct timetable_scope scope;
};

/* 'window = NAME...' of the fleet, a host or a guest: open while one of them is.  Without any, always. */
struct timetable_gate {
    const char *owner; /* Name of the host or guest; NULL = the fleet. */
    const char *const *names;
    const struct timetable_window *const *windows; /* The same, found. */
    size_t count;
};

struct timetable {
    const struct timetable_window *windows; /* Sorted by name, unique. */
    size_t window_count;
    const struct timetable_blackout *blackouts; /* Sorted by name, unique. */
    size_t blackout_count;
    struct timetable_gate fleet;
    const struct timetable_gate *hosts; /* Those with a window, sorted by owner, unique. */
    size_t host_count;
    const struct timetable_gate *guests; /* The same. */
    size_t guest_count;
    const char *zone;             /* Where an expression names none; NULL = that of this machine. */
    const struct calendar *drift; /* When drift is corrected; NULL = whenever it is seen. */
};

/* The gate of one host or guest, or NULL if it has none of its own. */
const struct timetable_gate *timetable_find_host(const struct timetable *timetable,
                                                 const char *name);
const struct timetable_gate *timetable_find_guest(const struct timetable *timetable,
                                                  const char *name);

/* True if drift that is seen at 'now_ms' is to be corrected, where that was last done at 'last_ms'. */
bool timetable_drift_is_due(const struct timetable *timetable, int64_t last_ms, int64_t now_ms);

/* Appends an instant as people in the zone called 'zone' (NULL: here) write it, "Tue 2026-11-24 22:00
 * CET". */
void timetable_print_instant(struct text *text, const char *zone, int64_t at_ms);
