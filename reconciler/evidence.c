/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/evidence.h"

#include <string.h>

#include "base/digest.h"
#include "model/observed.h"

static void note_views(struct evidence *evidence, const enum settle_view views[2], int64_t now_ms)
{
    if (evidence->seen_since_ms == 0 || views[0] != evidence->seen[0] ||
        views[1] != evidence->seen[1]) {
        evidence->seen[0] = views[0];
        evidence->seen[1] = views[1];
        evidence->seen_since_ms = now_ms;
    }
}

/* A guest that is seen off has obeyed: nothing of a shutdown request is left that could hit it later. */
static void note_off(struct evidence *evidence, const struct look *look)
{
    const struct observed_guest *source = look_guest(look, 0);
    const struct observed_guest *target = look_guest(look, 1);

    if (source == NULL && target != NULL && target->state == GUEST_SHUTOFF) {
        evidence->seen_off = true;
    } else if (source != NULL && source->state == GUEST_SHUTOFF) {
        evidence->seen_off = true;
        evidence->stop_unanswered = false;
    }
}

void evidence_note_look(struct evidence *evidence, const struct look *look, int64_t now_ms)
{
    note_views(evidence, look->views, now_ms);
    note_off(evidence, look);
}

static void note_success(struct evidence *evidence, enum op_kind op)
{
    evidence->has_error = false;
    if (op == OP_PREFLIGHT) {
        evidence->proven = true;
    } else if (op == OP_STOP) {
        evidence->stop_unanswered = false;
    }
}

void evidence_note_outcome(struct evidence *evidence, enum op_kind op, const struct err *err)
{
    if (err == NULL) {
        note_success(evidence, op);
        return;
    }
    evidence->error = *err;
    evidence->has_error = true;
    evidence->failed = op;
    evidence->failures++;
    evidence->stop_unanswered |= op == OP_STOP;
}

const struct err *evidence_error(const struct evidence *evidence)
{
    return evidence->has_error ? &evidence->error : NULL;
}

/* True if the target's definition is the one that the move has brought there. */
static bool is_target_same(const struct journal_move *move, const struct look *look)
{
    const struct observed_guest *guest = look_guest(look, 1);
    char digest[DIGEST_TEXT_SIZE];

    if (guest == NULL || guest->xml == NULL) {
        return false;
    }
    digest_of(guest->xml, strlen(guest->xml), digest);
    return strcmp(digest, move->target_digest) == 0 || strcmp(digest, move->xml_digest) == 0;
}

struct step_facts evidence_facts(const struct evidence *evidence, const struct journal_move *move,
                                 const struct look *look, int64_t now_ms)
{
    const struct settle_facts facts = {
        .live = move->mode == MOVE_LIVE,
        .target_made = move->target_made,
        .target_same = is_target_same(move, look),
        .owed_start = move->original == GUEST_RUNNING,
        .unchanged_ms = now_ms - evidence->seen_since_ms,
    };

    return (struct step_facts){
        .verdict = settle_judge(look->views[0], look->views[1], &facts),
        .guests = { look_guest(look, 0), look_guest(look, 1) },
        .stranger = look->views[1] == SETTLE_OTHER,
        .proven = evidence->proven,
        .error = evidence_error(evidence),
        .failed = evidence->failed,
        .failures = evidence->failures,
    };
}
