/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * config_timetable: the sections of berth.conf that say when, put together: names become windows, dates
 * become instants.  For reconciler/config.c, which knows the file around them.
 */

#include <stddef.h>
#include <stdint.h>

#include "reconciler/config_key.h"
#include "reconciler/timetable.h"

struct arena;
struct faults;

/* What was read of the file. */
struct config_timetable {
    const struct config_key_window *windows; /* Sorted by name, as what follows. */
    size_t window_count;
    const struct config_key_blackout *blackouts;
    size_t blackout_count;
    struct config_key_schedule schedule;
    struct timetable_gate fleet;
    uint32_t fleet_line; /* Of [fleet]. */
    const struct config_key_host *hosts;
    size_t host_count;
    const struct config_key_guest *guests;
    size_t guest_count;
};

/* The timetable that 'read' amounts to, in 'arena'.  What is wrong is added to 'faults'. */
struct timetable config_timetable_build(struct arena *arena, const struct config_timetable *read,
                                        struct faults *faults);
