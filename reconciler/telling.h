/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Telling: the events (event.h) by which whoever watches a move hears what its executor does.  For executor.c and
 * what it consists of.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reconciler/event.h"
#include "reconciler/vigil.h"

#define TELLING_STUCK_MAX 16 /* Of more stuck moves at a time some are told again. */

struct executor;

/* What a run has told of all its moves. */
struct telling {
    uint64_t stuck[TELLING_STUCK_MAX]; /* seq of moves whose being stuck it has told, in a ring. */
    size_t stuck_count;
};

/* An event of the move or, by its kind, of its step. */
void telling_emit(struct executor *executor, enum event_kind kind, const struct err *err,
                  const char *text);

/* How far the operation under way is. */
void telling_progress(struct executor *executor, const struct actuator_progress *progress);

/* An alarm: a cancel comes too late. */
void telling_no_way_back(struct executor *executor);

/* An alarm: what is amiss with the migration. */
void telling_trouble(struct executor *executor, enum vigil_trouble trouble);

/* Steps of the procedure in which there is nothing to do, once, before anything is done: what a person who knows
 * the procedure waits for in vain. */
void telling_skipped(struct executor *executor);

/* Why the step that a person asked for is not taken: there is nothing to do in it, or it is refused. */
void telling_hand(struct executor *executor, enum event_kind kind, const char *why);

/* The move is stuck for the reason that it has by now; 'again': an earlier run has told that, or this one. */
void telling_stuck(struct executor *executor, bool again);
