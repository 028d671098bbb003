/* SPDX-License-Identifier: Apache-2.0 */

/* The whole controller on the simulated fleet: what it does, and that a crash anywhere changes nothing
 * about where it ends. */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "tests/runner.h"
#include "world.h"

static struct world world;

static void assert_at(const char *guest, const char *host, const char *state)
{
    for (unsigned i = 1; i <= WORLD_HOSTS; i++) {
        char name[8] = { 'k', 'v', 'm', (char)('0' + i), '\0' };

        ck_assert_msg(strcmp(world_state(&world, guest, name),
                             strcmp(name, host) == 0 ? state : "absent") == 0,
                      "%s on %s is %s, expected %s on %s (%s)", guest, name,
                      world_state(&world, guest, name), state, host, world.last_text);
    }
}

static void live(void)
{
    world_live(&world, WORLD_KILL_NEVER, 0);
}

START_TEST(running_guest_is_moved_live_because_the_file_says_so)
{
    const struct world_guest guests[] = { { "vm1", "kvm1", "kvm2", "running", 96, true, false,
                                            NULL } };
    struct journal_move *moves;

    world_init(&world, 1024, guests, 1, "");
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_DONE);
    assert_at("vm1", "kvm2", "running");
    ck_assert(world_has_autostart(&world, "vm1", "kvm2"));
    ck_assert_uint_eq(world_moves(&world, &moves), 1);
    ck_assert_int_eq(moves[0].state, JOURNAL_MOVE_DONE);
    ck_assert_int_gt(moves[0].total_ms, 0);
    ck_assert_uint_eq(world_owed(&world), 0);
    live();
    ck_assert_uint_eq(world.moves_begun, 0);
    world_deinit(&world);
}
END_TEST

START_TEST(guest_that_is_off_stays_off)
{
    const struct world_guest guests[] = {
        { "vm1", "kvm1", "kvm3", "shutoff", 96, true, false, NULL },
    };

    world_init(&world, 1024, guests, 1, "");
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_DONE);
    assert_at("vm1", "kvm3", "shutoff");
    ck_assert(world_has_autostart(&world, "vm1", "kvm3"));
    world_deinit(&world);
}
END_TEST

START_TEST(offline_move_runs_again_with_its_autostart)
{
    const struct world_guest guests[] = { { "vm1", "kvm1", "kvm2", "running", 96, true, false,
                                            NULL } };

    world_init(&world, 1024, guests, 1, "");
    world.config.policy.mode = POLICY_MODE_OFFLINE;
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_DONE);
    assert_at("vm1", "kvm2", "running");
    ck_assert(world_has_autostart(&world, "vm1", "kvm2"));
    ck_assert_uint_eq(world_owed(&world), 0);
    world_deinit(&world);
}
END_TEST

START_TEST(paused_guest_stays_paused)
{
    const struct world_guest guests[] = {
        { "vm1", "kvm1", "kvm2", "paused", 96, false, false, NULL },
    };

    world_init(&world, 1024, guests, 1, "");
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_DONE);
    assert_at("vm1", "kvm2", "paused");
    world_deinit(&world);
}
END_TEST

START_TEST(moves_wait_for_the_room_that_others_leave)
{
    const struct world_guest guests[] = {
        { "vm1", "kvm1", "kvm2", "running", 600, false, false, NULL },
        { "vm2", "kvm2", "kvm3", "running", 600, false, false, NULL },
    };
    struct journal_move *moves;

    world_init(&world, 1024, guests, 2, "");
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_DONE);
    assert_at("vm1", "kvm2", "running");
    assert_at("vm2", "kvm3", "running");
    ck_assert_uint_eq(world_moves(&world, &moves), 2);
    ck_assert_str_eq(moves[0].guest, "vm2");
    world_deinit(&world);
}
END_TEST

START_TEST(deaf_guest_runs_on_at_the_source_with_its_autostart)
{
    const struct world_guest guests[] = { { "vm1", "kvm1", "kvm2", "running", 96, true, true,
                                            NULL } };

    world_init(&world, 1024, guests, 1, "");
    world.config.policy.mode = POLICY_MODE_OFFLINE;
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_FAILED);
    assert_at("vm1", "kvm1", "running");
    ck_assert(world_has_autostart(&world, "vm1", "kvm1"));
    ck_assert_uint_eq(world_open_moves(&world), 0);
    world_deinit(&world);
}
END_TEST

START_TEST(guest_that_obeys_a_shutdown_too_late_is_started_again)
{
    const struct world_guest before[] = { { "vm1", "kvm1", "kvm2", "running", 96, false, true,
                                            NULL } };
    const struct world_guest after[] = { { "vm1", "kvm1", "kvm1", "running", 96, false, true,
                                           NULL } };

    world_init(&world, 1024, before, 1, "");
    world.config.policy.mode = POLICY_MODE_OFFLINE;
    live();
    assert_at("vm1", "kvm1", "running");
    world_turn_off(&world, "vm1");
    world_want(&world, after, 1);
    live();
    assert_at("vm1", "kvm1", "running");
    world_deinit(&world);
}
END_TEST

START_TEST(guest_that_cannot_start_on_the_target_runs_again_at_the_source)
{
    const struct world_guest guests[] = { { "vm1", "kvm1", "kvm2", "running", 96, true, false,
                                            NULL } };

    world_init(&world, 1024, guests, 1,
               "{\"op\":\"start\",\"host\":\"kvm2\",\"error\":\"incompatible\",\"times\":50,"
               "\"text\":\"no such machine\"}");
    world.config.policy.mode = POLICY_MODE_OFFLINE;
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_FAILED);
    assert_at("vm1", "kvm1", "running");
    ck_assert(world_has_autostart(&world, "vm1", "kvm1"));
    ck_assert_uint_eq(world_open_moves(&world), 0);
    ck_assert_uint_eq(world_owed(&world), 0);
    live();
    ck_assert_uint_eq(world.moves_begun, 0); /* Parked. */
    ck_assert_int_eq(world.result.status, RECONCILER_BLOCKED);
    world_deinit(&world);
}
END_TEST

START_TEST(failed_live_move_never_shuts_the_guest_down)
{
    const struct world_guest guests[] = { { "vm1", "kvm1", "kvm2", "running", 96, false, false,
                                            NULL } };

    world_init(&world, 1024, guests, 1,
               "{\"op\":\"migrate\",\"error\":\"failed\",\"when\":\"middle\",\"times\":99}");
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_FAILED);
    assert_at("vm1", "kvm1", "running");
    ck_assert_uint_eq(world.moves_begun,
                      3); /* Tried again with backoff, then left to a later run. */
    world_deinit(&world);
}
END_TEST

START_TEST(error_that_passes_is_retried_in_the_same_run)
{
    const struct world_guest guests[] = { { "vm1", "kvm1", "kvm2", "running", 96, false, false,
                                            NULL } };

    world_init(&world, 1024, guests, 1,
               "{\"op\":\"migrate\",\"error\":\"timeout\",\"when\":\"before\",\"times\":1}");
    live();
    ck_assert_uint_eq(world.moves_begun, 2);
    assert_at("vm1", "kvm2", "running");
    world_deinit(&world);
}
END_TEST

START_TEST(migration_whose_reply_was_lost_is_a_success)
{
    const struct world_guest guests[] = { { "vm1", "kvm1", "kvm2", "running", 96, true, false,
                                            NULL } };

    world_init(&world, 1024, guests, 1,
               "{\"op\":\"migrate\",\"error\":\"timeout\",\"when\":\"after\",\"times\":1}");
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_DONE);
    ck_assert_uint_eq(world.moves_begun, 1);
    assert_at("vm1", "kvm2", "running");
    ck_assert(world_has_autostart(&world, "vm1", "kvm2"));
    world_deinit(&world);
}
END_TEST

START_TEST(migration_that_never_ends_is_cancelled_at_its_deadline)
{
    const struct world_guest guests[] = { { "vm1", "kvm1", "kvm2", "running", 96, false, false,
                                            NULL } };

    world_init(&world, 1024, guests, 1, "{\"op\":\"migrate\",\"when\":\"hang\",\"times\":9}");
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_FAILED);
    assert_at("vm1", "kvm1", "running");
    ck_assert_ptr_nonnull(strstr(world.last_text, "10 min"));
    world_deinit(&world);
}
END_TEST

START_TEST(one_parked_guest_does_not_stop_the_others)
{
    const struct world_guest guests[] = {
        { "vm1", "kvm1", "kvm2", "running", 96, false, false, NULL },
        { "vm2", "kvm1", "kvm2", "running", 96, false, false, NULL },
    };

    world_init(&world, 1024, guests, 2,
               "{\"op\":\"preflight\",\"guest\":\"vm1\",\"error\":\"unsafe\",\"times\":9}");
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_FAILED);
    assert_at("vm1", "kvm1", "running");
    assert_at("vm2", "kvm2", "running");
    world_deinit(&world);
}
END_TEST

START_TEST(full_disk_begins_nothing_and_loses_nothing)
{
    const struct world_guest guests[] = { { "vm1", "kvm1", "kvm2", "running", 96, true, false,
                                            NULL } };

    for (size_t at = 1;; at++) {
        size_t calls;

        world_init(&world, 1024, guests, 1, "");
        world.config.policy.mode = _i == 0 ? POLICY_MODE_LIVE : POLICY_MODE_OFFLINE;
        world_live(&world, WORLD_FAIL_COMMIT, at);
        if (!world.killed) {
            break;
        }
        calls = world.calls;
        ck_assert_msg(world.result.status == RECONCILER_FAILED || at == world.commits,
                      "a run whose commit %zu failed ended with %d", at, (int)world.result.status);
        ck_assert_msg(at > 4 || calls == 0, "commit %zu failed, and %zu operations were begun", at,
                      calls);
        live();
        ck_assert_int_eq(world.result.status, RECONCILER_DONE);
        assert_at("vm1", "kvm2", "running");
        ck_assert(world_has_autostart(&world, "vm1", "kvm2"));
        ck_assert_uint_eq(world_owed(&world), 0);
        world_deinit(&world);
    }
    world_deinit(&world);
}
END_TEST

/* The crash sweep: a controller killed at every commit and every call of a scenario; the next one brings
 * every guest to its place, running exactly once. */
struct scenario {
    const char *name;
    enum policy_mode mode;
    struct world_guest guest;
};

static const struct scenario scenarios[] = {
    { "live", POLICY_MODE_LIVE, { "vm1", "kvm1", "kvm2", "running", 96, true, false, NULL } },
    { "offline", POLICY_MODE_OFFLINE, { "vm1", "kvm1", "kvm2", "running", 96, true, false, NULL } },
    { "cold", POLICY_MODE_AUTO, { "vm1", "kvm1", "kvm2", "shutoff", 96, true, false, NULL } },
    { "paused", POLICY_MODE_AUTO, { "vm1", "kvm1", "kvm2", "paused", 96, false, false, NULL } },
};

static bool sweep_once(const struct scenario *scenario, enum world_kill kill, size_t at)
{
    bool killed;

    world_init(&world, 1024, &scenario->guest, 1, "");
    world.config.policy.mode = scenario->mode;
    world_live(&world, kill, at);
    killed = world.killed;
    live();
    ck_assert_msg(world.result.status == RECONCILER_DONE, "%s killed at %zu: status %d (%s)",
                  scenario->name, at, (int)world.result.status, world.last_text);
    assert_at("vm1", "kvm2", scenario->guest.state);
    ck_assert_msg(world_has_autostart(&world, "vm1", "kvm2") == scenario->guest.autostart,
                  "%s killed at %zu: autostart", scenario->name, at);
    ck_assert_uint_eq(world_open_moves(&world), 0);
    ck_assert_uint_eq(world_owed(&world), 0);
    live();
    ck_assert_uint_eq(world.moves_begun, 0);
    world_deinit(&world);
    return killed;
}

START_TEST(kill_at_every_commit_and_call_ends_in_the_same_place)
{
    static const enum world_kill kills[] = { WORLD_KILL_BEFORE_COMMIT, WORLD_KILL_AFTER_COMMIT,
                                             WORLD_KILL_BEFORE_CALL, WORLD_KILL_AFTER_CALL };
    const struct scenario *scenario = &scenarios[(size_t)_i / ARRAY_LEN(kills)];
    enum world_kill kill = kills[(size_t)_i % ARRAY_LEN(kills)];
    size_t at = 1;

    while (sweep_once(scenario, kill, at)) {
        at++;
    }
    ck_assert_uint_gt(at, 2); /* The sweep has killed something. */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reconciler");
    TCase *tcase = tcase_create("moves");
    TCase *sweep = tcase_create("crashes");
    int status;

    tcase_add_test(tcase, running_guest_is_moved_live_because_the_file_says_so);
    tcase_add_test(tcase, guest_that_is_off_stays_off);
    tcase_add_test(tcase, offline_move_runs_again_with_its_autostart);
    tcase_add_test(tcase, paused_guest_stays_paused);
    tcase_add_test(tcase, moves_wait_for_the_room_that_others_leave);
    tcase_add_test(tcase, deaf_guest_runs_on_at_the_source_with_its_autostart);
    tcase_add_test(tcase, guest_that_obeys_a_shutdown_too_late_is_started_again);
    tcase_add_test(tcase, guest_that_cannot_start_on_the_target_runs_again_at_the_source);
    tcase_add_test(tcase, failed_live_move_never_shuts_the_guest_down);
    tcase_add_test(tcase, error_that_passes_is_retried_in_the_same_run);
    tcase_add_test(tcase, migration_whose_reply_was_lost_is_a_success);
    tcase_add_test(tcase, migration_that_never_ends_is_cancelled_at_its_deadline);
    tcase_add_test(tcase, one_parked_guest_does_not_stop_the_others);
    tcase_add_loop_test(sweep, full_disk_begins_nothing_and_loses_nothing, 0, 2);
    tcase_add_loop_test(sweep, kill_at_every_commit_and_call_ends_in_the_same_place, 0,
                        (int)ARRAY_LEN(scenarios) * 4);
    tcase_set_timeout(sweep, 120);
    suite_add_tcase(suite, tcase);
    suite_add_tcase(suite, sweep);
    world_set_up();
    status = runner_run(suite);
    world_tear_down();
    return status;
}
