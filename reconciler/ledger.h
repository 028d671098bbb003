/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Ledger: what the journal holds that still matters, as one reading: open moves, owed starts, retries,
 * known definitions, holds, places, sightings, attestations, leftovers.  The journal stays the only truth: a pass reads anew.  Loop thread.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "reconciler/journal/journal.h"

struct err;

struct ledger {
    struct journal *journal;
    struct arena arena;
    uint64_t epoch;
    uint64_t next_seq;
    uint64_t run;               /* seq of this run. */
    struct journal_move *moves; /* Open ones, oldest first. */
    size_t move_count;
    struct journal_owed *owed; /* Unpaid. */
    size_t owed_count;
    struct journal_retry *retries; /* Not cleared. */
    size_t retry_count;
    struct journal_definition *definitions;
    size_t definition_count;
    struct journal_hold *holds; /* Not released. */
    size_t hold_count;
    struct journal_place *places; /* Not forgotten. */
    size_t place_count;
    struct journal_place *sightings; /* Likewise. */
    size_t sighting_count;
    struct journal_attest *attests; /* Neither used nor withdrawn. */
    size_t attest_count;
    struct journal_leftover *leftovers; /* Not cleared. */
    size_t leftover_count;
};

/* An empty ledger on 'journal', which the caller keeps. */
void ledger_init(struct ledger *ledger, struct journal *journal);

/* Reads everything anew; on failure the ledger holds what it held. */
int ledger_load(struct ledger *ledger, struct err *err);

/* The next key; never handed out twice. */
struct journal_key ledger_key(struct ledger *ledger);

/* The entry of a guest, or NULL. */
const struct journal_move *ledger_find_move(const struct ledger *ledger, const char *guest);
const struct journal_owed *ledger_find_owed(const struct ledger *ledger, const char *uuid);
const struct journal_retry *ledger_find_retry(const struct ledger *ledger, const char *guest);
const struct journal_definition *ledger_find_definition(const struct ledger *ledger,
                                                        const char *uuid);
const struct journal_place *ledger_find_place(const struct ledger *ledger, const char *guest);
const struct journal_place *ledger_find_sighting(const struct ledger *ledger, const char *guest);

/* Where the guest was seen last, in its place or not; or NULL. */
const struct journal_place *ledger_last_seen(const struct ledger *ledger, const char *guest);

/* The hold of exactly this scope and name ("" for the fleet), or NULL. */
const struct journal_hold *ledger_find_hold(const struct ledger *ledger, enum journal_scope scope,
                                            const char *name);

/* The leftover of the guest with this UUID on 'host', or NULL. */
const struct journal_leftover *ledger_find_leftover(const struct ledger *ledger, const char *uuid,
                                                    const char *host);

/* Submits 'count' records as one batch of this epoch. */
void ledger_submit(struct ledger *ledger, const struct journal_record *records, size_t count,
                   journal_done_fn *done, void *context);

/* Releases the reading; the journal stays open. */
void ledger_deinit(struct ledger *ledger);
