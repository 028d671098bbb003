/* SPDX-License-Identifier: Apache-2.0 */

/* The crash sweep of a controller that follows the file: killed at every commit and every call of a scenario, in
 * the middle of plans, orders and drift; the next one ends in the same place, and then it is quiet.  Single moves
 * are swept in test_reconciler.c, guests that are stopped early in test_park.c. */

#include <check.h>
#include <string.h>

#include "actuators/sim_fleet.h"
#include "base/base.h"
#include "life.h"
#include "reconciler/order.h"
#include "tests/runner.h"
#include "world.h"

#define GUESTS_MAX 6
#define SCENE_MS   INT64_C(10000)
#define LIFE_MS    INT64_C(300000)

enum scene {
    SCENE_NONE,
    SCENE_HOLD,    /* A person holds vm2 while the first guest migrates. */
    SCENE_CANCEL,  /* A person cancels what migrates first. */
    SCENE_CARRY,   /* Somebody moves vm1 from the first host to the second. */
    SCENE_RESTART, /* vm1 goes down with its host. */
};

struct scenario {
    const char *name;
    enum scene scene;
    unsigned memory_mib[4];
    size_t host_count;
    struct world_guest guests[GUESTS_MAX];
    size_t guest_count;
    const char *unless_ordered
        [GUESTS_MAX]; /* Where a guest is if the order was never given; NULL = as wanted. */
    enum config_drift_answer operator_move;
};

#define RUNS(name, at, wanted, mib)                         \
    {                                                       \
        name, at, wanted, "running", mib, true, false, NULL \
    }

static const struct scenario scenarios[] = {
    {
        .name = "ring of full hosts with one spare place",
        .memory_mib = { 600, 600, 600, 600 },
        .host_count = 4,
        .guests = { RUNS("vm1", "kvm1", "kvm2", 600), RUNS("vm2", "kvm2", "kvm3", 600),
                    RUNS("vm3", "kvm3", "kvm1", 600) },
        .guest_count = 3,
    },
    {
        .name = "drain of a host",
        .memory_mib = { 1024, 1024, 1024 },
        .host_count = 3,
        .guests = { RUNS("vm1", "kvm1", "kvm2", 300),
                    RUNS("vm2", "kvm1", "kvm3", 300),
                    { "vm3", "kvm1", "kvm2", "shutoff", 300, true, false, NULL } },
        .guest_count = 3,
    },
    {
        .name = "hold in the middle of a plan",
        .scene = SCENE_HOLD,
        .memory_mib = { 1024, 1024, 1024 },
        .host_count = 3,
        .guests = { RUNS("vm1", "kvm1", "kvm2", 300), RUNS("vm2", "kvm1", "kvm1", 300) },
        .guest_count = 2,
        .unless_ordered = { NULL, "kvm3" },
    },
    {
        .name = "cancel in the middle of a move",
        .scene = SCENE_CANCEL,
        .memory_mib = { 1024, 1024, 1024 },
        .host_count = 3,
        .guests = { RUNS("vm1", "kvm1", "kvm1", 300) },
        .guest_count = 1,
        .unless_ordered = { "kvm3" },
    },
    {
        .name = "operator move that is corrected",
        .scene = SCENE_CARRY,
        .memory_mib = { 1024, 1024, 1024 },
        .host_count = 3,
        .guests = { RUNS("vm1", "kvm1", "kvm1", 300) },
        .guest_count = 1,
        .operator_move = CONFIG_DRIFT_CORRECT,
    },
    {
        .name = "operator move that is adopted",
        .scene = SCENE_CARRY,
        .memory_mib = { 1024, 1024, 1024 },
        .host_count = 3,
        .guests = { RUNS("vm1", "kvm1", "kvm2", 300) },
        .guest_count = 1,
        .operator_move = CONFIG_DRIFT_ADOPT,
    },
    {
        .name = "host restart that is corrected",
        .scene = SCENE_RESTART,
        .memory_mib = { 1024, 1024, 1024 },
        .host_count = 3,
        .guests = { RUNS("vm1", "kvm1", "kvm1", 300) },
        .guest_count = 1,
    },
};

static struct world world;
static const struct scenario *scenario;
static struct life *living;
static struct loop_timer timer;
static bool played; /* The scene, in this world. */

static void change_fleet(void *context, struct sim_fleet *fleet)
{
    struct sim_guest *guest =
        sim_fleet_find_guest(&fleet->hosts[0], "00000000-0000-4000-8000-000000000001");
    struct sim_guest copy = *guest;

    (void)context;
    if (scenario->scene == SCENE_RESTART) {
        sim_fleet_set_state(fleet, guest, GUEST_SHUTOFF, GUEST_REASON_UNKNOWN);
    } else {
        (void)sim_fleet_add_guest(fleet, &fleet->hosts[1], &copy);
        sim_fleet_remove_guest(fleet, &fleet->hosts[0], guest);
    }
}

static void play_scene(void *context)
{
    (void)context;
    if (living->over || played) {
        return;
    }
    played = true;
    if (scenario->scene == SCENE_HOLD) {
        life_order(living, ORDER_HOLD, "vm2");
    } else if (scenario->scene == SCENE_CANCEL) {
        life_order(living, ORDER_CANCEL, NULL);
    } else {
        life_edit(living, change_fleet, NULL);
    }
}

static void on_began(void *context, struct life *life)
{
    (void)context;
    living = life;
    timer = (struct loop_timer){ 0 };
    if (!played && (scenario->scene == SCENE_CARRY || scenario->scene == SCENE_RESTART)) {
        loop_timer_start(life->loop, &timer, SCENE_MS, play_scene, NULL);
    }
}

static void on_starts(void *context, const struct op *op)
{
    (void)context;
    if (op->kind == OP_MIGRATE && strcmp(op->guest, "vm1") == 0 && !played &&
        (scenario->scene == SCENE_HOLD || scenario->scene == SCENE_CANCEL)) {
        loop_timer_start(living->loop, &timer, 100, play_scene, NULL);
    }
}

/* Who is to be held is wanted elsewhere, or there would be nothing to hold. */
static void want(void)
{
    struct world_guest wishes[GUESTS_MAX];

    for (size_t i = 0; i < scenario->guest_count; i++) {
        wishes[i] = scenario->guests[i];
        if (scenario->unless_ordered[i] != NULL) {
            wishes[i].wanted = scenario->unless_ordered[i];
        } else if (scenario->operator_move == CONFIG_DRIFT_ADOPT) {
            wishes[i].wanted = wishes[i].host;
        }
    }
    world_want(&world, wishes, scenario->guest_count);
}

static bool is_held(const char *guest)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct err err;
    struct journal *journal = journal_open_readonly(world.state_dir, &err);
    struct journal_hold *holds;
    size_t count;
    bool held = false;

    ck_assert_msg(journal != NULL, "%s", err.text);
    ck_assert_int_eq(journal->ops->holds(journal, &arena, &holds, &count, &err), 0);
    for (size_t i = 0; i < count; i++) {
        held |= strcmp(holds[i].name, guest) == 0;
    }
    journal_close(journal);
    return held;
}

/* Whether the order was carried out: a controller that is killed before it has answered may have moved the guest and
 * held it then. */
static bool is_obeyed(const char *guest)
{
    struct journal_move *moves;
    size_t count = world_moves(&world, &moves);

    return is_held(guest) &&
           (scenario->scene == SCENE_HOLD || moves[count - 1].state == JOURNAL_MOVE_CANCELLED);
}

static void assert_in_place(size_t index, const char *how, size_t at)
{
    const struct world_guest *guest = &scenario->guests[index];
    const char *goal = guest->wanted;

    if (scenario->unless_ordered[index] != NULL && !is_obeyed(guest->name)) {
        goal = scenario->unless_ordered[index];
    }
    for (size_t h = 0; h < scenario->host_count; h++) {
        char host[8] = { 'k', 'v', 'm', (char)('1' + h), '\0' };
        const char *state = strcmp(host, goal) == 0 ? guest->state : "absent";

        ck_assert_msg(strcmp(world_state(&world, guest->name, host), state) == 0,
                      "%s, killed %s %zu: %s on %s is %s, expected %s (%s)", scenario->name, how,
                      at, guest->name, host, world_state(&world, guest->name, host), state,
                      world.last_text);
    }
    ck_assert_msg(world_has_autostart(&world, guest->name, goal), "%s, killed %s %zu: autostart",
                  scenario->name, how, at);
}

static const char *const hows[] = {
    [WORLD_KILL_BEFORE_COMMIT] = "before commit",
    [WORLD_KILL_AFTER_COMMIT] = "after commit",
    [WORLD_KILL_BEFORE_CALL] = "before call",
    [WORLD_KILL_AFTER_CALL] = "after call",
};

static bool sweep_once(enum world_kill kill, size_t at)
{
    static const struct life_hooks hooks = { .began = on_began, .starts = on_starts };
    bool killed;

    played = false;
    world_init_hosts(&world, scenario->memory_mib, scenario->host_count, scenario->guests,
                     scenario->guest_count, "");
    world.config.drift[CONFIG_DRIFT_OPERATOR_MOVE] = scenario->operator_move;
    world.config.drift[CONFIG_DRIFT_HOST_RESTART] = CONFIG_DRIFT_CORRECT;
    want();
    world.hooks = &hooks;
    world.follow_ms = LIFE_MS;
    world_live(&world, kill, at);
    killed = world.killed;
    world_live(&world, WORLD_KILL_NEVER, 0);
    for (size_t i = 0; i < scenario->guest_count; i++) {
        assert_in_place(i, hows[kill], at);
    }
    ck_assert_uint_eq(world_open_moves(&world), 0);
    ck_assert_uint_eq(world_owed(&world), 0);
    played = true;
    world_live(&world, WORLD_KILL_NEVER, 0);
    ck_assert_msg(world.calls == 0 &&
                      world.commits <= 3, /* The run's begin and end, and the file. */
                  "%s, killed %s %zu: %zu calls, %zu commits afterwards", scenario->name,
                  hows[kill], at, world.calls, world.commits);
    world_deinit(&world);
    return killed;
}

START_TEST(killed_at_every_commit_and_call_it_ends_in_the_same_place_and_is_quiet)
{
    static const enum world_kill kills[] = { WORLD_KILL_BEFORE_COMMIT, WORLD_KILL_AFTER_COMMIT,
                                             WORLD_KILL_BEFORE_CALL, WORLD_KILL_AFTER_CALL };
    enum world_kill kill = kills[(size_t)_i % ARRAY_LEN(kills)];
    size_t at = 1;

    scenario = &scenarios[(size_t)_i / ARRAY_LEN(kills)];
    while (sweep_once(kill, at)) {
        at++;
    }
    /* What is adopted is no operation. */
    ck_assert_uint_gt(at, scenario->operator_move == CONFIG_DRIFT_ADOPT ? 0 : 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crashes");
    TCase *tcase = tcase_create("sweeps");
    int status;

    tcase_add_loop_test(tcase,
                        killed_at_every_commit_and_call_it_ends_in_the_same_place_and_is_quiet, 0,
                        (int)ARRAY_LEN(scenarios) * 4);
    tcase_set_timeout(tcase, 120);
    suite_add_tcase(suite, tcase);
    world_set_up();
    status = runner_run(suite);
    world_tear_down();
    return status;
}
