/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Retry: when a guest whose move failed may be moved again (migration.md, 'Retry').  Keyed by guest,
 * revision and error class; a permanent error parks the guest until what it depends on changes.  Pure.
 */

#include <stdbool.h>
#include <stdint.h>

#include "reconciler/journal/journal.h"

struct ledger;

/* The record for 'move', which has failed, at 'now_ms'; 'before' is the guest's record so far, or NULL.
 * With 'at_once' nothing is waited for: what comes next is not the same again.  Else a guest whose copy
 * did not end is left in peace for as long again as it was tried, on top of the usual pause.
 * next_ms is INT64_MAX if the guest is parked: then the caller fills observed_digest. */
struct journal_retry retry_after(const struct journal_retry *before,
                                 const struct journal_move *move, bool at_once, int64_t now_ms);

/* True if 'retry' is of this file and its time has not come; a parked guest's never does.  Nobody waits for longer
 * than the longest backoff after a move that took 'timeout_ms' because the clock was set back. */
bool retry_waits(const struct journal_retry *retry, const char *es_digest, int64_t timeout_ms,
                 int64_t now_ms);

/* When the earliest guest may be tried again, of those that wait at most 'limit_ms' and have failed fewer
 * than 'tries' times under 'es_digest'; 'only' (or NULL) asks for one guest.  0 = none. */
int64_t retry_next_ms(const struct ledger *ledger, const char *es_digest, const char *only,
                      uint32_t tries, int64_t now_ms, int64_t limit_ms);
