/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Stage: a gate around step_next() that sees to it that what a platform provides for the guest (model/supply.h)
 * is where the next step needs it: bridges and volumes are made on the target before the guest goes there, its
 * volumes leave the source before they come to the target, and nothing that was prepared stays behind when the
 * move ends.  What is behind a volume that follows a stopped guest is proven on the target before the guest is
 * defined or started there, by what the checks learnt of it on the source.  Where something cannot be provided
 * or is not the same on the way forward, the move turns round.
 *
 * Like step.h it keeps no place in a programme: what holds was seen to hold since the move was taken up, and
 * whatever was not is done again, which costs nothing where it holds already.  A move without supplies is left
 * as it is.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/op.h"
#include "model/supply.h"
#include "reconciler/journal/journal.h"
#include "reconciler/part.h"
#include "reconciler/step.h"

struct actuator_completion;

/* How often in a row one thing is tried before the move turns round (less often if it cannot help), and before
 * a person is told that it cannot be taken back. */
#define STAGE_TRIES      2u
#define STAGE_TRIES_BACK 3u

/* A step that an earlier run had begun when it ended: its host may carry its command out until 'over_ms'. */
struct stage_loose {
    enum op_kind op;
    enum supply_kind supply;
    unsigned side;
    int64_t over_ms; /* Monotonic clock; 0 = there is none. */
};

/* What is known of the supplies of a move; all zero at first.  Masks of kinds (SUPPLY_BIT), of the source and
 * of the target. */
struct stage {
    struct supply_list supplies;
    uint32_t provided[2];  /* Seen to be there since the move was taken up. */
    uint32_t withdrawn[2]; /* Seen to be gone. */
    uint32_t
        touched[2]; /* What any step of the move, of whatever run, was to provide or withdraw. */
    uint32_t present[2]; /* What the checks found there before anything was done. */
    bool proven;         /* The checks passed with everything in its place on the target. */
    uint32_t matched;    /* Seen on the target to be what they were on the source. */
    struct err error;    /* Of the last try of 'failed', if 'failures' is not 0. */
    struct step failed;
    unsigned failures; /* In a row. */
    struct stage_loose loose;
};

/* True for PROVIDE and WITHDRAW. */
bool stage_is_supply_op(enum op_kind kind);

/* True of a step that looks whether supplies on the target are what they were on the source: a PREFLIGHT of the
 * target alone. */
bool stage_is_proof(const struct step *step);

/* True of the stage's own steps: those two kinds, which fail without ending the move. */
bool stage_is_own(const struct step *step);

/* Decides what to do next, as step_next() does; its own steps have 'supply' set.  A step that is STUCK for
 * supplies tells so by 'supply', and 'error' says why. */
struct step stage_next(const struct journal_move *move, const struct step_facts *facts,
                       const struct stage *stage);

/* True if 'part', which is about a supply, was seen to hold since the move was taken up. */
bool stage_holds(const struct stage *stage, const struct part *part);

/* True if what failed last is not tried again on the way forward. */
bool stage_is_hopeless(const struct stage *stage);

/* What has to be done before 'step', or 'step' itself: for one that step_next() has not decided. */
struct step stage_before(const struct journal_move *move, const struct step_facts *facts,
                         const struct stage *stage, const struct step *step);

/* The kinds that 'step', which is about to be intended, makes anew on the target: what the move must take back
 * there if it does not arrive. */
uint32_t stage_made_by(const struct stage *stage, const struct step *step);

/* 'step' is intended, by this run or (told by its record) an earlier one: what it changes holds no more. */
void stage_note_intent(struct stage *stage, enum op_kind kind, enum supply_kind supply,
                       unsigned side);

/* The last step that an earlier run intended has no outcome; its command may go on for 'timeout_ms' from now. */
void stage_note_loose(struct stage *stage, enum op_kind kind, enum supply_kind supply,
                      unsigned side, int64_t timeout_ms, int64_t now_ms);

/* How long 'step' must wait, as a command that is still loose could undo it; 0 = not at all. */
int64_t stage_wait_ms(const struct stage *stage, const struct step *step, int64_t now_ms);

/* 'step' has ended: 'err' is NULL if it succeeded. */
void stage_note_outcome(struct stage *stage, const struct step *step, const struct err *err);

/* What the checks before a move told of its supplies. */
void stage_note_checks(struct stage *stage, const struct actuator_completion *completion);
