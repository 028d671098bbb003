/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Preflight: the checks before each move of a plan, without the moves.  Hosts are asked what the executor asks
 * right before a move, one move after the other, and nothing is changed anywhere.  Loop thread.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "model/check.h"

struct arena;
struct calls;
struct desired;
struct ledger;
struct observed;
struct plan;
struct plan_move;
struct policy;

/* What it works with; the caller keeps all of it. */
struct preflight_world {
    struct loop *loop;
    struct calls *calls;
    struct arena *arena; /* Where the checks go. */
    const struct policy *policy;
    const struct ledger *ledger;
    const struct observed *observed; /* That the plan was made for, as the next. */
    const struct desired *desired;
};

typedef void preflight_done_fn(void *context);

struct preflight {
    struct preflight_world world;
    preflight_done_fn *done;
    void *context;
    const struct plan *plan;
    struct plan_move *moves; /* Of the plan. */
    size_t next;             /* Index of the move whose checks are made. */
    struct check_list list;  /* Of that move. */
    struct loop_timer timer;
    uint64_t ticket; /* 0 = nothing is asked. */
};

/* Begins; done(context) is called once plan->moves have their checks, and never from inside this call.  What
 * only an earlier move of the plan brings about, the guest's arrival or room on its target, is told to be
 * checked then.  A host that gives no answer is a check that failed. */
void preflight_begin(struct preflight *preflight, const struct preflight_world *world,
                     struct plan *plan, preflight_done_fn *done, void *context);

/* Gives up what is under way. */
void preflight_deinit(struct preflight *preflight);
