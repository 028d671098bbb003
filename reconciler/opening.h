/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Opening: whether a move may start, by windows and blackouts (reconciler/timetable.h), and when.
 *
 * A move needs the window of its guest, or else of the fleet, and those of both its hosts open at once and
 * for as long as it is taken to last, and no blackout on the way.  Time is a parameter.
 */

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct timetable;

struct opening_move {
    const char *guest; /* NULL = not asked for, as the others. */
    const char *from;
    const char *to;
    int64_t lasts_ms; /* As diff/estimate.h takes it. */
};

/* NULL if 'move' may start at 'now_ms', else why not and when it can, in one sentence without a full stop
 * in 'arena'. */
const char *opening_objection(struct arena *arena, const struct timetable *timetable,
                              const struct opening_move *move, int64_t now_ms);

/* True if everything that has a say in 'move' is open at 'now_ms', for however long: the same without the
 * sentence, which takes a search.  With a host alone: whether that gives and takes guests. */
bool opening_is_open(const struct timetable *timetable, const struct opening_move *move,
                     int64_t now_ms);

/* The first instant after 'now_ms' at which another answer may be given, also about drift; INT64_MAX if
 * there is none. */
int64_t opening_next_change(const struct timetable *timetable, int64_t now_ms);
