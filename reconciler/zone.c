/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/zone.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define NAME_MAX_BYTES 64
#define SECONDS_A_DAY  INT64_C(86400)

/* True if 'name' may be looked up: GLib makes a path of it, and takes what is no file for a rule of POSIX
 * such as "Berlin1". */
static bool is_name(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char others[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_+-";
    const char *slash = strchr(name, '/');
    size_t digit = strcspn(name, "0123456789");

    return strlen(name) <= NAME_MAX_BYTES && strspn(name, letters) > 0 &&
           name[strspn(name, others)] == '\0' &&
           (name[digit] == '\0' || (slash != NULL && slash < name + digit));
}

static GTimeZone *glib_of(struct zone *zone)
{
    return (GTimeZone *)zone;
}

struct zone *zone_open(const char *name)
{
    if (name == NULL) {
        return (struct zone *)g_time_zone_new_local();
    }
    return is_name(name) ? (struct zone *)g_time_zone_new_identifier(name) : NULL;
}

void zone_close(struct zone *zone)
{
    g_time_zone_unref(glib_of(zone));
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static gint interval_at(struct zone *zone, int64_t at_s)
{
    return g_time_zone_find_interval(glib_of(zone), G_TIME_TYPE_UNIVERSAL, at_s);
}

/* Seconds that 'zone' is ahead of UTC. */
static int64_t offset_at(struct zone *zone, int64_t at_s)
{
    return g_time_zone_get_offset(glib_of(zone), interval_at(zone, at_s));
}

struct zone_time zone_local(struct zone *zone, int64_t wall_ms)
{
    int64_t at_s = floor_div(wall_ms, 1000);
    int64_t shown_s = at_s + offset_at(zone, at_s);
    int64_t days = floor_div(shown_s, SECONDS_A_DAY);
    int64_t rest = shown_s - days * SECONDS_A_DAY;
    struct zone_time time = {
        .hour = rest / 3600,
        .minute = rest % 3600 / 60,
        .second = rest % 60,
    };

    clock_date(days, &time.year, &time.month, &time.day);
    return time;
}

bool zone_instant(struct zone *zone, const struct zone_time *time, int64_t *wall_ms)
{
    int64_t shown_s = clock_days(time->year, time->month, time->day) * SECONDS_A_DAY +
                      time->hour * 3600 + time->minute * 60 + time->second;
    int64_t before = offset_at(zone, shown_s - SECONDS_A_DAY);
    int64_t after = offset_at(zone, shown_s + SECONDS_A_DAY);

    /* The offset before a change is tried first: it gives the first of two instants. */
    if (offset_at(zone, shown_s - before) == before) {
        *wall_ms = (shown_s - before) * 1000;
        return true;
    }
    if (offset_at(zone, shown_s - after) == after) {
        *wall_ms = (shown_s - after) * 1000;
        return true;
    }
    return false;
}

char *zone_format(struct zone *zone, int64_t wall_ms, char buffer[ZONE_TEXT_SIZE])
{
    static const char *const weekdays[] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" };
    struct zone_time time = zone_local(zone, wall_ms);
    int64_t days = clock_days(time.year, time.month, time.day);
    const char *abbreviation =
        g_time_zone_get_abbreviation(glib_of(zone), interval_at(zone, floor_div(wall_ms, 1000)));

    (void)snprintf(buffer, ZONE_TEXT_SIZE, "%s %04d-%02d-%02d %02d:%02d %.12s",
                   weekdays[days - floor_div(days, 7) * 7], (int)time.year, (int)time.month,
                   (int)time.day, (int)time.hour, (int)time.minute,
                   abbreviation == NULL ? "" : abbreviation);
    return buffer;
}
