/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Zone: local time in a time zone of the IANA database, as installed on this machine.
 *
 * The only user of GLib, whose GTimeZone reads the database without touching the process's own zone (as
 * setenv("TZ") and tzset() would).  Any thread.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"

struct zone;

/* A date and a time of day as a wall shows them. */
struct zone_time {
    int64_t year;
    int64_t month; /* 1..12 */
    int64_t day;   /* 1..31 */
    int64_t hour;
    int64_t minute;
    int64_t second;
};

#define ZONE_TEXT_SIZE 48

/* The zone called 'name', "UTC" or such as "Europe/Berlin"; NULL if there is none.  Without a name (NULL)
 * the zone of this machine, which is always there.  While one is open, opening it again is cheap. */
struct zone *zone_open(const char *name);
void zone_close(struct zone *zone);

AUTO_POINTER(zone, struct zone, zone_close);

/* What a wall in 'zone' shows at the instant 'wall_ms' (base/clock.h). */
struct zone_time zone_local(struct zone *zone, int64_t wall_ms);

/* The instant at which it shows 'time': the first of two where clocks are put back, false where they are
 * put forward and it is never shown. */
bool zone_instant(struct zone *zone, const struct zone_time *time, int64_t *wall_ms);

/* Writes "Tue 2026-11-24 22:00 CET" and returns 'buffer'. */
char *zone_format(struct zone *zone, int64_t wall_ms, char buffer[ZONE_TEXT_SIZE]);
