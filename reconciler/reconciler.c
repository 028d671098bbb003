/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/reconciler.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/heap.h"
#include "diff/plan.h"
#include "reconciler/config.h"
#include "reconciler/controller.h"
#include "reconciler/debts.h"
#include "reconciler/force.h"
#include "reconciler/moves.h"
#include "reconciler/order.h"
#include "reconciler/pass.h"
#include "reconciler/rest.h"

static void on_order(void *context, const struct order *order)
{
    struct reconciler *reconciler = context;
    struct event event = { .kind = EVENT_ORDER, .order = order };
    const struct journal_move *moving = executor_move(&reconciler->executor);

    if (order->verb == ORDER_CANCEL && moving != NULL && strcmp(moving->guest, order->name) == 0) {
        executor_cancel(&reconciler->executor);
    } else if (order->verb == ORDER_HOLD) {
        moves_stand_back(reconciler);
    }
    controller_emit(reconciler, &event);
    rest_wake(reconciler);
}

static void on_order_lost(void *context, const struct err *err)
{
    controller_lost(context, err);
}

static void on_run_begun(void *context, enum journal_result result, const struct err *err)
{
    struct reconciler *reconciler = context;
    const struct event event = { .kind = EVENT_FOLLOWING };

    if (result != JOURNAL_COMMITTED) {
        controller_lost(reconciler, err);
        return;
    }
    pass_run(reconciler);
    if (reconciler->options.follow && !reconciler->ended) {
        controller_emit(reconciler, &event);
    }
}

/* The executor's events go on to whoever watches; the gauge follows them. */
static void on_executor_event(void *context, const struct event *event)
{
    struct reconciler *reconciler = context;

    if (event->kind == EVENT_PROGRESS) {
        gauge_feed(&reconciler->gauge, event->progress);
    }
    controller_emit(reconciler, event);
}

struct reconciler *reconciler_new(const struct reconciler_world *world,
                                  const struct reconciler_options *options)
{
    struct reconciler *reconciler = HEAP_NEW(struct reconciler);
    struct executor_world executor_world;

    reconciler->world = *world;
    reconciler->options = *options;
    calls_init(&reconciler->calls, world->actuator);
    calls_on_notice(&reconciler->calls, rest_on_notice, reconciler);
    debounce_init(&reconciler->notices, world->loop, REST_NOTICE_QUIET_MS, REST_NOTICE_LIMIT_MS,
                  rest_on_heard, reconciler);
    snapshot_init(&reconciler->snapshot, world->loop, &reconciler->calls);
    ledger_init(&reconciler->ledger, world->journal);
    standing_init(&reconciler->standing, world->source, world->journal);
    executor_world = (struct executor_world){
        .loop = world->loop,
        .calls = &reconciler->calls,
        .ledger = &reconciler->ledger,
        .policy = &world->config->policy,
        .desired = &reconciler->revision.desired,
        .events = { reconciler, on_executor_event },
    };
    executor_init(&reconciler->executor, &executor_world);
    reconciler->forces = (struct force_queue){ .loop = world->loop };
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
    if (pass_load_ledger(reconciler) != 0) {
        return;
    }
    reconciler->run = (struct journal_run){
        .key = ledger_key(&reconciler->ledger),
        .program = reconciler->options.program,
        .user = reconciler->options.user,
        .begun_ms = controller_wall(reconciler),
    };
    reconciler->ledger.run = reconciler->run.key.seq;
    if (reconciler->options.follow) {
        rest_follow_file(reconciler);
    }
    record.run = reconciler->run;
    ledger_submit(&reconciler->ledger, &record, 1, on_run_begun, reconciler);
}

void reconciler_cancel(struct reconciler *reconciler)
{
    reconciler->cancelled = true;
    if (reconciler->timer.armed) {
        loop_timer_stop(reconciler->world.loop, &reconciler->timer);
        controller_next_pass(reconciler);
    }
    executor_cancel(&reconciler->executor);
}

void reconciler_reload(struct reconciler *reconciler)
{
    rest_wake(reconciler);
}

/* A cancel is for what is moving, whoever names it, or for a move that is run by hand, if it is named. */
static int address_cancel(struct reconciler *reconciler, struct order *order, const char *name,
                          struct err *err)
{
    const struct journal_move *moving = executor_move(&reconciler->executor);
    const struct journal_move *named =
        name == NULL ? NULL : ledger_find_move(&reconciler->ledger, name);

    if (named != NULL && named->by_hand) {
        moving = named;
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

static int address(struct reconciler *reconciler, struct order *order, const char *name,
                   struct err *err)
{
    bool is_read = reconciler->revision.desired.host_count > 0;

    if (order->verb == ORDER_CANCEL) {
        return address_cancel(reconciler, order, name, err);
    }
    return is_read || name == NULL || *name == '\0'
               ? order_address(order, name, &reconciler->revision.desired, err)
               : err_set(err, ERR_BUSY, "cannot %s '%.64s': no es.xml is in force yet",
                         order_verb_name(order->verb), name);
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
    reconciler->overtaken =
        true; /* A pass under way knows nothing of it, and must not act on that. */
    errand_run(&reconciler->errands, &addressed, controller_wall(reconciler), answer, context);
}

void reconciler_force(struct reconciler *reconciler, const struct force_request *request,
                      errand_answer_fn *answer, void *context)
{
    force_queue_add(&reconciler->forces, request, answer, context);
    rest_wake(reconciler);
}

struct status reconciler_status(struct reconciler *reconciler)
{
    const struct finding *finding =
        reconciler->found.looked_ms != 0 ? &reconciler->found : &reconciler->before;
    const struct following *following = &reconciler->following;
    struct status status = {
        .at_ms = controller_wall(reconciler),
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
        status.observed = &finding->observed;
        status.diff = &finding->diff;
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
           (executor_move(&reconciler->executor) != NULL && !debts_has_parked(reconciler));
}

void reconciler_end(struct reconciler *reconciler)
{
    reconciler->ending = true;
    if (may_leave(reconciler)) {
        controller_end(reconciler, RECONCILER_DONE);
    }
}

void reconciler_free(struct reconciler *reconciler)
{
    loop_timer_stop(reconciler->world.loop, &reconciler->timer);
    debounce_stop(&reconciler->notices);
    errand_forget_all(&reconciler->errands);
    force_queue_forget_all(&reconciler->forces);
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
    controller_forget_names(&reconciler->restarted);
    controller_forget_names(&reconciler->released);
    controller_forget_names(&reconciler->swept);
    controller_forget_names(&reconciler->told_down);
    controller_forget_names(&reconciler->told_kept);
    controller_forget_names(&reconciler->told_left);
    controller_forget_names(&reconciler->told_by_hand);
    free(reconciler);
}
