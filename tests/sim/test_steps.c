/* SPDX-License-Identifier: Apache-2.0 */

/* A platform that provides bridges, volumes, interfaces and configuration volumes: every step of a move fails,
 * hangs, loses its reply, meets the death of the controller or a person who cancels, one by one.  Once nothing
 * goes wrong any more the guest runs once, and everything of its own is where it is and nowhere else. */

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuators/sim_fleet.h"
#include "base/base.h"
#include "base/text.h"
#include "life.h"
#include "model/op.h"
#include "reconciler/force.h"
#include "reconciler/reconciler.h"
#include "supplied.h"
#include "tests/runner.h"
#include "world.h"

#define VOLUME            SUPPLIED_VOLUME
#define DEVICE            SUPPLIED_DEVICE
#define VOLUME_TIMEOUT_MS SUPPLIED_TIMEOUT_MS
#define MANY              1000

enum kind {
    KIND_LIVE,
    KIND_OFFLINE,
    KIND_COLD,
    KINDS
};

static const enum policy_mode modes[KINDS] = { POLICY_MODE_LIVE, POLICY_MODE_OFFLINE,
                                               POLICY_MODE_AUTO };
static const char *const kind_names[KINDS] = { "live", "offline", "cold" };

static struct world world;
static enum kind kind;
static bool
    plain; /* vm1 has no NVRAM, of which nothing is copied while it runs or its host is dead. */
static struct life *living;

/* What goes wrong: the 'at'-th operation meets 'fault'. */
static struct sim_fault fault;
static size_t fault_at;
static int64_t delay_ms;
static size_t operations;
static char story[2048];

static bool attaching;      /* The last operation was to attach the volume to kvm2. */
static int64_t began_ms;    /* The life, by its own clock, ... */
static int64_t detached_ms; /* ... and how long after that the volume was to leave kvm2. */

static void begin(void)
{
    const struct supplied_world what = { .shared = kind == KIND_LIVE,
                                         .nvram = kind != KIND_LIVE && !plain };

    supplied_begin(&world, kind == KIND_COLD ? "shutoff" : "running", what);
    world.config.policy.mode = modes[kind];
    operations = 0;
    story[0] = '\0';
}

static void add_fault(void *context, struct sim_fleet *fleet)
{
    (void)context;
    fleet->faults = ARENA_ARRAY(fleet->arena, struct sim_fault, 1);
    fleet->faults[0] = fault;
    fleet->fault_count = 1;
    fleet->changed = true;
}

static void clear_faults(void *context, struct sim_fleet *fleet)
{
    (void)context;
    fleet->fault_count = 0;
    fleet->changed = true;
}

static void on_began(void *context, struct life *life)
{
    (void)context;
    living = life;
    began_ms = loop_now_ms(life->loop);
}

static bool is_volume_of_target(const struct op *op, enum op_kind op_kind)
{
    return op->kind == op_kind && op->supply == SUPPLY_VOLUME && strcmp(op->host, "kvm2") == 0;
}

static void on_starts(void *context, const struct op *op)
{
    (void)context;
    attaching = is_volume_of_target(op, OP_PROVIDE);
    if (is_volume_of_target(op, OP_WITHDRAW)) {
        detached_ms = loop_now_ms(living->loop) - began_ms;
    }
    if (++operations == fault_at) {
        fault.op = op->kind;
        life_edit(living, add_fault, NULL);
    }
    (void)snprintf(story + strlen(story), sizeof(story) - strlen(story), " %s%s%s@%s%s",
                   op_kind_name(op->kind), op->supply == SUPPLY_NONE ? "" : ":",
                   supply_kind_name(op->supply), op->host, operations == fault_at ? "!" : "");
}

static const struct life_hooks hooks = { .began = on_began, .starts = on_starts };

/* The one host that knows vm1. */
static const char *only_host(const char *when)
{
    const char *found = NULL;
    static const char *const hosts[] = { "kvm1", "kvm2", "kvm3" };

    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        if (strcmp(world_state(&world, "vm1", hosts[i]), "absent") != 0) {
            ck_assert_msg(found == NULL, "%s, %s: vm1 is on two hosts:%s", kind_names[kind], when,
                          story);
            found = hosts[i];
        }
    }
    ck_assert_msg(found != NULL, "%s, %s: vm1 is lost:%s", kind_names[kind], when, story);
    return found;
}

/* vm1 is as it was, on 'host' (NULL: on any), with everything of its own. */
static void check(const char *host, const char *when)
{
    const char *here = only_host(when);
    const char *state = world_state(&world, "vm1", here);

    ck_assert_msg(host == NULL || strcmp(host, here) == 0, "%s, %s: vm1 is on %s (%s):%s",
                  kind_names[kind], when, here, world.last_text, story);
    ck_assert_msg(strcmp(state, kind == KIND_COLD ? "shutoff" : "running") == 0,
                  "%s, %s: vm1 is %s (%s):%s", kind_names[kind], when, state, world.last_text,
                  story);
    ck_assert_msg(world_has_autostart(&world, "vm1", here), "%s, %s: autostart:%s",
                  kind_names[kind], when, story);
    ck_assert_msg(supplied_is_whole(&world, here),
                  "%s, %s: vm1 is on %s, and what it needs is not there alone:%s\n%s",
                  kind_names[kind], when, here, story, world.fleet);
    ck_assert_msg(world_open_moves(&world) == 0, "%s, %s: a move is open (%s):%s", kind_names[kind],
                  when, world.last_text, story);
    ck_assert_uint_eq(world_owed(&world), 0);
}

static void live_on(void)
{
    (void)snprintf(story + strlen(story), sizeof(story) - strlen(story), " |");
    world_edit(&world, clear_faults, NULL);
    world_touch(&world);
    world_wait(&world, INT64_C(3600000));
    world_live(&world, WORLD_KILL_NEVER, 0);
}

START_TEST(a_move_takes_along_what_the_platform_provides)
{
    static const char *const stories[KINDS] = {
        " preflight@kvm1 provide:bridge@kvm2 provide:nat-bridge@kvm2 provide:volume@kvm2"
        " provide:interface@kvm2 preflight@kvm1 migrate@kvm1 autostart@kvm2"
        " withdraw:interface@kvm1 withdraw:config@kvm1 withdraw:volume@kvm1 provide:config@kvm2"
        " withdraw:bridge@kvm1 withdraw:nat-bridge@kvm1",
        " preflight@kvm1 provide:bridge@kvm2 provide:nat-bridge@kvm2 stop@kvm1"
        " withdraw:interface@kvm1 withdraw:config@kvm1 withdraw:volume@kvm1 provide:volume@kvm2"
        " preflight:volume@kvm2 provide:config@kvm2 provide:state@kvm2 withdraw:state@kvm1"
        " define@kvm2 undefine@kvm1"
        " provide:interface@kvm2 start@kvm2"
        " autostart@kvm2 withdraw:bridge@kvm1 withdraw:nat-bridge@kvm1",
        " preflight@kvm1 provide:bridge@kvm2 provide:nat-bridge@kvm2 withdraw:interface@kvm1"
        " withdraw:config@kvm1 withdraw:volume@kvm1 provide:volume@kvm2 preflight:volume@kvm2"
        " provide:config@kvm2 provide:state@kvm2 withdraw:state@kvm1"
        " define@kvm2 undefine@kvm1 autostart@kvm2 provide:interface@kvm2 withdraw:bridge@kvm1"
        " withdraw:nat-bridge@kvm1",
    };

    kind = (enum kind)_i;
    fault_at = 0;
    begin();
    world.hooks = &hooks;
    world_live(&world, WORLD_KILL_NEVER, 0);
    ck_assert_str_eq(story, stories[kind]);
    check("kvm2", "undisturbed");
    world_deinit(&world);
}
END_TEST

/* False once the move has no 'at'-th operation. */
static bool meet_fault(size_t at, enum sim_when when, enum err_code error, uint64_t times)
{
    char what[128];

    (void)snprintf(what, sizeof(what), "operation %zu, when %d, %s, %d times", at, (int)when,
                   err_code_name(error), (int)times);
    fault =
        (struct sim_fault){ .when = when, .error = error, .times = times, .delay_ms = delay_ms };
    fault_at = at;
    begin();
    world.hooks = &hooks;
    world_live(&world, WORLD_KILL_NEVER, 0);
    if (operations >= at) {
        live_on();
        live_on();
        check("kvm2", what);
    }
    world_deinit(&world);
    return operations >= at;
}

static void meet_all_faults(enum sim_when when, enum err_code error, uint64_t times)
{
    size_t at = 1;

    while (meet_fault(at, when, error, times)) {
        at++;
    }
    ck_assert_uint_gt(at, 12);
}

START_TEST(an_operation_that_fails_once_may_pass)
{
    kind = (enum kind)_i;
    meet_all_faults(SIM_WHEN_BEFORE, ERR_FAILED, 1);
}
END_TEST

START_TEST(an_operation_that_cannot_succeed_until_somebody_helps)
{
    kind = (enum kind)_i;
    meet_all_faults(SIM_WHEN_BEFORE, ERR_DENIED, MANY);
}
END_TEST

START_TEST(an_operation_that_keeps_failing)
{
    kind = (enum kind)_i;
    meet_all_faults(SIM_WHEN_BEFORE, ERR_FAILED, MANY);
}
END_TEST

START_TEST(an_operation_that_is_done_and_told_as_failed)
{
    kind = (enum kind)_i;
    meet_all_faults(SIM_WHEN_AFTER, ERR_TIMEOUT, 1);
}
END_TEST

START_TEST(an_operation_that_is_done_and_always_told_as_failed)
{
    kind = (enum kind)_i;
    meet_all_faults(SIM_WHEN_AFTER, ERR_TIMEOUT, MANY);
}
END_TEST

/* Longer than anybody waits for it. */
START_TEST(an_operation_that_succeeds_late)
{
    kind = (enum kind)_i;
    delay_ms = INT64_C(3000000);
    meet_all_faults(SIM_WHEN_BEFORE, ERR_NONE, 1);
    delay_ms = 0;
}
END_TEST

START_TEST(an_operation_that_never_answers)
{
    kind = (enum kind)_i;
    meet_all_faults(SIM_WHEN_HANG, ERR_TIMEOUT, 1);
}
END_TEST

/* False once the move has no 'at'-th commit or call. */
static bool die_at(enum world_kill kill, size_t at)
{
    char what[64];
    bool killed;

    (void)snprintf(what, sizeof(what), "killed %d at %zu", (int)kill, at);
    begin();
    world.hooks = &hooks;
    world_live(&world, kill, at);
    killed = world.killed;
    live_on();
    check("kvm2", what);
    world_deinit(&world);
    return killed;
}

START_TEST(a_controller_that_dies_at_any_commit_or_call_is_followed_by_one_that_goes_on)
{
    static const enum world_kill kills[] = { WORLD_KILL_BEFORE_COMMIT, WORLD_KILL_AFTER_COMMIT,
                                             WORLD_KILL_BEFORE_CALL, WORLD_KILL_AFTER_CALL };

    kind = (enum kind)(_i % KINDS);
    fault_at = 0;
    for (size_t at = 1; die_at(kills[_i / KINDS], at); at++) {
    }
}
END_TEST

/* Killed, and then an operation of its heir fails for some time. */
static void die_and_fail(size_t at)
{
    char what[64];

    (void)snprintf(what, sizeof(what), "killed at call %zu, then failing", at);
    begin();
    world.hooks = &hooks;
    fault_at = 0;
    world_live(&world, WORLD_KILL_AFTER_CALL, at);
    fault = (struct sim_fault){ .when = SIM_WHEN_BEFORE, .error = ERR_FAILED, .times = 2 };
    fault_at = operations + 2;
    world_wait(&world, 120000);
    world_live(&world, WORLD_KILL_NEVER, 0);
    live_on();
    live_on();
    check("kvm2", what);
    world_deinit(&world);
}

START_TEST(an_heir_whose_operations_fail_leaves_nothing_behind_either)
{
    kind = (enum kind)_i;
    for (size_t at = 1; at <= 40; at++) {
        die_and_fail(at);
    }
}
END_TEST

static void add_decoy(void *context, struct sim_fleet *fleet)
{
    static const char *const names[] = { VOLUME };

    (void)context;
    fleet->hosts[1].decoys = (struct sim_names){ names, 1 };
    fleet->changed = true;
}

static void remove_decoys(void *context, struct sim_fleet *fleet)
{
    (void)context;
    fleet->hosts[1].decoys = (struct sim_names){ NULL, 0 };
    fleet->changed = true;
}

/* Nothing is started on another volume, by whatever run; the guest runs on at its source, and moves once the
 * mistake is put right. */
static bool find_another_volume(enum world_kill kill, size_t at)
{
    bool killed;

    begin();
    world.hooks = &hooks;
    fault_at = 0;
    world_edit(&world, add_decoy, NULL);
    world_live(&world, kill, at);
    killed = world.killed;
    if (killed) {
        live_on();
    }
    check("kvm1", "with another volume on kvm2");
    ck_assert_msg(strstr(story, "define@kvm2") == NULL, "%s", story);
    ck_assert_msg(killed || strstr(world.last_text, "is not the same storage on 'kvm2'") != NULL,
                  "%s", world.last_text);
    world_edit(&world, remove_decoys, NULL);
    live_on();
    live_on();
    check("kvm2", "with its own volume on kvm2");
    world_deinit(&world);
    return killed;
}

START_TEST(a_guest_is_not_started_where_another_volume_is_attached_in_place_of_its_own)
{
    static const enum world_kill kills[] = { WORLD_KILL_AFTER_COMMIT, WORLD_KILL_AFTER_CALL };

    kind = (enum kind)_i;
    ck_assert(!find_another_volume(WORLD_KILL_NEVER, 0));
    for (size_t i = 0; i < ARRAY_LEN(kills); i++) {
        for (size_t at = 1; find_another_volume(kills[i], at); at++) {
        }
    }
}
END_TEST

/* A host may still attach what a dead controller had asked for: whoever detaches it earlier leaves it behind. */
START_TEST(what_a_dead_controller_had_asked_for_is_waited_out_before_it_is_undone)
{
    bool killed = true;
    size_t met = 0;

    kind = KIND_LIVE;
    fault_at = 0;
    for (size_t at = 1; killed; at++) {
        begin();
        world.hooks = &hooks;
        world_live(&world, WORLD_KILL_AFTER_CALL, at);
        killed = world.killed;
        if (killed && attaching) {
            detached_ms = 0;
            world.cancel_at_call = 1;
            world_live(&world, WORLD_KILL_NEVER, 0);
            check("kvm1", "cancelled after a crash");
            ck_assert_int_ge(detached_ms, VOLUME_TIMEOUT_MS);
            met++;
        }
        world_deinit(&world);
    }
    ck_assert_uint_ge(met, 1);
}
END_TEST

/* Cancelled: it ends where it was, or where it has arrived, and nothing is left on the other host. */
static bool cancel_at(size_t commit, size_t call)
{
    char what[64];
    bool reached;

    (void)snprintf(what, sizeof(what), "cancelled at commit %zu, call %zu", commit, call);
    fault_at = 0;
    begin();
    world.hooks = &hooks;
    world.cancel_at_commit = commit;
    world.cancel_at_call = call;
    world_live(&world, WORLD_KILL_NEVER, 0);
    reached = commit > 0 ? world.commits >= commit : world.calls >= call;
    check(NULL, what);
    world_deinit(&world);
    return reached;
}

START_TEST(a_person_who_cancels_at_any_time_finds_the_guest_running_with_all_its_own)
{
    kind = (enum kind)_i;
    for (size_t at = 1; cancel_at(at, 0); at++) {
    }
    for (size_t at = 1; cancel_at(0, at); at++) {
    }
}
END_TEST

/* A volume that only one host may have cannot go with a guest that runs. */
START_TEST(a_volume_that_is_not_shared_keeps_a_guest_from_moving_live_and_nothing_is_left)
{
    kind = KIND_OFFLINE;
    plain = true;
    fault_at = 0;
    begin();
    world.config.policy.mode = POLICY_MODE_LIVE;
    world.hooks = &hooks;
    world_live(&world, WORLD_KILL_NEVER, 0);
    check("kvm1", "not shared");
    ck_assert_ptr_nonnull(strstr(world.last_text, "attached to 'kvm1'"));
    world_deinit(&world);
}
END_TEST

START_TEST(a_withdrawal_that_keeps_failing_keeps_the_move_open_and_says_why)
{
    kind = KIND_LIVE;
    fault = (struct sim_fault){
        .when = SIM_WHEN_BEFORE, .error = ERR_FAILED, .times = MANY, .text = "the storage is tired"
    };
    fault_at = 9; /* withdraw:interface@kvm1 */
    begin();
    world.hooks = &hooks;
    world_live(&world, WORLD_KILL_NEVER, 0);
    ck_assert_uint_eq(world_open_moves(&world), 1);
    ck_assert_uint_eq(world.result.stuck, 1);
    ck_assert_msg(strstr(world.last_text, "the storage is tired") != NULL, "%s", world.last_text);
    ck_assert_str_eq(world_runs_on(&world, "vm1"), "kvm2");
    live_on();
    check("kvm2", "once it is not tired any more");
    world_deinit(&world);
}
END_TEST

/* Nothing is mounted there any more, and its volume may be attached elsewhere, too. */
static void die(void *context, struct sim_fleet *fleet)
{
    static const struct sim_volume shared = { VOLUME, NULL, true };

    (void)context;
    fleet->volumes = &shared;
    fleet->volume_count = 1;
    fleet->hosts[0].power = SIM_POWER_OFF;
    fleet->hosts[0].configs.count = 0;
    fleet->hosts[0].interfaces.count = 0;
    fleet->changed = true;
}

static void come_back(void *context, struct sim_fleet *fleet)
{
    static const char *const interfaces[] = { "vf1" };
    static const char *const configs[] = { "vm1_cfg" };
    struct sim_host *host = &fleet->hosts[0];

    (void)context;
    host->fenced = false;
    host->power = SIM_POWER_ON;
    host->interfaces = (struct sim_names){ interfaces, 1 };
    host->configs = (struct sim_names){ configs, 1 };
    fleet->changed = true;
}

static void on_forced_answer(void *context, const struct err *err, const char *text)
{
    (void)context;
    (void)text;
    ck_assert_msg(err == NULL, "%s", err == NULL ? "" : err->text);
}

static const char *forced_to;

static void on_began_forced(void *context, struct life *life)
{
    const struct force_request request = { .guest = "vm1", .to = forced_to, .user = "somebody" };

    (void)context;
    living = life;
    reconciler_force(life->reconciler, &request, on_forced_answer, NULL);
}

static void assert_bare(void *context, struct sim_fleet *fleet)
{
    const struct sim_host *host = &fleet->hosts[1];

    (void)context;
    ck_assert_msg(!sim_fleet_has_name(&host->bridges, "br7") &&
                      !sim_fleet_has_name(&host->bridges, "nat0") &&
                      sim_fleet_find_identity(host, DEVICE) == NULL,
                  "something is left on kvm2:%s", story);
}

/* The controller dies with bridges made on kvm2, and so does kvm1. */
static void take_over(const char *to, bool starts)
{
    static const struct policy_host fenced[] = { { .name = "kvm1", .fenced = true } };
    static const struct life_hooks forced = { .began = on_began_forced, .starts = on_starts };
    struct world_guest wanted[SUPPLIED_GUESTS];

    kind = KIND_OFFLINE;
    plain = true;
    fault_at = 0;
    begin();
    world.hooks = &hooks;
    world.config.policy.hosts = fenced;
    world.config.policy.host_count = 1;
    world_live(&world, WORLD_KILL_AFTER_CALL, 3);
    world_edit(&world, die, NULL);
    memcpy(wanted, supplied_guests, sizeof(wanted));
    wanted[0].wanted = to;
    world_want(&world, wanted, ARRAY_LEN(wanted));
    if (!starts) {
        fault = (struct sim_fault){ .op = OP_START, .error = ERR_DENIED, .times = MANY };
        world_edit(&world, add_fault, NULL);
    }
    forced_to = to;
    world.hooks = &forced;
    world.follow_ms = INT64_C(600000);
    world_live(&world, WORLD_KILL_NEVER, 0);
    world_assert_is(&world, "vm1", to, starts ? "running" : "absent");
    if (!starts) { /* What was open before is open still, and waits for kvm1. */
        ck_assert_uint_eq(world_open_moves(&world), 1);
        world_edit(&world, come_back, NULL);
        world.hooks = &hooks;
        live_on();
        live_on();
        check(to, "after a forced move that failed");
    }
    ck_assert_uint_eq(world_open_moves(&world), 0);
    if (strcmp(to, "kvm2") != 0) {
        world_edit(&world, assert_bare, NULL);
    }
    world_deinit(&world);
}

START_TEST(what_a_move_had_prepared_is_taken_back_when_its_guest_is_forced_to_another_host)
{
    take_over("kvm3", true);
    take_over("kvm3", false);
}
END_TEST

START_TEST(what_a_move_had_prepared_is_taken_back_when_a_forced_one_in_its_place_fails)
{
    take_over("kvm2", false);
}
END_TEST

/* Where no test has a process of its own, none leaves this to the next. */
static void set_up(void)
{
    plain = false;
}

int main(void)
{
    Suite *suite = suite_create("steps");
    TCase *tcase = tcase_create("steps");
    int status;

    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_test(tcase,
                   what_a_move_had_prepared_is_taken_back_when_its_guest_is_forced_to_another_host);
    tcase_add_test(tcase,
                   what_a_move_had_prepared_is_taken_back_when_a_forced_one_in_its_place_fails);
    tcase_add_loop_test(tcase, a_move_takes_along_what_the_platform_provides, 0, KINDS);
    tcase_add_loop_test(tcase, an_operation_that_fails_once_may_pass, 0, KINDS);
    tcase_add_loop_test(tcase, an_operation_that_cannot_succeed_until_somebody_helps, 0, KINDS);
    tcase_add_loop_test(tcase, an_operation_that_keeps_failing, 0, KINDS);
    tcase_add_loop_test(tcase, an_operation_that_is_done_and_told_as_failed, 0, KINDS);
    tcase_add_loop_test(tcase, an_operation_that_is_done_and_always_told_as_failed, 0, KINDS);
    tcase_add_loop_test(tcase,
                        a_guest_is_not_started_where_another_volume_is_attached_in_place_of_its_own,
                        0, KINDS);
    tcase_add_test(tcase, what_a_dead_controller_had_asked_for_is_waited_out_before_it_is_undone);
    tcase_add_loop_test(tcase, an_operation_that_succeeds_late, 0, KINDS);
    tcase_add_loop_test(tcase, an_operation_that_never_answers, 0, KINDS);
    tcase_add_loop_test(
        tcase, a_controller_that_dies_at_any_commit_or_call_is_followed_by_one_that_goes_on, 0,
        KINDS * 4);
    tcase_add_loop_test(tcase, an_heir_whose_operations_fail_leaves_nothing_behind_either, 0,
                        KINDS);
    tcase_add_loop_test(
        tcase, a_person_who_cancels_at_any_time_finds_the_guest_running_with_all_its_own, 0, KINDS);
    tcase_add_test(tcase,
                   a_volume_that_is_not_shared_keeps_a_guest_from_moving_live_and_nothing_is_left);
    tcase_add_test(tcase, a_withdrawal_that_keeps_failing_keeps_the_move_open_and_says_why);
    tcase_set_timeout(tcase, 300);
    suite_add_tcase(suite, tcase);
    world_set_up();
    status = runner_run(suite);
    world_tear_down();
    return status;
}
