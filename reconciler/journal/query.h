/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Query: the reading half of the journal; each function is the operation of journal_ops whose name it
 * has, on the reader's connection.  Loop thread.
 */

#include "reconciler/journal/journal.h"

/* Moves, ascending by key: open ones only, or the newest 'limit'; of one guest unless NULL. */
int query_moves(struct journal *self, struct arena *arena, bool open_only, const char *guest,
                size_t limit, struct journal_move **items, size_t *count, struct err *err);

/* Steps of one move, ascending by number. */
int query_steps(struct journal *self, struct arena *arena, struct journal_key move,
                struct journal_step **items, size_t *count, struct err *err);

/* Starts that are not paid, by guest, then UUID. */
int query_owed(struct journal *self, struct arena *arena, struct journal_owed **items,
               size_t *count, struct err *err);

/* Retries that are not cleared, by guest. */
int query_retries(struct journal *self, struct arena *arena, struct journal_retry **items,
                  size_t *count, struct err *err);

/* The newest 'limit' revisions, ascending by time. */
int query_revisions(struct journal *self, struct arena *arena, size_t limit,
                    struct journal_revision **items, size_t *count, struct err *err);

/* The last definition of every guest, by UUID. */
int query_definitions(struct journal *self, struct arena *arena, struct journal_definition **items,
                      size_t *count, struct err *err);

/* The newest 'limit' runs, ascending by key. */
int query_runs(struct journal *self, struct arena *arena, size_t limit, struct journal_run **items,
               size_t *count, struct err *err);

/* The newest plan that was not replaced, or ERR_NOT_FOUND. */
int query_active_plan(struct journal *self, struct arena *arena, struct journal_plan *plan,
                      struct err *err);

/* The newest 'limit' events, ascending by key; of one guest unless NULL. */
int query_events(struct journal *self, struct arena *arena, const char *guest, size_t limit,
                 struct journal_event **items, size_t *count, struct err *err);

/* Holds that are not released, by scope, then name. */
int query_holds(struct journal *self, struct arena *arena, struct journal_hold **items,
                size_t *count, struct err *err);

/* Places that are not forgotten, by guest. */
int query_places(struct journal *self, struct arena *arena, struct journal_place **items,
                 size_t *count, struct err *err);

/* Sightings that are not forgotten, by guest. */
int query_sightings(struct journal *self, struct arena *arena, struct journal_place **items,
                    size_t *count, struct err *err);

/* Attestations that are neither used nor withdrawn, by the key of their moves. */
int query_attests(struct journal *self, struct arena *arena, struct journal_attest **items,
                  size_t *count, struct err *err);

/* Leftovers that are not cleared, by UUID, then host. */
int query_leftovers(struct journal *self, struct arena *arena, struct journal_leftover **items,
                    size_t *count, struct err *err);

/* The object called 'digest'. */
int query_object(struct journal *self, struct arena *arena, const char *digest, char **bytes,
                 size_t *length, struct err *err);

/* Whether a window has something to let go of (prune.h). */
int query_find_old(struct journal *self, struct journal_prune *prune, bool *found, struct err *err);

/* One more than the greatest seq of the current epoch. */
int query_next_seq(struct journal *self, uint64_t *seq, struct err *err);
