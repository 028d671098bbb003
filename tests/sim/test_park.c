/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Guests that are stopped before their turn to free memory (park = yes): two that change places between full
 * hosts, and whatever can come between the stop and the start.  At no time is a host over-committed or a
 * guest run twice (world.c looks), and nobody is left down without a word.
 */

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "tests/runner.h"
#include "world.h"

#define FOREVER "\"times\":99"

static struct world world;

static const struct policy_guest park[] = { { .name = "vm1", .park = true } };

/* 'vm1' must be stopped for 'vm2' to come, and kvm3 is too small for either. */
static const struct world_guest swap[] = {
    { "vm1", "kvm1", "kvm2", "running", 600, true, false, NULL },
    { "vm2", "kvm2", "kvm1", "running", 600, true, false, NULL },
};

/* Wanted nowhere: not in the file. */
static const struct world_guest intruder = { "vm9", "kvm1", "kvm1", "running",
                                             600,   false,  false,  NULL };

static void begin(const char *faults)
{
    const unsigned memory_mib[] = { 1024, 1024, 512 };

    world_init_hosts(&world, memory_mib, ARRAY_LEN(memory_mib), swap, ARRAY_LEN(swap), faults);
    world.config.policy.guests = park;
    world.config.policy.guest_count = ARRAY_LEN(park);
}

static void live(void)
{
    world_live(&world, WORLD_KILL_NEVER, 0);
}

static void assert_is(const char *guest, const char *host, const char *state)
{
    world_assert_is(&world, guest, host, state);
}

/* Where 'guest' runs, or NULL. */
static const char *runs_on(const char *guest)
{
    return world_runs_on(&world, guest);
}

/* Every guest runs with its autostart, or is owed a start and a person was told. */
static void assert_nobody_is_forgotten(const char *what, size_t at)
{
    for (size_t i = 0; i < ARRAY_LEN(swap); i++) {
        const char *host = runs_on(swap[i].name);

        if (host == NULL) {
            ck_assert_msg(world_owed(&world) > 0 && strstr(world.last_alarm, "DOWN") != NULL,
                          "%s at %zu: %s is down, and nobody was told (%s)", what, at, swap[i].name,
                          world.last_text);
        } else {
            ck_assert_msg(world_has_autostart(&world, swap[i].name, host),
                          "%s at %zu: %s has lost its autostart", what, at, swap[i].name);
        }
    }
}

static void assert_swapped(const char *what, size_t at)
{
    ck_assert_msg(world.result.status == RECONCILER_DONE, "%s at %zu: status %d (%s)", what, at,
                  (int)world.result.status, world.last_text);
    assert_is("vm1", "kvm2", "running");
    assert_is("vm2", "kvm1", "running");
    assert_is("vm1", "kvm1", "absent");
    assert_is("vm2", "kvm2", "absent");
    ck_assert_msg(world_has_autostart(&world, "vm1", "kvm2") &&
                      world_has_autostart(&world, "vm2", "kvm1"),
                  "%s at %zu: autostart is lost", what, at);
    ck_assert_uint_eq(world_open_moves(&world), 0);
    ck_assert_uint_eq(world_owed(&world), 0);
}

START_TEST(guests_of_two_full_hosts_change_places_because_one_may_be_stopped_early)
{
    static const enum move_mode modes[] = { MOVE_STOP, MOVE_LIVE, MOVE_OFFLINE };
    struct journal_move *moves;

    begin("");
    live();
    assert_swapped("swap", 0);
    ck_assert_uint_eq(world.result.moved, 2);
    ck_assert_uint_eq(world.result.failed, 0);
    ck_assert_uint_eq(world.plans, 2); /* It is followed to its end, and then there is none. */
    ck_assert_uint_eq(world.starts, 1);
    ck_assert_uint_eq(world_moves(&world, &moves), ARRAY_LEN(modes));
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        ck_assert_int_eq(moves[i].mode, modes[i]);
        ck_assert_int_eq(moves[i].state, JOURNAL_MOVE_DONE);
    }
    live();
    ck_assert_uint_eq(world.moves_begun, 0);
    world_deinit(&world);
}
END_TEST

START_TEST(kill_at_every_commit_and_call_ends_with_both_in_their_places)
{
    static const enum world_kill kills[] = { WORLD_KILL_BEFORE_COMMIT, WORLD_KILL_AFTER_COMMIT,
                                             WORLD_KILL_BEFORE_CALL, WORLD_KILL_AFTER_CALL };
    bool killed = true;
    size_t at = 0;

    while (killed) {
        begin("");
        world_live(&world, kills[_i], ++at);
        killed = world.killed;
        live();
        assert_swapped("killed", at);
        live();
        ck_assert_uint_eq(world.moves_begun, 0);
        world_deinit(&world);
    }
    ck_assert_uint_gt(at, 8);
}
END_TEST

/* Nobody goes on with the plan: what is left behind must be put right from the journal alone. */
START_TEST(kill_at_every_commit_and_call_leaves_nobody_down_though_the_file_changes)
{
    static const enum world_kill kills[] = { WORLD_KILL_BEFORE_COMMIT, WORLD_KILL_AFTER_COMMIT,
                                             WORLD_KILL_BEFORE_CALL, WORLD_KILL_AFTER_CALL };
    bool killed = true;
    size_t at = 0;

    while (killed) {
        struct world_guest stay[ARRAY_LEN(swap)];

        begin("");
        world_live(&world, kills[_i], ++at);
        killed = world.killed;
        for (size_t i = 0; i < ARRAY_LEN(swap); i++) {
            const char *host = runs_on(swap[i].name);

            stay[i] = swap[i];
            stay[i].wanted = host != NULL ? host : runs_on("vm2");
        }
        stay[0].wanted = strcmp(stay[1].wanted, "kvm1") == 0 ? "kvm2" : "kvm1";
        world_want(&world, stay, ARRAY_LEN(stay));
        live();
        live(); /* A shutdown request may have been under way. */
        assert_is("vm1", stay[0].wanted, "running");
        assert_is("vm2", stay[1].wanted, "running");
        assert_nobody_is_forgotten("killed", at);
        world_deinit(&world);
    }
    ck_assert_uint_gt(at, 8);
}
END_TEST

START_TEST(operation_that_fails_leaves_nobody_down_without_a_word)
{
    static const char *const ops[] = { "preflight", "stop",  "migrate",  "define",
                                       "undefine",  "start", "autostart" };
    static const char *const errors[] = { "timeout", "incompatible" };
    static const char *const whens[] = { "before", "after", "hang" };
    static const char *const hosts[] = { "kvm1", "kvm2" };
    const char *op = ops[_i];

    for (size_t n = 0; n < ARRAY_LEN(errors) * ARRAY_LEN(whens) * ARRAY_LEN(hosts) * 2; n++) {
        char faults[256];
        unsigned times = n % 2 == 0 ? 1 : 99;

        (void)snprintf(
            faults, sizeof(faults),
            "{\"op\":\"%s\",\"error\":\"%s\",\"when\":\"%s\",\"host\":\"%s\",\"times\":%u}", op,
            errors[n / 2 % 2], whens[n / 4 % 3], hosts[n / 12], times);
        begin(faults);
        live();
        if (world_open_moves(&world) == 0) {
            assert_nobody_is_forgotten(faults, n);
        }
        for (size_t lives = 0; times == 1 && lives < 3; lives++) {
            world_wait(&world, INT64_C(3600000));
            world_touch(&world);
            live();
        }
        if (times == 1) {
            assert_swapped(faults, n);
        }
        world_deinit(&world);
    }
}
END_TEST

START_TEST(cancel_at_every_commit_and_call_leaves_nobody_down_without_a_word)
{
    static const int64_t delays_ms[] = { 0, 15, 200 };
    bool by_call = _i > 0;
    bool cancelled = true;
    size_t at = 0;

    while (cancelled) {
        begin("");
        at++;
        world.cancel_at_commit = by_call ? 0 : at;
        world.cancel_at_call = by_call ? at : 0;
        world.cancel_after_ms = by_call ? delays_ms[_i - 1] : 0;
        live();
        cancelled = (by_call ? world.calls : world.commits) >= at;
        ck_assert_uint_eq(world_open_moves(&world), 0);
        assert_nobody_is_forgotten("cancelled", at);
        world.cancel_at_commit = 0;
        world.cancel_at_call = 0;
        live();
        assert_swapped("cancelled", at);
        world_deinit(&world);
    }
    ck_assert_uint_gt(at, 5);
}
END_TEST

START_TEST(cancel_between_the_stop_and_the_next_move_starts_the_guest_where_it_was)
{
    begin("");
    world.cancel_at_call = 2;
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_CANCELLED);
    ck_assert_uint_eq(world.starts, 1);
    assert_is("vm1", "kvm1", "running");
    assert_is("vm2", "kvm2", "running");
    ck_assert(world_has_autostart(&world, "vm1", "kvm1"));
    ck_assert_uint_eq(world_owed(&world), 0);
    ck_assert_uint_eq(world.alarms, 0);
    world_deinit(&world);
}
END_TEST

/* berthd is told to end, at any time. */
START_TEST(controller_that_ends_leaves_nobody_down)
{
    const int64_t past_the_plan_ms = 20000;

    for (int64_t ms = 1; ms < past_the_plan_ms; ms += 97) {
        begin("");
        world.follow_ms = ms;
        live();
        ck_assert_msg(runs_on("vm1") != NULL, "ended after %lld ms: vm1 is down", (long long)ms);
        assert_nobody_is_forgotten("ended", (size_t)ms);
        ck_assert_uint_eq(world_owed(&world), 0);
        world.follow_ms = 0;
        live();
        assert_swapped("ended", (size_t)ms);
        world_deinit(&world);
    }
}
END_TEST

START_TEST(file_that_becomes_faulty_in_the_middle_leaves_nobody_down)
{
    size_t at = 0;

    do {
        begin("");
        world.spoil_at_commit = ++at;
        live();
        assert_nobody_is_forgotten("spoilt", at);
        ck_assert_msg(world.commits < at || world.result.status == RECONCILER_INVALID ||
                          world.result.status == RECONCILER_DONE,
                      "spoilt at %zu: status %d", at, (int)world.result.status);
        world_deinit(&world);
    } while (world.commits >= at);
    ck_assert_uint_gt(at, 8);
}
END_TEST

/* Lives until vm1 is off and owed, and no move of it is open. */
static void stop_and_die(void)
{
    size_t at = 0;
    bool parked;

    do {
        begin("");
        world_live(&world, WORLD_KILL_AFTER_COMMIT, ++at);
        ck_assert(world.killed);
        parked = world_open_moves(&world) == 0 && world_owed(&world) == 1 && runs_on("vm1") == NULL;
        if (!parked) {
            world_deinit(&world);
        }
    } while (!parked);
    assert_is("vm1", "kvm1", "shutoff");
    assert_is("vm2", "kvm2", "running");
}

START_TEST(controller_that_takes_over_goes_on_without_starting_the_guest_in_between)
{
    stop_and_die();
    live();
    assert_swapped("taken over", 0);
    ck_assert_uint_eq(world.starts, 1);
    ck_assert_uint_eq(world.alarms, 0);
    world_deinit(&world);
}
END_TEST

/* Three hosts full to the brim.  vm2 cannot come to kvm1 before vm1 has left it, and vm1 not to kvm2 before
 * vm2 has: only because vm1 may stay off. */
START_TEST(controller_that_takes_over_a_full_fleet_finds_a_way_out_of_it)
{
    const struct world_guest guests[] = {
        { "vm1", "kvm1", "kvm2", "running", 1000, false, false, NULL },
        { "vm2", "kvm2", "kvm1", "running", 600, false, false, NULL },
        { "vm3", "kvm2", "kvm1", "running", 400, false, false, NULL },
        { "vm4", "kvm3", "kvm3", "running", 1000, false, false, NULL },
    };
    const unsigned memory_mib[] = { 1024, 1024, 1024 };
    bool parked = false;

    for (size_t at = 1; !parked; at++) {
        world_init_hosts(&world, memory_mib, ARRAY_LEN(memory_mib), guests, ARRAY_LEN(guests), "");
        world.config.policy.guests = park;
        world.config.policy.guest_count = ARRAY_LEN(park);
        world_live(&world, WORLD_KILL_AFTER_COMMIT, at);
        ck_assert(world.killed);
        parked = world_open_moves(&world) == 0 && world_owed(&world) == 1 &&
                 strcmp(world_state(&world, "vm3", "kvm1"), "running") == 0;
        if (!parked) {
            world_deinit(&world);
        }
    }
    assert_is("vm1", "kvm1", "shutoff");
    assert_is("vm2", "kvm2", "running");
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_DONE);
    assert_is("vm1", "kvm2", "running");
    assert_is("vm2", "kvm1", "running");
    assert_is("vm3", "kvm1", "running");
    ck_assert_uint_eq(world.alarms, 0);
    world_deinit(&world);
}
END_TEST

START_TEST(guest_whose_room_was_taken_is_not_started_and_a_person_is_told)
{
    stop_and_die();
    world_add(&world, &intruder, 8);
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_FAILED);
    ck_assert_uint_eq(world.starts, 0);
    ck_assert_uint_eq(world.alarms, 1);
    ck_assert_ptr_nonnull(strstr(world.last_alarm, "'vm1' is DOWN"));
    ck_assert_ptr_nonnull(strstr(world.last_alarm, "needs 600 MiB on 'kvm1'"));
    ck_assert_ptr_nonnull(strstr(world.last_alarm, "others have left 424 MiB"));
    assert_is("vm1", "kvm1", "shutoff");
    ck_assert_uint_eq(world_owed(&world), 1);
    world_remove(&world, "vm9");
    live();
    assert_swapped("room taken", 0);
    world_deinit(&world);
}
END_TEST

START_TEST(guest_whose_room_was_taken_runs_again_where_a_plan_finds_room)
{
    const struct world_guest elsewhere[] = {
        { "vm1", "kvm1", "kvm4", "running", 600, true, false, NULL },
        { "vm2", "kvm2", "kvm2", "running", 600, true, false, NULL },
    };
    const unsigned memory_mib[] = { 1024, 1024, 512, 1024 };
    bool parked = false;

    for (size_t at = 1; !parked; at++) {
        world_init_hosts(&world, memory_mib, ARRAY_LEN(memory_mib), swap, ARRAY_LEN(swap), "");
        world.config.policy.guests = park;
        world.config.policy.guest_count = ARRAY_LEN(park);
        world.config.policy.mode = POLICY_MODE_OFFLINE;
        world_freeze(&world, "kvm4", true); /* No way round. */
        world_live(&world, WORLD_KILL_AFTER_COMMIT, at);
        parked = world_open_moves(&world) == 0 && world_owed(&world) == 1;
        if (!parked) {
            ck_assert(world.killed);
            world_deinit(&world);
        }
    }
    world_freeze(&world, "kvm4", false);
    world_add(&world, &intruder, 8);
    world_want(&world, elsewhere, ARRAY_LEN(elsewhere));
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_DONE);
    assert_is("vm1", "kvm4", "running");
    ck_assert(world_has_autostart(&world, "vm1", "kvm4"));
    ck_assert_uint_eq(world_owed(&world), 0);
    ck_assert_uint_eq(world.alarms, 0);
    world_deinit(&world);
}
END_TEST

/* vm2 has its place already when vm1 turns out not to run on kvm2, and there is no way back. */
START_TEST(guest_that_cannot_start_on_its_host_and_has_no_room_to_go_back_to_is_told_of)
{
    begin("{\"op\":\"start\",\"host\":\"kvm2\",\"error\":\"incompatible\"," FOREVER "}");
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_FAILED);
    assert_is("vm2", "kvm1", "running");
    assert_is("vm1", "kvm1", "shutoff");
    assert_is("vm1", "kvm2", "absent");
    ck_assert_ptr_nonnull(strstr(world.last_alarm, "'vm1' is DOWN"));
    ck_assert_uint_eq(world_owed(&world), 1);
    ck_assert_uint_eq(world_open_moves(&world), 0);
    world_remove(&world, "vm2"); /* Its room is free again. */
    world.guest_count--;
    live();
    ck_assert_uint_eq(world.starts, 1); /* Where it was; from there it moves live. */
    assert_is("vm1", "kvm2", "running");
    ck_assert(world_has_autostart(&world, "vm1", "kvm2"));
    ck_assert_uint_eq(world_owed(&world), 0);
    world_deinit(&world);
}
END_TEST

START_TEST(guest_that_was_stopped_in_vain_runs_again_at_once)
{
    begin("{\"op\":\"migrate\",\"error\":\"incompatible\",\"when\":\"before\"," FOREVER "}");
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_FAILED);
    assert_is("vm1", "kvm1", "running");
    assert_is("vm2", "kvm2", "running");
    ck_assert(world_has_autostart(&world, "vm1", "kvm1"));
    ck_assert_uint_eq(world.starts, 1);
    ck_assert_uint_eq(world.result.moved, 0);
    ck_assert_uint_eq(world_owed(&world), 0);
    world_deinit(&world);
}
END_TEST

START_TEST(move_that_fails_after_an_early_stop_is_tried_a_few_times_only)
{
    begin("{\"op\":\"define\",\"host\":\"kvm2\",\"error\":\"timeout\"," FOREVER "}");
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_FAILED);
    ck_assert_uint_le(world.moves_begun, 8);
    assert_nobody_is_forgotten("define", 0);
    world_deinit(&world);
}
END_TEST

START_TEST(guest_that_obeys_its_early_stop_too_late_is_started_again)
{
    const struct world_guest deaf[] = {
        { "vm1", "kvm1", "kvm2", "running", 600, true, true, NULL },
        { "vm2", "kvm2", "kvm1", "running", 600, true, false, NULL },
    };
    const struct world_guest stay[] = {
        { "vm1", "kvm1", "kvm1", "running", 600, true, true, NULL },
        { "vm2", "kvm2", "kvm2", "running", 600, true, false, NULL },
    };
    const unsigned memory_mib[] = { 1024, 1024, 512 };

    world_init_hosts(&world, memory_mib, ARRAY_LEN(memory_mib), deaf, ARRAY_LEN(deaf), "");
    world.config.policy.guests = park;
    world.config.policy.guest_count = ARRAY_LEN(park);
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_FAILED);
    assert_is("vm1", "kvm1", "running");
    assert_is("vm2", "kvm2", "running");
    ck_assert_uint_eq(world_owed(&world), 1);
    world_turn_off(&world, "vm1");
    world_want(&world, stay, ARRAY_LEN(stay));
    live();
    assert_is("vm1", "kvm1", "running");
    ck_assert(world_has_autostart(&world, "vm1", "kvm1"));
    ck_assert_uint_eq(world_owed(&world), 0);
    world_deinit(&world);
}
END_TEST

/* What the shutdown request of a dead controller does later must not be lost on the next one. */
START_TEST(guest_that_goes_down_after_its_controller_died_is_started_again)
{
    const struct world_guest stay[] = {
        { "vm1", "kvm1", "kvm1", "running", 600, true, false, NULL },
        { "vm2", "kvm2", "kvm2", "running", 600, true, false, NULL },
    };

    begin("");
    world_live(&world, WORLD_KILL_AFTER_CALL, 2); /* Of the stop. */
    world_want(&world, stay, ARRAY_LEN(stay));
    live(); /* It still runs, and has been asked to shut down. */
    ck_assert_uint_eq(world_owed(&world), 1);
    world_turn_off(&world, "vm1");
    live();
    assert_is("vm1", "kvm1", "running");
    ck_assert(world_has_autostart(&world, "vm1", "kvm1"));
    ck_assert_uint_eq(world.starts, 1);
    world_deinit(&world);
}
END_TEST

static TCase *sweeps(void)
{
    TCase *tcase = tcase_create("sweeps");

    tcase_add_loop_test(tcase, kill_at_every_commit_and_call_ends_with_both_in_their_places, 0, 4);
    tcase_add_loop_test(
        tcase, kill_at_every_commit_and_call_leaves_nobody_down_though_the_file_changes, 0, 4);
    tcase_add_loop_test(tcase, operation_that_fails_leaves_nobody_down_without_a_word, 0, 7);
    tcase_add_loop_test(tcase, cancel_at_every_commit_and_call_leaves_nobody_down_without_a_word, 0,
                        4);
    tcase_add_test(tcase, controller_that_ends_leaves_nobody_down);
    tcase_add_test(tcase, file_that_becomes_faulty_in_the_middle_leaves_nobody_down);
    tcase_set_timeout(tcase, 300);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("park");
    TCase *tcase = tcase_create("park");
    int status;

    tcase_add_test(tcase, guests_of_two_full_hosts_change_places_because_one_may_be_stopped_early);
    tcase_add_test(tcase, cancel_between_the_stop_and_the_next_move_starts_the_guest_where_it_was);
    tcase_add_test(tcase, controller_that_takes_over_goes_on_without_starting_the_guest_in_between);
    tcase_add_test(tcase, controller_that_takes_over_a_full_fleet_finds_a_way_out_of_it);
    tcase_add_test(tcase, guest_whose_room_was_taken_is_not_started_and_a_person_is_told);
    tcase_add_test(tcase, guest_whose_room_was_taken_runs_again_where_a_plan_finds_room);
    tcase_add_test(tcase,
                   guest_that_cannot_start_on_its_host_and_has_no_room_to_go_back_to_is_told_of);
    tcase_add_test(tcase, guest_that_was_stopped_in_vain_runs_again_at_once);
    tcase_add_test(tcase, move_that_fails_after_an_early_stop_is_tried_a_few_times_only);
    tcase_add_test(tcase, guest_that_obeys_its_early_stop_too_late_is_started_again);
    tcase_add_test(tcase, guest_that_goes_down_after_its_controller_died_is_started_again);
    suite_add_tcase(suite, tcase);
    suite_add_tcase(suite, sweeps());
    world_set_up();
    status = runner_run(suite);
    world_tear_down();
    return status;
}
