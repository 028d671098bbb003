/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Act: the one operation of a move that is under way, from its start until it is known what came of it, or that
 * nobody can tell.
 *
 * A migration ends by its move's deadline, is watched meanwhile and tells how far it is; anything else has a time
 * of its own.  What is to make certain of a silent host is fencing.h's, the rest the actuator's.  For executor.c.
 * Loop thread.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "reconciler/fencing.h"
#include "reconciler/pace.h"
#include "reconciler/vigil.h"

struct actuator_completion;
struct executor;

struct act_end {
    const struct err *err;  /* NULL: it succeeded. */
    const char *unanswered; /* It may still happen: why that is bad; 'err' is NULL.  Or NULL. */
    const char *note;       /* Why it had less to do than it could have, or NULL. */
    const struct actuator_completion *completion; /* The actuator's, or NULL. */
};

/* Values are valid during the call, strings as long as the executor's arena. */
typedef void act_done_fn(struct executor *executor, const struct act_end *end);

/* All zero while nothing was begun. */
struct act {
    act_done_fn *done;
    uint64_t ticket; /* 0 = nothing is under way at the actuator. */
    int64_t begun_ms;
    struct loop_timer timer;
    bool past_deadline;
    struct pace pace;       /* Of the migration under way, or the last. */
    struct vigil vigil;     /* Over it. */
    struct fencing fencing; /* Of the FENCE under way. */
};

/* The host that the executor's step is for. */
const char *act_host(const struct executor *executor);

/* Begins what the executor's step says, and tells so.  done() is called once, at the earliest in the call. */
void act_begin(struct executor *executor, act_done_fn *done);

/* Asks what is under way to end early; done() is called all the same. */
void act_cancel(struct executor *executor);

/* True if what is under way cannot be cancelled any more: the guest runs at its target (post-copy). */
bool act_is_past_return(const struct executor *executor);

/* Gives up what is under way: done() is not called. */
void act_drop(struct executor *executor);
