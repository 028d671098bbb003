/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Intent: what the executor writes into the journal before it acts (R5): the records of one batch, and what
 * they change of the move.  For executor.c.
 */

#include <stddef.h>

#include "reconciler/journal/journal.h"

#define INTENT_RECORDS_MAX 8

struct executor;
struct executor_force;
struct executor_intent;
struct observed_guest;
struct supply_list;

/* What is committed together. */
struct intent_batch {
    struct journal_record records[INTENT_RECORDS_MAX];
    size_t count;
};

/* The move that 'intent' describes, begun now; it shares its strings. */
struct journal_move intent_move(const struct executor *executor,
                                const struct executor_intent *intent);

/* The same for a forced move. */
struct journal_move intent_forced_move(const struct executor *executor,
                                       const struct executor_force *force);

/* One more record of 'kind', to be filled. */
struct journal_record *intent_add(struct intent_batch *batch, enum journal_kind kind);

/* The move as it is now and the outcome of the step before: in every batch. */
void intent_add_move(struct executor *executor, struct intent_batch *batch);

/* The source's definition as it is now, so that it can be made again anywhere. */
void intent_add_definition(struct executor *executor, struct intent_batch *batch,
                           const struct observed_guest *guest, char digest[DIGEST_TEXT_SIZE]);

/* What the platform provides for the guest, as it is when the move begins: a resume goes by the same list. */
void intent_add_supplies(struct executor *executor, struct intent_batch *batch,
                         const struct supply_list *supplies);

/* The same list with what the checks have learnt of it, unless the journal has that. */
void intent_add_identities(struct executor *executor, struct intent_batch *batch);

/* What the step that is about to be taken changes of the move. */
void intent_mark(struct executor *executor, struct intent_batch *batch);

/* Pays the guest's owed start at the end of the move, if it is seen running.  A shutdown request that was never
 * answered, of this move or of one before, may still take effect: then the debt stays until a later pass finds
 * the guest running for good. */
void intent_pay_owed(struct executor *executor, struct intent_batch *batch);

/* What the move has brought to 'to' is the guest, and nothing that was left over there while the host was dead. */
void intent_clear_leftover(const struct executor *executor, struct intent_batch *batch);
