/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Reconciler: brings the fleet where the file says, pass by pass (architecture.md, 'A pass').
 *
 * 'berth apply' runs it until nothing is left that can be done now; berthd lets it follow the file and
 * the hosts until it is told to end.  Loop thread.
 */

#include <stdbool.h>
#include <stddef.h>

#include "reconciler/errand.h"
#include "reconciler/event.h"
#include "reconciler/status.h"

struct actuator;
struct config;
struct force_request;
struct journal;
struct loop;
struct reconciler;
struct reload;
struct source;

/* What it works with; the caller keeps all of it until reconciler_free(). */
struct reconciler_world {
    struct loop *loop;
    struct actuator *actuator;
    struct journal *journal;
    struct source *source;
    const struct config *config;
    struct reload *reload; /* Where the next config comes from; NULL = this one stays. */
    struct event_sink events;
};

struct reconciler_options {
    const char *program; /* For the journal: "berth apply". */
    const char *user;    /* Who runs it. */
    const char *only;    /* Move this guest alone, or NULL. */
    const char *step;    /* Take this step of its move (reconciler/procedure.h) and end; or NULL. */
    bool rest;   /* Take every step that is left of the move of 'only' that is run by hand. */
    bool back;   /* Take the move of 'only' that is run by hand back, and end. */
    bool follow; /* Go on when nothing is left to do: watch the file, look again. */
};

/* Values are the exit statuses of contract.md §6. */
enum reconciler_status {
    RECONCILER_DONE = 0,
    RECONCILER_FAILED = 1,
    RECONCILER_INVALID = 2,
    RECONCILER_BLOCKED = 4,
    RECONCILER_CANCELLED = 5,
};

struct reconciler_result {
    enum reconciler_status status;
    size_t moved;
    size_t failed;           /* Moves that ended without their guest on its target. */
    size_t stuck;            /* Moves left open. */
    size_t blocked;          /* Guests the last plan could not place. */
    const struct plan *plan; /* The last one, or NULL; valid until reconciler_free(). */
};

typedef void reconciler_done_fn(void *context, const struct reconciler_result *result);

/* A reconciler that does nothing yet. */
struct reconciler *reconciler_new(const struct reconciler_world *world,
                                  const struct reconciler_options *options);

/* Takes up what earlier runs left, then follows plans until nothing more can be done now; done(context)
 * is called once. */
void reconciler_run(struct reconciler *reconciler, reconciler_done_fn *done, void *context);

/* A person says stop: the running move is asked to end with its guest where it was, nothing else is
 * begun, and the run ends RECONCILER_CANCELLED. */
void reconciler_cancel(struct reconciler *reconciler);

/* Another config waits (reload.h): a pass that takes it is made now, or as soon as no move is under way. */
void reconciler_reload(struct reconciler *reconciler);

/* Carries out what a person asks of a running controller: 'name' (NULL or "" = the fleet; for a cancel:
 * whatever is moving) is found in the file, the rest of 'order' is given.  Answered as errand_run() says. */
void reconciler_order(struct reconciler *reconciler, const struct order *order, const char *name,
                      errand_answer_fn *answer, void *context);

/* Starts a guest of a dead host elsewhere, after a fresh look at all hosts and before anything that is planned;
 * 'request' is copied.  Answered once: when the move's intent is committed ('text' says where it goes; how it
 * ends is told by events, as of any move), or why not: ERR_NOT_FOUND (no such guest or host in the file),
 * ERR_CONFLICT (it is not where a forced move is for: its host answers, ...), ERR_REFUSED (that it runs nowhere
 * is not proven, or nothing would keep it from running twice when its host returns: the text names the ways),
 * ERR_BUSY (not begun in time).  Several wait for one another in the order they came. */
void reconciler_force(struct reconciler *reconciler, const struct force_request *request,
                      errand_answer_fn *answer, void *context);

/* What is going on, as the last pass found it; valid until control returns to the loop. */
struct status reconciler_status(struct reconciler *reconciler);

/* The plan that is followed, or NULL; as long. */
const struct plan *reconciler_plan(const struct reconciler *reconciler);

/* Ends a run that follows: nothing new is begun.  A live migration under way is left to finish by itself
 * and is adopted by the next run; an offline move is brought to its end first. */
void reconciler_end(struct reconciler *reconciler);

/* Releases it.  What is under way goes on without it; the journal lets a later run take it up.  The
 * actuator and the journal must have been closed before. */
void reconciler_free(struct reconciler *reconciler);
