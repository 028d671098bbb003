/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/timetable.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "reconciler/zone.h"

static int compare_owner(const void *name, const void *gate)
{
    return strcmp(name, ((const struct timetable_gate *)gate)->owner);
}

static const struct timetable_gate *find(const struct timetable_gate *gates, size_t count,
                                         const char *name)
{
    return count == 0 ? NULL : bsearch(name, gates, count, sizeof(*gates), compare_owner);
}

const struct timetable_gate *timetable_find_host(const struct timetable *timetable,
                                                 const char *name)
{
    return find(timetable->hosts, timetable->host_count, name);
}

const struct timetable_gate *timetable_find_guest(const struct timetable *timetable,
                                                  const char *name)
{
    return find(timetable->guests, timetable->guest_count, name);
}

bool timetable_drift_is_due(const struct timetable *timetable, int64_t last_ms, int64_t now_ms)
{
    int64_t next_ms;

    return timetable->drift == NULL ||
           (calendar_next(timetable->drift, last_ms, &next_ms) && next_ms <= now_ms);
}

void timetable_print_instant(struct text *text, const char *zone_name, int64_t at_ms)
{
    AUTO(zone) struct zone *zone = zone_open(zone_name);
    char local[ZONE_TEXT_SIZE];
    char universal[CLOCK_TEXT_SIZE];

    text_append(text,
                zone != NULL ? zone_format(zone, at_ms, local) : clock_format(at_ms, universal));
}
