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

/* What an earlier run could not tell is no failure of the move: this one looks anew. */
static void forget_unclear(struct journal_move *move)
{
    if (move->unclear && move->error == ERR_CONFLICT) {
        move->error = ERR_NONE;
        move->error_text = NULL;
    }
}

/* What the guest is owed from an earlier move goes on with this one. */
void takeup_move(struct executor *executor, const struct journal_move *move)
{
    const struct journal_owed *owed = ledger_find_owed(executor->world.ledger, move->uuid);
    struct arena *arena = &executor->arena;

    executor->move = *move;
    executor->move.guest = arena_strdup(arena, move->guest);
    executor->move.uuid = arena_strdup(arena, move->uuid);
    executor->move.from = arena_strdup(arena, move->from);
    executor->move.to = arena_strdup(arena, move->to);
    executor->move.error_text = arena_strdup_maybe(arena, move->error_text);
    executor->move.autostart |= owed != NULL && owed->autostart;
    executor->owed = owed != NULL;
    executor->owed_before = owed != NULL && owed->since_ms < move->begun_ms;
    executor->early = owed != NULL && owed->early;
    executor->unclear_text = move->unclear ? executor->move.error_text : NULL;
    forget_unclear(&executor->move);
    executor->stage.touched[1] |= move->made; /* Of a forced move also by the one before it. */
}

int takeup_supplies(struct executor *executor, struct err *err)
{
    if (journal_read_supplies(executor->world.ledger->journal, &executor->arena, &executor->move,
                              &executor->stage.supplies, err) != 0) {
        return err_wrap(err, "what the platform provides for the guest cannot be read from the "
                             "journal");
    }
    return 0;
}

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
            executor->evidence.stop_unanswered = steps[i].state != JOURNAL_STEP_DONE;
        } else if (steps[i].kind == OP_DEFINE || steps[i].kind == OP_UNDEFINE ||
                   steps[i].kind == OP_START) {
            executor->evidence.stop_unanswered = false;
            executor->evidence.seen_off = true;
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
