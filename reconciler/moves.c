/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/moves.h"

#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "diff/plan.h"
#include "diff/restart.h"
#include "model/desired.h"
#include "model/fault.h"
#include "model/profile.h"
#include "model/quantity.h"
#include "model/supply_json.h"
#include "reconciler/config.h"
#include "reconciler/controller.h"
#include "reconciler/definition.h"
#include "reconciler/fallback.h"
#include "reconciler/force.h"
#include "reconciler/order.h"
#include "reconciler/procedure.h"
#include "reconciler/retry.h"

/* A person waits for 'berth apply': a failed move is tried again a few times within this run, later
 * tries are left to a later run. */
#define RUN_TRIES_MAX   3u
#define RUN_WAIT_MAX_MS INT64_C(60000)

/* Where the file wants the guest: not 'to', which may be a temporary host.  view.c compares with this. */
static const char *wanted_host(const struct reconciler *reconciler, const struct journal_move *move)
{
    const char *host = desired_host_of(&reconciler->revision.desired, move->guest);

    return host == NULL ? move->to : host;
}

static const char *outages_text(struct arena *arena, const struct journal_move *move,
                                uint32_t outages)
{
    return text_format(arena, "%s (asked to stop in vain %" PRIu32 " time%s)", move->error_text,
                       outages, outages == 1 ? "" : "s");
}

static void note_retry(struct reconciler *reconciler, const struct journal_move *move)
{
    const struct journal_retry *before = ledger_find_retry(&reconciler->ledger, move->guest);
    const struct policy *policy = &reconciler->world.config->policy;
    int64_t now = controller_wall(reconciler);
    struct journal_record record = { .kind = JOURNAL_RETRY };
    struct event event = {
        .kind = EVENT_RETRY,
        .guest = move->guest,
        .text = move->error_text,
        .wait_ms = -1,
    };

    record.retry = retry_after(before, move, policy, fallback_follows(policy, move), now);
    if (record.retry.next_ms == INT64_MAX) {
        view_facts_digest(&reconciler->arena, &reconciler->view, move->guest,
                          wanted_host(reconciler, move), !retry_is_given_up(&record.retry),
                          record.retry.observed_digest);
    } else {
        event.wait_ms = record.retry.next_ms - now;
    }
    if (record.retry.outages > 0) {
        record.retry.reason = outages_text(&reconciler->arena, move, record.retry.outages);
        event.text = text_format(&reconciler->arena, "%s; 'berth retry %s' tries at once",
                                 record.retry.reason, move->guest);
    }
    controller_note(reconciler, &record, 1);
    controller_emit(reconciler, &event);
}

static void clear_retry(struct reconciler *reconciler, const char *guest)
{
    const struct journal_retry *before = ledger_find_retry(&reconciler->ledger, guest);
    struct journal_record record = { .kind = JOURNAL_RETRY };

    if (before != NULL) {
        record.retry = *before;
        record.retry.cleared = true;
        controller_note(reconciler, &record, 1);
    }
}

/* What parked the guest has changed, or it would not be moved.  It may be again as it was, in the middle of what is
 * begun now: a guest that is stopped early looks as it did when it was off before.  What it has suffered counts on. */
static void end_parking(struct reconciler *reconciler, const char *guest)
{
    const struct journal_retry *retry = ledger_find_retry(&reconciler->ledger, guest);

    if (retry != NULL && retry->next_ms == INT64_MAX && !retry_is_given_up(retry)) {
        clear_retry(reconciler, guest);
    }
}

int64_t moves_next_retry_ms(struct reconciler *reconciler)
{
    const struct retry_question question = {
        .es_digest = reconciler->revision.digest,
        .observed = &reconciler->view.observed,
        .only = reconciler->options.only,
        .tries = reconciler->options.follow ? UINT32_MAX : RUN_TRIES_MAX,
        .limit_ms = RUN_WAIT_MAX_MS,
    };

    return retry_next_ms(&reconciler->ledger, &question, controller_wall(reconciler));
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
    if (!reconciler->cancelled && !reconciler->overruled && reconciler->options.follow) {
        note_retry(reconciler, move);
    }
}

static void count_ended(struct reconciler *reconciler, const struct journal_move *move)
{
    if (move->state == JOURNAL_MOVE_DONE) {
        if (journal_move_has_arrived(move)) { /* Else what failed before still has. */
            reconciler->result.moved++;
            clear_retry(reconciler, move->guest);
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
    if (!fallback_follows(&reconciler->world.config->policy, move)) {
        reconciler->result.failed++;
    }
    if (move->mode == MOVE_FORCED) {
        return; /* Nobody tries it again but whoever asked. */
    }
    note_retry(reconciler, move);
}

/* True of the move that a person runs by hand now; one of another guest is settled as ever. */
static bool is_at_hand(const struct reconciler *reconciler, const struct journal_move *move)
{
    return (reconciler->options.step != NULL || reconciler->options.back) &&
           text_equal(reconciler->options.only, move->guest);
}

/* Who runs one step wants no more of this run. */
static enum reconciler_status status_of_step(const struct reconciler *reconciler,
                                             enum executor_outcome outcome,
                                             const struct journal_move *move, const struct err *err)
{
    if (reconciler->options.back && outcome == EXECUTOR_ENDED) {
        return move->state == JOURNAL_MOVE_CANCELLED ? RECONCILER_DONE : RECONCILER_FAILED;
    }
    if (outcome == EXECUTOR_PAUSED) {
        return err == NULL                ? RECONCILER_DONE
               : err->code == ERR_REFUSED ? RECONCILER_BLOCKED
                                          : RECONCILER_FAILED;
    }
    if (move->state == JOURNAL_MOVE_CANCELLED) {
        return RECONCILER_CANCELLED;
    }
    return move->state == JOURNAL_MOVE_DONE ? RECONCILER_DONE : RECONCILER_FAILED;
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
    case EXECUTOR_PAUSED:
        break;
    case EXECUTOR_STOPPED:
        controller_lost(reconciler, err);
        return;
    }
    if (is_at_hand(reconciler, move)) {
        controller_end(reconciler, status_of_step(reconciler, outcome, move, err));
    } else {
        controller_next_pass(reconciler);
    }
}

/* Somebody else's move by hand, and so is one of the guest that is asked for as long as nobody says so. */
static bool is_left_alone(const struct reconciler *reconciler, const struct journal_move *move)
{
    bool goes_on = is_at_hand(reconciler, move) ||
                   (reconciler->options.rest && text_equal(reconciler->options.only, move->guest));

    return move->by_hand && !goes_on;
}

/* It is left to the person who runs it, whom the plan waits for; told once. */
static void tell_by_hand(struct reconciler *reconciler, const struct journal_move *move)
{
    struct event event = { .kind = EVENT_MOVE_STUCK, .move = move, .guest = move->guest };

    event.text =
        text_format(&reconciler->arena,
                    "its move to '%s' is run by hand, step by step, and goes on by 'berth "
                    "migrate %s --to %s --mode offline' alone, with berthd stopped; 'berth "
                    "cancel %s' takes it back",
                    move->to, move->guest, move->to, move->guest);
    if (controller_is_new(&reconciler->told_by_hand, event.text)) {
        controller_emit(reconciler, &event);
    }
}

/* Another move of the guest, which has begun since, is open: it has to end before what it was to replace goes on. */
static bool is_suspended(const struct reconciler *reconciler, const struct journal_move *move)
{
    const struct ledger *ledger = &reconciler->ledger;

    for (const struct journal_move *later = move + 1; later < ledger->moves + ledger->move_count;
         later++) {
        if (strcmp(later->guest, move->guest) == 0) {
            return true;
        }
    }
    return false;
}

static void resume(struct reconciler *reconciler, const struct journal_move *move)
{
    const struct executor_resumption resumption = {
        .move = move,
        .fleet = &reconciler->view.observed,
        .step = is_at_hand(reconciler, move) ? reconciler->options.step : NULL,
        .back = reconciler->options.back && is_at_hand(reconciler, move) && move->by_hand,
    };
    struct event event = { .kind = EVENT_MOVE_RESUME, .move = move, .guest = move->guest };

    controller_emit(reconciler, &event);
    reconciler->resumed = true;
    reconciler->overruled = false;
    gauge_reset(&reconciler->gauge);
    executor_resume(&reconciler->executor, &resumption, on_move_done, reconciler);
}

/* A move that an earlier run left open is settled before anything new is begun. */
bool moves_resume_next(struct reconciler *reconciler)
{
    for (size_t i = 0; i < reconciler->ledger.move_count; i++) {
        const struct journal_move *move = &reconciler->ledger.moves[i];

        if (is_suspended(reconciler, move)) {
            continue;
        }
        if (is_left_alone(reconciler, move)) {
            tell_by_hand(reconciler, move);
        } else if (!is_stuck(reconciler, move->key.seq)) {
            resume(reconciler, move);
            return true;
        }
    }
    if (reconciler->options.back) { /* Somebody else has ended it. */
        controller_end(reconciler, RECONCILER_DONE);
    }
    return reconciler->options.back;
}

int moves_supplies_of(struct reconciler *reconciler, const char *guest,
                      struct supply_list *supplies, struct err *err)
{
    const struct journal_definition *known = definition_newest(&reconciler->ledger, guest);
    struct observed_guest told = { .name = guest };

    if (known != NULL && known->supplies != NULL &&
        supply_json_read(&reconciler->arena, known->supplies, strlen(known->supplies),
                         &told.supplies, err) != 0) {
        return -1;
    }
    return supply_of_guest(&reconciler->arena, reconciler->world.config->policy.profile,
                           &reconciler->revision.desired, guest, &told, supplies, err);
}

/* By the rule of plans: what is off and may start, what arrives and what is reserved for a move that is not settled
 * takes room as well.  What runs there now is all that the target itself can tell. */
static int check_room(struct reconciler *reconciler, const struct force_order *order,
                      struct err *err)
{
    const struct plan_input *input = &reconciler->view.input;
    const struct observed_host *dead =
        observed_find_host(&reconciler->snapshot.observed, order->from);
    const struct observed_guest *known =
        dead == NULL ? NULL : observed_find_guest(dead, order->uuid);
    struct observed_guest guest = { .name = order->guest, .uuid = order->uuid };
    struct restart_room room;

    if (known != NULL) {
        guest = *known;
    }
    guest.state = order->original;
    room = restart_room_elsewhere(input, &guest, order->to);
    if (room.fit == CAPACITY_FITS) {
        return 0;
    }
    if (room.fit == CAPACITY_NO_CPU) {
        return err_set(err, ERR_REFUSED, "cannot start '%s' on '%s': its CPUs are taken there",
                       order->guest, order->to);
    }
    return err_set(err, ERR_REFUSED,
                   "cannot start '%s' on '%s': it needs %s of memory there, and %s are left that "
                   "nobody has or may have",
                   order->guest, order->to, quantity_size_text(&reconciler->arena, room.needs_kib),
                   quantity_size_text(&reconciler->arena, room.free_kib));
}

static int judge_force(struct reconciler *reconciler, const struct force_request *request,
                       struct force_order *order, struct supply_list *supplies, struct err *err)
{
    const struct desired *desired = &reconciler->revision.desired;
    const struct policy *policy = &reconciler->world.config->policy;
    struct force_request revoking = *request;

    if (desired_find_guest(desired, request->guest) == DESIRED_NONE) {
        return err_set(err, ERR_NOT_FOUND,
                       "cannot move '%.64s' by force: the file names no such guest",
                       request->guest);
    }
    if (desired_find_host(desired, request->to) == DESIRED_NONE) {
        return err_set(err, ERR_NOT_FOUND,
                       "cannot move '%.64s' to '%.64s' by force: the file names no such host",
                       request->guest, request->to);
    }
    if (moves_supplies_of(reconciler, request->guest, supplies, err) != 0) {
        return -1;
    }
    revoking.revokes = profile_revokes(policy->profile) &&
                       (supply_list_kinds(supplies) & SUPPLY_BIT(SUPPLY_VOLUME)) != 0;
    /* Not the view, which hides what dead hosts keep. */
    return force_judge(&reconciler->arena, &revoking, &reconciler->snapshot.observed, policy,
                       &reconciler->ledger, order, err) == 0
               ? check_room(reconciler, order, err)
               : -1;
}

static void on_forced_begun(void *context)
{
    const struct force_request *request = force_queue_request(context);
    AUTO(arena) struct arena arena = ARENA_INIT;

    force_queue_answer(
        context, NULL,
        text_format(&arena, "'%s' is being moved to '%s' by force", request->guest, request->to));
}

static void begin_forced(struct reconciler *reconciler, struct force_wait *wait,
                         const struct force_order *order, const struct supply_list *supplies)
{
    const struct executor_force force = {
        .order = order,
        .supplies = *supplies,
        .es_digest = reconciler->revision.digest,
        .begun = on_forced_begun,
        .context = wait,
    };
    struct event event = {
        .kind = EVENT_MOVE_BEGIN,
        .guest = order->guest,
        .number = 1,
        .total = 1,
    };

    force_queue_begin(wait);
    reconciler->resumed = false;
    reconciler->overruled = false;
    gauge_reset(&reconciler->gauge);
    executor_force(&reconciler->executor, &force, on_move_done, reconciler);
    event.move = executor_move(&reconciler->executor);
    controller_emit(reconciler, &event);
}

bool moves_force_next(struct reconciler *reconciler)
{
    struct force_wait *wait;

    while ((wait = force_queue_next(&reconciler->forces)) != NULL) {
        struct supply_list supplies;
        struct force_order order;
        struct err err;

        if (judge_force(reconciler, force_queue_request(wait), &order, &supplies, &err) == 0) {
            begin_forced(reconciler, wait, &order, &supplies);
            return true;
        }
        force_queue_answer(wait, &err, NULL);
    }
    return false;
}

/* A step that may not be taken, or in which there is nothing to do, begins no move. */
static bool is_refused(struct reconciler *reconciler, const struct executor_intent *intent)
{
    const struct observed_guest *const guests[] = { intent->observed, NULL };
    struct event event = { .guest = intent->guest, .step = intent->step };
    struct procedure_row rows[PROCEDURE_STEPS];
    enum procedure_answer answer;

    if (intent->step == NULL || intent->refused != NULL) {
        return false;
    }
    procedure_foresee(intent->from, intent->to, intent->mode, intent->observed, &intent->supplies,
                      rows);
    answer = procedure_judge(&reconciler->arena, rows, procedure_find(intent->step), guests,
                             &event.text);
    if (answer == PROCEDURE_TAKE) {
        return false;
    }
    event.kind = answer == PROCEDURE_REFUSE ? EVENT_STEP_REFUSED : EVENT_STEP_SKIPPED;
    controller_emit(reconciler, &event);
    controller_end(reconciler, answer == PROCEDURE_REFUSE ? RECONCILER_BLOCKED : RECONCILER_DONE);
    return true;
}

bool moves_begin(struct reconciler *reconciler, const struct executor_intent *intent, size_t number,
                 size_t total)
{
    struct executor_intent supplied = *intent;
    struct event event = {
        .kind = EVENT_MOVE_BEGIN,
        .guest = intent->guest,
        .number = number,
        .total = total,
    };
    struct err err;

    if (supply_of_guest(&reconciler->arena, reconciler->world.config->policy.profile,
                        &reconciler->revision.desired, intent->guest, intent->observed,
                        &supplied.supplies, &err) != 0) {
        supplied.refused = &err;
    }
    if (is_refused(reconciler, &supplied)) {
        return true;
    }
    reconciler->resumed = false;
    reconciler->overruled = false;
    reconciler->parks |= intent->mode == MOVE_STOP;
    gauge_reset(&reconciler->gauge);
    executor_begin(&reconciler->executor, &supplied, on_move_done, reconciler);
    event.move = executor_move(&reconciler->executor);
    controller_emit(reconciler, &event);
    return true;
}

bool moves_take_next(struct reconciler *reconciler)
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
        .fallback = fallback_is_due(&reconciler->ledger, &reconciler->world.config->policy,
                                    move->guest, reconciler->revision.digest, move->mode),
        .es_digest = reconciler->revision.digest,
    };
    intent.step = reconciler->options.step;
    intent.observed = observed_find_guest_named(
        observed_find_host(&reconciler->view.observed, move->from), move->guest);
    intent.uuid = intent.observed->uuid;
    end_parking(reconciler, move->guest);
    return moves_begin(reconciler, &intent, following->next, following->plan.move_count);
}

/* Where the file as it is now wants 'guest'; NULL if it does not say, or is not in order. */
static const char *newly_wanted(struct reconciler *reconciler, struct arena *arena,
                                const char *guest)
{
    struct faults faults = fault_list(arena);
    struct revision revision;
    struct err err;

    if (source_read_revision(reconciler->world.source, arena, &reconciler->world.config->policy,
                             &revision, &faults, &err) != 0) {
        return NULL;
    }
    return desired_host_of(&revision.desired, guest);
}

void moves_reconsider(struct reconciler *reconciler)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const struct journal_move *move = executor_move(&reconciler->executor);
    struct event event = { .kind = EVENT_ORDER };
    const char *wanted;
    struct order order;

    if (move == NULL || move->detour || move->cancel_requested ||
        !reconciler->world.config->policy.cancel_overruled) {
        return; /* A temporary host is nobody's wish. */
    }
    wanted = newly_wanted(reconciler, &arena, move->guest);
    if (wanted == NULL || strcmp(wanted, move->to) == 0) {
        return;
    }
    order = (struct order){
        .verb = ORDER_CANCEL,
        .scope = JOURNAL_SCOPE_GUEST,
        .name = move->guest,
        .user = reconciler->options.user,
        .reason = text_format(&arena, "the new file wants it on '%s'", wanted),
    };
    event.order = &order;
    controller_emit(reconciler, &event);
    reconciler->overruled = true;
    executor_cancel(&reconciler->executor);
}

void moves_stand_back(struct reconciler *reconciler)
{
    const struct journal_move *move = executor_move(&reconciler->executor);

    if (move == NULL || move->tried || move->cancel_requested || journal_move_is_restart(move)) {
        return; /* A guest that must run again is started, held or not. */
    }
    reconciler->overruled = true;
    executor_cancel(&reconciler->executor);
}
