/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/preflight.h"

#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "diff/plan.h"
#include "model/observed.h"
#include "model/policy.h"
#include "model/quantity.h"
#include "reconciler/calls.h"
#include "reconciler/look.h"
#include "reconciler/operation.h"
#include "reconciler/step.h"

static void check_next(void *context);

/* Room that an earlier move makes is not there yet. */
static void defer_room(struct check_list *list, uint32_t earlier)
{
    for (size_t i = 0; earlier != 0 && i < list->count; i++) {
        struct check *check = &list->items[i];

        if (check->result == CHECK_FAILED &&
            (check->kind == CHECK_MEMORY || check->kind == CHECK_PAGES)) {
            check->result = CHECK_SKIPPED;
            check->code = ERR_NONE;
            check->change = NULL;
            check->evidence =
                text_format(list->arena, "%s; move %u makes room, and it is checked again then",
                            check->evidence, earlier);
        }
    }
}

/* The last move of the plan before 'move' that takes a guest away from the target, or, if 'same_guest', that
 * moves the same guest; 0 = none. */
static uint32_t find_earlier(const struct preflight *preflight, bool same_guest)
{
    const struct plan_move *move = &preflight->moves[preflight->next];

    for (size_t i = preflight->next; i-- > 0;) {
        const struct plan_move *earlier = &preflight->moves[i];

        if (same_guest ? strcmp(earlier->guest, move->guest) == 0
                       : strcmp(earlier->from, move->to) == 0) {
            return earlier->seq;
        }
    }
    return 0;
}

static void end_move(struct preflight *preflight)
{
    struct plan_move *move = &preflight->moves[preflight->next];

    preflight->ticket = 0;
    defer_room(&preflight->list, find_earlier(preflight, false));
    move->checks = preflight->list.items;
    move->check_count = preflight->list.count;
    preflight->next++;
    loop_timer_start(preflight->world.loop, &preflight->timer, 0, check_next, preflight);
}

static void on_answer(void *context, const struct actuator_completion *completion)
{
    struct preflight *preflight = context;

    if (completion->checks != NULL) {
        check_add(&preflight->list, completion->checks->items, completion->checks->count);
    } else if (completion->status != 0) {
        check_fail_err(&preflight->list, CHECK_HOSTS, &completion->err);
    }
    end_move(preflight);
}

static void on_late(void *context)
{
    struct preflight *preflight = context;

    calls_drop(preflight->world.calls, preflight->ticket);
    check_fail(&preflight->list, CHECK_HOSTS, ERR_TIMEOUT, "see what keeps them busy",
               "they did not answer in time");
    end_move(preflight);
}

/* By the plan's own reckoning: what is charged to the target while the guest is on both hosts. */
static void add_charged(struct check_list *list, const struct plan_move *move)
{
    check_pass(list, CHECK_CHARGED, "%s of the %s of '%s' are charged during the move",
               quantity_size_text(list->arena, move->target.during_kib),
               quantity_size_text(list->arena, move->target.limit_kib), move->to);
}

static const struct observed_guest *find_guest(const struct preflight *preflight,
                                               const struct plan_move *move)
{
    const struct observed_host *host = observed_find_host(preflight->world.observed, move->from);

    return host == NULL || move->uuid == NULL ? NULL : observed_find_guest(host, move->uuid);
}

/* The operation that the executor would begin the move with. */
static int build_op(const struct preflight *preflight, const struct plan_move *planned,
                    struct op *op, struct err *err)
{
    const struct preflight_world *world = &preflight->world;
    const struct observed_guest *guest = find_guest(preflight, planned);
    const struct look unseen = { .uuid = planned->uuid };
    const struct step step = { .op = OP_PREFLIGHT };
    const struct journal_move move = {
        .guest = planned->guest,
        .uuid = planned->uuid,
        .from = planned->from,
        .to = planned->to,
        .mode = planned->mode,
        .persistent = guest == NULL || guest->persistent,
    };
    struct supply_list supplies;

    return supply_of_guest(world->arena, world->policy->profile, world->desired, planned->guest,
                           guest, &supplies, err) != 0
               ? -1
               : operation_build(world->arena, world->policy, world->ledger, &move, &supplies,
                                 &unseen, &step, op, err);
}

static void ask_hosts(struct preflight *preflight)
{
    const struct preflight_world *world = &preflight->world;
    const struct plan_move *move = &preflight->moves[preflight->next];
    struct err err;
    struct op op;

    if (build_op(preflight, move, &op, &err) != 0) {
        check_fail_err(&preflight->list, CHECK_HOSTS, &err);
        end_move(preflight);
        return;
    }
    /* The executor waits as long. */
    loop_timer_start(world->loop, &preflight->timer, op.timeout_ms + OPERATION_GRACE_MS, on_late,
                     preflight);
    operation_tell_families(&op, world->desired);
    preflight->ticket = calls_start(world->calls, &op, on_answer, NULL, preflight);
}

static void check_next(void *context)
{
    struct preflight *preflight = context;
    uint32_t arrival;

    if (preflight->next == preflight->plan->move_count) {
        preflight->done(preflight->context);
        return;
    }
    preflight->list = check_list(preflight->world.arena);
    add_charged(&preflight->list, &preflight->moves[preflight->next]);
    arrival = find_earlier(preflight, true);
    if (arrival == 0) {
        ask_hosts(preflight);
    } else {
        check_skip(&preflight->list, CHECK_STATE, NULL, "it is checked when move %u is done",
                   arrival);
        end_move(preflight);
    }
}

void preflight_begin(struct preflight *preflight, const struct preflight_world *world,
                     struct plan *plan, preflight_done_fn *done, void *context)
{
    *preflight = (struct preflight){
        .world = *world,
        .done = done,
        .context = context,
        .plan = plan,
        .moves = ARENA_ARRAY(world->arena, struct plan_move, plan->move_count),
    };
    if (plan->move_count > 0) {
        memcpy(preflight->moves, plan->moves, plan->move_count * sizeof(*plan->moves));
    }
    plan->moves = preflight->moves;
    loop_timer_start(world->loop, &preflight->timer, 0, check_next, preflight);
}

void preflight_deinit(struct preflight *preflight)
{
    loop_timer_stop(preflight->world.loop, &preflight->timer);
    calls_drop(preflight->world.calls, preflight->ticket);
}
