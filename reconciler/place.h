/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Place: where each guest of the file was last seen, kept in the journal: in its place, which tells drift (drift.h)
 * from a new wish of the file, or on another host.  It is all that is known of a host that has died since, for
 * whoever was not there (recall.h).  Pure.
 */

#include <stddef.h>

struct arena;
struct drift;
struct drift_facts;
struct journal_record;

/* Records, in 'arena', that bring the journal up to date with 'facts'. */
struct journal_record *place_changes(struct arena *arena, const struct drift_facts *facts,
                                     const struct drift *drift, size_t *count);
