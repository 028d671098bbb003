/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Controller: struct reconciler as its own files see it, and what they share.  A pass (pass.h) looks and
 * decides, moves (moves.h) and owed starts (debts.h) are begun one at a time, and between passes it rests
 * (rest.h).  reconciler.c is its life, and what others ask of it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/loop.h"
#include "diff/diff.h"
#include "reconciler/calls.h"
#include "reconciler/condition.h"
#include "reconciler/debounce.h"
#include "reconciler/drift.h"
#include "reconciler/errand.h"
#include "reconciler/executor.h"
#include "reconciler/following.h"
#include "reconciler/force_queue.h"
#include "reconciler/gauge.h"
#include "reconciler/ledger.h"
#include "reconciler/leftovers.h"
#include "reconciler/pruning.h"
#include "reconciler/reconciler.h"
#include "reconciler/snapshot.h"
#include "reconciler/source.h"
#include "reconciler/standing.h"
#include "reconciler/view.h"

/* What a pass has found, kept until the next one has found as much: somebody may ask at any time. */
struct finding {
    struct arena arena;
    struct revision revision;
    struct observed observed;
    struct diff diff; /* Of both. */
    const struct plan_block *blocked;
    size_t block_count;
    int64_t looked_ms; /* 0 = nothing was found. */
};

/* A host, or one guest of it, that is being released. */
struct releasing {
    const char *host;
    const char *guest; /* NULL = all. */
};

/* Names with storage of their own. */
struct kept_names {
    struct arena arena;
    const char **items;
    size_t count;
};

struct reconciler {
    struct reconciler_world world;
    struct reconciler_options options;
    reconciler_done_fn *done;
    void *context;

    struct calls calls;
    struct snapshot snapshot;
    struct ledger ledger;
    struct executor executor;
    struct following following;
    struct errands errands;
    struct force_queue forces;
    struct leftovers leftovers;
    struct kept_names swept;        /* Leftovers that were tried since the last rest. */
    struct kept_names told_left;    /* What of leftovers a person was told. */
    struct kept_names told_by_hand; /* Which moves are run by hand; likewise. */
    struct debounce notices;        /* Of hosts. */
    struct loop_timer timer;

    struct standing standing;
    struct drift drift;
    struct err adopting; /* Why the file could not follow the fleet, told once. */

    struct arena arena; /* The pass. */
    struct revision revision;
    struct view view;
    struct finding found;  /* By this pass; its arena is the pass's. */
    struct finding before; /* By the one before. */
    struct conditions conditions;
    struct gauge gauge; /* Of the running move. */
    struct pruning pruning;
    int64_t next_look_ms;
    int64_t look_begun_ms; /* Monotonic, as the next. */
    int64_t look_took_ms;
    bool heard; /* Hosts have told of changes since the last look began. */

    struct arena run_arena;
    uint64_t *stuck; /* seq of moves seen stuck in this run. */
    size_t stuck_count;
    struct kept_names restarted; /* Owed starts that were tried in this run. */
    struct kept_names told_down; /* Those that a person was told of. */
    struct kept_names released;  /* What was released since the last rest, or tried. */
    struct releasing releasing;  /* Under way; strings of the pass. */
    struct kept_names
        told_kept; /* Why guests stay held back, and releases failed, as a person was told. */
    struct journal_run run;
    struct reconciler_result result;
    size_t notes;    /* Batches that nothing waits for, not yet answered. */
    bool pass_waits; /* For them: a pass reads what they write. */
    bool rest_waits; /* For them: what is not kept is a failure of the run. */
    bool overtaken;  /* The pass under way began before something that it must catch up with. */
    bool told_locks; /* That hosts lack a lock manager. */
    bool began;
    bool parks;   /* This run has begun to stop a guest early. */
    bool resumed; /* The move under way was left open by an earlier run. */
    bool
        overruled; /* It is cancelled for a new file, or a hold: its guest is tried again after that. */
    bool cancelled;
    bool invalid; /* The file has become faulty: the run ends, ... */
    bool ending;  /* ... as it does when it is told to. */
    bool ended;
};

/* Wall clock. */
static inline int64_t controller_wall(const struct reconciler *reconciler)
{
    return loop_wall_ms(reconciler->world.loop);
}

/* Tells whoever watches. */
static inline void controller_emit(const struct reconciler *reconciler, const struct event *event)
{
    event_emit(&reconciler->world.events, event);
}

/* Told to stop, or to end: nothing new is begun. */
static inline bool controller_is_leaving(const struct reconciler *reconciler)
{
    return reconciler->cancelled || reconciler->ending;
}

/* Records that only the next pass waits for: a failure ends the run before anything else is begun, because
 * the journal keeps the order of batches. */
void controller_note(struct reconciler *reconciler, const struct journal_record *records,
                     size_t count);

/* True once for each 'name'. */
bool controller_is_new(struct kept_names *kept, const char *name);

/* All of them are new again. */
void controller_forget_names(struct kept_names *kept);

/* The journal cannot be written or read: the run ends. */
void controller_lost(struct reconciler *reconciler, const struct err *err);

/* Ends the run with 'status', once. */
void controller_end(struct reconciler *reconciler, enum reconciler_status status);

/* Begins a pass now, or once everything that was noted is kept; a loop_fn. */
void controller_post_pass(void *context);

/* The same from the loop. */
void controller_next_pass(struct reconciler *reconciler);
