/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * View: the observation joined with what the journal knows, as the planner's input: open moves are in
 * flight, owed starts are owed, guests that are held, in backoff or parked are kept out with their reason.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "diff/plan.h"
#include "model/observed.h"
#include "model/policy.h"

struct arena;
struct config;
struct ledger;
struct revision;
struct timetable;

struct view {
    struct observed observed; /* Of the snapshot, with in_flight and owed_start. */
    struct plan_input input;
    struct plan_exclusion *exclusions; /* What 'input' has, as long as it still grows. */
    size_t exclusion_capacity;         /* Every guest of the file. */
    const struct timetable *timetable;
    char policy_digest[DIGEST_TEXT_SIZE]; /* As config_policy_digest() says. */
    int64_t now_ms;
    struct policy policy; /* Of this pass, where it is not the config's (fallback.h, waiting.h). */
};

/* Joins.  Everything is in 'arena' or shared with the arguments, which must stay.  'ledger' may be NULL:
 * nothing was ever journaled.  'only' (or NULL) keeps every other guest out. */
void view_build(struct view *view, struct arena *arena, const struct revision *revision,
                const struct observed *observed, const struct ledger *ledger,
                const struct config *config, const char *only, int64_t now_ms);

/* Keeps 'guest' out of the plan, unless there is a reason already: the first one stays.  Strings must stay
 * as long as 'view'. */
void view_exclude(struct view *view, const char *guest, enum plan_code code, const char *reason);

/* The plan for 'view'.  A guest whose move would come first, but may not start now, is kept out with that
 * reason, and the plan made anew: each is asked for when its turn comes. */
struct plan view_plan(struct arena *arena, struct view *view);

/* Keeps the 'count' hosts at 'names', sorted, from taking anybody in this pass, as hosts in maintenance do:
 * nobody is sent through them. */
void view_close_hosts(struct arena *arena, struct view *view, const char *const *names,
                      size_t count);

/* Takes out of 'plan', made for 'only' (NULL: for all), the blocks of guests that nobody asked for: that
 * they stay where they are is no news. */
void view_drop_unasked(struct plan *plan, const char *only);

/* Names of all hosts to look at: the file's, and those of open moves.  In 'arena', sorted, unique. */
const char *const *view_hosts(struct arena *arena, const struct revision *revision,
                              const struct ledger *ledger, size_t *count);

/* Digest of the facts that a parked guest waits to see change: policy, its own definition and, if
 * 'with_state', its state, and what its target host can run. */
void view_facts_digest(struct arena *arena, const struct view *view, const char *guest,
                       const char *target, bool with_state, char hex[DIGEST_TEXT_SIZE]);
