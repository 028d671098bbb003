/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Definition: the last inactive XML of every guest that es.xml names, kept in the journal: the last resort
 * when a host is lost.  Pure.
 */

#include <stddef.h>
#include <stdint.h>

#include "reconciler/journal/journal.h"

struct arena;
struct desired;
struct ledger;
struct observed;
struct observed_guest;

/* Fills the two records that keep the definition of 'guest', whose 'xml' is known: the object and what names it. */
void definition_record(struct arena *arena, struct journal_record records[2],
                       const struct observed_guest *guest, int64_t now_ms);

/* Records for all definitions on reachable hosts that are not the ones 'ledger' has, in 'arena': one batch,
 * because a commit for each guest would keep a large fleet waiting. */
struct journal_record *definition_changes(struct arena *arena, const struct observed *observed,
                                          const struct desired *desired,
                                          const struct ledger *ledger, int64_t now_ms,
                                          size_t *count);

/* The last one of the guest called 'guest', or NULL: another UUID was another guest. */
const struct journal_definition *definition_newest(const struct ledger *ledger, const char *guest);
