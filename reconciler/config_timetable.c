/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/config_timetable.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "model/fault.h"

/* While it is put together. */
struct build {
    struct arena *arena;
    struct faults *faults;
    struct timetable timetable;
};

/* An expression that names no zone is meant where the timetable is. */
static struct calendar localize(const struct build *build, struct calendar calendar)
{
    if (calendar.zone == NULL) {
        calendar.zone = build->timetable.zone;
    }
    return calendar;
}

static void require(const struct build *build, const char *section,
                    const struct config_key_head *head, const char *key, bool given)
{
    if (!given) {
        fault_add(build->faults, head->line, "[%s %s] has no '%s'", section, head->name, key);
    }
}

static void build_windows(struct build *build, const struct config_key_window *read, size_t count)
{
    struct timetable_window *windows = ARENA_ARRAY(build->arena, struct timetable_window, count);

    for (size_t i = 0; i < count; i++) {
        require(build, "window", &read[i].head, "opens", read[i].has_opens);
        require(build, "window", &read[i].head, "lasts", read[i].has_lasts);
        windows[i] = (struct timetable_window){
            .name = read[i].head.name,
            .opens = localize(build, read[i].opens),
            .lasts_ms = read[i].lasts_ms,
        };
    }
    build->timetable.windows = windows;
    build->timetable.window_count = count;
}

/* The one instant that 'read' stands for; -1 if there is none or it is no calendar. */
static int64_t instant_of(const struct build *build, const struct config_key_blackout *blackout,
                          const char *key, struct calendar read)
{
    struct calendar calendar = localize(build, read);
    int64_t instant_ms;
    int64_t next_ms;

    if (read.hours == 0) {
        return -1;
    }
    if (!calendar_next(&calendar, INT64_MIN, &instant_ms)) {
        fault_add(build->faults, blackout->head.line, "[blackout %s]: '%s' never comes",
                  blackout->head.name, key);
        return -1;
    }
    if (calendar_next(&calendar, instant_ms, &next_ms)) {
        fault_add(build->faults, blackout->head.line,
                  "[blackout %s]: '%s' must be one instant, such as 2026-12-24 18:00",
                  blackout->head.name, key);
        return -1;
    }
    return instant_ms;
}

static void build_blackout(const struct build *build, const struct config_key_blackout *read,
                           struct timetable_blackout *blackout)
{
    require(build, "blackout", &read->head, "from", read->has_from);
    require(build, "blackout", &read->head, "until", read->has_until);
    *blackout = (struct timetable_blackout){
        .name = read->head.name,
        .from_ms = instant_of(build, read, "from", read->from),
        .until_ms = instant_of(build, read, "until", read->until),
        .scope = read->scope,
    };
    if (read->scope.host_count == 0 && read->scope.guest_count == 0) {
        blackout->scope.fleet = true;
    }
    if (blackout->from_ms >= 0 && blackout->until_ms >= 0 &&
        blackout->until_ms <= blackout->from_ms) {
        fault_add(build->faults, read->head.line, "[blackout %s]: 'until' is not after 'from'",
                  read->head.name);
    }
}

static void build_blackouts(struct build *build, const struct config_key_blackout *read,
                            size_t count)
{
    struct timetable_blackout *blackouts =
        ARENA_ARRAY(build->arena, struct timetable_blackout, count);

    for (size_t i = 0; i < count; i++) {
        build_blackout(build, &read[i], &blackouts[i]);
    }
    build->timetable.blackouts = blackouts;
    build->timetable.blackout_count = count;
}

static int compare_name(const void *name, const void *window)
{
    return strcmp(name, ((const struct timetable_window *)window)->name);
}

static const struct timetable_window *find_window(const struct build *build, const char *name)
{
    const struct timetable *timetable = &build->timetable;

    return timetable->window_count == 0 ? NULL
                                        : bsearch(name, timetable->windows, timetable->window_count,
                                                  sizeof(*timetable->windows), compare_name);
}

/* 'read' with its names found; 'kind' and 'owner' are those of the section at 'line'. */
static struct timetable_gate build_gate(const struct build *build, struct timetable_gate read,
                                        const char *kind, const char *owner, uint32_t line)
{
    const struct timetable_window **windows =
        ARENA_ARRAY(build->arena, const struct timetable_window *, read.count);

    for (size_t i = 0; i < read.count; i++) {
        windows[i] = find_window(build, read.names[i]);
        if (windows[i] == NULL) {
            fault_add(build->faults, line, "[%s%s%s]: there is no [window %s]", kind,
                      owner == NULL ? "" : " ", owner == NULL ? "" : owner, read.names[i]);
        }
    }
    read.owner = owner;
    read.windows = windows;
    return read;
}

static void build_gates(struct build *build, const struct config_timetable *read)
{
    struct timetable_gate *hosts =
        ARENA_ARRAY(build->arena, struct timetable_gate, read->host_count);
    struct timetable_gate *guests =
        ARENA_ARRAY(build->arena, struct timetable_gate, read->guest_count);
    struct timetable *timetable = &build->timetable;

    timetable->fleet = build_gate(build, read->fleet, "fleet", NULL, read->fleet_line);
    for (size_t i = 0; i < read->host_count; i++) {
        const struct config_key_host *host = &read->hosts[i];

        if (host->gate.count > 0) {
            hosts[timetable->host_count++] =
                build_gate(build, host->gate, "host", host->head.name, host->head.line);
        }
    }
    for (size_t i = 0; i < read->guest_count; i++) {
        const struct config_key_guest *guest = &read->guests[i];

        if (guest->gate.count > 0) {
            guests[timetable->guest_count++] =
                build_gate(build, guest->gate, "guest", guest->head.name, guest->head.line);
        }
    }
    timetable->hosts = hosts;
    timetable->guests = guests;
}

struct timetable config_timetable_build(struct arena *arena, const struct config_timetable *read,
                                        struct faults *faults)
{
    struct build build = { .arena = arena, .faults = faults };
    struct calendar *drift = ARENA_NEW(arena, struct calendar);

    build.timetable.zone = read->schedule.timezone;
    build_windows(&build, read->windows, read->window_count);
    build_blackouts(&build, read->blackouts, read->blackout_count);
    build_gates(&build, read);
    if (read->schedule.drift.hours != 0) {
        *drift = localize(&build, read->schedule.drift);
        build.timetable.drift = drift;
    }
    return build.timetable;
}
