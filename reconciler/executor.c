/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/executor.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "model/policy.h"
#include "reconciler/calls.h"
#include "reconciler/force.h"
#include "reconciler/intent.h"
#include "reconciler/operation.h"
#include "reconciler/procedure.h"
#include "reconciler/takeup.h"

#define LOOK_AGAIN_MS INT64_C(1000)
#define WAIT_LIMIT_MS \
    INT64_C(90000) /* Longer than SETTLE_PATIENCE_MS: a half state gets its chance. */
#define STATS_MAX_MS (INT64_C(366) * 24 * 3600 * 1000) /* No migration takes a year. */

static void look_now(void *context);
static void decide(void *context);

static struct loop *loop_of(struct executor *executor)
{
    return executor->world.loop;
}

static const char *step_host(const struct executor *executor)
{
    const char *suspect = executor->step.op == OP_FENCE ? force_state_host(&executor->force) : NULL;

    return suspect != NULL ? suspect : operation_host(&executor->move, executor->step.side);
}

/* A live move has steps that the procedure does not know. */
static const char *step_name(const struct executor *executor)
{
    const struct step *step = &executor->step;

    return executor->move.mode != MOVE_LIVE || stage_is_supply_op(step->op)
               ? procedure_name(step->op, step->supply)
               : NULL;
}

static void emit(struct executor *executor, enum event_kind kind, const struct err *err,
                 const char *text)
{
    bool ends = kind == EVENT_STEP_END;
    struct event event = {
        .kind = kind,
        .move = &executor->move,
        .guest = executor->move.guest,
        .op = executor->step.op,
        .supply = executor->step.supply,
        .host = step_host(executor),
        .step = ends || kind == EVENT_STEP_BEGIN ? step_name(executor) : NULL,
        .note = ends ? executor->record.note : NULL,
        .err = err,
        .text = text,
    };
    int64_t since = ends ? executor->step_begun_ms : executor->begun_ms;

    event.elapsed_ms = loop_now_ms(loop_of(executor)) - since;
    event_emit(&executor->world.events, &event);
}

static void finish(struct executor *executor, enum executor_outcome outcome, const struct err *err)
{
    executor->active = false;
    loop_timer_stop(loop_of(executor), &executor->timer);
    vigil_end(&executor->vigil);
    executor->done(executor->context, outcome, &executor->move, err);
}

static void submit(struct executor *executor, const struct intent_batch *batch,
                   journal_done_fn *done)
{
    ledger_submit(executor->world.ledger, batch->records, batch->count, done, executor);
}

/* Acting waits for COMMITTED; anything else ends this controller's right to act.  What is in the journal
 * is settled by the next run. */
static bool is_committed(struct executor *executor, enum journal_result result,
                         const struct err *err)
{
    if (!executor->active) {
        return false;
    }
    if (result != JOURNAL_COMMITTED) {
        finish(executor, EXECUTOR_STOPPED, err);
        return false;
    }
    return true;
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
    struct journal_move *move = &executor->move;

    if (move->predicted_ms != 0) {
        return;
    }
    move->predicted_ms =
        pace_foretell_ms(&executor->pace.newest, executor->world.policy->max_downtime_ms);
    if (move->predicted_ms != 0) {
        move->written_bytes_s = bounded(executor->pace.newest.written_bytes_s);
        emit(executor, EVENT_FORECAST, NULL,
             pace_forecast_text(&executor->arena, move->predicted_ms, move->written_bytes_s));
    }
}

static void tell_no_way_back(struct executor *executor)
{
    emit(executor, EVENT_ALARM, NULL,
         "cannot be cancelled any more: it runs at its target and the rest of its memory follows "
         "(post-copy)");
}

static void on_op_progress(void *context, const struct actuator_progress *progress)
{
    struct executor *executor = context;
    bool postcopy = executor->pace.postcopy;
    struct event event = {
        .kind = EVENT_PROGRESS,
        .move = &executor->move,
        .guest = executor->move.guest,
        .op = executor->step.op,
        .host = step_host(executor),
        .progress = progress,
    };

    event_emit(&executor->world.events, &event);
    if (operation_is_migration(executor->step.op)) {
        vigil_feed(&executor->vigil, progress);
        pace_feed(&executor->pace, progress, loop_now_ms(loop_of(executor)));
        foretell(executor);
        if (executor->pace.postcopy && !postcopy && executor->move.cancel_requested) {
            tell_no_way_back(executor); /* The cancel came too late by no more than a look. */
        }
    }
    /* An earlier run may have died between its promise to cancel and the act. */
    if (executor->move.cancel_requested && executor->step.op == OP_ADOPT) {
        calls_cancel(executor->world.calls, executor->ticket);
    }
}

/* What goes wrong on the way back does not hide why the move turned round. */
static void note_supply_failure(struct executor *executor, const struct err *err)
{
    struct journal_move *move = &executor->move;

    if (move->error == ERR_NONE || !move->back) {
        move->error = err->code;
        move->error_text = arena_strdup(&executor->arena, err->text);
    }
}

static void note_failure(struct executor *executor, const struct err *err)
{
    if (stage_is_supply_op(executor->step.op)) {
        note_supply_failure(executor, err);
        return;
    }
    executor->error = *err;
    executor->has_error = true;
    executor->failed = executor->step.op;
    executor->failures++;
    executor->move.error = err->code;
    executor->move.error_text = arena_strdup(&executor->arena, err->text);
    executor->stop_unanswered |= executor->step.op == OP_STOP;
}

static void note_success(struct executor *executor)
{
    if (stage_is_supply_op(executor->step.op)) {
        return;
    }
    executor->has_error = false;
    if (executor->step.op == OP_PREFLIGHT) {
        executor->proven = true;
    } else if (executor->step.op == OP_STOP) {
        executor->stop_unanswered = false;
    }
}

static void note_outcome(struct executor *executor, const struct err *err)
{
    stage_note_outcome(&executor->stage, &executor->step, err);
    executor->record.state = err == NULL ? JOURNAL_STEP_DONE : JOURNAL_STEP_FAILED;
    executor->record.error_text = err == NULL ? NULL : arena_strdup(&executor->arena, err->text);
    executor->record.ended_ms = loop_wall_ms(loop_of(executor));
    executor->has_record = true;
    if (err == NULL) {
        note_success(executor);
    } else {
        note_failure(executor, err);
    }
    emit(executor, EVENT_STEP_END, err, NULL);
    force_state_note(&executor->force, executor->step.op, err == NULL);
}

/* Why a migration was not done in its time. */
static const char *unfinished_text(struct executor *executor)
{
    const struct journal_move *move = &executor->move;

    if (move->overran) {
        return pace_why(&executor->pace, &executor->arena);
    }
    if (executor->pace.copied == 0) {
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
    char limit[CLOCK_TEXT_SIZE];

    if (executor->past_deadline && operation_is_migration(executor->step.op)) {
        clock_format_duration(executor->move.deadline_ms - executor->move.begun_ms, limit);
        err_set(err, ERR_TIMEOUT,
                "'%s' did not finish moving to '%s' within %s and was cancelled; it runs on at "
                "'%s': %s",
                executor->move.guest, executor->move.to, limit, executor->move.from,
                unfinished_text(executor));
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

static void on_op_done(void *context, const struct actuator_completion *completion)
{
    struct executor *executor = context;
    struct err err = completion->err;

    executor->ticket = 0;
    loop_timer_stop(loop_of(executor), &executor->timer);
    vigil_end(&executor->vigil);
    if (operation_is_migration(executor->step.op)) {
        note_stats(&executor->move, &completion->stats);
    }
    if (executor->step.op == OP_PREFLIGHT) {
        stage_note_checks(&executor->stage, completion);
    }
    executor->record.note = arena_strdup_maybe(&executor->arena, completion->note);
    if (completion->status != 0) {
        explain_deadline(executor, &err);
    }
    note_outcome(executor, completion->status == 0 ? NULL : &err);
    look_now(executor);
}

static void on_fencing_done(void *context, const struct err *err, const char *note)
{
    struct executor *executor = context;

    loop_timer_stop(loop_of(executor), &executor->timer);
    executor->record.note = note;
    note_outcome(executor, err);
    look_now(executor);
}

static void on_stuck_committed(void *context, enum journal_result result, const struct err *err)
{
    struct executor *executor = context;

    if (is_committed(executor, result, err)) {
        finish(executor, EXECUTOR_STUCK, NULL);
    }
}

/* As the journal has it, and a person was told. */
static bool is_known_stuck(const struct executor *executor, const char *text)
{
    return executor->resumed && executor->unclear_text != NULL &&
           executor->steps == executor->steps_before && strcmp(executor->unclear_text, text) == 0;
}

/* Tells that the move is stuck; what an earlier run has told a person need not know. */
static void tell_stuck(struct executor *executor, bool again)
{
    uint64_t seq = executor->move.key.seq;

    for (size_t i = 0; again && i < EXECUTOR_TOLD && i < executor->told_count; i++) {
        if (executor->told[i] == seq) {
            return;
        }
    }
    executor->told[executor->told_count++ % EXECUTOR_TOLD] = seq;
    emit(executor, EVENT_MOVE_STUCK, executor->has_error ? &executor->error : NULL,
         executor->move.error_text);
}

/* 'code' unless an operation has failed before. */
static void give_up(struct executor *executor, enum err_code code, const char *text)
{
    struct intent_batch batch = { .count = 0 };

    vigil_end(&executor->vigil);
    calls_drop(executor->world.calls, executor->ticket);
    executor->ticket = 0;
    if (is_known_stuck(executor, text)) {
        executor->move.error_text = arena_strdup(&executor->arena, text);
        tell_stuck(executor, true);
        finish(executor, EXECUTOR_STUCK, NULL);
        return;
    }
    executor->move.unclear = true;
    executor->move.error = executor->move.error == ERR_NONE ? code : executor->move.error;
    executor->move.error_text = arena_strdup(&executor->arena, text);
    tell_stuck(executor, false);
    intent_add_move(executor, &batch);
    submit(executor, &batch, on_stuck_committed);
}

static const char *overdue_text(struct executor *executor)
{
    const struct step *step = &executor->step;

    if (stage_is_supply_op(step->op)) {
        return text_format(&executor->arena,
                           "'%s' of what '%s' needs (%s) has not answered on '%s': it is looked at "
                           "again before anything else is done",
                           op_kind_name(step->op), executor->move.guest,
                           supply_kind_name(step->supply), step_host(executor));
    }
    return text_format(&executor->arena,
                       "'%s' on '%s' has not answered: '%s' may be paused or half moved; both "
                       "hosts keep its memory reserved until both tell what it is (if it stands "
                       "still, restart libvirt on '%s')",
                       op_kind_name(step->op), step_host(executor), executor->move.guest,
                       step_host(executor));
}

/* The operation has not answered in its time.  A preflight touches nothing and may be forgotten, and so may what
 * cuts the power of a host that is not needed; anything else may still happen, so the move stays open. */
static void on_op_overdue(void *context)
{
    struct executor *executor = context;

    if (executor->step.op == OP_PREFLIGHT || executor->step.op == OP_FENCE) {
        struct err err;

        calls_drop(executor->world.calls, executor->ticket);
        fencing_drop(&executor->fencing);
        executor->ticket = 0;
        err_set(&err, ERR_TIMEOUT, "%s '%s' did not answer%s in time",
                executor->step.op == OP_FENCE ? "what fences" : "host", step_host(executor),
                executor->step.op == OP_FENCE ? "" : " the checks before the move");
        note_outcome(executor, &err);
        look_now(executor);
        return;
    }
    executor->record.state = JOURNAL_STEP_UNCLEAR;
    executor->has_record = true;
    give_up(executor, ERR_TIMEOUT, overdue_text(executor));
}

static void on_deadline(void *context)
{
    struct executor *executor = context;
    int64_t now = loop_now_ms(loop_of(executor));

    if (executor->pace.postcopy && pace_goes_on(&executor->pace, now)) {
        loop_timer_start(loop_of(executor), &executor->timer, OPERATION_GRACE_MS, on_deadline,
                         executor);
        return;
    }
    executor->past_deadline = true;
    executor->move.overran = !executor->move.cancel_requested && pace_goes_on(&executor->pace, now);
    calls_cancel(executor->world.calls, executor->ticket);
    loop_timer_start(loop_of(executor), &executor->timer, OPERATION_GRACE_MS, on_op_overdue,
                     executor);
}

static void on_trouble(void *context, enum vigil_trouble trouble)
{
    struct executor *executor = context;
    const struct journal_move *move = &executor->move;

    emit(executor, EVENT_ALARM, NULL,
         vigil_text(&executor->arena, trouble, move->guest, move->from, move->to));
}

static void arm_guard(struct executor *executor)
{
    enum op_kind op = executor->step.op;

    if (operation_is_migration(op)) {
        int64_t left = executor->move.deadline_ms - loop_wall_ms(loop_of(executor));
        int64_t most = executor->world.policy->timeout_ms; /* A clock set back gives no more. */

        left = left > most ? most : left;
        loop_timer_start(loop_of(executor), &executor->timer, left > 0 ? left : 0, on_deadline,
                         executor);
        vigil_begin(&executor->vigil, loop_of(executor), on_trouble, executor);
        return;
    }
    loop_timer_start(loop_of(executor), &executor->timer,
                     operation_timeout_ms(op, executor->world.policy, &executor->stage.supplies) +
                         OPERATION_GRACE_MS,
                     on_op_overdue, executor);
}

static void start_fencing(struct executor *executor)
{
    const struct fencing what = {
        .calls = executor->world.calls,
        .epoch = executor->world.ledger->epoch,
        .host = step_host(executor),
        .guest = executor->move.guest,
        .uuid = executor->move.uuid,
        .silent = executor->look.views[0] == SETTLE_UNREACHABLE &&
                  strcmp(step_host(executor), executor->move.from) == 0,
        .done = on_fencing_done,
        .context = executor,
    };

    fencing_begin(&executor->fencing, &what);
    arm_guard(executor);
}

static void start_op(struct executor *executor)
{
    const struct executor_world *world = &executor->world;
    struct err err;
    struct op op;

    executor->step_begun_ms = loop_now_ms(loop_of(executor));
    emit(executor, EVENT_STEP_BEGIN, NULL, NULL);
    if (executor->step.op == OP_FENCE) {
        start_fencing(executor);
        return;
    }
    if (operation_build(&executor->arena, world->policy, world->ledger, &executor->move,
                        &executor->stage.supplies, &executor->look, &executor->step, &op,
                        &err) != 0) {
        note_outcome(executor, &err);
        look_now(executor);
        return;
    }
    operation_tell_families(&op, world->desired);
    executor->ticket = calls_start(world->calls, &op, on_op_done, on_op_progress, executor);
    arm_guard(executor);
}

/* A person said stop while the intent was being written: what leads away from the source is not begun. */
static bool is_called_off(const struct executor *executor)
{
    enum op_kind op = executor->step.op;

    return executor->move.cancel_requested && !executor->step.back &&
           (op == OP_MIGRATE || op == OP_STOP || (op == OP_DEFINE && executor->step.side == 1) ||
            (op == OP_START && executor->move.mode == MOVE_FORCED));
}

static void call_off(struct executor *executor)
{
    executor->record.state = JOURNAL_STEP_FAILED;
    executor->record.error_text = "cancelled before it began";
    executor->record.ended_ms = loop_wall_ms(loop_of(executor));
    executor->has_record = true;
    look_now(executor);
}

static void on_intent_committed(void *context, enum journal_result result, const struct err *err)
{
    struct executor *executor = context;

    if (!is_committed(executor, result, err)) {
        return;
    }
    if (is_called_off(executor)) {
        call_off(executor);
        return;
    }
    start_op(executor);
}

/* The journal keeps the order of batches, and these are few enough for none of their own: what comes of them is
 * only asked if they were refused. */
static void on_before_committed(void *context, enum journal_result result, const struct err *err)
{
    (void)is_committed(context, result, err);
}

static void submit_before(struct executor *executor, const struct force_records *records)
{
    if (records->count > 0) {
        ledger_submit(executor->world.ledger, records->items, records->count, on_before_committed,
                      executor);
    }
}

static void mark_start(struct executor *executor)
{
    struct force_records records;

    if (executor->move.mode == MOVE_FORCED) {
        records = force_state_start(&executor->force, &executor->arena, executor->world.ledger,
                                    &executor->move, loop_wall_ms(loop_of(executor)));
        submit_before(executor, &records);
    }
}

/* Once, before anything is done: what a person who knows the procedure waits for in vain. */
static void tell_skipped(struct executor *executor)
{
    const struct journal_move *move = &executor->move;
    struct procedure_row rows[PROCEDURE_STEPS];

    if (executor->steps_told || executor->resumed || move->mode == MOVE_LIVE ||
        executor->stage.supplies.count == 0) {
        return;
    }
    executor->steps_told = true;
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

static void run_step(struct executor *executor)
{
    struct intent_batch batch = { .count = 0 };
    struct journal_step record = {
        .move = executor->move.key,
        .number = ++executor->steps,
        .kind = executor->step.op,
        .host = step_host(executor),
        .supply = executor->step.supply,
        .state = JOURNAL_STEP_INTENDED,
        .begun_ms = loop_wall_ms(loop_of(executor)),
    };

    if (executor->step.op == OP_START) {
        mark_start(executor);
    }
    intent_mark(executor, &batch);
    stage_note_intent(&executor->stage, record.kind, record.supply, executor->step.side);
    if (executor->step.op == OP_PREFLIGHT) { /* Touches nothing: needs no intent. */
        executor->record = record;
        start_op(executor);
        return;
    }
    tell_skipped(executor);
    intent_add_move(executor, &batch);
    intent_add(&batch, JOURNAL_STEP)->step = record;
    executor->record = record;
    submit(executor, &batch, on_intent_committed);
}

static void on_end_committed(void *context, enum journal_result result, const struct err *err)
{
    struct executor *executor = context;

    if (is_committed(executor, result, err)) {
        emit(executor, EVENT_MOVE_END, executor->move.error == ERR_NONE ? NULL : &executor->error,
             NULL);
        finish(executor, EXECUTOR_ENDED, NULL);
    }
}

static void end_move(struct executor *executor)
{
    struct journal_move *move = &executor->move;
    struct intent_batch batch = { .count = 0 };

    move->state = executor->step.state;
    move->ended_ms = loop_wall_ms(loop_of(executor));
    move->unclear = false;
    if (move->state == JOURNAL_MOVE_DONE) {
        move->overran = false;
        move->error = ERR_NONE;
        move->error_text = executor->step.text;
    } else if (move->error == ERR_NONE) {
        const char *why = executor->step.text != NULL ? executor->step.text : "cancelled";

        err_set(&executor->error,
                move->state == JOURNAL_MOVE_CANCELLED ? ERR_CANCELLED : ERR_CONFLICT, "%s", why);
        move->error = executor->error.code;
        move->error_text = why;
    }
    if (move->mode == MOVE_FORCED) {
        const struct force_records records =
            force_state_end(&executor->force, &executor->arena, executor->world.ledger, move);

        submit_before(executor, &records);
    }
    intent_add_move(executor, &batch);
    intent_pay_owed(executor, &batch);
    intent_clear_leftover(executor, &batch);
    submit(executor, &batch, on_end_committed);
}

/* A migration of ours may be under way at a source that is silent, also of an earlier run; what was unclear to
 * that run, it has told. */
static void warn_of_silence(struct executor *executor)
{
    const struct journal_move *move = &executor->move;

    if (move->mode == MOVE_LIVE && move->tried && !move->unclear &&
        !executor->look.readings[0].reachable && vigil_tell(&executor->vigil, VIGIL_SILENT)) {
        on_trouble(executor, VIGIL_SILENT);
    }
}

static void wait_and_look(struct executor *executor)
{
    const struct observed_host *source = &executor->look.readings[0];
    bool sourceless = executor->move.mode == MOVE_FORCED; /* Nobody waits for a dead host. */
    const struct observed_host *silent =
        source->reachable || sourceless ? &executor->look.readings[1] : source;
    int64_t now = loop_now_ms(loop_of(executor));

    if (executor->waiting_since_ms == 0) {
        executor->waiting_since_ms = now;
        warn_of_silence(executor);
    }
    /* A host that was silent before gets no more time; a half state always gets its own. */
    if ((executor->resumed && executor->move.unclear && !silent->reachable) ||
        now - executor->waiting_since_ms >= WAIT_LIMIT_MS) {
        give_up(executor, ERR_CONFLICT,
                silent->reachable ? "its hosts tell of a half move that does not go on"
                                  : text_format(&executor->arena,
                                                "'%s' does not answer (%s): what became of '%s' is "
                                                "not known, both hosts keep its memory reserved",
                                                silent->name, silent->error, executor->move.guest));
        return;
    }
    loop_timer_start(loop_of(executor), &executor->timer, LOOK_AGAIN_MS, look_now, executor);
}

static bool is_target_same(struct executor *executor)
{
    const struct observed_guest *guest = look_guest(&executor->look, 1);
    char digest[DIGEST_TEXT_SIZE];

    if (guest == NULL || guest->xml == NULL) {
        return false;
    }
    digest_of(guest->xml, strlen(guest->xml), digest);
    return strcmp(digest, executor->move.target_digest) == 0 ||
           strcmp(digest, executor->move.xml_digest) == 0;
}

/* What the target makes of our definition may differ in its text; remember it as ours right after. */
static void remember_target(struct executor *executor)
{
    const struct observed_guest *guest = look_guest(&executor->look, 1);

    if (executor->has_record && !executor->has_error && executor->step.op == OP_DEFINE &&
        executor->step.side == 1 && guest != NULL && guest->xml != NULL) {
        digest_of(guest->xml, strlen(guest->xml), executor->move.target_digest);
    }
}

static void watch_views(struct executor *executor)
{
    const enum settle_view *views = executor->look.views;

    if (executor->seen_since_ms == 0 || views[0] != executor->seen[0] ||
        views[1] != executor->seen[1]) {
        executor->seen[0] = views[0];
        executor->seen[1] = views[1];
        executor->seen_since_ms = loop_now_ms(loop_of(executor));
    }
}

/* A guest that is seen off has obeyed: nothing of a shutdown request is left that could hit it later. */
static void watch_stop(struct executor *executor)
{
    const struct observed_guest *source = look_guest(&executor->look, 0);
    const struct observed_guest *target = look_guest(&executor->look, 1);

    if (source == NULL && target != NULL && target->state == GUEST_SHUTOFF) {
        executor->seen_off = true;
    } else if (source != NULL && source->state == GUEST_SHUTOFF) {
        executor->seen_off = true;
        executor->stop_unanswered = false;
    }
}

/* On neither host of its move, and on no other that answers. */
static void search(struct executor *executor)
{
    if (executor->silent != NULL) {
        give_up(executor, ERR_CONFLICT,
                text_format(&executor->arena,
                            "the guest is on neither host of its move and may be on '%s', which "
                            "does not answer",
                            executor->silent));
    } else if (executor->resumed) {
        give_up(executor, ERR_CONFLICT, "the guest is MISSING: no host knows it");
    } else {
        give_up(executor, ERR_CONFLICT, "the guest is on neither host of its move");
    }
}

/* Of supplies it tells what went wrong with them. */
static void get_stuck(struct executor *executor)
{
    const struct step *step = &executor->step;
    const struct stage *stage = &executor->stage;
    const char *text = step->text;

    if (step->supply != SUPPLY_NONE && stage->failures > 0) {
        text = text_format(&executor->arena, "%s: %s", step->text, stage->error.text);
    }
    give_up(executor, ERR_CONFLICT, text);
}

/* What an earlier run left going on at a host is waited out before it is undone. */
static void run_or_wait(struct executor *executor)
{
    int64_t wait_ms =
        stage_wait_ms(&executor->stage, &executor->step, loop_now_ms(loop_of(executor)));

    executor->waiting_since_ms = 0;
    if (wait_ms == 0) {
        run_step(executor);
        return;
    }
    loop_timer_start(loop_of(executor), &executor->timer, wait_ms, look_now, executor);
}

static void carry_out(struct executor *executor)
{
    switch (executor->step.action) {
    case STEP_RUN:
        run_or_wait(executor);
        return;
    case STEP_WAIT:
        wait_and_look(executor);
        return;
    case STEP_END:
        end_move(executor);
        return;
    case STEP_SEARCH:
        search(executor);
        return;
    case STEP_STUCK:
        get_stuck(executor);
        return;
    }
}

static struct step_facts read_facts(struct executor *executor)
{
    struct step_facts facts = {
        .guests = { look_guest(&executor->look, 0), look_guest(&executor->look, 1) },
        .resumed = executor->resumed && !executor->by_hand, /* It goes on where it was left. */
        .stranger = executor->look.views[1] == SETTLE_OTHER,
        .proven = executor->proven,
        .owed = executor->owed,
        .early = executor->early,
        .error = executor->has_error ? &executor->error : NULL,
        .failed = executor->failed,
        .failures = executor->failures,
    };
    const struct settle_facts settle_facts = {
        .live = executor->move.mode == MOVE_LIVE,
        .target_made = executor->move.target_made,
        .target_same = is_target_same(executor),
        .owed_start = executor->move.original == GUEST_RUNNING,
        .unchanged_ms = loop_now_ms(loop_of(executor)) - executor->seen_since_ms,
    };

    facts.verdict = settle_judge(executor->look.views[0], executor->look.views[1], &settle_facts);
    force_state_tell(&executor->force, &executor->look, &facts);
    return facts;
}

/* The guest is on neither host of its move.  Where somebody else has taken it, it is planned from there. */
static struct step end_elsewhere(struct executor *executor, const struct step_facts *facts)
{
    const struct step end = {
        .action = STEP_END,
        .state = JOURNAL_MOVE_FAILED,
        .text = text_format(&executor->arena, "somebody else has moved the guest to '%s'",
                            executor->elsewhere),
    };

    return stage_before(&executor->move, facts, &executor->stage, &end);
}

static void on_pause_committed(void *context, enum journal_result result, const struct err *err)
{
    struct executor *executor = context;
    const struct err *failed = executor->stage.failures > 0 ? &executor->stage.error
                               : executor->has_error        ? &executor->error
                                                            : NULL;

    if (is_committed(executor, result, err)) {
        finish(executor, EXECUTOR_PAUSED, failed);
    }
}

/* What comes next was not asked for. */
static void pause_move(struct executor *executor)
{
    struct intent_batch batch = { .count = 0 };

    intent_add_move(executor, &batch);
    submit(executor, &batch, on_pause_committed);
}

static void decide(void *context)
{
    struct executor *executor = context;
    struct step_facts facts;

    remember_target(executor);
    watch_views(executor);
    watch_stop(executor);
    facts = read_facts(executor);
    executor->step = stage_next(&executor->move, &facts, &executor->stage);
    if (executor->step.action == STEP_SEARCH && executor->elsewhere != NULL) {
        executor->step = end_elsewhere(executor, &facts);
    }
    if (hand_allows(&executor->hand, &executor->move, &executor->step)) {
        carry_out(executor);
    } else {
        pause_move(executor);
    }
}

static void look_now(void *context)
{
    struct executor *executor = context;

    look_begin(&executor->look, executor->world.calls, executor->move.guest, executor->move.uuid,
               executor->move.from, executor->move.to, decide, executor);
}

static void on_begin_committed(void *context, enum journal_result result, const struct err *err)
{
    struct executor *executor = context;

    if (!is_committed(executor, result, err)) {
        return;
    }
    if (executor->begun != NULL) {
        executor->begun(executor->begun_context);
    }
    look_now(executor);
}

static void reset(struct executor *executor, executor_done_fn *done, void *context)
{
    const struct executor before = *executor;

    assert(!executor->active);
    executor_deinit(executor);
    executor_init(executor, &before.world);
    memcpy(executor->told, before.told, sizeof(before.told)); /* Of the run, not of a move. */
    executor->told_count = before.told_count;
    executor->done = done;
    executor->context = context;
    executor->active = true;
    executor->begun_ms = loop_now_ms(loop_of(executor));
}

void executor_init(struct executor *executor, const struct executor_world *world)
{
    *executor = (struct executor){ .world = *world };
}

/* What the guest is owed from an earlier move goes on with this one. */
static void copy_move(struct executor *executor, const struct journal_move *move)
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
    executor->stage.touched[1] |= move->made; /* Of a forced move also by the one before it. */
}

static enum guest_state original_state(const struct observed_guest *guest)
{
    if (guest->owed_start) {
        return GUEST_RUNNING;
    }
    return guest->state == GUEST_PAUSED || guest->state == GUEST_SHUTOFF ? guest->state
                                                                         : GUEST_RUNNING;
}

void executor_begin(struct executor *executor, const struct executor_intent *intent,
                    executor_done_fn *done, void *context)
{
    struct ledger *ledger = executor->world.ledger;
    int64_t now = loop_wall_ms(loop_of(executor));
    struct intent_batch batch = { .count = 0 };
    struct journal_move move = {
        .key = ledger_key(ledger),
        .run = ledger->run,
        .guest = intent->guest,
        .uuid = intent->uuid,
        .from = intent->from,
        .to = intent->to,
        .mode = intent->mode,
        .detour = intent->detour,
        .fallback = intent->fallback,
        .original = original_state(intent->observed),
        .autostart = intent->observed->autostart,
        .persistent = intent->observed->persistent,
        .by_hand = intent->step != NULL,
        .begun_ms = now,
        .deadline_ms = now + executor->world.policy->timeout_ms,
    };

    reset(executor, done, context);
    memcpy(move.es_digest, intent->es_digest, DIGEST_TEXT_SIZE);
    copy_move(executor, &move);
    if (intent->observed->xml != NULL) {
        intent_add_definition(executor, &batch, intent->observed, executor->move.xml_digest);
    }
    executor->hand.step = intent->step;
    intent_add_supplies(executor, &batch, &intent->supplies);
    if (intent->refused != NULL) { /* As if the checks had told. */
        executor->step.op = OP_PREFLIGHT;
        note_failure(executor, intent->refused);
    }
    intent_add_move(executor, &batch);
    submit(executor, &batch, on_begin_committed);
}

void executor_force(struct executor *executor, const struct executor_force *force,
                    executor_done_fn *done, void *context)
{
    const struct force_order *order = force->order;
    struct ledger *ledger = executor->world.ledger;
    int64_t now = loop_wall_ms(loop_of(executor));
    struct force_records records;
    struct intent_batch batch = { .count = 0 };
    struct journal_move move = {
        .key = ledger_key(ledger),
        .run = ledger->run,
        .guest = order->guest,
        .uuid = order->uuid,
        .from = order->from,
        .to = order->to,
        .mode = MOVE_FORCED,
        .original = order->original,
        .autostart = order->autostart,
        .persistent = true,
        .target_made = order->target_made,
        .source_removed = order->source_removed,
        .made = order->made,
        .begun_ms = now,
        .deadline_ms = now + executor->world.policy->timeout_ms,
    };

    reset(executor, done, context);
    executor->begun = force->begun;
    executor->begun_context = force->context;
    memcpy(move.es_digest, force->es_digest, DIGEST_TEXT_SIZE);
    memcpy(move.xml_digest, order->xml_digest, DIGEST_TEXT_SIZE);
    (void)snprintf(move.target_digest, sizeof(move.target_digest), "%s", order->target_digest);
    copy_move(executor, &move);
    look_hasten(&executor->look);
    records = force_state_begin(&executor->force, &executor->arena, ledger, order, move.key, now);
    for (size_t i = 0; i < records.count; i++) { /* All or none: a word is of this move alone. */
        *intent_add(&batch, records.items[i].kind) = records.items[i];
    }
    intent_add_supplies(executor, &batch, &force->supplies);
    intent_add_move(executor, &batch);
    submit(executor, &batch, on_begin_committed);
}

/* What an earlier run could not tell is no failure of the move: this one looks anew. */
static void forget_unclear(struct journal_move *move)
{
    if (move->unclear && move->error == ERR_CONFLICT) {
        move->error = ERR_NONE;
        move->error_text = NULL;
    }
}

void executor_resume(struct executor *executor, const struct journal_move *move,
                     const struct observed *fleet, const char *step, executor_done_fn *done,
                     void *context)
{
    struct err supplies_err;
    struct err err;
    bool supplied;

    reset(executor, done, context);
    copy_move(executor, move);
    executor->unclear_text = executor->move.unclear ? executor->move.error_text : NULL;
    forget_unclear(&executor->move);
    takeup_others(executor, fleet);
    executor->resumed = true;
    executor->hand.step = step;
    executor->by_hand = move->by_hand;
    executor->move.by_hand = step != NULL;
    if (executor->move.error != ERR_NONE) {
        err_set(&executor->error, move->error, "%s", move->error_text);
    }
    supplied =
        journal_read_supplies(executor->world.ledger->journal, &executor->arena, &executor->move,
                              &executor->stage.supplies, &supplies_err) == 0;
    if (takeup_steps(executor, &err) != 0) {
        finish(executor, EXECUTOR_STOPPED, &err);
        return;
    }
    if (!supplied) {
        give_up(executor, supplies_err.code,
                text_format(&executor->arena,
                            "what the platform provides for the guest cannot be read from the "
                            "journal: %s",
                            supplies_err.text));
        return;
    }
    look_now(executor);
}

static void on_cancel_committed(void *context, enum journal_result result, const struct err *err)
{
    (void)is_committed(context, result, err);
}

/* A shutdown request cannot be taken back.  Whoever stopped waiting would leave a guest behind that goes
 * down later, with nobody there to start it: so the wait goes on, and then it is started where it was. */
void executor_cancel(struct executor *executor)
{
    struct intent_batch batch = { .count = 0 };

    if (!executor->active || executor->move.cancel_requested) {
        return;
    }
    if (executor->pace.postcopy && operation_is_migration(executor->step.op)) {
        tell_no_way_back(executor);
        return;
    }
    executor->move.cancel_requested = true;
    intent_add(&batch, JOURNAL_MOVE)->move = executor->move;
    submit(executor, &batch, on_cancel_committed);
    if (executor->step.op != OP_STOP) {
        calls_cancel(executor->world.calls, executor->ticket);
    }
}

const struct journal_move *executor_move(const struct executor *executor)
{
    return executor->active ? &executor->move : NULL;
}

bool executor_may_leave(const struct executor *executor)
{
    return !executor->active || executor->move.mode == MOVE_LIVE;
}

void executor_deinit(struct executor *executor)
{
    loop_timer_stop(loop_of(executor), &executor->timer);
    vigil_end(&executor->vigil);
    calls_drop(executor->world.calls, executor->ticket);
    fencing_drop(&executor->fencing);
    look_deinit(&executor->look);
    arena_deinit(&executor->arena);
}
