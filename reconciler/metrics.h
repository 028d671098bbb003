/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Metrics: what a controller counts while it runs, and how things are, as Prometheus reads it (text format
 * 0.0.4).  docs/api.md lists them.  Counts come from events; how things are comes from the status at the
 * moment of asking, so the two cannot drift apart.  Loop thread; pure.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "model/op.h"
#include "reconciler/journal/journal.h"

struct event;
struct status;
struct text;

#define METRICS_BUCKETS_MAX 12

/* How often a value was at most each of the bounds; thousandths of the unit that is shown. */
struct metrics_histogram {
    uint64_t counts[METRICS_BUCKETS_MAX + 1]; /* Not cumulative; the last: above every bound. */
    uint64_t sum;
};

/* What the plan has promised of a move. */
struct metrics_promise {
    const char *guest;
    const char *to;
    int64_t lasts_ms;
};

struct metrics {
    int64_t started_ms; /* Wall clock. */
    uint64_t moves[MOVE_MODE_COUNT][JOURNAL_MOVE_STATE_COUNT];
    uint64_t move_bytes;
    uint64_t passes;
    uint64_t plans;
    uint64_t retries;
    uint64_t alarms;
    uint64_t releases[2]; /* By whether they failed (0) or were done (1). */
    uint64_t journal_errors;
    struct metrics_histogram move_durations;
    struct metrics_histogram downtimes;
    struct metrics_histogram pass_durations;
    struct metrics_histogram estimate_errors; /* |took - promised| / promised. */
    struct arena promise_arena;
    struct metrics_promise *promises; /* Of the plan that is followed. */
    size_t promise_count;
};

/* Nothing has been counted yet; 'started_ms' is the wall clock. */
void metrics_init(struct metrics *metrics, int64_t started_ms);
void metrics_deinit(struct metrics *metrics);

/* Counts 'event'.  A restart (a move from a host to itself) is none of the moves. */
void metrics_count(struct metrics *metrics, const struct event *event);

/* Appends all of it.  What 'status' does not know is left out rather than shown as 0. */
void metrics_write(struct text *text, const struct metrics *metrics, const struct status *status);
