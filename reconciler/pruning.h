/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Pruning: the journal does not grow for ever.  While the controller rests, a part of the past is looked at
 * now and then, and what is older, or more, than berth.conf keeps (history_days, history_records) and nothing
 * needs any more is let go of (reconciler/journal/prune.h).
 */

#include <stdbool.h>
#include <stdint.h>

struct reconciler;

/* Between two parts. */
#define PRUNING_PAUSE_MS INT64_C(60000)

struct pruning {
    bool begun;
    uint64_t after;  /* The part that comes next lies behind this seq. */
    int64_t next_ms; /* Monotonic: not before. */
};

/* True if something is let go of now: its batch is one of the controller's notes. */
bool pruning_go_on(struct reconciler *reconciler);
