/* SPDX-License-Identifier: Apache-2.0 */

/* A person moves a guest step by step, in any order, with controllers that die between and in the steps.  What is
 * refused changes nothing.  Whoever ends the move, the person with the last step, one who wants the rest done, or one
 * who cancels: the guest runs once, and everything of its own is where it is and nowhere else. */

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "actuators/sim_fleet.h"
#include "base/base.h"
#include "base/text.h"
#include "life.h"
#include "reconciler/event.h"
#include "reconciler/procedure.h"
#include "supplied.h"
#include "tests/runner.h"
#include "tests/unit/dice.h"
#include "world.h"

#ifdef MANY_FLEETS
#define SEEDS 150
#else
#define SEEDS 10
#endif
#define ROUNDS_MAX 12 /* Each round takes one step further at least. */

enum finish {
    FINISH_STEPS,  /* Step by step to the end. */
    FINISH_REST,   /* All that is left at once. */
    FINISH_CANCEL, /* Everything back. */
    FINISHES,
};

struct play {
    struct dice dice;
    struct world world;
    bool cold;
    bool lived; /* There is a journal. */
    size_t order[PROCEDURE_STEPS];
    char story[4096];
};

static void note(struct play *play, const char *what, const char *how)
{
    size_t used = strlen(play->story);

    (void)snprintf(play->story + used, sizeof(play->story) - used, " %s%s", what, how);
}

static void begin(struct play *play, uint64_t seed)
{
    *play = (struct play){ .dice = { seed } };
    play->cold = dice_roll(&play->dice, 4) == 0;
    supplied_begin(&play->world, play->cold ? "shutoff" : "running",
                   (struct supplied_world){ .nvram = true });
    play->world.config.policy.mode = POLICY_MODE_OFFLINE;
    play->world.only = "vm1";
    for (size_t i = 0; i < PROCEDURE_STEPS; i++) {
        size_t k = dice_roll(&play->dice, i + 1);

        play->order[i] = play->order[k];
        play->order[k] = i;
    }
}

static void live(struct play *play, const char *step)
{
    play->lived = true;
    play->world.step = step;
    play->world.rest = step == NULL;
    world_live(&play->world, WORLD_KILL_NEVER, 0);
    ck_assert_msg(!play->world.killed, "it ended:%s", play->story);
}

/* The controller dies at some commit or call, if it comes to that. */
static void die(struct play *play, const char *step)
{
    static const enum world_kill kills[] = { WORLD_KILL_BEFORE_COMMIT, WORLD_KILL_AFTER_COMMIT,
                                             WORLD_KILL_BEFORE_CALL, WORLD_KILL_AFTER_CALL };

    play->lived = true;
    play->world.step = step;
    play->world.rest = step == NULL;
    world_live(&play->world, kills[dice_roll(&play->dice, ARRAY_LEN(kills))],
               1 + dice_roll(&play->dice, 6));
    note(play, step == NULL ? "rest" : step, play->world.killed ? "+" : "");
    world_wait(&play->world, (int64_t)dice_roll(&play->dice, 90000));
}

static void add_fault(void *context, struct sim_fleet *fleet)
{
    static const enum op_kind ops[] = { OP_PROVIDE, OP_WITHDRAW, OP_STOP,
                                        OP_DEFINE,  OP_START,    OP_UNDEFINE };
    static const enum sim_when whens[] = { SIM_WHEN_BEFORE, SIM_WHEN_AFTER, SIM_WHEN_HANG };
    static const enum err_code errors[] = { ERR_FAILED, ERR_DENIED, ERR_TIMEOUT };
    struct dice *dice = context;

    fleet->faults = ARENA_ARRAY(fleet->arena, struct sim_fault, 1);
    fleet->faults[0] = (struct sim_fault){
        .op = ops[dice_roll(dice, ARRAY_LEN(ops))],
        .when = whens[dice_roll(dice, ARRAY_LEN(whens))],
        .error = errors[dice_roll(dice, ARRAY_LEN(errors))],
        .times = 1 + dice_roll(dice, 3),
    };
    fleet->fault_count = 1;
    fleet->changed = true;
}

static void clear_faults(void *context, struct sim_fleet *fleet)
{
    (void)context;
    fleet->fault_count = 0;
    fleet->changed = true;
}

/* Something fails, hangs or loses its reply, if it comes to that; what was asked for is asked for again later. */
static void disturb(struct play *play, const char *step)
{
    world_edit(&play->world, add_fault, &play->dice);
    live(play, step);
    note(play, step, "~");
    world_edit(&play->world, clear_faults, NULL);
    world_wait(&play->world, INT64_C(3600000));
}

static size_t read_moves(struct play *play, struct journal_move **moves)
{
    return play->lived ? world_moves(&play->world, moves) : 0;
}

static bool is_over(struct play *play)
{
    struct journal_move *moves;
    size_t count = read_moves(play, &moves);

    return count > 0 && moves[count - 1].state != JOURNAL_MOVE_OPEN;
}

/* A refusal, and what it leaves as it was. */
static void assert_refused(struct play *play, const char *before, size_t moves_before,
                           const char *step)
{
    struct journal_move *moves;

    ck_assert_msg(strstr(play->world.last_text, "brings that about") != NULL,
                  "%s is refused without telling what would help (%s):%s", step,
                  play->world.last_text, play->story);
    ck_assert_msg(strcmp(before, play->world.fleet) == 0,
                  "%s is refused, and something was done:%s", step, play->story);
    ck_assert_msg(world_moves(&play->world, &moves) == moves_before,
                  "%s is refused, and a move was begun:%s", step, play->story);
}

static bool ask(struct play *play, const char *step)
{
    struct journal_move *moves;
    size_t moves_before = read_moves(play, &moves);
    const char *before =
        play->world.fleet; /* Replaced, not changed, and kept as long as the world. */

    live(play, step);
    note(play, step,
         play->world.result.status == RECONCILER_DONE      ? ""
         : play->world.result.status == RECONCILER_BLOCKED ? "?"
                                                           : "!");
    if (play->world.result.status == RECONCILER_BLOCKED) {
        assert_refused(play, before, moves_before, step);
    } else {
        ck_assert_msg(play->world.result.status == RECONCILER_DONE, "%s fails (%s):%s", step,
                      play->world.last_text, play->story);
    }
    return play->world.result.status == RECONCILER_DONE;
}

/* Each step in the order of the play, again and again until the move is over. */
static void go(struct play *play, size_t steps)
{
    for (size_t round = 0; round < ROUNDS_MAX && !is_over(play); round++) {
        for (size_t i = 0; i < PROCEDURE_STEPS && !is_over(play) && steps > 0; i++, steps--) {
            const char *step = procedure_step(play->order[i]);

            if (dice_roll(&play->dice, 3) == 0) {
                die(play, step);
            }
            if (!is_over(play) && dice_one_in(&play->dice, 4)) {
                disturb(play, step);
            }
            if (!is_over(play)) {
                (void)ask(play, step);
            }
        }
    }
}

static void check(struct play *play, const char *host)
{
    const char *other = strcmp(host, "kvm1") == 0 ? "kvm2" : "kvm1";
    struct world *world = &play->world;

    ck_assert_msg(world_open_moves(world) == 0, "the move is open (%s):%s", world->last_text,
                  play->story);
    ck_assert_msg(strcmp(world_state(world, "vm1", host), play->cold ? "shutoff" : "running") == 0,
                  "vm1 is %s on %s (%s):%s", world_state(world, "vm1", host), host,
                  world->last_text, play->story);
    ck_assert_msg(strcmp(world_state(world, "vm1", other), "absent") == 0, "vm1 is on %s:%s", other,
                  play->story);
    ck_assert_msg(world_has_autostart(world, "vm1", host), "autostart:%s", play->story);
    ck_assert_msg(supplied_is_whole(world, host),
                  "vm1 is on %s, and what it needs is not there alone:%s\n%s", host, play->story,
                  world->fleet);
    ck_assert_uint_eq(world_owed(world), 0);
}

static void cancel(struct play *play)
{
    play->world.back = true;
    note(play, "cancel", "");
    if (dice_roll(&play->dice, 2) == 0) {
        die(play, NULL);
    }
    live(play, NULL);
    if (world_open_moves(&play->world) >
        0) { /* What a dead one had begun is settled by the next. */
        play->world.back = false;
        live(play, NULL);
    }
}

static void finish(struct play *play, enum finish how)
{
    if (how == FINISH_CANCEL && !is_over(play)) {
        bool arrived = strcmp(world_state(&play->world, "vm1", "kvm2"), "running") == 0;

        cancel(play);
        check(play, arrived ? "kvm2" : "kvm1");
        return;
    }
    if (how == FINISH_REST && !is_over(play)) {
        note(play, "rest", "");
        live(play, NULL);
    }
    check(play, "kvm2");
}

START_TEST(steps_in_any_order_bring_the_guest_to_its_host_or_back)
{
    for (uint64_t seed = (uint64_t)_i * SEEDS; seed < (uint64_t)(_i + 1) * SEEDS; seed++) {
        struct play play;

        begin(&play, seed);
        (void)snprintf(play.story, sizeof(play.story), " seed %" PRIu64, seed);
        go(&play, _i == FINISH_STEPS ? SIZE_MAX : dice_roll(&play.dice, 24));
        finish(&play, (enum finish)_i);
        world_deinit(&play.world);
    }
}
END_TEST

struct canceller {
    struct life *life;
    bool told;
};

static void on_began(void *context, struct life *life)
{
    struct canceller *canceller = context;

    *canceller = (struct canceller){ .life = life };
}

/* Once it is known whose move it is. */
static void on_told(void *context, const struct event *event)
{
    struct canceller *canceller = context;

    if (event->kind == EVENT_MOVE_STUCK && !canceller->told) {
        canceller->told = true;
        life_order(canceller->life, ORDER_CANCEL, "vm1");
    }
}

static void follow(struct play *play, enum world_kill kill, size_t at)
{
    struct canceller canceller = { .told = false };
    const struct life_hooks hooks = { .context = &canceller, .began = on_began, .told = on_told };

    play->world.only = NULL;
    play->world.step = NULL;
    play->world.hooks = &hooks;
    play->world.follow_ms = INT64_C(300000);
    world_live(&play->world, kill, at);
    play->world.hooks = NULL;
}

/* False once its life has no 'at'-th commit. */
static bool cancel_and_die(enum world_kill kill, size_t at)
{
    static const char *const taken[] = { "STOP_GUEST", "COPY_STATE", "MIGRATE_GUEST",
                                         "DETACH_VOLUMES", "CREATE_BRIDGES" };
    struct play play;
    bool killed;

    begin(&play, 0);
    ck_assert(!play.cold);
    (void)snprintf(play.story, sizeof(play.story), " killed %d at %zu", (int)kill, at);
    for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
        ck_assert(ask(&play, taken[i]));
    }
    follow(&play, kill, at);
    killed = play.world.killed;
    follow(&play, WORLD_KILL_NEVER, 0);
    check(&play, "kvm1");
    ck_assert_uint_eq(world_holds(&play.world), 1);
    world_deinit(&play.world);
    return killed;
}

START_TEST(a_daemon_takes_back_what_was_done_by_hand_once_it_is_told_to_whatever_becomes_of_it)
{
    static const enum world_kill kills[] = { WORLD_KILL_BEFORE_COMMIT, WORLD_KILL_AFTER_COMMIT };

    for (size_t at = 1; cancel_and_die(kills[_i], at); at++) {
    }
}
END_TEST

/* vm1 is to go to kvm2 by hand, and vm2 to kvm3. */
static void begin_two(struct world *world)
{
    struct world_guest wanted[SUPPLIED_GUESTS];

    memcpy(wanted, supplied_guests, sizeof(wanted));
    wanted[1].wanted = "kvm3";
    supplied_begin(world, "running", (struct supplied_world){ .nvram = true });
    world->config.policy.mode = POLICY_MODE_OFFLINE;
    world_want(world, wanted, SUPPLIED_GUESTS);
}

/* A controller dies as it moves vm2, which is down. */
static void leave_another_open(struct world *world)
{
    world->only = "vm2";
    for (size_t calls = 1; strcmp(world_state(world, "vm2", "kvm1"), "running") == 0; calls++) {
        world_live(world, WORLD_KILL_AFTER_CALL, calls);
    }
    ck_assert_uint_eq(world_open_moves(world), 1);
    world->only = "vm1";
}

static void stop_by_hand(struct world *world)
{
    world->step = "STOP_GUEST";
    world_live(world, WORLD_KILL_NEVER, 0);
    ck_assert_int_eq(world->result.status, RECONCILER_DONE);
    world_assert_is(world, "vm1", "kvm1", "shutoff");
}

static void assert_another_is_settled(struct world *world)
{
    struct journal_move *moves;
    size_t count = world_moves(world, &moves);

    for (size_t i = 0; i < count; i++) {
        ck_assert(strcmp(moves[i].guest, "vm2") != 0 || !moves[i].by_hand);
    }
    ck_assert_ptr_nonnull(world_runs_on(world, "vm2"));
}

START_TEST(a_step_of_one_guest_is_not_taken_of_another_whose_move_was_left_open)
{
    struct world world;

    begin_two(&world);
    leave_another_open(&world);
    stop_by_hand(&world);
    assert_another_is_settled(&world);
    world_deinit(&world);
}
END_TEST

START_TEST(
    a_move_of_another_guest_that_cannot_be_settled_keeps_nobody_from_a_step_nor_from_going_back)
{
    struct world world;

    begin_two(&world);
    leave_another_open(&world);
    world_freeze(&world, "kvm3", true);
    stop_by_hand(&world);
    world.step = NULL;
    world.back = true;
    world_live(&world, WORLD_KILL_NEVER, 0);
    ck_assert_int_eq(world.result.status, RECONCILER_DONE);
    world_assert_is(&world, "vm1", "kvm1", "running");
    world_freeze(&world, "kvm3", false);
    world.back = false;
    world.only = NULL;
    world_live(&world, WORLD_KILL_NEVER, 0);
    assert_another_is_settled(&world);
    world_deinit(&world);
}
END_TEST

static void build_bridges(void *context, struct sim_fleet *fleet)
{
    static const char *const bridges[] = { "br7", "br8", "nat0" };

    (void)context;
    fleet->hosts[1].bridges = (struct sim_names){ bridges, ARRAY_LEN(bridges) };
    fleet->changed = true;
}

static void count_bridges(void *context, struct sim_fleet *fleet)
{
    *(size_t *)context = fleet->hosts[1].bridges.count;
}

START_TEST(a_way_back_leaves_the_bridges_that_the_target_had_before_whatever_step_was_first)
{
    static const char *const steps[] = { "STOP_GUEST", "CREATE_BRIDGES", "CREATE_NAT_BRIDGE_TGT" };
    struct world world;
    size_t left = 0;

    supplied_begin(&world, "running", (struct supplied_world){ .nvram = true });
    world.config.policy.mode = POLICY_MODE_OFFLINE;
    world.only = "vm1";
    world_edit(&world, build_bridges, NULL);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        world.step = steps[i];
        world_live(&world, WORLD_KILL_NEVER, 0);
        ck_assert_int_eq(world.result.status, RECONCILER_DONE);
    }
    world.step = NULL;
    world.back = true;
    world_live(&world, WORLD_KILL_NEVER, 0);
    ck_assert_int_eq(world.result.status, RECONCILER_DONE);
    world_assert_is(&world, "vm1", "kvm1", "running");
    world_edit(&world, count_bridges, &left);
    ck_assert_uint_eq(left, 3);
    world_deinit(&world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hand");
    TCase *tcase = tcase_create("hand");
    int status;

    tcase_add_loop_test(tcase, steps_in_any_order_bring_the_guest_to_its_host_or_back, 0, FINISHES);
    tcase_add_loop_test(
        tcase, a_daemon_takes_back_what_was_done_by_hand_once_it_is_told_to_whatever_becomes_of_it,
        0, 2);
    tcase_add_test(tcase, a_step_of_one_guest_is_not_taken_of_another_whose_move_was_left_open);
    tcase_add_test(
        tcase,
        a_move_of_another_guest_that_cannot_be_settled_keeps_nobody_from_a_step_nor_from_going_back);
    tcase_add_test(
        tcase, a_way_back_leaves_the_bridges_that_the_target_had_before_whatever_step_was_first);
    tcase_set_timeout(tcase, 600);
    suite_add_tcase(suite, tcase);
    world_set_up();
    status = runner_run(suite);
    world_tear_down();
    return status;
}
