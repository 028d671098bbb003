/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/executor.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "model/policy.h"
#include "model/profile.h"
#include "reconciler/intent.h"
#include "reconciler/takeup.h"

#define LOOK_AGAIN_MS INT64_C(1000)
#define WAIT_LIMIT_MS INT64_C(90000) /* Over SETTLE_PATIENCE_MS: a half state gets its chance. */

static void look_now(void *context);
static void decide(void *context);

static struct loop *loop_of(struct executor *executor)
{
    return executor->world.loop;
}

static void finish(struct executor *executor, enum executor_outcome outcome, const struct err *err)
{
    executor->active = false;
    loop_timer_stop(loop_of(executor), &executor->timer);
    act_drop(executor);
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

/* What goes wrong with supplies on the way back does not hide why the move turned round. */
static bool hides_nothing(const struct journal_move *move)
{
    return move->error == ERR_NONE || !move->back;
}

static void note_failure(struct executor *executor, const struct err *err)
{
    executor->move.error = err->code;
    executor->move.error_text = arena_strdup(&executor->arena, err->text);
}

static void note_outcome(struct executor *executor, const struct err *err)
{
    enum op_kind op = executor->step.op;
    bool own = stage_is_own(&executor->step); /* Which ends no move by its failure. */

    stage_note_outcome(&executor->stage, &executor->step, err);
    executor->record.state = err == NULL ? JOURNAL_STEP_DONE : JOURNAL_STEP_FAILED;
    executor->record.error_text = err == NULL ? NULL : arena_strdup(&executor->arena, err->text);
    executor->record.ended_ms = loop_wall_ms(loop_of(executor));
    executor->has_record = true;
    if (!own) {
        evidence_note_outcome(&executor->evidence, op, err);
    }
    if (err == NULL) {
        hand_note_done(&executor->hand, op);
    } else if (!own || hides_nothing(&executor->move)) {
        note_failure(executor, err);
    }
    telling_emit(executor, EVENT_STEP_END, err, NULL);
    force_state_note(&executor->force, op, err == NULL);
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

/* 'code' unless an operation has failed before. */
static void give_up(struct executor *executor, enum err_code code, const char *text)
{
    struct intent_batch batch = { .count = 0 };

    act_drop(executor);
    if (is_known_stuck(executor, text)) {
        executor->move.error_text = arena_strdup(&executor->arena, text);
        telling_stuck(executor, true);
        finish(executor, EXECUTOR_STUCK, NULL);
        return;
    }
    executor->move.unclear = true;
    executor->move.error = executor->move.error == ERR_NONE ? code : executor->move.error;
    executor->move.error_text = arena_strdup(&executor->arena, text);
    telling_stuck(executor, false);
    intent_add_move(executor, &batch);
    submit(executor, &batch, on_stuck_committed);
}

/* What a stopped guest's volumes are is known while its source has them: a proof is owed from then on, by
 * whatever run. */
static void note_checks(struct executor *executor, const struct actuator_completion *completion)
{
    struct stage *stage = &executor->stage;

    stage_note_checks(stage, completion);
    if (completion->supplies.count > 0 && executor->move.mode != MOVE_LIVE) {
        stage->supplies =
            supply_list_identify(&executor->arena, &stage->supplies, &completion->supplies);
        executor->identified = true;
    }
}

/* Of what a step finds there all the move has made nothing: it was not checked since the move was taken up. */
static void note_found(struct executor *executor, const struct act_end *end)
{
    if (executor->step.op == OP_PROVIDE && end->err == NULL && end->completion != NULL) {
        executor->move.made &= ~(executor->making & end->completion->present[0]);
    }
}

static void on_act_done(struct executor *executor, const struct act_end *end)
{
    executor->record.note = end->note;
    if (end->unanswered != NULL) {
        executor->record.state = JOURNAL_STEP_UNCLEAR;
        executor->has_record = true;
        give_up(executor, ERR_TIMEOUT, end->unanswered);
        return;
    }
    if (executor->step.op == OP_PREFLIGHT && end->completion != NULL &&
        !stage_is_proof(&executor->step)) {
        note_checks(executor, end->completion);
    }
    note_found(executor, end);
    note_outcome(executor, end->err);
    look_now(executor);
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
    act_begin(executor, on_act_done);
}

/* The journal keeps the order of batches: of one that nothing waits for it only matters whether it was refused. */
static void on_noted(void *context, enum journal_result result, const struct err *err)
{
    (void)is_committed(context, result, err);
}

static void submit_before(struct executor *executor, const struct force_records *records)
{
    if (records->count > 0) {
        ledger_submit(executor->world.ledger, records->items, records->count, on_noted, executor);
    }
}

/* In one batch: one move ends as another takes its place. */
static void submit_with(struct executor *executor, const struct force_records *records,
                        const struct intent_batch *batch, journal_done_fn *done)
{
    struct journal_record *all =
        ARENA_ARRAY(&executor->arena, struct journal_record, records->count + batch->count);

    if (records->count > 0) {
        memcpy(all, records->items, records->count * sizeof(*all));
    }
    memcpy(&all[records->count], batch->records, batch->count * sizeof(*all));
    ledger_submit(executor->world.ledger, all, records->count + batch->count, done, executor);
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

static void run_step(struct executor *executor)
{
    struct intent_batch batch = { .count = 0 };
    struct journal_step record = {
        .move = executor->move.key,
        .number = ++executor->steps,
        .kind = executor->step.op,
        .host = act_host(executor),
        .supply = executor->step.supply,
        .state = JOURNAL_STEP_INTENDED,
        .begun_ms = loop_wall_ms(loop_of(executor)),
    };

    if (executor->step.op == OP_START) {
        mark_start(executor);
    }
    intent_mark(executor, &batch);
    stage_note_intent(&executor->stage, record.kind, record.supply, executor->step.side);
    /* It touches nothing and needs no intent, but what came of the step before must not be lost for it. */
    if (executor->step.op == OP_PREFLIGHT && !executor->has_record) {
        executor->record = record;
        act_begin(executor, on_act_done);
        return;
    }
    telling_skipped(executor);
    intent_add_identities(executor, &batch);
    intent_add_move(executor, &batch);
    intent_add(&batch, JOURNAL_STEP)->step = record;
    executor->record = record;
    submit(executor, &batch, on_intent_committed);
}

static void on_end_committed(void *context, enum journal_result result, const struct err *err)
{
    struct executor *executor = context;

    if (is_committed(executor, result, err)) {
        telling_emit(executor, EVENT_MOVE_END,
                     executor->move.error == ERR_NONE ? NULL : &executor->evidence.error, NULL);
        finish(executor, EXECUTOR_ENDED, NULL);
    }
}

/* Its volumes may have been taken away from the source, which is dead. */
static bool has_revoked(const struct executor *executor)
{
    return profile_revokes(executor->world.policy->profile) &&
           (executor->stage.touched[1] & SUPPLY_BIT(SUPPLY_VOLUME)) != 0;
}

static void end_move(struct executor *executor)
{
    struct journal_move *move = &executor->move;
    struct force_records records = { .count = 0 };
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

        err_set(&executor->evidence.error,
                move->state == JOURNAL_MOVE_CANCELLED ? ERR_CANCELLED : ERR_CONFLICT, "%s", why);
        move->error = executor->evidence.error.code;
        move->error_text = why;
    }
    if (move->mode == MOVE_FORCED) {
        records = force_state_end(&executor->force, &executor->arena, executor->world.ledger, move,
                                  has_revoked(executor));
    }
    intent_add_move(executor, &batch);
    intent_pay_owed(executor, &batch);
    intent_clear_leftover(executor, &batch);
    submit_with(executor, &records, &batch, on_end_committed);
}

/* A migration of ours may be under way at a source that is silent, also of an earlier run; what was unclear to
 * that run, it has told. */
static void warn_of_silence(struct executor *executor)
{
    const struct journal_move *move = &executor->move;

    if (move->mode == MOVE_LIVE && move->tried && !move->unclear &&
        !executor->look.readings[0].reachable && vigil_tell(&executor->act.vigil, VIGIL_SILENT)) {
        telling_trouble(executor, VIGIL_SILENT);
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

/* What the target makes of our definition may differ in its text; remember it as ours right after. */
static void remember_target(struct executor *executor)
{
    const struct observed_guest *guest = look_guest(&executor->look, 1);

    if (executor->has_record && !executor->evidence.has_error && executor->step.op == OP_DEFINE &&
        executor->step.side == 1 && guest != NULL && guest->xml != NULL) {
        digest_of(guest->xml, strlen(guest->xml), executor->move.target_digest);
    }
}

/* On neither host of its move, and on no other that answers. */
static void search(struct executor *executor)
{
    const char *text = executor->resumed ? "the guest is MISSING: no host knows it"
                                         : "the guest is on neither host of its move";

    if (executor->silent != NULL) {
        text = text_format(&executor->arena,
                           "the guest is on neither host of its move and may be on '%s', which "
                           "does not answer",
                           executor->silent);
    }
    give_up(executor, ERR_CONFLICT, text);
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
    struct step_facts facts = evidence_facts(&executor->evidence, &executor->move, &executor->look,
                                             loop_now_ms(loop_of(executor)));

    facts.resumed = executor->resumed && !executor->by_hand; /* It goes on where it was left. */
    facts.owed = executor->owed;
    facts.early = executor->early;
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
    const struct err *why = &executor->hand.err;

    if (is_committed(executor, result, err)) {
        finish(executor, EXECUTOR_PAUSED, why->code == ERR_NONE ? NULL : why);
    }
}

/* Until a person asks for more. */
static void pause_move(struct executor *executor)
{
    struct intent_batch batch = { .count = 0 };

    intent_add_move(executor, &batch);
    submit(executor, &batch, on_pause_committed);
}

static const struct err *last_failure(const struct executor *executor)
{
    return executor->stage.failures > 0 ? &executor->stage.error
                                        : evidence_error(&executor->evidence);
}

/* Of the step that a person asked for. */
static void go_by_hand(struct executor *executor, const struct step_facts *facts)
{
    struct hand *hand = &executor->hand;
    struct hand_turn turn = hand_next(&executor->arena, hand, &executor->move, facts,
                                      &executor->stage, &executor->step);

    switch (turn.choice) {
    case HAND_TAKE:
        executor->step = turn.step;
        carry_out(executor);
        return;
    case HAND_LEAVE:
        if (turn.text != NULL && executor->steps == executor->steps_before) {
            telling_hand(executor, EVENT_STEP_SKIPPED, turn.text);
        }
        break;
    case HAND_REFUSE:
        telling_hand(executor, EVENT_STEP_REFUSED, turn.text);
        (void)err_set(&hand->err, ERR_REFUSED, "%s", turn.text);
        break;
    case HAND_FAIL:
        hand->err = *last_failure(executor);
        break;
    }
    pause_move(executor);
}

static void decide(void *context)
{
    struct executor *executor = context;
    struct step_facts facts;

    remember_target(executor);
    evidence_note_look(&executor->evidence, &executor->look, loop_now_ms(loop_of(executor)));
    facts = read_facts(executor);
    executor->step = stage_next(&executor->move, &facts, &executor->stage);
    if (executor->step.action == STEP_SEARCH && executor->elsewhere != NULL) {
        executor->step = end_elsewhere(executor, &facts);
    }
    if (executor->hand.step == NULL || executor->move.cancel_requested) {
        carry_out(executor);
    } else {
        go_by_hand(executor, &facts);
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
    executor->telling = before.telling; /* Of the run, not of a move. */
    executor->done = done;
    executor->context = context;
    executor->active = true;
    executor->begun_ms = loop_now_ms(loop_of(executor));
}

void executor_init(struct executor *executor, const struct executor_world *world)
{
    *executor = (struct executor){ .world = *world };
}

void executor_begin(struct executor *executor, const struct executor_intent *intent,
                    executor_done_fn *done, void *context)
{
    struct journal_move move;
    struct intent_batch batch = { .count = 0 };

    reset(executor, done, context);
    move = intent_move(executor, intent);
    takeup_move(executor, &move);
    if (intent->observed->xml != NULL) {
        intent_add_definition(executor, &batch, intent->observed, executor->move.xml_digest);
    }
    executor->hand.step = intent->step;
    intent_add_supplies(executor, &batch, &intent->supplies);
    hand_read(&executor->hand, &executor->move, &executor->stage.supplies, NULL, 0);
    if (intent->refused != NULL) { /* As if the checks had told. */
        evidence_note_outcome(&executor->evidence, OP_PREFLIGHT, intent->refused);
        note_failure(executor, intent->refused);
    }
    intent_add_move(executor, &batch);
    submit(executor, &batch, on_begin_committed);
}

void executor_force(struct executor *executor, const struct executor_force *force,
                    executor_done_fn *done, void *context)
{
    struct ledger *ledger = executor->world.ledger;
    struct force_records records;
    struct journal_move move;
    struct intent_batch batch = { .count = 0 };

    reset(executor, done, context);
    executor->begun = force->begun;
    executor->begun_context = force->context;
    move = intent_forced_move(executor, force);
    takeup_move(executor, &move);
    look_hasten(&executor->look);
    records = force_state_begin(&executor->force, &executor->arena, ledger, force->order, move.key,
                                move.begun_ms);
    for (size_t i = 0; i < records.count; i++) { /* All or none: a word is of this move alone. */
        *intent_add(&batch, records.items[i].kind) = records.items[i];
    }
    intent_add_supplies(executor, &batch, &force->supplies);
    intent_add_move(executor, &batch);
    submit(executor, &batch, on_begin_committed);
}

void executor_resume(struct executor *executor, const struct executor_resumption *resumption,
                     executor_done_fn *done, void *context)
{
    const struct journal_move *move = resumption->move;
    struct err supplies_err;
    struct err err;
    bool supplied;

    reset(executor, done, context);
    takeup_move(executor, move);
    takeup_others(executor, resumption->fleet);
    executor->resumed = true;
    executor->hand.step = resumption->step;
    executor->by_hand = move->by_hand;
    executor->move.by_hand = resumption->step != NULL;
    executor->move.cancel_requested |= resumption->back;
    executor->move.back |= resumption->back;
    if (executor->move.error != ERR_NONE) {
        err_set(&executor->evidence.error, move->error, "%s", move->error_text);
    }
    supplied = takeup_supplies(executor, &supplies_err) == 0;
    if (takeup_steps(executor, &err) != 0) {
        finish(executor, EXECUTOR_STOPPED, &err);
        return;
    }
    if (!supplied) {
        give_up(executor, supplies_err.code, supplies_err.text);
        return;
    }
    look_now(executor);
}

/* A shutdown request cannot be taken back.  Whoever stopped waiting would leave a guest behind that goes
 * down later, with nobody there to start it: so the wait goes on, and then it is started where it was. */
void executor_cancel(struct executor *executor)
{
    struct intent_batch batch = { .count = 0 };

    if (!executor->active || executor->move.cancel_requested) {
        return;
    }
    if (act_is_past_return(executor)) {
        telling_no_way_back(executor);
        return;
    }
    executor->move.cancel_requested = true;
    executor->move.back |= executor->hand.step != NULL; /* Nobody waits for its guest to arrive. */
    intent_add(&batch, JOURNAL_MOVE)->move = executor->move;
    submit(executor, &batch, on_noted);
    if (executor->step.op != OP_STOP) {
        act_cancel(executor);
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
    act_drop(executor);
    look_deinit(&executor->look);
    arena_deinit(&executor->arena);
}
