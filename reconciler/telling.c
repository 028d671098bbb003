/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/telling.h"

#include "base/loop.h"
#include "reconciler/executor.h"
#include "reconciler/procedure.h"

/* A live move has steps that the procedure does not know. */
static const char *step_name(const struct executor *executor)
{
    const struct step *step = &executor->step;

    return executor->move.mode != MOVE_LIVE || stage_is_supply_op(step->op)
               ? procedure_name(step->op, step->supply)
               : NULL;
}

void telling_emit(struct executor *executor, enum event_kind kind, const struct err *err,
                  const char *text)
{
    bool ends = kind == EVENT_STEP_END;
    struct event event = {
        .kind = kind,
        .move = &executor->move,
        .guest = executor->move.guest,
        .op = executor->step.op,
        .supply = executor->step.supply,
        .host = act_host(executor),
        .step = ends || kind == EVENT_STEP_BEGIN ? step_name(executor) : NULL,
        .note = ends ? executor->record.note : NULL,
        .err = err,
        .text = text,
    };
    int64_t since = ends ? executor->act.begun_ms : executor->begun_ms;

    event.elapsed_ms = loop_now_ms(executor->world.loop) - since;
    event_emit(&executor->world.events, &event);
}

void telling_progress(struct executor *executor, const struct actuator_progress *progress)
{
    const struct event event = {
        .kind = EVENT_PROGRESS,
        .move = &executor->move,
        .guest = executor->move.guest,
        .op = executor->step.op,
        .host = act_host(executor),
        .progress = progress,
    };

    event_emit(&executor->world.events, &event);
}

void telling_no_way_back(struct executor *executor)
{
    telling_emit(executor, EVENT_ALARM, NULL,
                 "cannot be cancelled any more: it runs at its target and the rest of its memory "
                 "follows (post-copy)");
}

void telling_trouble(struct executor *executor, enum vigil_trouble trouble)
{
    const struct journal_move *move = &executor->move;

    telling_emit(executor, EVENT_ALARM, NULL,
                 vigil_text(&executor->arena, trouble, move->guest, move->from, move->to));
}

void telling_skipped(struct executor *executor)
{
    const struct journal_move *move = &executor->move;
    struct procedure_row rows[PROCEDURE_STEPS];

    if (executor->skipped_told || executor->resumed || move->mode == MOVE_LIVE ||
        executor->stage.supplies.count == 0) {
        return;
    }
    executor->skipped_told = true;
    procedure_tell(move, &executor->stage.supplies, NULL, 0, rows);
    for (size_t i = 0; i < PROCEDURE_STEPS; i++) {
        const struct event event = {
            .kind = EVENT_STEP_SKIPPED,
            .move = move,
            .guest = move->guest,
            .step = rows[i].name,
            .text = rows[i].text,
        };

        if (rows[i].state == PROCEDURE_SKIPPED) {
            event_emit(&executor->world.events, &event);
        }
    }
}

void telling_hand(struct executor *executor, enum event_kind kind, const char *why)
{
    const struct event event = {
        .kind = kind,
        .move = &executor->move,
        .guest = executor->move.guest,
        .step = executor->hand.step,
        .text = why,
    };

    event_emit(&executor->world.events, &event);
}

/* What an earlier run has told a person need not know. */
static bool is_told(const struct telling *telling, uint64_t seq)
{
    for (size_t i = 0; i < TELLING_STUCK_MAX && i < telling->stuck_count; i++) {
        if (telling->stuck[i] == seq) {
            return true;
        }
    }
    return false;
}

void telling_stuck(struct executor *executor, bool again)
{
    struct telling *telling = &executor->telling;
    uint64_t seq = executor->move.key.seq;

    if (again && is_told(telling, seq)) {
        return;
    }
    telling->stuck[telling->stuck_count++ % TELLING_STUCK_MAX] = seq;
    telling_emit(executor, EVENT_MOVE_STUCK, evidence_error(&executor->evidence),
                 executor->move.error_text);
}
