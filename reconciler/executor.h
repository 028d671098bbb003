/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Executor: carries one move to its outcome (R5): intent into the journal, act, look, decide anew.
 *
 * One move at a time.  A move begun here and one left open by a crash go through the same loop: look at
 * both hosts, ask step_next(), journal, act.  Loop thread.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/loop.h"
#include "reconciler/act.h"
#include "reconciler/event.h"
#include "reconciler/evidence.h"
#include "reconciler/force_state.h"
#include "reconciler/hand.h"
#include "reconciler/journal/journal.h"
#include "reconciler/ledger.h"
#include "reconciler/look.h"
#include "reconciler/stage.h"
#include "reconciler/step.h"
#include "reconciler/telling.h"

struct calls;
struct desired;
struct force_order;
struct observed;
struct policy;

enum executor_outcome {
    EXECUTOR_ENDED,   /* The move is over; its state says how. */
    EXECUTOR_STUCK,   /* It stays open and holds its guest; the slot is free. */
    EXECUTOR_PAUSED,  /* Likewise: a person runs it step by step. 'err' if the step failed. */
    EXECUTOR_STOPPED, /* The journal cannot be written: nothing more may be done. */
};

/* 'move' and 'err' (of EXECUTOR_STOPPED and EXECUTOR_PAUSED, else NULL) are valid during the call. */
typedef void executor_done_fn(void *context, enum executor_outcome outcome,
                              const struct journal_move *move, const struct err *err);

/* What the executor works with; the caller keeps all of it. */
struct executor_world {
    struct loop *loop;
    struct calls *calls;
    struct ledger *ledger;
    const struct policy *policy;
    const struct desired *desired; /* Of the file that is read at the time. */
    struct event_sink events;
};

struct executor {
    struct executor_world world;
    executor_done_fn *done;
    void *context;

    struct arena arena; /* Strings of 'move'. */
    struct journal_move move;
    bool active;
    bool resumed; /* Left open by an earlier run, or seen stuck before. */

    const char *unclear_text; /* Why it was seen stuck before, or NULL. */
    struct telling telling;
    const char *elsewhere; /* When it was taken up: a third host that knows the guest, or NULL. */
    const char *silent;    /* A third host that did not answer then, or NULL. */

    struct look look;
    struct evidence evidence;
    struct loop_timer timer;  /* Until the next look. */
    int64_t waiting_since_ms; /* 0 = not waiting. */

    struct hand hand;   /* The step that a person asked for. */
    bool by_hand;       /* A person ran it step by step before it was taken up. */
    struct stage stage; /* What the platform provides for the guest. */
    bool identified;    /* Its supplies have identities that the journal has not. */
    struct step step;   /* What is being done. */
    uint32_t making; /* Kinds that it is to make anew on the target, unless it finds them there. */
    struct force_state force;
    struct act act;

    struct journal_step record; /* The step's record; its outcome goes into the next batch. */
    bool has_record;
    uint32_t steps;
    bool skipped_told;     /* Which of the procedure's have nothing to do. */
    uint32_t steps_before; /* That were made before it was taken up. */

    bool owed_before;             /* It was owed a start before the move began. */
    bool owed;                    /* The guest was owed a start when the move was taken up. */
    bool early;                   /* Its owed start is of an early stop. */
    void (*begun)(void *context); /* Of a forced move, or NULL. */
    void *begun_context;
    int64_t begun_ms;
};

/* What a new move is: copied. */
struct executor_intent {
    const char *guest;
    const char *uuid;
    const char *from;
    const char *to; /* Equal to 'from': start a guest that is owed a start. */
    enum move_mode mode;
    bool detour;
    bool fallback;                         /* In place of a live move that overran. */
    const struct observed_guest *observed; /* At 'from', from a fresh look. */
    const char *es_digest;
    struct supply_list supplies; /* What the platform provides for it. */
    const struct err *refused;   /* Why it cannot be moved as it is, or NULL. */
    const char *step; /* The only step of the procedure that is taken, or NULL; must stay. */
};

/* A new forced move, its source dead.  begun(context) is called once its intent is committed, before anything is
 * done. */
struct executor_force {
    const struct force_order *order;
    struct supply_list supplies; /* What the platform provides for the guest. */
    const char *es_digest;
    void (*begun)(void *context);
    void *context;
};

/* An idle executor; copies '*world'. */
void executor_init(struct executor *executor, const struct executor_world *world);

/* Journals the intent and begins; done(context) is called once.  Not while a move is active. */
void executor_begin(struct executor *executor, const struct executor_intent *intent,
                    executor_done_fn *done, void *context);

/* The same for a forced move; 'force' is copied. */
void executor_force(struct executor *executor, const struct executor_force *force,
                    executor_done_fn *done, void *context);

/* How a move that is open in the journal is taken up. */
struct executor_resumption {
    const struct journal_move *move;
    const struct observed *fleet; /* What all hosts said just now. */
    const char *step;             /* The only one that is taken of it, or NULL; must stay. */
    bool back; /* It is cancelled: its guest goes back, unless it runs on the target by now. */
};

/* Takes it up. */
void executor_resume(struct executor *executor, const struct executor_resumption *resumption,
                     executor_done_fn *done, void *context);

/* Asks the active move to end with the guest where it was; nothing happens if none is active.  After
 * post-copy has begun there is no way back: then an alarm says so, and nothing else happens. */
void executor_cancel(struct executor *executor);

/* The move under way as it is now, or NULL. */
const struct journal_move *executor_move(const struct executor *executor);

/* True if the active move goes on to its end without us: a peer-to-peer migration.  An offline move left
 * now would leave its guest down until the next run. */
bool executor_may_leave(const struct executor *executor);

/* Gives up what is under way (the journal lets a later run take it up) and releases everything. */
void executor_deinit(struct executor *executor);
