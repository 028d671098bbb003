/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Recall: what the journal knows of hosts that do not answer, for whoever looks for the first time: a controller
 * remembers what it saw, a command does not.  Pure.
 */

struct arena;
struct ledger;
struct observed;

/* Gives every host of 'observed' that does not answer, and that nothing is known of, the guests that were last seen
 * there and whose definition is kept: name, UUID, and whether they ran.  All other facts are unknown.  In 'arena';
 * strings are shared with 'ledger'. */
void recall_guests(struct arena *arena, const struct ledger *ledger, struct observed *observed);
