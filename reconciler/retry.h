/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Retry: when a guest whose move failed may be moved again (migration.md, 'Retry').  Keyed by guest,
 * revision and error class; a permanent error parks the guest until what it depends on changes.  A try that
 * cost the guest something in vain is not repeated soon, and one that stopped it not often (berth.conf,
 * 'outage_wait' and 'outage_limit').  Pure.
 */

#include <stdbool.h>
#include <stdint.h>

#include "reconciler/journal/journal.h"

struct ledger;
struct observed;
struct policy;

/* The record for 'move', which has failed, at 'now_ms'; 'before' is the guest's record so far, or NULL.
 * With 'at_once' nothing is waited for: what comes next is not the same again.  Else a guest that was asked
 * to stop is left in peace for outage_wait, then twice that and so on, and after outage_limit times for
 * good; one whose copy did not end likewise, but never for good, and for as long again as it was tried.
 * next_ms is INT64_MAX if the guest is parked: then the caller fills observed_digest. */
struct journal_retry retry_after(const struct journal_retry *before,
                                 const struct journal_move *move, const struct policy *policy,
                                 bool at_once, int64_t now_ms);

/* Until when 'retry' keeps its guest back; 'off' says that it is shut off, and cannot be interrupted.
 * INT64_MAX = until something changes. */
int64_t retry_until_ms(const struct journal_retry *retry, bool off);

/* True if the guest is parked because it was stopped in vain too often, not because its move cannot succeed:
 * whether it runs is no reason to try again then. */
bool retry_is_given_up(const struct journal_retry *retry);

/* True if 'guest' is seen, and shut off wherever it is. */
bool retry_finds_off(const struct observed *observed, const char *guest);

/* True if 'retry' is of this file and its time has not come; a parked guest's never does.  Nobody waits for
 * longer than the longest pauses there are because the clock was set back. */
bool retry_waits(const struct journal_retry *retry, const char *es_digest, bool off,
                 const struct policy *policy, int64_t now_ms);

struct retry_question {
    const char *es_digest;
    const struct observed *observed;
    const char *only; /* One guest, or NULL: any. */
    uint32_t tries;   /* Who has failed as often is not waited for. */
    int64_t limit_ms; /* Nor who waits longer. */
};

/* When the earliest guest that 'question' asks for may be tried again.  0 = none. */
int64_t retry_next_ms(const struct ledger *ledger, const struct retry_question *question,
                      int64_t now_ms);
