/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Takeup: what the executor has to know of a move that an earlier run left open, from the journal and from the
 * hosts that have no part in it.  For executor.c, whose 'move' is filled already.
 */

struct err;
struct executor;
struct observed;

/* Reads the steps of the earlier run, which keep their numbers.  The stage has the supplies by then. */
int takeup_steps(struct executor *executor, struct err *err);

/* Notes a third host of 'fleet' that knows the guest, and one that does not answer. */
void takeup_others(struct executor *executor, const struct observed *fleet);
