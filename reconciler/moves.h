/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Moves: one at a time is begun or taken up, and what comes of it is noted: retries, holds, the figures of the
 * run.  For the files of the controller. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct executor_intent;
struct reconciler;
struct supply_list;

/* Takes up the next move that an earlier run left open; false if there is none. */
bool moves_resume_next(struct reconciler *reconciler);

/* Begins the next move that somebody has asked to be made by force, and answers those that may not be; false if
 * none is left. */
bool moves_force_next(struct reconciler *reconciler);

/* What the platform provides for the guest called 'guest', of which no host may tell: by es.xml and its last known
 * definition; in the pass's arena. */
int moves_supplies_of(struct reconciler *reconciler, const char *guest,
                      struct supply_list *supplies, struct err *err);

/* Takes the next move of the plan that is followed; false if there is none. */
bool moves_take_next(struct reconciler *reconciler);

/* Begins 'intent', the 'number'-th of 'total'; always true. */
bool moves_begin(struct reconciler *reconciler, const struct executor_intent *intent, size_t number,
                 size_t total);

/* The file has changed while a move is under way: it is cancelled if the new file does not want it any more and
 * berth.conf says so ([migrate] overruled). */
void moves_reconsider(struct reconciler *reconciler);

/* A person wants something held: a move that has only been prepared ends.  Whom it concerns the next pass
 * tells. */
void moves_stand_back(struct reconciler *reconciler);

/* When the next try that this run waits for is due; 0 = none. */
int64_t moves_next_retry_ms(struct reconciler *reconciler);
