/* SPDX-License-Identifier: Apache-2.0 */

/* What dead hosts keep of guests that were started elsewhere by force: removed, given back or told once they return,
 * whatever fails meanwhile.  life.c fails whenever a guest runs twice. */

#include <check.h>
#include <string.h>

#include "actuators/sim_fleet.h"
#include "base/base.h"
#include "base/err.h"
#include "life.h"
#include "model/profile.h"
#include "reconciler/force.h"
#include "reconciler/reconciler.h"
#include "tests/runner.h"
#include "world.h"

#define MINUTE_MS INT64_C(60000)

static const struct profile platform = {
    .name = "test",
    .supplies = { [SUPPLY_BRIDGE] = { .given = true }, [SUPPLY_VOLUME] = { .given = true } },
};

/* One whose volumes are taken away from a dead host before they are attached elsewhere. */
static const char *const words[] = { "san", "{name}", NULL };
static const struct profile_command command = { .words = words };
static const struct profile revoking = {
    .name = "test",
    .supplies = { [SUPPLY_BRIDGE] = { .given = true },
                  [SUPPLY_VOLUME] = { .given = true,
                                      .verbs = { [PROFILE_OWNERS] = { &command, 1 },
                                                 [PROFILE_REVOKE] = { &command, 1 } } } },
};

static const struct world_guest guests[] = {
    { "vm1", "kvm1", "kvm1", "running", 256, false, false,
      ",\"bridges\":[\"br1\"],\"disks\":[{\"path\":\"/dev/v1\",\"identity\":\"v1\"}]" },
    { "vm2", "kvm1", "kvm1", "running", 256, false, false,
      ",\"bridges\":[\"br2\"],\"disks\":[{\"path\":\"/dev/v2\",\"identity\":\"v2\"}]" },
};

static char kvm1[] = "kvm1";
static char kvm2[] = "kvm2";
static struct world world;
static const struct force_request *requests; /* Made as the next life begins. */
static size_t request_count;
static size_t answers;
static struct err answer;

static void on_answer(void *context, const struct err *err, const char *text)
{
    (void)context;
    (void)text;
    answers++;
    answer = err == NULL ? (struct err){ .code = ERR_NONE } : *err;
}

static void on_began(void *context, struct life *life)
{
    (void)context;
    for (size_t i = 0; i < request_count; i++) {
        reconciler_force(life->reconciler, &requests[i], on_answer, NULL);
    }
}

static const struct life_hooks hooks = { .began = on_began };

/* What each guest needs is where it is. */
static void furnish(void *context, struct sim_fleet *fleet)
{
    static const char *const bridges[] = { "br1", "br2" };
    static const struct sim_disk storage[] = { { "/dev/v1", "v1", NULL },
                                               { "/dev/v2", "v2", NULL } };
    static const struct sim_volume volumes[] = { { "v1", NULL, true }, { "v2", NULL, true } };

    (void)context;
    fleet->hosts[0].bridges = (struct sim_names){ bridges, ARRAY_LEN(bridges) };
    fleet->hosts[0].storage = storage;
    fleet->hosts[0].storage_count = ARRAY_LEN(storage);
    fleet->volumes = volumes;
    fleet->volume_count = ARRAY_LEN(volumes);
    fleet->changed = true;
}

static void live(const struct force_request *with, size_t count)
{
    requests = with;
    request_count = count;
    answers = 0;
    world.follow_ms = 10 * MINUTE_MS;
    world_live(&world, WORLD_KILL_NEVER, 0);
    ck_assert_uint_eq(answers, count);
}

/* A controller has seen both guests on kvm1; kvm2 has 'mib' of memory. */
static void begin_on(unsigned mib)
{
    const unsigned memory_mib[] = { 2048, mib, 2048 };

    world_init_hosts(&world, memory_mib, ARRAY_LEN(memory_mib), guests, ARRAY_LEN(guests), "");
    world.hooks = &hooks;
    world.config.policy.profile = &platform;
    world_edit(&world, furnish, NULL);
    live(NULL, 0);
}

static void begin(void)
{
    begin_on(2048);
}

static void set_fault(void *context, struct sim_fleet *fleet)
{
    fleet->faults = context;
    fleet->fault_count = context == NULL ? 0 : 1;
    fleet->changed = true;
}

/* 'op' on 'host' fails from now on, with 'guest' (NULL = any). */
static void fail_all(enum op_kind op, const char *host, const char *guest)
{
    struct sim_fault fault = { .op = op,
                               .host = host,
                               .guest = guest,
                               .error = ERR_FAILED,
                               .when = SIM_WHEN_BEFORE,
                               .times = 10000 };

    world_edit(&world, set_fault, &fault);
}

/* vm1, on the host whose name 'context' is. */
static void turn_off(void *context, struct sim_fleet *fleet)
{
    struct sim_host *host = sim_fleet_find_host(fleet, context);

    sim_fleet_set_state(fleet, &host->guests[0], GUEST_SHUTOFF, GUEST_REASON_SHUTDOWN);
}

static void want(const char *guest, const char *host)
{
    struct world_guest wanted[ARRAY_LEN(guests)];

    memcpy(wanted, guests, sizeof(guests));
    for (size_t i = 0; i < ARRAY_LEN(guests); i++) {
        wanted[i].wanted = guest == NULL || strcmp(guest, guests[i].name) == 0 ? host : "kvm2";
    }
    world_want(&world, wanted, ARRAY_LEN(wanted));
}

/* kvm1 has died, and its guests run on kvm2. */
static void lose_host(void)
{
    static const struct force_request forces[] = {
        { .guest = "vm1", .to = "kvm2", .dead = "kvm1", .user = "somebody" },
        { .guest = "vm2", .to = "kvm2", .dead = "kvm1", .user = "somebody" },
    };

    world_power(&world, "kvm1", SIM_POWER_OFF);
    want(NULL, "kvm2");
    live(forces, ARRAY_LEN(forces));
    ck_assert_msg(answer.code == ERR_NONE, "%s", answer.text);
    world_assert_is(&world, "vm1", "kvm2", "running");
    world_assert_is(&world, "vm2", "kvm2", "running");
}

static size_t leftovers(void)
{
    struct err err;
    struct journal *journal = journal_open_readonly(world.state_dir, &err);
    struct journal_leftover *items;
    size_t count;

    ck_assert_msg(journal != NULL, "%s", err.text);
    ck_assert_int_eq(journal->ops->leftovers(journal, &world.arena, &items, &count, &err), 0);
    journal_close(journal);
    return count;
}

/* Whether vm1 has been started is not known: it is not seen to run on kvm2, and may at any moment. */
START_TEST(room_of_a_forced_move_that_is_not_settled_is_given_to_no_other)
{
    static const struct force_request forces[] = {
        { .guest = "vm1", .to = "kvm2", .dead = "kvm1", .user = "somebody" },
        { .guest = "vm2", .to = "kvm2", .dead = "kvm1", .user = "somebody" },
    };
    struct sim_fault fault = { .op = OP_START, .guest = "vm1", .when = SIM_WHEN_HANG, .times = 1 };

    begin_on(400);
    world_power(&world, "kvm1", SIM_POWER_OFF);
    world_edit(&world, set_fault, &fault);
    live(forces, ARRAY_LEN(forces));
    ck_assert_int_eq(answer.code, ERR_REFUSED);
    ck_assert_msg(strstr(answer.text, "memory") != NULL, "%s", answer.text);
    world_assert_is(&world, "vm2", "kvm2", "absent");
    world_deinit(&world);
}
END_TEST

/* vm1 moves on from kvm2 to kvm3, which dies on the way: the move has nothing to do with kvm1, which returns. */
START_TEST(what_a_host_keeps_is_removed_while_a_move_between_others_is_not_settled)
{
    begin();
    lose_host();
    want("vm1", "kvm3");
    request_count = 0;
    world_live(&world, WORLD_KILL_AFTER_CALL, 4);
    ck_assert_uint_eq(world_open_moves(&world), 1);
    world_power(&world, "kvm3", SIM_POWER_OFF);
    world_power(&world, "kvm1", SIM_POWER_ON);
    live(NULL, 0);
    ck_assert_uint_eq(world_open_moves(&world), 1);
    world_assert_is(&world, "vm1", "kvm1", "absent");
    world_assert_is(&world, "vm1", "kvm2", "running");
    ck_assert_uint_eq(leftovers(), 0);
    world_deinit(&world);
}
END_TEST

/* The power of both is back, and no device keeps them from it. */
static void bring_back(void *context, struct sim_fleet *fleet)
{
    (void)context;
    for (size_t i = 0; i < fleet->host_count; i++) {
        fleet->hosts[i].fence = SIM_FENCE_WORKS;
        fleet->hosts[i].fenced = false;
        fleet->hosts[i].power = SIM_POWER_ON;
    }
    fleet->changed = true;
}

/* kvm1 and kvm3 go dark; a device that is to cut the power of kvm3 does not. */
static void lose_both_ends(void *context, struct sim_fleet *fleet)
{
    (void)context;
    fleet->hosts[0].power = SIM_POWER_OFF;
    fleet->hosts[2].power = SIM_POWER_OFF;
    fleet->hosts[2].fence = SIM_FENCE_FAILS;
    fleet->changed = true;
}

/* Its guests start as kvm1 boots. */
static void set_autostart(void *context, struct sim_fleet *fleet)
{
    (void)context;
    for (size_t i = 0; i < fleet->hosts[0].guest_count; i++) {
        fleet->hosts[0].guests[i].autostart = true;
    }
    fleet->changed = true;
}

/* vm1 runs on one host, which alone has what it needs. */
static void assert_whole(void *context, struct sim_fleet *fleet)
{
    const size_t *at = context;
    size_t runs = 0;

    for (size_t i = 0; i < fleet->host_count; i++) {
        const struct sim_host *host = &fleet->hosts[i];
        const struct sim_guest *guest = sim_fleet_find_guest_named(host, "vm1");
        bool here = guest != NULL;

        runs += here && guest->state == GUEST_RUNNING;
        ck_assert_msg((sim_fleet_find_identity(host, "/dev/v1") != NULL) == here &&
                          sim_fleet_has_name(&host->bridges, "br1") == here,
                      "killed at %zu: what vm1 needs is not where it is alone, see %s", *at,
                      host->name);
    }
    ck_assert_msg(runs == 1, "killed at %zu: vm1 runs %zu times", *at, runs);
}

/* The controller dies anywhere in an offline move from kvm1 to kvm3, then both hosts, and a forced move to kvm2 comes
 * to nothing. */
START_TEST(what_an_unfinished_move_had_prepared_is_not_forgotten_when_a_forced_one_fails)
{
    static const struct policy_host fenced[] = { { .name = "kvm1", .fenced = true },
                                                 { .name = "kvm3", .fenced = true } };
    static const struct force_request force = { .guest = "vm1", .to = "kvm2", .user = "somebody" };
    static const enum world_kill kills[] = { WORLD_KILL_AFTER_COMMIT, WORLD_KILL_AFTER_CALL };
    bool killed = true;

    for (size_t at = 1; killed; at++) {
        begin();
        world.config.policy.hosts = fenced;
        world.config.policy.host_count = ARRAY_LEN(fenced);
        world.config.policy.mode = POLICY_MODE_OFFLINE;
        world_edit(&world, set_autostart, NULL);
        want("vm1", "kvm3");
        request_count = 0;
        world_live(&world, kills[_i], at);
        killed = world.killed;
        world_edit(&world, lose_both_ends, NULL);
        live(&force, killed ? 1 : 0);
        world_assert_is(&world, "vm1", "kvm2", "absent");
        world_edit(&world, bring_back, NULL);
        live(NULL, 0);
        live(NULL, 0);
        ck_assert_uint_eq(world_open_moves(&world), 0);
        ck_assert_uint_eq(leftovers(), 0);
        world_edit(&world, assert_whole, &at);
        world_deinit(&world);
    }
}
END_TEST

static void assert_revoked(void *context, struct sim_fleet *fleet)
{
    (void)context;
    ck_assert_ptr_null(sim_fleet_find_identity(&fleet->hosts[0], "/dev/v1"));
    ck_assert_ptr_null(sim_fleet_find_identity(&fleet->hosts[1], "/dev/v1"));
}

static void assert_given_back(void *context, struct sim_fleet *fleet)
{
    (void)context;
    ck_assert_ptr_nonnull(sim_fleet_find_identity(&fleet->hosts[0], "/dev/v1"));
    ck_assert(sim_fleet_has_name(&fleet->hosts[0].bridges, "br1"));
}

/* The guest is off on kvm1, if 'off'. */
static void fail_to_force(enum op_kind op, bool off)
{
    static const struct force_request force = {
        .guest = "vm1", .to = "kvm2", .dead = "kvm1", .user = "somebody"
    };

    begin();
    world.config.policy.profile = &revoking;
    world_edit(&world, set_autostart, NULL);
    if (off) {
        world_edit(&world, turn_off, kvm1);
    }
    live(NULL, 0);
    world_power(&world, "kvm1", SIM_POWER_OFF);
    fail_all(op, "kvm2", "vm1");
    live(&force, 1);
    ck_assert_msg(answer.code == ERR_NONE, "%s", answer.text);
    world_assert_is(&world, "vm1", "kvm2", "absent");
    world_edit(&world, assert_revoked, NULL);
}

static void return_to_volumes(const char *state)
{
    world_edit(&world, bring_back, NULL);
    live(NULL, 0);
    world_assert_is(&world, "vm1", "kvm1", state);
    world_edit(&world, assert_given_back, NULL);
    ck_assert_uint_eq(leftovers(), 0);
    ck_assert_uint_eq(world_owed(&world), 0);
    ck_assert_uint_eq(world_open_moves(&world), 0);
    ck_assert_uint_eq(world.alarms, 0);
    world_deinit(&world);
}

START_TEST(guest_whose_volumes_were_revoked_in_vain_gets_them_back_and_runs_when_its_host_returns)
{
    fail_to_force(OP_START, false);
    return_to_volumes("running");
}
END_TEST

START_TEST(guest_that_was_off_gets_volumes_back_that_were_revoked_in_vain)
{
    fail_to_force(OP_DEFINE, true);
    return_to_volumes("shutoff");
}
END_TEST

START_TEST(guest_whose_volumes_were_revoked_in_vain_may_be_forced_again)
{
    static const struct force_request force = {
        .guest = "vm1", .to = "kvm3", .dead = "kvm1", .user = "somebody"
    };

    fail_to_force(OP_START, false);
    want("vm1", "kvm3");
    live(&force, 1);
    ck_assert_msg(answer.code == ERR_NONE, "%s", answer.text);
    world_assert_is(&world, "vm1", "kvm3", "running");
    ck_assert_uint_eq(world_owed(&world), 0);
    world_edit(&world, bring_back, NULL);
    live(NULL, 0);
    world_assert_is(&world, "vm1", "kvm1", "absent");
    world_edit(&world, assert_revoked, NULL);
    ck_assert_uint_eq(leftovers(), 0);
    world_deinit(&world);
}
END_TEST

START_TEST(what_cannot_be_given_back_is_told_and_tried_again)
{
    fail_to_force(OP_START, false);
    fail_all(OP_PROVIDE, "kvm1", "vm1");
    world_edit(&world, bring_back, NULL);
    live(NULL, 0);
    world_assert_is(&world, "vm1", "kvm1", "shutoff");
    ck_assert_uint_gt(world.alarms, 0);
    ck_assert_uint_eq(leftovers(), 1);
    ck_assert_uint_eq(world_owed(&world), 1);
    world_edit(&world, set_fault, NULL);
    live(NULL, 0); /* What failed waits before it is tried again. */
    return_to_volumes("running");
}
END_TEST

/* Its definition is gone from kvm1, but not what the platform had provided there. */
START_TEST(guest_that_comes_back_off_to_a_host_that_is_not_swept_yet_is_there_and_not_left_over)
{
    begin();
    lose_host();
    fail_all(OP_WITHDRAW, "kvm1", "vm1");
    world_power(&world, "kvm1", SIM_POWER_ON);
    live(NULL, 0);
    world_assert_is(&world, "vm1", "kvm1", "absent");
    ck_assert_uint_eq(leftovers(), 1);
    world_edit(&world, turn_off, kvm2);
    want("vm1", "kvm1");
    live(NULL, 0);
    world_assert_is(&world, "vm1", "kvm1", "shutoff");
    world_assert_is(&world, "vm1", "kvm2", "absent");
    ck_assert_uint_eq(leftovers(), 0);
    ck_assert_uint_eq(world.result.blocked, 0); /* Nobody takes it for missing. */
    live(NULL, 0);
    ck_assert_uint_eq(world.alarms, 0);
    world_assert_is(&world, "vm1", "kvm1", "shutoff");
    world_deinit(&world);
}
END_TEST

START_TEST(one_definition_that_cannot_be_removed_keeps_no_other_from_being_swept)
{
    begin();
    lose_host();
    fail_all(OP_UNDEFINE, "kvm1", "vm1");
    world_power(&world, "kvm1", SIM_POWER_ON);
    live(NULL, 0);
    world_assert_is(&world, "vm1", "kvm1", "shutoff");
    world_assert_is(&world, "vm2", "kvm1", "absent");
    ck_assert_uint_eq(leftovers(), 1);
    ck_assert_uint_eq(world.alarms, 1);
    world_edit(&world, set_fault, NULL);
    live(NULL, 0);
    world_assert_is(&world, "vm1", "kvm1", "absent");
    ck_assert_uint_eq(leftovers(), 0);
    world_deinit(&world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("leftovers");
    TCase *tcase = tcase_create("leftovers");
    int status;

    world_set_up();
    tcase_set_timeout(tcase, 300);
    tcase_add_test(
        tcase,
        guest_that_comes_back_off_to_a_host_that_is_not_swept_yet_is_there_and_not_left_over);
    tcase_add_loop_test(
        tcase, what_an_unfinished_move_had_prepared_is_not_forgotten_when_a_forced_one_fails, 0, 2);
    tcase_add_test(
        tcase,
        guest_whose_volumes_were_revoked_in_vain_gets_them_back_and_runs_when_its_host_returns);
    tcase_add_test(tcase, guest_that_was_off_gets_volumes_back_that_were_revoked_in_vain);
    tcase_add_test(tcase, guest_whose_volumes_were_revoked_in_vain_may_be_forced_again);
    tcase_add_test(tcase, what_cannot_be_given_back_is_told_and_tried_again);
    tcase_add_test(tcase, room_of_a_forced_move_that_is_not_settled_is_given_to_no_other);
    tcase_add_test(tcase, what_a_host_keeps_is_removed_while_a_move_between_others_is_not_settled);
    tcase_add_test(tcase, one_definition_that_cannot_be_removed_keeps_no_other_from_being_swept);
    suite_add_tcase(suite, tcase);
    status = runner_run(suite);
    world_tear_down();
    return status;
}
