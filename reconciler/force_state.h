/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Force_state: what the executor knows of a forced move beside the move itself: who may run its guest, who of
 * them is certain not to, and the journal records that go with it.  For reconciler/executor.c.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/op.h"
#include "reconciler/journal/journal.h"
#include "reconciler/look.h"

struct arena;
struct force_order;
struct force_suspect;
struct ledger;
struct step_facts;

/* All zero for a move that is not forced. */
struct force_state {
    const struct force_suspect *suspects;
    size_t count;
    size_t next;   /* The first that is not certain since anything else was done. */
    bool started;  /* A start was intended, by this run or an earlier one. */
    bool attested; /* 'attest' is in the journal, neither used nor withdrawn. */
    bool voided;   /* The host that is attested to be dead has answered. */
    struct journal_attest attest;
};

/* Records, in the arena they were made in. */
struct force_records {
    const struct journal_record *items;
    size_t count;
};

/* Takes up 'order' for the move 'key'; copies what it keeps into 'arena'.  The records to submit with those of
 * the move: who vouched for what, and who asked. */
struct force_records force_state_begin(struct force_state *state, struct arena *arena,
                                       struct ledger *ledger, const struct force_order *order,
                                       struct journal_key key, int64_t now_ms);

/* Takes up a move that an earlier run left open. */
void force_state_resume(struct force_state *state, const struct ledger *ledger,
                        struct journal_key key, const struct journal_step *steps, size_t count);

/* Whom the next FENCE is for; NULL if everybody is certain. */
const char *force_state_host(const struct force_state *state);

/* Fills what step_facts have of it, from the last look. */
void force_state_tell(struct force_state *state, const struct look *look, struct step_facts *facts);

/* 'op' has ended, well or not: after a FENCE that worked the next suspect's turn comes, and anything else makes all of
 * them uncertain. */
void force_state_note(struct force_state *state, enum op_kind op, bool worked);

/* The records to submit before the intent to start: the word of whoever vouched is used, and what stays behind: the
 * definitions on dead hosts, and what an open move had prepared on hosts that answer. */
struct force_records force_state_start(struct force_state *state, struct arena *arena,
                                       const struct ledger *ledger, const struct journal_move *move,
                                       int64_t now_ms);

/* The records to submit with the end of 'move'.  If it has brought the guest to its target, or has its only definition
 * there, it takes the place of every other open move of the guest, which are given up; else these are as they were, and
 * settle what they have prepared.  'revoked': the platform may have taken its volumes away from its source, which they
 * are owed to again if the guest has not left; so is its start, if it ran. */
struct force_records force_state_end(struct force_state *state, struct arena *arena,
                                     const struct ledger *ledger, const struct journal_move *move,
                                     bool revoked);
