/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/reconciler.h"

#include <assert.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/text.h"
#include "diff/plan.h"
#include "diff/verify.h"
#include "model/fault.h"
#include "reconciler/adopt.h"
#include "reconciler/calls.h"
#include "reconciler/condition.h"
#include "reconciler/config.h"
#include "reconciler/debounce.h"
#include "reconciler/definition.h"
#include "reconciler/drift.h"
#include "reconciler/executor.h"
#include "reconciler/following.h"
#include "reconciler/gauge.h"
#include "reconciler/ledger.h"
#include "reconciler/opening.h"
#include "reconciler/order.h"
#include "reconciler/owed.h"
#include "reconciler/retry.h"
#include "reconciler/snapshot.h"
#include "reconciler/source.h"
#include "reconciler/standing.h"
#include "reconciler/view.h"
#include "reconciler/waiting.h"
#include "reconciler/watch.h"

/* A person waits for 'berth apply': a failed move is tried again a few times within this run, later
 * tries are left to a later run. */
#define RUN_TRIES_MAX   3u
#define RUN_WAIT_MAX_MS INT64_C(60000)

/* A run that follows looks at the file and the hosts at least this often. */
#define FOLLOW_HOSTS_MS INT64_C(60000)

/* What hosts tell by themselves is looked at when they have ceased to tell for this long, at the latest this
 * long after the first notice; and a fleet that never ceases is looked at no more often than this many
 * times what a look takes. */
#define NOTICE_QUIET_MS INT64_C(100)
#define NOTICE_LIMIT_MS INT64_C(500)
#define NOTICE_REST     4

/* What a pass has found, kept until the next one has found as much: somebody may ask at any time. */
struct finding {
    struct arena arena;
    struct revision revision;
    struct observed observed;
    const struct plan_block *blocked;
    size_t block_count;
    int64_t looked_ms; /* 0 = nothing was found. */
};

struct names {
    const char **items;
    size_t count;
};

struct reconciler {
    struct reconciler_world world;
    struct reconciler_options options;
    reconciler_done_fn *done;
    void *context;

    struct calls calls;
    struct snapshot snapshot;
    struct ledger ledger;
    struct executor executor;
    struct following following;
    struct errands errands;
    struct debounce notices; /* Of hosts. */
    struct loop_timer timer;

    struct standing standing;
    struct drift drift;
    struct err adopting; /* Why the file could not follow the fleet, told once. */

    struct arena arena; /* The pass. */
    struct revision revision;
    struct view view;
    struct finding found;  /* By this pass; its arena is the pass's. */
    struct finding before; /* By the one before. */
    struct conditions conditions;
    struct gauge gauge; /* Of the running move. */
    int64_t next_look_ms;
    int64_t look_begun_ms; /* Monotonic, as the next. */
    int64_t look_took_ms;
    bool heard; /* Hosts have told of changes since the last look began. */

    struct arena run_arena;
    uint64_t *stuck; /* seq of moves seen stuck in this run. */
    size_t stuck_count;
    struct names restarted; /* Owed starts that were tried in this run, ... */
    struct names told_down; /* ... and those that a person was told of. */
    struct journal_run run;
    struct reconciler_result result;
    size_t notes;    /* Batches that nothing waits for, not yet answered. */
    bool pass_waits; /* For them: a pass reads what they write. */
    bool rest_waits; /* For them: what is not kept is a failure of the run. */
    bool overtaken;  /* The pass under way began before something that it must know. */
    bool began;
    bool parks;   /* This run has begun to stop a guest early. */
    bool resumed; /* The move under way was left open by an earlier run. */
    bool cancelled;
    bool invalid; /* The file has become faulty: the run ends, ... */
    bool ending;  /* ... as it does when it is told to. */
    bool ended;
};

static void pass(void *context);
static void rest(struct reconciler *reconciler);
static void next_pass(struct reconciler *reconciler);

static int64_t wall(struct reconciler *reconciler)
{
    return loop_wall_ms(reconciler->world.loop);
}

static void emit(struct reconciler *reconciler, const struct event *event)
{
    event_emit(&reconciler->world.events, event);
}

static void on_run_ended(void *context, enum journal_result result, const struct err *err)
{
    struct reconciler *reconciler = context;

    (void)result; /* What the run did is journaled already; its end is only for people. */
    (void)err;
    reconciler->done(reconciler->context, &reconciler->result);
}

static void end_run(struct reconciler *reconciler, enum reconciler_status status)
{
    struct journal_record record = { .kind = JOURNAL_RUN };

    if (reconciler->ended) {
        return;
    }
    reconciler->ended = true;
    reconciler->result.status = status;
    reconciler->result.plan = reconciler->following.valid ? &reconciler->following.plan : NULL;
    reconciler->run.ended_ms = wall(reconciler);
    reconciler->run.exit_status = (int)status;
    record.run = reconciler->run;
    ledger_submit(&reconciler->ledger, &record, 1, on_run_ended, reconciler);
}

static void journal_lost(struct reconciler *reconciler, const struct err *err)
{
    struct event event = { .kind = EVENT_JOURNAL_LOST, .err = err };

    if (!reconciler->ended) {
        emit(reconciler, &event);
        end_run(reconciler, RECONCILER_FAILED);
    }
}

static void on_noted(void *context, enum journal_result result, const struct err *err)
{
    struct reconciler *reconciler = context;

    reconciler->notes--;
    if (result != JOURNAL_COMMITTED) {
        journal_lost(reconciler, err);
    } else if (reconciler->notes == 0 && reconciler->pass_waits) {
        reconciler->pass_waits = false;
        pass(reconciler);
    } else if (reconciler->notes == 0 && reconciler->rest_waits) {
        reconciler->rest_waits = false;
        rest(reconciler);
    }
}

/* Records that only the next pass waits for: a failure ends the run before anything else is begun, because
 * the journal keeps the order of batches. */
static void note(struct reconciler *reconciler, const struct journal_record *records, size_t count)
{
    reconciler->notes++;
    ledger_submit(&reconciler->ledger, records, count, on_noted, reconciler);
}

static void post_pass(void *context)
{
    struct reconciler *reconciler = context;

    if (reconciler->notes > 0) {
        reconciler->pass_waits = true;
    } else {
        pass(reconciler);
    }
}

static void next_pass(struct reconciler *reconciler)
{
    loop_post(reconciler->world.loop, post_pass, reconciler);
}

/* Where the file wants the guest: not 'to', which may be a temporary host.  view.c compares with this. */
static const char *wanted_host(const struct reconciler *reconciler, const struct journal_move *move)
{
    const struct desired *desired = &reconciler->revision.desired;
    uint32_t index = desired_find_guest(desired, move->guest);

    return index == DESIRED_NONE ? move->to : desired->hosts[desired->guests[index].host].name;
}

static void note_retry(struct reconciler *reconciler, const struct journal_move *move)
{
    const struct journal_retry *before = ledger_find_retry(&reconciler->ledger, move->guest);
    int64_t now = wall(reconciler);
    struct journal_record record = { .kind = JOURNAL_RETRY };
    struct event event = {
        .kind = EVENT_RETRY,
        .guest = move->guest,
        .text = move->error_text,
        .wait_ms = -1,
    };

    record.retry = retry_after(before, move, now);
    if (record.retry.next_ms == INT64_MAX) {
        view_facts_digest(&reconciler->arena, &reconciler->view.observed, reconciler->world.config,
                          move->guest, wanted_host(reconciler, move), record.retry.observed_digest);
    } else {
        event.wait_ms = record.retry.next_ms - now;
    }
    note(reconciler, &record, 1);
    emit(reconciler, &event);
}

static void clear_retry(struct reconciler *reconciler, const struct journal_move *move)
{
    const struct journal_retry *before = ledger_find_retry(&reconciler->ledger, move->guest);
    struct journal_record record = { .kind = JOURNAL_RETRY };

    if (before != NULL) {
        record.retry = *before;
        record.retry.cleared = true;
        note(reconciler, &record, 1);
    }
}

/* When the next try that this run waits for is due; 0 = none. */
static int64_t next_retry_ms(struct reconciler *reconciler)
{
    return retry_next_ms(&reconciler->ledger, reconciler->revision.digest, reconciler->options.only,
                         reconciler->options.follow ? UINT32_MAX : RUN_TRIES_MAX, wall(reconciler),
                         RUN_WAIT_MAX_MS);
}

static void remember_stuck(struct reconciler *reconciler, uint64_t seq)
{
    uint64_t *grown = ARENA_ARRAY(&reconciler->run_arena, uint64_t, reconciler->stuck_count + 1);

    if (reconciler->stuck_count > 0) {
        memcpy(grown, reconciler->stuck, reconciler->stuck_count * sizeof(*grown));
    }
    grown[reconciler->stuck_count++] = seq;
    reconciler->stuck = grown;
    reconciler->result.stuck = reconciler->stuck_count;
}

static bool is_stuck(const struct reconciler *reconciler, uint64_t seq)
{
    for (size_t i = 0; i < reconciler->stuck_count; i++) {
        if (reconciler->stuck[i] == seq) {
            return true;
        }
    }
    return false;
}

/* Cancelled in this run: it ends.  Cancelled in an earlier one, and settled only now: whoever runs 'berth
 * apply' anew wants it moved; a daemon was asked nothing, so its guest is held until 'berth retry'. */
static void note_cancelled(struct reconciler *reconciler, const struct journal_move *move)
{
    if (!reconciler->cancelled && reconciler->options.follow) {
        note_retry(reconciler, move);
    }
}

/* Neither an early stop nor a start in its place brings a guest to its host: what failed before still has. */
static bool has_arrived(const struct journal_move *move)
{
    return move->mode != MOVE_STOP && strcmp(move->from, move->to) != 0;
}

static void count_ended(struct reconciler *reconciler, const struct journal_move *move)
{
    if (move->state == JOURNAL_MOVE_DONE) {
        if (has_arrived(move)) {
            reconciler->result.moved++;
            clear_retry(reconciler, move);
        }
        return;
    }
    reconciler->following.valid = false; /* The rest is planned and verified again without it. */
    if (move->state == JOURNAL_MOVE_CANCELLED) {
        note_cancelled(reconciler, move);
        return;
    }
    if (reconciler->resumed && move->error == ERR_CONFLICT) {
        return; /* An interrupted run is no failure of the move: plan it again at once. */
    }
    reconciler->result.failed++;
    note_retry(reconciler, move);
}

static void on_move_done(void *context, enum executor_outcome outcome,
                         const struct journal_move *move, const struct err *err)
{
    struct reconciler *reconciler = context;

    switch (outcome) {
    case EXECUTOR_ENDED:
        count_ended(reconciler, move);
        break;
    case EXECUTOR_STUCK:
        reconciler->following.valid = false;
        remember_stuck(reconciler, move->key.seq);
        break;
    case EXECUTOR_STOPPED:
        journal_lost(reconciler, err);
        return;
    }
    next_pass(reconciler);
}

/* A move that an earlier run left open is settled before anything new is begun. */
static bool resume_next(struct reconciler *reconciler)
{
    for (size_t i = 0; i < reconciler->ledger.move_count; i++) {
        const struct journal_move *move = &reconciler->ledger.moves[i];

        if (!is_stuck(reconciler, move->key.seq)) {
            struct event event = { .kind = EVENT_MOVE_RESUME, .move = move, .guest = move->guest };

            emit(reconciler, &event);
            reconciler->resumed = true;
            gauge_reset(&reconciler->gauge);
            executor_resume(&reconciler->executor, move, &reconciler->view.observed, on_move_done,
                            reconciler);
            return true;
        }
    }
    return false;
}

static bool begin_move(struct reconciler *reconciler, const struct executor_intent *intent,
                       size_t number, size_t total)
{
    struct journal_move shown = {
        .guest = intent->guest,
        .uuid = intent->uuid,
        .from = intent->from,
        .to = intent->to,
        .mode = intent->mode,
        .detour = intent->detour,
    };
    struct event event = {
        .kind = EVENT_MOVE_BEGIN,
        .move = &shown,
        .guest = intent->guest,
        .number = number,
        .total = total,
    };

    emit(reconciler, &event);
    reconciler->resumed = false;
    reconciler->parks |= intent->mode == MOVE_STOP;
    gauge_reset(&reconciler->gauge);
    executor_begin(&reconciler->executor, intent, on_move_done, reconciler);
    return true;
}

static void note_plan(struct reconciler *reconciler, const struct text *json)
{
    struct journal_record records[2] = { { .kind = JOURNAL_OBJECT }, { .kind = JOURNAL_PLAN } };
    struct journal_plan *plan = &records[1].plan;

    records[0].object.bytes = json->data;
    records[0].object.length = json->length;
    digest_of(json->data, json->length, records[0].object.digest);
    *plan = (struct journal_plan){
        .key = ledger_key(&reconciler->ledger),
        .run = reconciler->ledger.run,
        .at_ms = wall(reconciler),
    };
    memcpy(plan->es_digest, reconciler->revision.digest, DIGEST_TEXT_SIZE);
    memcpy(plan->policy_digest, reconciler->following.policy_digest, DIGEST_TEXT_SIZE);
    memcpy(plan->plan_digest, records[0].object.digest, DIGEST_TEXT_SIZE);
    note(reconciler, records, ARRAY_LEN(records));
}

static void follow_plan(struct reconciler *reconciler, const struct plan *plan,
                        const char *policy_digest)
{
    struct event event = { .kind = EVENT_PLAN, .plan = &reconciler->following.plan };
    struct text json = text_new(&reconciler->arena);

    following_adopt(&reconciler->following, plan, policy_digest, &json);
    reconciler->result.blocked = plan->block_count;
    if (plan->move_count > 0) {
        note_plan(reconciler, &json);
    }
    emit(reconciler, &event);
}

static void remember_blocks(struct reconciler *reconciler, const struct plan *plan)
{
    reconciler->found.blocked = plan->blocked;
    reconciler->found.block_count = plan->block_count;
}

/* True if there is a verified plan to follow. */
static bool choose_plan(struct reconciler *reconciler)
{
    const struct plan_input *input = &reconciler->view.input;
    struct event event = { .kind = EVENT_ALARM };
    char digest[DIGEST_TEXT_SIZE];
    struct plan plan;
    struct err err;
    bool holds;

    config_policy_digest(reconciler->world.config, digest);
    holds = following_holds(&reconciler->following, input, digest) &&
            waiting_objection(&reconciler->arena, &reconciler->view,
                              following_peek(&reconciler->following)) == NULL;
    plan = view_plan(&reconciler->arena, &reconciler->view);
    view_drop_unasked(&plan, reconciler->options.only);
    remember_blocks(reconciler, &plan);
    if (holds && !following_is_beaten(&reconciler->following, &plan)) {
        return true;
    }
    if (verify_plan(input, &plan, 0, &err) != 0) {
        reconciler->following.valid = false;
        event.text = err.text;
        emit(reconciler, &event);
        reconciler->result.failed++;
        return false;
    }
    follow_plan(reconciler, &plan, digest);
    return true;
}

static bool take_next_move(struct reconciler *reconciler)
{
    struct following *following = &reconciler->following;
    const struct plan_move *move = following_take(following);
    struct executor_intent intent;

    if (move == NULL) {
        return false;
    }
    intent = (struct executor_intent){
        .guest = move->guest,
        .from = move->from,
        .to = move->to,
        .mode = move->mode,
        .detour = move->detour,
        .es_digest = reconciler->revision.digest,
    };
    intent.observed = observed_find_guest_named(
        observed_find_host(&reconciler->view.observed, move->from), move->guest);
    intent.uuid = intent.observed->uuid;
    return begin_move(reconciler, &intent, following->next, following->plan.move_count);
}

/* True once for each debt: a guest that was stopped again is owed another start. */
static bool is_new_debt(struct reconciler *reconciler, struct names *names,
                        const struct journal_owed *owed)
{
    char *name = text_format(&reconciler->run_arena, "%s %" PRId64, owed->uuid, owed->since_ms);
    const char **grown;

    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i], name) == 0) {
            return false;
        }
    }
    grown = ARENA_ARRAY(&reconciler->run_arena, const char *, names->count + 1);
    if (names->count > 0) {
        memcpy(grown, names->items, names->count * sizeof(*grown));
    }
    grown[names->count++] = name;
    names->items = grown;
    return true;
}

/* A shutdown request that timed out may still take effect for this long. */
static int64_t owed_grace_ms(const struct reconciler *reconciler)
{
    return 2 * reconciler->world.config->policy.stop_timeout_ms;
}

static void pay_running(struct reconciler *reconciler)
{
    for (size_t i = 0; i < reconciler->ledger.owed_count; i++) {
        const struct journal_owed *owed = &reconciler->ledger.owed[i];

        if (owed_is_running(&reconciler->view.observed, owed->uuid) &&
            wall(reconciler) - owed->since_ms > owed_grace_ms(reconciler) &&
            ledger_find_move(&reconciler->ledger, owed->guest) == NULL) {
            struct journal_record record = { .kind = JOURNAL_OWED, .owed = *owed };

            record.owed.paid = true;
            note(reconciler, &record, 1);
        }
    }
}

static void tell_down(struct reconciler *reconciler, const struct journal_owed *owed,
                      enum owed_standing standing, const struct owed_place *place)
{
    struct event event = { .kind = EVENT_ALARM, .guest = owed->guest };

    if (is_new_debt(reconciler, &reconciler->told_down, owed)) {
        event.text = owed_text(&reconciler->arena, owed, standing, place);
        reconciler->result.failed++;
        emit(reconciler, &event);
    }
}

static bool is_leaving(const struct reconciler *reconciler)
{
    return reconciler->cancelled || reconciler->ending;
}

/* True if the plan will start the guest: it is left to that, unless nobody goes on with the plan. */
static bool is_planned(const struct reconciler *reconciler, const struct journal_owed *owed)
{
    return !reconciler->cancelled && following_moves(&reconciler->following, owed->guest);
}

/* Whoever leaves takes nothing up, and leaves nobody down whom this run has stopped. */
static bool is_due(const struct reconciler *reconciler, const struct journal_owed *owed)
{
    bool of_this_run = owed->since_ms >= reconciler->run.begun_ms;

    return ledger_find_move(&reconciler->ledger, owed->guest) == NULL &&
           (is_leaving(reconciler) ? of_this_run : !is_planned(reconciler, owed));
}

static bool restart(struct reconciler *reconciler, const struct journal_owed *owed,
                    const struct owed_place *place)
{
    struct executor_intent intent = {
        .guest = owed->guest,
        .uuid = owed->uuid,
        .from = place->host,
        .to = place->host,
        .mode = MOVE_OFFLINE,
        .observed = place->guest,
        .es_digest = reconciler->revision.digest,
    };

    return is_new_debt(reconciler, &reconciler->restarted, owed) &&
           begin_move(reconciler, &intent, 1, 1);
}

/* A guest that is owed a start, is off, and that no move will start: start it where it is. */
static bool restart_next(struct reconciler *reconciler)
{
    for (size_t i = 0; i < reconciler->ledger.owed_count; i++) {
        const struct journal_owed *owed = &reconciler->ledger.owed[i];
        enum owed_standing standing;
        struct owed_place place;

        if (!is_due(reconciler, owed)) {
            continue;
        }
        standing = owed_judge(&reconciler->arena, &reconciler->view.input, &reconciler->ledger,
                              owed, &place);
        if (standing == OWED_STARTABLE && restart(reconciler, owed, &place)) {
            return true;
        }
        if ((standing == OWED_UNCERTAIN || standing == OWED_NO_ROOM) &&
            !is_planned(reconciler, owed)) {
            tell_down(reconciler, owed, standing, &place);
        }
    }
    return false;
}

/* True if a guest is down whom the rest of the plan brings up. */
static bool has_parked(const struct reconciler *reconciler)
{
    for (size_t i = 0; i < reconciler->ledger.owed_count; i++) {
        const struct journal_owed *owed = &reconciler->ledger.owed[i];

        if (owed->early && is_planned(reconciler, owed) &&
            !owed_is_running(&reconciler->view.observed, owed->uuid)) {
            return true;
        }
    }
    return false;
}

/* Whoever ends goes on with the plan for as long as a guest is down for it. */
static bool may_go_on(const struct reconciler *reconciler)
{
    return !is_leaving(reconciler) || has_parked(reconciler);
}

static enum reconciler_status final_status(const struct reconciler *reconciler)
{
    if (reconciler->invalid) {
        return RECONCILER_INVALID;
    }
    if (reconciler->ending) {
        return RECONCILER_DONE;
    }
    if (reconciler->cancelled) {
        return RECONCILER_CANCELLED;
    }
    if (reconciler->result.failed > 0 || reconciler->result.stuck > 0) {
        return RECONCILER_FAILED;
    }
    return reconciler->result.blocked > 0 ? RECONCILER_BLOCKED : RECONCILER_DONE;
}

static void look_again(void *context)
{
    struct reconciler *reconciler = context;

    loop_timer_stop(reconciler->world.loop, &reconciler->timer);
    reconciler->stuck_count = 0; /* What was stuck is looked at again, once a pass. */
    reconciler->restarted = (struct names){ 0 };
    reconciler->told_down = (struct names){ 0 };
    arena_deinit(&reconciler->run_arena);
    reconciler->stuck = NULL;
    post_pass(reconciler);
}

/* Level-triggered: whatever is missed shows in the next look. */
static void follow(struct reconciler *reconciler, int64_t retry_ms)
{
    int64_t wait_ms = FOLLOW_HOSTS_MS;
    int64_t now_ms = wall(reconciler);
    int64_t change_ms = opening_next_change(&reconciler->world.config->timetable, now_ms);

    if (retry_ms != 0 && retry_ms - now_ms < wait_ms) {
        wait_ms = retry_ms - now_ms;
    }
    if (change_ms - now_ms < wait_ms) {
        wait_ms = change_ms - now_ms;
    }
    reconciler->next_look_ms = now_ms + wait_ms;
    loop_timer_start(reconciler->world.loop, &reconciler->timer, wait_ms, look_again, reconciler);
    if (reconciler->heard) {
        debounce_note(&reconciler->notices);
    }
}

static void rest(struct reconciler *reconciler)
{
    int64_t retry_ms = next_retry_ms(reconciler);

    if (reconciler->notes > 0) {
        reconciler->rest_waits = true;
        return;
    }
    if (reconciler->overtaken) {
        next_pass(reconciler);
        return;
    }
    if (reconciler->options.follow && !reconciler->ending && !reconciler->cancelled) {
        follow(reconciler, retry_ms);
        return;
    }
    if (retry_ms != 0 && !reconciler->cancelled && !reconciler->ending) {
        loop_timer_start(reconciler->world.loop, &reconciler->timer, retry_ms - wall(reconciler),
                         post_pass, reconciler);
        return;
    }
    end_run(reconciler, final_status(reconciler));
}

/* What rests is woken; a pass under way sees that it has been overtaken; a move goes on. */
static void wake(struct reconciler *reconciler)
{
    reconciler->overtaken = true;
    if (reconciler->timer.armed) {
        look_again(reconciler);
    }
}

/* Resting long enough after a look that took long: others need the hosts too. */
static void on_heard(void *context)
{
    struct reconciler *reconciler = context;
    int64_t since_ms = loop_now_ms(reconciler->world.loop) - reconciler->look_begun_ms;

    if (!reconciler->timer.armed) {
        return; /* 'heard' is seen at rest. */
    }
    if (since_ms < NOTICE_REST * reconciler->look_took_ms) {
        debounce_note(&reconciler->notices);
        return;
    }
    look_again(reconciler);
}

/* What the running move does is no news, nor how far somebody else's is. */
static void on_notice(void *context, const struct actuator_notice *notice)
{
    struct reconciler *reconciler = context;
    const struct journal_move *moving = executor_move(&reconciler->executor);

    if (notice->kind == ACTUATOR_NOTICE_ITERATION || reconciler->ended ||
        (moving != NULL && notice->guest != NULL && strcmp(moving->guest, notice->guest) == 0)) {
        return;
    }
    reconciler->heard = true;
    debounce_note(&reconciler->notices);
}

static void on_file_changed(void *context)
{
    wake(context);
}

static void on_file_polled(void *context, const struct err *err)
{
    struct event event = { .kind = EVENT_FILE_POLLED, .err = err };

    emit(context, &event);
}

static void follow_file(struct reconciler *reconciler)
{
    const struct watch_listener listener = { reconciler, on_file_changed, on_file_polled };
    struct event event = { .kind = EVENT_ALARM };
    struct err err;

    if (standing_recall(&reconciler->standing, &err) != 0) {
        (void)err_wrap(&err, "cannot fall back on the last good es.xml");
        event.text = err.text;
        emit(reconciler, &event);
    }
    standing_follow(&reconciler->standing, reconciler->world.loop, &listener);
}

static void on_order(void *context, const struct order *order)
{
    struct reconciler *reconciler = context;
    struct event event = { .kind = EVENT_ORDER, .order = order };
    const struct journal_move *moving = executor_move(&reconciler->executor);

    if (order->verb == ORDER_CANCEL && moving != NULL && strcmp(moving->guest, order->name) == 0) {
        executor_cancel(&reconciler->executor);
    }
    emit(reconciler, &event);
    wake(reconciler);
}

static void on_order_lost(void *context, const struct err *err)
{
    journal_lost(context, err);
}

static void note_definitions(struct reconciler *reconciler)
{
    size_t count;
    struct journal_record *records = definition_changes(
        &reconciler->arena, &reconciler->view.observed, &reconciler->revision.desired,
        &reconciler->ledger, wall(reconciler), &count);

    if (count > 0) {
        note(reconciler, records, count);
    }
}

static void tell_drift(struct reconciler *reconciler)
{
    const struct drift *drift = &reconciler->drift;

    for (size_t i = 0; i < drift->count; i++) {
        struct event event = { .kind = EVENT_DRIFT, .drift = &drift->items[i] };

        event.guest = drift->items[i].guest;
        event.text = drift->items[i].text;
        if (drift->items[i].is_news) {
            emit(reconciler, &event);
        }
    }
    for (size_t i = 0; i < drift->ended_count; i++) {
        struct event event = { .kind = EVENT_DRIFT_OVER, .drift = &drift->ended[i] };

        event.guest = drift->ended[i].guest;
        event.text = drift->ended[i].text;
        emit(reconciler, &event);
    }
}

/* Who runs it once wants the file done, whoever moved what; a daemon answers drift as it was told to. */
static void answer_drift(struct reconciler *reconciler, const struct drift_facts *facts)
{
    const struct drift *drift = &reconciler->drift;
    size_t count;
    struct journal_record *records = drift_answers(&reconciler->arena, facts, drift, &count);

    if (count > 0) {
        note(reconciler, records, count);
    }
    for (size_t i = 0; i < drift->count; i++) {
        const char *reason = drift_stays(&reconciler->arena, &drift->items[i]);

        if (reason != NULL) {
            view_exclude(&reconciler->view, drift->items[i].guest, PLAN_POLICY, reason);
            continue;
        }
        reason = drift_waits(&reconciler->arena, facts, &drift->items[i]);
        if (reason != NULL) {
            view_exclude(&reconciler->view, drift->items[i].guest, PLAN_WINDOW, reason);
        }
    }
    tell_drift(reconciler);
}

/* What is written makes the next revision: whatever came of it is seen there. */
static void adopt(struct reconciler *reconciler)
{
    struct event event = { .kind = EVENT_ALARM };
    size_t count;
    struct err err;

    if (adopt_drift(&reconciler->arena, reconciler->world.source, &reconciler->revision,
                    &reconciler->drift, &count, &err) == 0) {
        reconciler->adopting.text[0] = '\0';
    } else if (strcmp(err.text, reconciler->adopting.text) != 0) {
        reconciler->adopting = err;
        event.text = err.text;
        emit(reconciler, &event);
    }
}

static int look_for_drift(struct reconciler *reconciler)
{
    const struct drift_facts facts = {
        .desired = &reconciler->revision.desired,
        .observed = &reconciler->view.observed,
        .ledger = &reconciler->ledger,
        .config = reconciler->world.config,
        .now_ms = wall(reconciler),
    };
    struct journal_record *records;
    size_t count;
    struct err err;

    if (reconciler->options.follow) {
        if (drift_update(&reconciler->drift, &facts, &err) != 0) {
            journal_lost(reconciler, &err);
            return -1;
        }
        answer_drift(reconciler, &facts);
        adopt(reconciler);
    }
    records = drift_places(&reconciler->arena, &facts, &reconciler->drift, &count);
    if (count > 0) {
        note(reconciler, records, count);
    }
    return 0;
}

static void judge(struct reconciler *reconciler)
{
    struct status status = reconciler_status(reconciler);

    condition_judge(&reconciler->conditions, &status);
}

static void on_observed(void *context)
{
    struct reconciler *reconciler = context;
    struct event event = { .kind = EVENT_OBSERVED };
    bool goes_on;

    reconciler->look_took_ms = loop_now_ms(reconciler->world.loop) - reconciler->look_begun_ms;
    if (reconciler->ended) {
        return;
    }
    if (reconciler->overtaken) {
        next_pass(reconciler);
        return;
    }
    view_build(&reconciler->view, &reconciler->arena, &reconciler->revision,
               &reconciler->snapshot.observed, &reconciler->ledger, reconciler->world.config,
               reconciler->options.only, wall(reconciler));
    reconciler->found.revision = reconciler->revision;
    reconciler->found.observed = reconciler->view.observed;
    reconciler->found.looked_ms = wall(reconciler);
    event.observed = &reconciler->view.observed;
    emit(reconciler, &event);
    note_definitions(reconciler);
    if (look_for_drift(reconciler) != 0) {
        return;
    }
    pay_running(reconciler);
    if (!is_leaving(reconciler) && resume_next(reconciler)) {
        return;
    }
    goes_on = may_go_on(reconciler) && choose_plan(reconciler) && may_go_on(reconciler);
    if (goes_on) {
        judge(reconciler);
    }
    if (restart_next(reconciler) || (goes_on && take_next_move(reconciler))) {
        return;
    }
    rest(reconciler);
}

static void note_revision(struct reconciler *reconciler)
{
    const struct revision *revision = &reconciler->revision;
    struct journal_record records[2] = { { .kind = JOURNAL_OBJECT }, { .kind = JOURNAL_REVISION } };

    records[0].object.bytes = revision->bytes;
    records[0].object.length = revision->length;
    memcpy(records[0].object.digest, revision->digest, DIGEST_TEXT_SIZE);
    memcpy(records[1].revision.digest, revision->digest, DIGEST_TEXT_SIZE);
    records[1].revision.at_ms = standing_date(&reconciler->standing, wall(reconciler));
    note(reconciler, records, ARRAY_LEN(records));
}

static void judge_file(struct reconciler *reconciler, const struct faults *faults,
                       const struct err *err)
{
    const char *message = NULL;

    if (reconciler->standing.faulty) {
        message = faults->count == 0
                      ? err->text
                      : text_format(&reconciler->arena, "%s:%u: %s%s",
                                    reconciler->world.source->name, faults->items[0].line,
                                    faults->items[0].text, faults->count > 1 ? "; and more" : "");
    }
    condition_set(&reconciler->conditions, CONDITION_DESIRED_VALID, wall(reconciler), message);
}

static int load_revision(struct reconciler *reconciler)
{
    struct faults faults = fault_list(&reconciler->arena);
    struct err err = { .code = ERR_NONE };
    struct event event = { .kind = EVENT_FAULTS, .faults = &faults, .err = &err };
    bool was_faulty = reconciler->standing.faulty;
    bool told = false;
    enum standing_news news =
        standing_read(&reconciler->standing, &reconciler->arena, &reconciler->world.config->policy,
                      &reconciler->revision, &faults, &err, &told);

    if (reconciler->standing.faulty && !told) {
        emit(reconciler, &event);
    }
    judge_file(reconciler, &faults, &err);
    if (was_faulty && !reconciler->standing.faulty) {
        event = (struct event){ .kind = EVENT_FILE_VALID };
        emit(reconciler, &event);
    }
    if (news == STANDING_NEW) {
        note_revision(reconciler);
    }
    /* Who runs it once wants this file done, not the one before, and no guest left down by it. */
    if (news == STANDING_KEPT && !reconciler->options.follow) {
        reconciler->invalid = true;
        reconciler->ending = true;
        return reconciler->parks ? 0 : -1;
    }
    return news == STANDING_NONE ? -1 : 0;
}

static int load_ledger(struct reconciler *reconciler)
{
    struct err err;

    if (ledger_load(&reconciler->ledger, &err) != 0) {
        journal_lost(reconciler, &err);
        return -1;
    }
    return 0;
}

/* What this pass has found outlives it; a pass that found nothing leaves what was there. */
static void keep_finding(struct reconciler *reconciler)
{
    if (reconciler->found.looked_ms == 0) {
        arena_deinit(&reconciler->arena);
        return;
    }
    arena_deinit(&reconciler->before.arena);
    reconciler->before = reconciler->found;
    reconciler->before.arena = reconciler->arena;
    reconciler->found = (struct finding){ .looked_ms = 0 };
    reconciler->arena = ARENA_INIT;
}

static void pass(void *context)
{
    struct reconciler *reconciler = context;
    const char *const *hosts;
    size_t count;

    if (reconciler->ended) {
        return;
    }
    reconciler->overtaken = false;
    reconciler->rest_waits = false;
    keep_finding(reconciler);
    reconciler->revision = (struct revision){ 0 };
    if (load_ledger(reconciler) != 0) {
        return;
    }
    if (load_revision(reconciler) != 0) {
        if (reconciler->options.follow && !reconciler->ending) {
            follow(reconciler, 0);
        } else {
            end_run(reconciler, RECONCILER_INVALID);
        }
        return;
    }
    hosts = view_hosts(&reconciler->arena, &reconciler->revision, &reconciler->ledger, &count);
    if (reconciler->options.follow) {
        calls_watch(&reconciler->calls, hosts, count);
    }
    reconciler->heard = false;
    reconciler->look_begun_ms = loop_now_ms(reconciler->world.loop);
    snapshot_take(&reconciler->snapshot, hosts, count, on_observed, reconciler);
}

static void on_run_begun(void *context, enum journal_result result, const struct err *err)
{
    struct reconciler *reconciler = context;

    if (result != JOURNAL_COMMITTED) {
        journal_lost(reconciler, err);
        return;
    }
    pass(reconciler);
}

/* The executor's events go on to whoever watches; the gauge follows them. */
static void on_executor_event(void *context, const struct event *event)
{
    struct reconciler *reconciler = context;

    if (event->kind == EVENT_PROGRESS) {
        gauge_feed(&reconciler->gauge, event->progress);
    }
    emit(reconciler, event);
}

struct reconciler *reconciler_new(const struct reconciler_world *world,
                                  const struct reconciler_options *options)
{
    struct reconciler *reconciler = calloc(1, sizeof(*reconciler));
    struct executor_world executor_world;

    if (reconciler == NULL) {
        abort();
    }
    reconciler->world = *world;
    reconciler->options = *options;
    calls_init(&reconciler->calls, world->actuator);
    calls_on_notice(&reconciler->calls, on_notice, reconciler);
    debounce_init(&reconciler->notices, world->loop, NOTICE_QUIET_MS, NOTICE_LIMIT_MS, on_heard,
                  reconciler);
    snapshot_init(&reconciler->snapshot, world->loop, &reconciler->calls);
    ledger_init(&reconciler->ledger, world->journal);
    standing_init(&reconciler->standing, world->source, world->journal);
    executor_world = (struct executor_world){
        .loop = world->loop,
        .calls = &reconciler->calls,
        .ledger = &reconciler->ledger,
        .policy = &world->config->policy,
        .events = { reconciler, on_executor_event },
    };
    executor_init(&reconciler->executor, &executor_world);
    reconciler->errands = (struct errands){
        .loop = world->loop,
        .ledger = &reconciler->ledger,
        .context = reconciler,
        .committed = on_order,
        .lost = on_order_lost,
    };
    return reconciler;
}

void reconciler_run(struct reconciler *reconciler, reconciler_done_fn *done, void *context)
{
    struct journal_record record = { .kind = JOURNAL_RUN };

    assert(!reconciler->began);
    reconciler->began = true;
    reconciler->done = done;
    reconciler->context = context;
    if (load_ledger(reconciler) != 0) {
        return;
    }
    reconciler->run = (struct journal_run){
        .key = ledger_key(&reconciler->ledger),
        .program = reconciler->options.program,
        .user = reconciler->options.user,
        .begun_ms = wall(reconciler),
    };
    reconciler->ledger.run = reconciler->run.key.seq;
    if (reconciler->options.follow) {
        follow_file(reconciler);
    }
    record.run = reconciler->run;
    ledger_submit(&reconciler->ledger, &record, 1, on_run_begun, reconciler);
}

void reconciler_cancel(struct reconciler *reconciler)
{
    reconciler->cancelled = true;
    if (reconciler->timer.armed) {
        loop_timer_stop(reconciler->world.loop, &reconciler->timer);
        next_pass(reconciler);
    }
    executor_cancel(&reconciler->executor);
}

/* A cancel is for what is moving, whoever names it. */
static int address(struct reconciler *reconciler, struct order *order, const char *name,
                   struct err *err)
{
    const struct journal_move *moving = executor_move(&reconciler->executor);

    if (order->verb != ORDER_CANCEL) {
        return order_address(order, name, &reconciler->revision.desired, err);
    }
    if (moving == NULL) {
        return err_set(err, ERR_NOT_FOUND, "cannot cancel: nothing is moving");
    }
    if (name != NULL && *name != '\0' && strcmp(name, moving->guest) != 0) {
        return err_set(err, ERR_NOT_FOUND, "cannot cancel '%.64s': '%s' is what is moving", name,
                       moving->guest);
    }
    order->scope = JOURNAL_SCOPE_GUEST;
    order->name = moving->guest;
    return 0;
}

void reconciler_order(struct reconciler *reconciler, const struct order *order, const char *name,
                      errand_answer_fn *answer, void *context)
{
    struct order addressed = *order;
    struct err err;

    if (address(reconciler, &addressed, name, &err) != 0) {
        errand_refuse(&reconciler->errands, &err, answer, context);
        return;
    }
    errand_run(&reconciler->errands, &addressed, wall(reconciler), answer, context);
}

struct status reconciler_status(struct reconciler *reconciler)
{
    const struct finding *finding =
        reconciler->found.looked_ms != 0 ? &reconciler->found : &reconciler->before;
    const struct following *following = &reconciler->following;
    struct status status = {
        .at_ms = wall(reconciler),
        .es_xml = reconciler->world.source->name,
        .es_digest = reconciler->standing.bytes == NULL ? NULL : reconciler->standing.digest,
        .valid = !reconciler->standing.faulty && reconciler->standing.bytes != NULL,
        .acted_on = !reconciler->standing.faulty && reconciler->standing.bytes != NULL,
        .controller_pid = getpid(),
        .ledger = &reconciler->ledger,
        .conditions = &reconciler->conditions,
        .moving = executor_move(&reconciler->executor),
        .gauge = &reconciler->gauge,
        .blocked = finding->blocked,
        .block_count = finding->block_count,
        .drift = &reconciler->drift,
        .looked_ms = finding->looked_ms,
        .next_look_ms = reconciler->timer.armed ? reconciler->next_look_ms : 0,
    };

    if (following->valid) {
        status.queue = &following->plan.moves[following->next];
        status.queue_count = following->plan.move_count - following->next;
    }
    if (finding->looked_ms != 0) {
        status.desired = &finding->revision.desired;
        status.observed = &finding->observed;
    }
    return status;
}

const struct plan *reconciler_plan(const struct reconciler *reconciler)
{
    return reconciler->following.valid ? &reconciler->following.plan : NULL;
}

/* A guest that this run has stopped early is not left down: the pass under way, or the one after the move,
 * sees to it.  Whoever rests has nothing that could be done for it now. */
static bool may_leave(const struct reconciler *reconciler)
{
    if (!executor_may_leave(&reconciler->executor)) {
        return false;
    }
    return !reconciler->parks || reconciler->timer.armed ||
           (executor_move(&reconciler->executor) != NULL && !has_parked(reconciler));
}

void reconciler_end(struct reconciler *reconciler)
{
    reconciler->ending = true;
    if (may_leave(reconciler)) {
        end_run(reconciler, RECONCILER_DONE);
    }
}

void reconciler_free(struct reconciler *reconciler)
{
    loop_timer_stop(reconciler->world.loop, &reconciler->timer);
    debounce_stop(&reconciler->notices);
    errand_forget_all(&reconciler->errands);
    executor_deinit(&reconciler->executor);
    snapshot_deinit(&reconciler->snapshot);
    ledger_deinit(&reconciler->ledger);
    calls_deinit(&reconciler->calls);
    following_deinit(&reconciler->following);
    standing_deinit(&reconciler->standing);
    drift_deinit(&reconciler->drift);
    arena_deinit(&reconciler->arena);
    arena_deinit(&reconciler->before.arena);
    arena_deinit(&reconciler->run_arena);
    free(reconciler);
}
