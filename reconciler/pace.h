/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Pace: whether the copy of a running live migration goes on, and when it will be over.  Pure.
 *
 * A copy sends what the guest has written meanwhile in one pass after another.  At a rate r, with d written
 * a second, R bytes take R / (r - d); with d at or above r it never ends by itself.
 */

#include <stdbool.h>
#include <stdint.h>

#include "actuators/actuator.h"

struct arena;

/* In place of a time: it does not end by itself. */
#define PACE_NEVER INT64_MAX

struct pace {
    struct actuator_progress newest;
    uint64_t copied;  /* The most bytes that were seen sent. */
    int64_t grown_ms; /* When that was. */
    bool postcopy;    /* The guest runs at the target: there is no way back. */
};

/* Takes the newest figures, at 'now_ms' of a clock that never goes back. */
void pace_feed(struct pace *pace, const struct actuator_progress *raw, int64_t now_ms);

/* True if something was sent lately: it is the guest, not the link, that keeps the copy from its end. */
bool pace_goes_on(const struct pace *pace, int64_t now_ms);

/* What sending 'bytes' at 'rate' bytes a second takes in ms, with 'written' a second written meanwhile and
 * a pause of 'downtime_ms' at the end, in which nothing is written.  PACE_NEVER, also for no rate. */
int64_t pace_time_ms(uint64_t bytes, double rate, double written, int64_t downtime_ms);

/* How long the whole migration will have taken, as foretold by 'raw': what it has taken, and what is left
 * at the rate that it has had so far.  PACE_NEVER, or 0 while too little is known. */
int64_t pace_foretell_ms(const struct actuator_progress *raw, int64_t downtime_ms);

/* What pace_foretell_ms() has answered, of a guest that writes 'written_bytes_s': "will take about 40s: it
 * writes 8 MiB/s". */
const char *pace_forecast_text(struct arena *arena, int64_t foretold_ms, uint64_t written_bytes_s);

/* Why a copy that goes on has not ended, as far as its newest figures tell: "after 9 passes it still wrote
 * 30 MiB/s, 12 MiB/s were copied". */
const char *pace_why(const struct pace *pace, struct arena *arena);
