/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Takeup: what the executor has to know of a move as it takes it up: of one that an earlier run left open also from
 * the journal and from the hosts that have no part in it.  For executor.c.
 */

struct err;
struct executor;
struct journal_move;
struct observed;

/* Copies 'move', with what its guest is owed from an earlier one.  First of all. */
void takeup_move(struct executor *executor, const struct journal_move *move);

/* Reads what the platform provides for the guest, as it was when the move began. */
int takeup_supplies(struct executor *executor, struct err *err);

/* Reads the steps of the earlier run, which keep their numbers.  The stage has the supplies by then. */
int takeup_steps(struct executor *executor, struct err *err);

/* Notes a third host of 'fleet' that knows the guest, and one that does not answer. */
void takeup_others(struct executor *executor, const struct observed *fleet);
