/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/takeup.h"

#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/loop.h"
#include "model/observed.h"
#include "model/policy.h"
#include "model/profile.h"
#include "reconciler/executor.h"
#include "reconciler/force.h"

static unsigned side_of(const struct executor *executor, const struct journal_step *step)
{
    return strcmp(step->host, executor->move.from) == 0 ? 0 : 1;
}

/* A shutdown request that nobody saw obeyed may still take effect; what comes after it needs a guest that is off. */
static void read_steps(struct executor *executor, const struct journal_step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        stage_note_intent(&executor->stage, steps[i].kind, steps[i].supply,
                          side_of(executor, &steps[i]));
        if (steps[i].kind == OP_STOP) {
            executor->stop_unanswered = steps[i].state != JOURNAL_STEP_DONE;
        } else if (steps[i].kind == OP_DEFINE || steps[i].kind == OP_UNDEFINE ||
                   steps[i].kind == OP_START) {
            executor->stop_unanswered = false;
            executor->seen_off = true;
        }
    }
}

/* The host may still do what nobody waits for any more: for as long as a command of that kind may take. */
static void note_loose(struct executor *executor)
{
    const struct journal_step *step = &executor->record;

    if (executor->has_record && stage_is_supply_op(step->kind)) {
        stage_note_loose(&executor->stage, step->kind, step->supply, side_of(executor, step),
                         executor->world.policy->profile->supplies[step->supply].timeout_ms,
                         loop_now_ms(executor->world.loop));
    }
}

/* Steps of the earlier run keep their numbers; one without an outcome was ended by a crash. */
int takeup_steps(struct executor *executor, struct err *err)
{
    struct journal *journal = executor->world.ledger->journal;
    struct journal_step *steps;
    size_t count;

    if (journal->ops->steps(journal, &executor->arena, executor->move.key, &steps, &count, err) !=
        0) {
        return -1;
    }
    if (count > 0) {
        executor->steps = steps[count - 1].number;
        executor->record = steps[count - 1];
        executor->has_record = executor->record.state == JOURNAL_STEP_INTENDED;
        executor->record.state =
            executor->has_record ? JOURNAL_STEP_UNCLEAR : executor->record.state;
        executor->record.ended_ms = loop_wall_ms(executor->world.loop);
        executor->steps_before = executor->steps;
        read_steps(executor, steps, count);
        note_loose(executor);
    }
    hand_read(&executor->hand, &executor->move, &executor->stage.supplies, steps, count);
    if (executor->move.mode == MOVE_FORCED) {
        force_state_resume(&executor->force, executor->world.ledger, executor->move.key, steps,
                           count);
    }
    return 0;
}

void takeup_others(struct executor *executor, const struct observed *fleet)
{
    for (size_t i = 0; i < fleet->host_count; i++) {
        const struct observed_host *host = &fleet->hosts[i];

        if (strcmp(host->name, executor->move.from) == 0 ||
            strcmp(host->name, executor->move.to) == 0) {
            continue;
        }
        if (!host->reachable) {
            executor->silent = arena_strdup(&executor->arena, host->name);
        } else if (observed_find_guest(host, executor->move.uuid) != NULL) {
            executor->elsewhere = arena_strdup(&executor->arena, host->name);
        }
    }
}
