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

/* Fills the two records that keep 'xml' as the definition of a guest: the object and what names it. */
void definition_record(struct journal_record records[2], const char *uuid, const char *guest,
                       const char *xml, int64_t now_ms);

/* Records for all definitions on reachable hosts that are not the ones 'ledger' has, in 'arena': one batch,
 * because a commit for each guest would keep a large fleet waiting. */
struct journal_record *definition_changes(struct arena *arena, const struct observed *observed,
                                          const struct desired *desired,
                                          const struct ledger *ledger, int64_t now_ms,
                                          size_t *count);
