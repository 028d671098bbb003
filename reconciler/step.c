/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/step.h"

#include <stdint.h>

#include "model/observed.h"
#include "reconciler/force_step.h"

#define SOURCE 0u
#define TARGET 1u

static struct step run_back(enum op_kind op, unsigned side)
{
    struct step step = step_run(op, side);

    step.back = true;
    return step;
}

/* What was decided in an earlier run need not be right any more: file, room and rules are looked at anew
 * before anything is touched. */
static struct step not_begun(void)
{
    return step_end(JOURNAL_MOVE_FAILED, "the run that planned it ended before it began");
}

/* The guest is at the source, untouched or back again. */
static struct step at_source(const struct journal_move *move, const struct step_facts *facts)
{
    if (step_has_failed(facts, OP_PREFLIGHT)) {
        return step_end(JOURNAL_MOVE_FAILED, NULL);
    }
    if (move->cancel_requested) {
        return step_end_on(move, facts, SOURCE, JOURNAL_MOVE_CANCELLED, NULL);
    }
    if (move->back) {
        return step_end_on(move, facts, SOURCE,
                           move->tried && move->mode != MOVE_LIVE ? JOURNAL_MOVE_ROLLED_BACK
                                                                  : JOURNAL_MOVE_FAILED,
                           NULL);
    }
    if (move->tried) {
        return step_end_on(move, facts, SOURCE, JOURNAL_MOVE_FAILED,
                           "it was interrupted before the guest moved");
    }
    if (move->mode == MOVE_COLD) {
        return step_end(JOURNAL_MOVE_FAILED, "the guest was started meanwhile");
    }
    if (facts->resumed) {
        return not_begun();
    }
    if (!facts->proven) {
        return step_run(OP_PREFLIGHT, SOURCE);
    }
    return step_run(move->mode == MOVE_LIVE ? OP_MIGRATE : OP_STOP, SOURCE);
}

/* Stopped and not moved, and it cannot run at the source: its room may be another's.  It stays off and owed a start
 * until a look at the whole fleet finds a place for it. */
static struct step left_off(const struct journal_move *move)
{
    if (move->cancel_requested) {
        return step_end(JOURNAL_MOVE_CANCELLED, NULL);
    }
    return step_end(move->back ? JOURNAL_MOVE_ROLLED_BACK : JOURNAL_MOVE_FAILED, NULL);
}

/* The guest is shut off at the source and nowhere else. */
static struct step stopped(const struct journal_move *move, const struct step_facts *facts)
{
    bool must_run = move->original == GUEST_RUNNING;
    bool failing = step_has_failed(facts, OP_DEFINE) || step_has_failed(facts, OP_PREFLIGHT) ||
                   facts->failures > STEP_START_TRIES;

    if (step_has_failed(facts, OP_PREFLIGHT) && !must_run) {
        return step_end(JOURNAL_MOVE_FAILED, NULL);
    }
    if (move->back || move->cancel_requested || failing) {
        if (!must_run) {
            return step_end_on(
                move, facts, SOURCE,
                move->cancel_requested ? JOURNAL_MOVE_CANCELLED : JOURNAL_MOVE_FAILED, NULL);
        }
        if (facts->early ||
            (step_has_failed(facts, OP_START) && facts->failures > STEP_START_TRIES)) {
            return left_off(move);
        }
        return run_back(OP_START, SOURCE);
    }
    if (move->tried || facts->proven) {
        return step_run(OP_DEFINE, TARGET);
    }
    return facts->resumed ? not_begun() : step_run(OP_PREFLIGHT, SOURCE);
}

/* Shut off on both hosts, the target's definition is ours. */
static struct step defined_twice(const struct journal_move *move, const struct step_facts *facts)
{
    if (move->back || move->cancel_requested || step_has_failed(facts, OP_UNDEFINE)) {
        return facts->failures > STEP_TRIES_MAX
                   ? step_stuck("the definition could be removed from neither host")
                   : run_back(OP_UNDEFINE, TARGET);
    }
    return step_run(OP_UNDEFINE, SOURCE);
}

/* On the target only, shut off. */
static struct step done_off(const struct journal_move *move, const struct step_facts *facts)
{
    bool must_run = move->mode != MOVE_LIVE && move->original == GUEST_RUNNING;

    if (move->back && move->mode != MOVE_LIVE) {
        return step_run(OP_DEFINE, SOURCE);
    }
    if (!must_run) {
        return step_end_on(move, facts, TARGET, JOURNAL_MOVE_DONE,
                           move->mode == MOVE_LIVE ? "the guest shut itself down after the move"
                                                   : NULL);
    }
    if (!step_has_failed(facts, OP_START)) {
        return step_run(OP_START, TARGET);
    }
    if (facts->failures < STEP_START_TRIES && err_is_retryable(facts->error)) {
        return step_run(OP_START, TARGET);
    }
    return run_back(OP_DEFINE, SOURCE);
}

/* An early stop is over once its guest is off: a move of its own brings it to its host.  One that Berth had
 * stopped before goes the same way, so that the journal knows its room to be given away. */
static struct step stopped_early(const struct journal_move *move, const struct step_facts *facts)
{
    if (!move->tried && !facts->owed) {
        return step_end(JOURNAL_MOVE_FAILED, "the guest was shut down meanwhile");
    }
    if (!move->tried && facts->resumed) {
        return not_begun();
    }
    if (!move->tried && (move->cancel_requested || step_has_failed(facts, OP_PREFLIGHT))) {
        return left_off(move);
    }
    if (!move->tried) {
        return step_run(facts->proven ? OP_STOP : OP_PREFLIGHT, SOURCE);
    }
    return move->cancel_requested ? left_off(move) : step_end(JOURNAL_MOVE_DONE, NULL);
}

/* A host does not answer.  If it is the target of an early stop, that had no part in it yet. */
static struct step wait(const struct journal_move *move, const struct step_facts *facts)
{
    const struct observed_guest *guest = facts->guests[SOURCE];

    if (move->mode == MOVE_STOP && move->tried && guest != NULL && guest->state == GUEST_SHUTOFF) {
        return stopped_early(move, facts);
    }
    return (struct step){ .action = STEP_WAIT };
}

/* A guest that Berth stopped earlier and owes a start, where it is: no second host has a part in it. */
static struct step restart(const struct journal_move *move, const struct step_facts *facts)
{
    const struct observed_guest *guest = facts->guests[SOURCE];

    if (guest == NULL) {
        return facts->verdict == SETTLE_LOST
                   ? step_end(JOURNAL_MOVE_FAILED, "its host does not know it any more")
                   : step_stuck("its host does not answer");
    }
    if (guest->state == GUEST_RUNNING) {
        return step_end_on(move, facts, SOURCE, JOURNAL_MOVE_DONE, NULL);
    }
    if (facts->resumed && guest->state == GUEST_SHUTOFF) {
        return not_begun(); /* It may run elsewhere by now: that takes a look at every host. */
    }
    if (guest->state != GUEST_SHUTOFF || facts->failures >= STEP_START_TRIES) {
        return step_stuck("the guest is DOWN and could not be started");
    }
    return step_run(OP_START, SOURCE);
}

/* Only a live move that we tried can have a migration of ours; any other is somebody else's and is left
 * alone. */
static struct step adopt(const struct journal_move *move)
{
    if (move->tried) {
        return move->mode == MOVE_LIVE
                   ? step_run(OP_ADOPT, SOURCE)
                   : step_stuck("a migration that Berth did not begin is under way");
    }
    return step_end(JOURNAL_MOVE_FAILED, "a migration that Berth did not begin is under way");
}

/* Nothing that could have led here was committed: another actor is at work on the guest. */
static bool is_of_another(const struct journal_move *move, enum settle_verdict verdict)
{
    const uint32_t moved = 1U << SETTLE_DESTROY_TARGET | 1U << SETTLE_UNDEFINE_TARGET |
                           1U << SETTLE_DESTROY_SOURCE | 1U << SETTLE_RESUME_SOURCE |
                           1U << SETTLE_SWEEP_SOURCE | 1U << SETTLE_DEFINED_TWICE;
    const uint32_t arrived = 1U << SETTLE_DONE | 1U << SETTLE_DONE_OFF;
    uint32_t others = move->tried ? 0 : moved | 1U << SETTLE_LOST;

    if (move->mode == MOVE_STOP) { /* It does nothing on the target. */
        others |= moved | arrived;
    }
    return (others >> verdict & 1U) != 0;
}

/* Nothing was done yet, and the hosts do not look any more as they did when it was planned. */
static const char *changed_text(const struct step_facts *facts)
{
    return facts->stranger
               ? "the target has got a guest of its name meanwhile, or what cannot be told from it: "
                 "rename or remove that one"
               : "its hosts have changed since it was planned, before anything was done";
}

static struct step by_verdict(const struct journal_move *move, const struct step_facts *facts)
{
    if (is_of_another(move, facts->verdict)) {
        return step_end(JOURNAL_MOVE_FAILED, "somebody else is moving the guest");
    }
    switch (facts->verdict) {
    case SETTLE_WAIT:
        return wait(move, facts);
    case SETTLE_ADOPT:
        return adopt(move);
    case SETTLE_NOT_HAPPENED:
        return at_source(move, facts);
    case SETTLE_DESTROY_TARGET:
        return step_run(OP_DESTROY, TARGET);
    case SETTLE_UNDEFINE_TARGET:
        return step_run(OP_UNDEFINE, TARGET);
    case SETTLE_DESTROY_SOURCE:
        return step_run(OP_DESTROY, SOURCE);
    case SETTLE_RESUME_SOURCE:
        return step_run(OP_RESUME, SOURCE);
    case SETTLE_SWEEP_SOURCE:
        return step_run(OP_UNDEFINE, SOURCE);
    case SETTLE_STOPPED:
        return move->mode == MOVE_STOP ? stopped_early(move, facts) : stopped(move, facts);
    case SETTLE_ENDED:
        return step_end(JOURNAL_MOVE_FAILED, "the guest shut itself down during the move");
    case SETTLE_DEFINED_TWICE:
        return defined_twice(move, facts);
    case SETTLE_DONE:
        return step_end_on(move, facts, TARGET, JOURNAL_MOVE_DONE, NULL);
    case SETTLE_DONE_OFF:
        return done_off(move, facts);
    case SETTLE_LOST:
        return (struct step){ .action = STEP_SEARCH };
    case SETTLE_ALARM:
    case SETTLE_HOLD:
        if (!move->tried) {
            return step_end(JOURNAL_MOVE_FAILED, changed_text(facts));
        }
        break;
    case SETTLE_VERDICT_COUNT:
        break;
    }
    return step_stuck(settle_verdict_text(facts->verdict));
}

/* Autostart is lost by a migration and cleared by a stop: give it back before the move ends. */
static bool owes_autostart(const struct journal_move *move, const struct observed_guest *guest)
{
    return move->autostart && guest != NULL && guest->persistent && !guest->autostart;
}

struct step step_run(enum op_kind op, unsigned side)
{
    return (struct step){ .action = STEP_RUN, .op = op, .side = side };
}

struct step step_end(enum journal_move_state state, const char *text)
{
    return (struct step){ .action = STEP_END, .state = state, .text = text };
}

struct step step_end_on(const struct journal_move *move, const struct step_facts *facts,
                        unsigned side, enum journal_move_state state, const char *text)
{
    if (!owes_autostart(move, facts->guests[side])) {
        return step_end(state, text);
    }
    if (step_has_failed(facts, OP_AUTOSTART) && facts->failures >= STEP_AUTOSTART_TRIES) {
        return step_stuck("the guest is in its place, but its autostart could not be given back");
    }
    return step_run(OP_AUTOSTART, side);
}

struct step step_stuck(const char *text)
{
    return (struct step){ .action = STEP_STUCK, .text = text };
}

bool step_has_failed(const struct step_facts *facts, enum op_kind op)
{
    return facts->error != NULL && facts->failed == op;
}

struct step step_next(const struct journal_move *move, const struct step_facts *facts)
{
    struct step step;

    if (move->mode == MOVE_FORCED) {
        step = force_step_next(move, facts);
    } else if (journal_move_is_restart(move)) {
        step = restart(move, facts);
    } else {
        step = by_verdict(move, facts);
    }
    /* Starts have their own count: whatever else has failed, a guest that must run gets its chance. */
    if (step.action == STEP_RUN && step.op != OP_START && facts->failures > STEP_TRIES_MAX) {
        return step_stuck("its operations keep failing");
    }
    return step;
}
