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

/* True if the controller does not rest now: something is let go of, in a batch that is one of its notes, or the
 * journal is lost. */
bool pruning_go_on(struct reconciler *reconciler);
