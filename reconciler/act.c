/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/act.h"

#include <string.h>

#include "actuators/actuator.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/text.h"
#include "model/policy.h"
#include "reconciler/calls.h"
#include "reconciler/executor.h"
#include "reconciler/operation.h"
#include "reconciler/telling.h"

#define STATS_MAX_MS (INT64_C(366) * 24 * 3600 * 1000) /* No migration takes a year. */

static struct loop *loop_of(const struct executor *executor)
{
    return executor->world.loop;
}

const char *act_host(const struct executor *executor)
{
    const char *suspect = executor->step.op == OP_FENCE ? force_state_host(&executor->force) : NULL;

    return suspect != NULL ? suspect : operation_host(&executor->move, executor->step.side);
}

static void finish(struct executor *executor, const struct act_end *end)
{
    struct act *act = &executor->act;

    act->ticket = 0;
    loop_timer_stop(loop_of(executor), &act->timer);
    vigil_end(&act->vigil);
    act->done(executor, end);
}

static int64_t bounded_ms(int64_t ms)
{
    return ms < 0 ? 0 : ms > STATS_MAX_MS ? STATS_MAX_MS : ms;
}

static uint64_t bounded(uint64_t figure)
{
    return figure > INT64_MAX ? INT64_MAX : figure;
}

/* Tells once, as soon as it can be known, how long the migration will take. */
static void foretell(struct executor *executor)
{
    const struct actuator_progress *newest = &executor->act.pace.newest;
    struct journal_move *move = &executor->move;

    if (move->predicted_ms != 0) {
        return;
    }
    move->predicted_ms = pace_foretell_ms(newest, executor->world.policy->max_downtime_ms);
    if (move->predicted_ms != 0) {
        move->written_bytes_s = bounded(newest->written_bytes_s);
        telling_emit(
            executor, EVENT_FORECAST, NULL,
            pace_forecast_text(&executor->arena, move->predicted_ms, move->written_bytes_s));
    }
}

static void on_progress(void *context, const struct actuator_progress *progress)
{
    struct executor *executor = context;
    struct act *act = &executor->act;
    bool postcopy = act->pace.postcopy;

    telling_progress(executor, progress);
    if (operation_is_migration(executor->step.op)) {
        vigil_feed(&act->vigil, progress);
        pace_feed(&act->pace, progress, loop_now_ms(loop_of(executor)));
        foretell(executor);
        if (act->pace.postcopy && !postcopy && executor->move.cancel_requested) {
            telling_no_way_back(executor); /* The cancel came too late by no more than a look. */
        }
    }
    /* An earlier run may have died between its promise to cancel and the act. */
    if (executor->move.cancel_requested && executor->step.op == OP_ADOPT) {
        act_cancel(executor);
    }
}

/* Why a migration was not done in its time. */
static const char *unfinished_text(struct executor *executor)
{
    const struct pace *pace = &executor->act.pace;
    const struct journal_move *move = &executor->move;

    if (move->overran) {
        return pace_why(pace, &executor->arena);
    }
    if (pace->copied == 0) {
        return text_format(&executor->arena,
                           "nothing was copied, '%s' did not get ready: see to libvirt there",
                           move->to);
    }
    return text_format(&executor->arena, "nothing was copied any more: see that '%s' reaches '%s'",
                       move->from, move->to);
}

/* A migration that was cancelled because its time was up says so, not just 'cancelled'. */
static void explain_deadline(struct executor *executor, struct err *err)
{
    const struct journal_move *move = &executor->move;
    char limit[CLOCK_TEXT_SIZE];

    if (executor->act.past_deadline && operation_is_migration(executor->step.op)) {
        clock_format_duration(move->deadline_ms - move->begun_ms, limit);
        err_set(err, ERR_TIMEOUT,
                "'%s' did not finish moving to '%s' within %s and was cancelled; it runs on at "
                "'%s': %s",
                move->guest, move->to, limit, move->from, unfinished_text(executor));
    }
}

/* The journal refuses what it could not give back, and a host's figures must not end a controller. */
static void note_stats(struct journal_move *move, const struct actuator_stats *stats)
{
    move->total_ms = bounded_ms(stats->total_ms);
    move->downtime_ms = bounded_ms(stats->downtime_ms);
    move->bytes = bounded(stats->bytes);
    move->iterations = bounded(stats->iterations);
    move->throttle_percent = stats->throttle_percent;
    move->postcopy = stats->postcopy;
}

static void on_done(void *context, const struct actuator_completion *completion)
{
    struct executor *executor = context;
    bool failed = completion->status != 0;
    struct err err = completion->err;
    struct act_end end = {
        .err = failed ? &err : NULL,
        .note = arena_strdup_maybe(&executor->arena, completion->note),
        .completion = completion,
    };

    if (operation_is_migration(executor->step.op)) {
        note_stats(&executor->move, &completion->stats);
    }
    if (failed) {
        explain_deadline(executor, &err);
    }
    finish(executor, &end);
}

static void on_fencing_done(void *context, const struct err *err, const char *note)
{
    const struct act_end end = { .err = err, .note = note };

    finish(context, &end);
}

static const char *unanswered_text(struct executor *executor)
{
    const struct step *step = &executor->step;
    const char *host = act_host(executor);

    if (stage_is_supply_op(step->op)) {
        return text_format(&executor->arena,
                           "'%s' of what '%s' needs (%s) has not answered on '%s': it is looked at "
                           "again before anything else is done",
                           op_kind_name(step->op), executor->move.guest,
                           supply_kind_name(step->supply), host);
    }
    return text_format(&executor->arena,
                       "'%s' on '%s' has not answered: '%s' may be paused or half moved; both "
                       "hosts keep its memory reserved until both tell what it is (if it stands "
                       "still, restart libvirt on '%s')",
                       op_kind_name(step->op), host, executor->move.guest, host);
}

/* The operation has not answered in its time.  A preflight touches nothing and may be forgotten, and so may what
 * cuts the power of a host that is not needed; anything else may still happen. */
static void on_overdue(void *context)
{
    struct executor *executor = context;
    enum op_kind op = executor->step.op;
    struct act_end end = { .err = NULL };
    struct err err;

    if (op == OP_PREFLIGHT || op == OP_FENCE) {
        err_set(&err, ERR_TIMEOUT, "%s '%s' did not answer%s in time",
                op == OP_FENCE ? "what fences" : "host", act_host(executor),
                op == OP_FENCE ? "" : " the checks before the move");
        end.err = &err;
    } else {
        end.unanswered = unanswered_text(executor);
    }
    act_drop(executor);
    executor->act.done(executor, &end);
}

static void on_deadline(void *context)
{
    struct executor *executor = context;
    struct act *act = &executor->act;
    int64_t now = loop_now_ms(loop_of(executor));

    if (act->pace.postcopy && pace_goes_on(&act->pace, now)) {
        loop_timer_start(loop_of(executor), &act->timer, OPERATION_GRACE_MS, on_deadline, executor);
        return;
    }
    act->past_deadline = true;
    executor->move.overran = !executor->move.cancel_requested && pace_goes_on(&act->pace, now);
    act_cancel(executor);
    loop_timer_start(loop_of(executor), &act->timer, OPERATION_GRACE_MS, on_overdue, executor);
}

static void on_trouble(void *context, enum vigil_trouble trouble)
{
    telling_trouble(context, trouble);
}

static void arm_guard(struct executor *executor)
{
    const struct policy *policy = executor->world.policy;
    struct act *act = &executor->act;
    enum op_kind op = executor->step.op;

    if (operation_is_migration(op)) {
        int64_t left = executor->move.deadline_ms - loop_wall_ms(loop_of(executor));
        int64_t most = policy->timeout_ms; /* A clock set back gives no more. */

        left = left > most ? most : left;
        loop_timer_start(loop_of(executor), &act->timer, left > 0 ? left : 0, on_deadline,
                         executor);
        vigil_begin(&act->vigil, loop_of(executor), on_trouble, executor);
        return;
    }
    loop_timer_start(loop_of(executor), &act->timer,
                     operation_timeout_ms(op, policy, &executor->stage.supplies) +
                         OPERATION_GRACE_MS,
                     on_overdue, executor);
}

static void start_fencing(struct executor *executor)
{
    const char *host = act_host(executor);
    const struct fencing what = {
        .calls = executor->world.calls,
        .epoch = executor->world.ledger->epoch,
        .host = host,
        .guest = executor->move.guest,
        .uuid = executor->move.uuid,
        .silent =
            executor->look.views[0] == SETTLE_UNREACHABLE && strcmp(host, executor->move.from) == 0,
        .done = on_fencing_done,
        .context = executor,
    };

    fencing_begin(&executor->act.fencing, &what);
    arm_guard(executor);
}

void act_begin(struct executor *executor, act_done_fn *done)
{
    const struct executor_world *world = &executor->world;
    struct act *act = &executor->act;
    struct err err;
    struct op op;

    act->done = done;
    act->begun_ms = loop_now_ms(loop_of(executor));
    telling_emit(executor, EVENT_STEP_BEGIN, NULL, NULL);
    if (executor->step.op == OP_FENCE) {
        start_fencing(executor);
        return;
    }
    if (operation_build(&executor->arena, world->policy, world->ledger, &executor->move,
                        &executor->stage.supplies, &executor->look, &executor->step, &op,
                        &err) != 0) {
        const struct act_end end = { .err = &err };

        finish(executor, &end);
        return;
    }
    operation_tell_families(&op, world->desired);
    act->ticket = calls_start(world->calls, &op, on_done, on_progress, executor);
    arm_guard(executor);
}

void act_cancel(struct executor *executor)
{
    calls_cancel(executor->world.calls, executor->act.ticket);
}

bool act_is_past_return(const struct executor *executor)
{
    return executor->act.pace.postcopy && operation_is_migration(executor->step.op);
}

void act_drop(struct executor *executor)
{
    struct act *act = &executor->act;

    loop_timer_stop(loop_of(executor), &act->timer);
    vigil_end(&act->vigil);
    calls_drop(executor->world.calls, act->ticket);
    act->ticket = 0;
    fencing_drop(&act->fencing);
}
