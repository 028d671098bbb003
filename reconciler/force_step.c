/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/force_step.h"

#include "model/observed.h"

#define SOURCE 0u
#define TARGET 1u

/* The host that was taken for dead answers, and has the guest. */
static bool is_back(const struct step_facts *facts)
{
    return facts->views[SOURCE] != SETTLE_UNREACHABLE && facts->views[SOURCE] != SETTLE_ABSENT;
}

static bool is_active(enum settle_view view)
{
    return view != SETTLE_UNREACHABLE && view != SETTLE_ABSENT && view != SETTLE_OFF &&
           view != SETTLE_OFF_MIGRATED;
}

/* What makes this start wrong: a person, a host that is back, or a run that has ended. */
static const char *objection(const struct journal_move *move, const struct step_facts *facts)
{
    if (is_back(facts)) {
        return "its host answers again and has it";
    }
    if (facts->voided && facts->views[SOURCE] == SETTLE_UNREACHABLE) {
        return "its host has answered since a person vouched for its death: that word is void";
    }
    if (facts->resumed) {
        return "the run that began it has ended: ask again";
    }
    return move->cancel_requested ? "cancelled" : NULL;
}

/* Nothing is left to undo on the target. */
static struct step failed(const struct journal_move *move, const struct step_facts *facts)
{
    enum journal_move_state state =
        move->cancel_requested && !is_back(facts) ? JOURNAL_MOVE_CANCELLED : JOURNAL_MOVE_FAILED;

    return step_end(state, objection(move, facts));
}

/* The guest has never run on the target: its definition goes again, unless no other may be left. */
static struct step take_away(const struct journal_move *move, const struct step_facts *facts)
{
    struct step step = step_run(OP_UNDEFINE, TARGET);

    if (move->source_removed) {
        return failed(move, facts);
    }
    if (step_has_failed(facts, OP_UNDEFINE) && facts->failures > STEP_TRIES_MAX) {
        return step_stuck("its definition on the target could not be removed");
    }
    step.back = true;
    return step;
}

static struct step absent(const struct journal_move *move, const struct step_facts *facts)
{
    if (move->back || objection(move, facts) != NULL || step_has_failed(facts, OP_PREFLIGHT) ||
        step_has_failed(facts, OP_FENCE) || step_has_failed(facts, OP_DEFINE)) {
        return failed(move, facts);
    }
    if (facts->started) {
        return step_stuck("the guest was started on the target, which does not know it any more");
    }
    if (!facts->proven) {
        return step_run(OP_PREFLIGHT, TARGET);
    }
    return step_run(facts->fenced ? OP_DEFINE : OP_FENCE, TARGET);
}

static struct step off(const struct journal_move *move, const struct step_facts *facts)
{
    if (!move->target_made) {
        return step_end(JOURNAL_MOVE_FAILED, "somebody has defined it on the target");
    }
    if (move->back || objection(move, facts) != NULL || step_has_failed(facts, OP_FENCE) ||
        (step_has_failed(facts, OP_START) &&
         (facts->failures >= STEP_START_TRIES || !err_is_retryable(facts->error)))) {
        return take_away(move, facts);
    }
    if (!facts->fenced) {
        return step_run(OP_FENCE, TARGET);
    }
    return move->original == GUEST_SHUTOFF
               ? step_end_on(move, facts, TARGET, JOURNAL_MOVE_DONE, NULL)
               : step_run(OP_START, TARGET);
}

/* A start that was not answered in time is a success as soon as the guest is seen to run. */
static struct step running(const struct journal_move *move, const struct step_facts *facts)
{
    if (is_active(facts->views[SOURCE])) {
        return step_stuck(
            "ALARM: the guest runs on the target and on the host that was dead: neither is "
            "touched, end one of them");
    }
    return facts->started ? step_end_on(move, facts, TARGET, JOURNAL_MOVE_DONE, NULL)
                          : step_end(JOURNAL_MOVE_FAILED, "somebody has started it on the target");
}

struct step force_step_next(const struct journal_move *move, const struct step_facts *facts)
{
    switch (facts->views[TARGET]) {
    case SETTLE_UNREACHABLE:
    case SETTLE_PAUSED_MIGRATION: /* Starting up. */
        return (struct step){ .action = STEP_WAIT };
    case SETTLE_ABSENT:
        return absent(move, facts);
    case SETTLE_OFF:
        return off(move, facts);
    case SETTLE_RUNNING:
    case SETTLE_PAUSED_USER:
        return running(move, facts);
    case SETTLE_OFF_MIGRATED:
    case SETTLE_RUNNING_JOB:
    case SETTLE_PAUSED_POSTCOPY:
    case SETTLE_PAUSED_OTHER:
    case SETTLE_OTHER:
    case SETTLE_VIEW_COUNT:
        break;
    }
    return step_stuck(settle_verdict_text(SETTLE_ALARM));
}
