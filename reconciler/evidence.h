/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Evidence: what was seen and tried of a move since it was taken up, and what step_next() is told of that.
 *
 * Pure; it decides nothing.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "diff/settle.h"
#include "model/op.h"
#include "reconciler/journal/journal.h"
#include "reconciler/look.h"
#include "reconciler/step.h"

/* All zero for a move that was just begun. */
struct evidence {
    enum settle_view seen[2]; /* In the last look; */
    int64_t seen_since_ms;    /* for how long (monotonic clock); 0 = nothing was seen yet. */
    bool seen_off;            /* The guest was. */
    bool stop_unanswered;     /* A shutdown request may still take effect. */
    bool proven;              /* PREFLIGHT passed. */
    struct err error;         /* Of the last operation; supplies have their own (stage.h). */
    bool has_error;
    enum op_kind failed; /* The operation it is of. */
    unsigned failures;
};

/* Takes what both hosts have just said. */
void evidence_note_look(struct evidence *evidence, const struct look *look, int64_t now_ms);

/* 'op' has ended: 'err' is NULL if it succeeded.  Not for PROVIDE and WITHDRAW. */
void evidence_note_outcome(struct evidence *evidence, enum op_kind op, const struct err *err);

/* The error of the last operation, or NULL if it succeeded or none was tried. */
const struct err *evidence_error(const struct evidence *evidence);

/* What is known of 'move' by 'look', the one noted last; who drives it adds what it was taken up with. */
struct step_facts evidence_facts(const struct evidence *evidence, const struct journal_move *move,
                                 const struct look *look, int64_t now_ms);
