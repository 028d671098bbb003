/* SPDX-License-Identifier: Apache-2.0 */

/* When moves start: the whole controller with windows, blackouts and a schedule of drift, on a clock that
 * only the test moves. */

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/err.h"
#include "reconciler/opening.h"
#include "reconciler/timetable.h"
#include "tests/runner.h"
#include "tests/unit/dice.h"
#include "tests/unit/instant.h"
#include "world.h"

#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)
#define GUESTS 6

/* Lives begin at 2023-11-14T22:13:20Z. */
static const struct world_guest spread[GUESTS] = {
    { .name = "vm1", .host = "kvm1", .wanted = "kvm2", .state = "running", .memory_mib = 64 },
    { .name = "vm2", .host = "kvm1", .wanted = "kvm3", .state = "running", .memory_mib = 64 },
    { .name = "vm3", .host = "kvm1", .wanted = "kvm2", .state = "shutoff", .memory_mib = 64 },
    { .name = "vm4", .host = "kvm2", .wanted = "kvm3", .state = "running", .memory_mib = 64 },
    { .name = "vm5", .host = "kvm3", .wanted = "kvm1", .state = "running", .memory_mib = 64 },
    { .name = "vm6", .host = "kvm3", .wanted = "kvm1", .state = "running", .memory_mib = 64 },
};

static struct calendar calendar(struct world *world, const char *text)
{
    struct calendar parsed = { 0 };
    struct err err = { 0 };

    ck_assert_msg(calendar_parse(&world->arena, text, &parsed, &err) == 0, "%s", err.text);
    return parsed;
}

/* A gate of 'owner' with one window. */
static struct timetable_gate gate(struct world *world, const char *owner, const char *opens,
                                  int64_t lasts_ms)
{
    struct timetable_window *window = ARENA_NEW(&world->arena, struct timetable_window);
    const struct timetable_window **list =
        ARENA_NEW(&world->arena, const struct timetable_window *);
    struct timetable *timetable = &world->config.timetable;
    struct timetable_window *all =
        ARENA_ARRAY(&world->arena, struct timetable_window, timetable->window_count + 1);

    *window = (struct timetable_window){ "w", calendar(world, opens), lasts_ms };
    *list = window;
    if (timetable->window_count > 0) {
        memcpy(all, timetable->windows, timetable->window_count * sizeof(*all));
    }
    all[timetable->window_count++] = *window;
    timetable->windows = all;
    return (struct timetable_gate){ .owner = owner, .windows = list, .count = 1 };
}

/* The moves of all lives: every one was allowed to start when it did. */
static size_t check_starts(struct world *world)
{
    struct journal_move *moves;
    size_t count = world_moves(world, &moves);

    for (size_t i = 0; i < count; i++) {
        struct opening_move move = { moves[i].guest, moves[i].from, moves[i].to, 0 };
        const char *objection =
            opening_objection(&world->arena, &world->config.timetable, &move, moves[i].begun_ms);

        ck_assert_msg(objection == NULL, "%s %s", moves[i].guest, objection);
    }
    return count;
}

static void expect_all_placed(struct world *world, const struct world_guest *guests, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(strcmp(world_state(world, guests[i].name, guests[i].wanted), "absent") != 0,
                      "%s is not on %s", guests[i].name, guests[i].wanted);
    }
}

START_TEST(nothing_starts_before_its_window_opens_and_then_everything_does)
{
    static struct world world;
    struct journal_move *moves;

    world_init(&world, 1024, spread, GUESTS, "");
    world.config.timetable.fleet = gate(&world, NULL, "23:00 UTC", HOUR);
    world.follow_ms = 40 * MINUTE;
    world_live(&world, WORLD_KILL_NEVER, 0);
    ck_assert_uint_eq(world.moves_begun, 0);
    world_live(&world, WORLD_KILL_NEVER, 0);
    ck_assert_uint_eq(check_starts(&world), GUESTS);
    ck_assert_uint_eq(world_moves(&world, &moves), GUESTS);
    for (size_t i = 0; i < GUESTS;
         i++) { /* Woken for it: nobody waits for the next look at the hosts. */
        ck_assert_int_ge(moves[i].begun_ms, instant("2023-11-14T23:00:00Z"));
    }
    expect_all_placed(&world, spread, GUESTS);
    world_deinit(&world);
}
END_TEST

START_TEST(a_single_run_while_the_window_is_closed_moves_nothing_and_ends_blocked)
{
    static struct world world;

    world_init(&world, 1024, spread, GUESTS, "");
    world.config.timetable.fleet = gate(&world, NULL, "23:00 UTC", HOUR);
    world_live(&world, WORLD_KILL_NEVER, 0);
    ck_assert_int_eq(world.result.status, RECONCILER_BLOCKED);
    ck_assert_uint_eq(world.result.blocked, GUESTS);
    ck_assert_uint_eq(world.moves_begun, 0);
    world_wait(&world, HOUR);
    world_live(&world, WORLD_KILL_NEVER, 0);
    ck_assert_int_eq(world.result.status, RECONCILER_DONE);
    expect_all_placed(&world, spread, GUESTS);
    world_deinit(&world);
}
END_TEST

START_TEST(the_loop_is_woken_at_the_instant_at_which_a_window_opens)
{
    static struct world world;
    struct journal_move *moves;

    world_init(&world, 1024, spread, 1, "");
    world.config.timetable.fleet = gate(&world, NULL, "22:30:17 UTC", HOUR);
    world.follow_ms = HOUR;
    world_live(&world, WORLD_KILL_NEVER, 0);
    ck_assert_uint_eq(world_moves(&world, &moves), 1);
    ck_assert_int_lt(moves[0].begun_ms, instant("2023-11-14T22:30:27Z"));
    ck_assert_uint_eq(check_starts(&world), 1);
    world_deinit(&world);
}
END_TEST

START_TEST(a_move_that_does_not_fit_its_window_never_starts_and_others_do)
{
    static struct world world;

    world_init(&world, 1024, spread, 3, "");
    world.config.policy.bandwidth_mib_s = 1; /* vm1 and vm2: 64 s; vm3 is off. */
    world.config.timetable.fleet = gate(&world, NULL, "*:0/10 UTC", MINUTE);
    world.follow_ms = 2 * HOUR;
    world_live(&world, WORLD_KILL_NEVER, 0);
    ck_assert_uint_eq(check_starts(&world), 1);
    ck_assert_str_eq(world_state(&world, "vm1", "kvm1"), "running");
    ck_assert_str_eq(world_state(&world, "vm2", "kvm1"), "running");
    ck_assert_str_eq(world_state(&world, "vm3", "kvm2"), "shutoff");
    world_deinit(&world);
}
END_TEST

START_TEST(nothing_starts_in_a_blackout)
{
    static struct world world;
    const struct timetable_blackout blackout = {
        .name = "b",
        .from_ms = instant("2023-11-14T22:00:00Z"),
        .until_ms = instant("2023-11-14T23:00:00Z"),
        .scope = { .fleet = true },
    };

    world_init(&world, 1024, spread, GUESTS, "");
    world.config.timetable.blackouts = &blackout;
    world.config.timetable.blackout_count = 1;
    world.follow_ms = 2 * HOUR;
    world_live(&world, WORLD_KILL_NEVER, 0);
    ck_assert_uint_eq(check_starts(&world), GUESTS);
    expect_all_placed(&world, spread, GUESTS);
    world_deinit(&world);
}
END_TEST

START_TEST(what_is_left_of_a_plan_when_the_window_closes_waits_for_the_next)
{
    static struct world world;
    struct journal_move *moves;
    size_t before = 0;

    /* It closes three seconds after they begin, and a move takes more than one. */
    world_init(&world, 1024, spread, GUESTS, "");
    world.config.timetable.fleet = gate(&world, NULL, "22:00/30 UTC", 13 * MINUTE + 23000);
    world.follow_ms = 90 * MINUTE;
    world_live(&world, WORLD_KILL_NEVER, 0);
    (void)check_starts(&world);
    ck_assert_uint_eq(world_moves(&world, &moves), GUESTS);
    for (size_t i = 0; i < GUESTS; i++) {
        ck_assert_int_eq(moves[i].state, JOURNAL_MOVE_DONE);
        before += moves[i].begun_ms < instant("2023-11-14T22:13:23Z");
    }
    ck_assert_uint_gt(before, 0);
    ck_assert_uint_lt(before, GUESTS);
    expect_all_placed(&world, spread, GUESTS);
    world_deinit(&world);
}
END_TEST

/* Two that change places on full hosts, by way of the third. */
static const struct world_guest swap[] = {
    { .name = "vm1", .host = "kvm1", .wanted = "kvm2", .state = "running", .memory_mib = 1024 },
    { .name = "vm2", .host = "kvm2", .wanted = "kvm1", .state = "running", .memory_mib = 1024 },
};

START_TEST(a_host_whose_window_is_closed_is_no_temporary_host)
{
    static struct world world;
    struct timetable_gate hosts[1];

    world_init(&world, 1024, swap, ARRAY_LEN(swap), "");
    hosts[0] = gate(&world, "kvm3", "23:00 UTC", HOUR);
    world.config.timetable.hosts = hosts;
    world.config.timetable.host_count = 1;
    world_live(&world, WORLD_KILL_NEVER, 0);
    ck_assert_int_eq(world.result.status, RECONCILER_BLOCKED);
    ck_assert_uint_eq(world.moves_begun, 0);
    world_wait(&world, HOUR);
    world_live(&world, WORLD_KILL_NEVER, 0);
    ck_assert_int_eq(world.result.status, RECONCILER_DONE);
    ck_assert_uint_eq(world.first_plan_detours, 1);
    expect_all_placed(&world, swap, ARRAY_LEN(swap));
    world_deinit(&world);
}
END_TEST

/* 'vm3' is small and in its place on the third host, which is full with it. */
static const struct world_guest crowded[] = {
    { .name = "vm1", .host = "kvm1", .wanted = "kvm2", .state = "running", .memory_mib = 512 },
    { .name = "vm2", .host = "kvm2", .wanted = "kvm1", .state = "running", .memory_mib = 512 },
    { .name = "vm3", .host = "kvm3", .wanted = "kvm3", .state = "running", .memory_mib = 128 },
};

START_TEST(a_guest_whose_window_is_closed_does_not_make_way)
{
    static const unsigned memory_mib[] = { 512, 640, 512 };
    static struct world world;
    struct timetable_gate guests[1];
    size_t detours;

    world_init_hosts(&world, memory_mib, 3, crowded, ARRAY_LEN(crowded), "");
    world_live(&world, WORLD_KILL_NEVER, 0);
    detours = world.first_plan_detours;
    ck_assert_int_eq(world.result.status, RECONCILER_DONE);
    ck_assert_uint_eq(detours, 2); /* vm3 makes way. */
    world_deinit(&world);

    world_init_hosts(&world, memory_mib, 3, crowded, ARRAY_LEN(crowded), "");
    guests[0] = gate(&world, "vm3", "23:00 UTC", HOUR);
    world.config.timetable.guests = guests;
    world.config.timetable.guest_count = 1;
    world_live(&world, WORLD_KILL_NEVER, 0);
    ck_assert_int_eq(world.result.status, RECONCILER_BLOCKED);
    ck_assert_uint_eq(world.moves_begun, 0);
    world_deinit(&world);
}
END_TEST

START_TEST(drift_is_corrected_when_the_schedule_says)
{
    static const struct world_guest placed[] = {
        { .name = "vm1", .host = "kvm1", .wanted = "kvm1", .state = "running", .memory_mib = 64 },
    };
    static const struct world_guest moved = {
        .name = "vm1", .host = "kvm2", .wanted = "kvm1", .state = "running", .memory_mib = 64
    };
    static struct world world;
    struct calendar drift;
    struct journal_move *moves;

    world_init(&world, 1024, placed, ARRAY_LEN(placed), "");
    drift = calendar(&world, "23:00 UTC");
    world.config.timetable.drift = &drift;
    world.follow_ms = MINUTE;
    world_live(&world, WORLD_KILL_NEVER, 0);
    world_remove(&world, "vm1");
    world_add(&world, &moved, 0);
    world.follow_ms = 2 * HOUR;
    world_live(&world, WORLD_KILL_NEVER, 0);
    ck_assert_uint_eq(world_moves(&world, &moves), 1);
    ck_assert_int_ge(moves[0].begun_ms, instant("2023-11-14T23:00:00Z"));
    ck_assert_int_lt(moves[0].begun_ms, instant("2023-11-14T23:00:10Z"));
    ck_assert_str_eq(world_state(&world, "vm1", "kvm1"), "running");
    world_deinit(&world);
}
END_TEST

START_TEST(whatever_the_timetable_nothing_starts_outside_of_it_and_all_is_done_in_the_end)
{
    static const char *const opens[] = { "*:0/10 UTC", "*:04/20 UTC", "22..23:14/30 UTC",
                                         "*:16 Australia/Lord_Howe", "*:2/9 America/New_York" };
    static struct world world;
    struct dice dice = { (uint64_t)_i };
    struct timetable_gate hosts[1];
    struct timetable_gate guests[2];

    world_init(&world, 1024, spread, GUESTS, "");
    world.config.timetable.fleet = gate(&world, NULL, opens[dice_roll(&dice, ARRAY_LEN(opens))],
                                        (1 + (int64_t)dice_roll(&dice, 9)) * MINUTE);
    hosts[0] = gate(&world, dice_roll(&dice, 2) == 0 ? "kvm1" : "kvm3", "*:0/2 UTC",
                    (1 + (int64_t)dice_roll(&dice, 2)) * MINUTE);
    guests[0] = gate(&world, "vm1", opens[dice_roll(&dice, ARRAY_LEN(opens))], 5 * MINUTE);
    guests[1] = gate(&world, "vm4", opens[dice_roll(&dice, ARRAY_LEN(opens))], 5 * MINUTE);
    world.config.timetable.hosts = hosts;
    world.config.timetable.host_count = dice_roll(&dice, 2);
    world.config.timetable.guests = guests;
    world.config.timetable.guest_count = dice_roll(&dice, 3);
    world.follow_ms = 4 * HOUR;
    world_live(&world, WORLD_KILL_NEVER, 0);
    ck_assert_uint_ge(check_starts(&world), GUESTS);
    expect_all_placed(&world, spread, GUESTS);
    world_deinit(&world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("windows");
    TCase *tcase = tcase_create("windows");
    int status;

    world_set_up();
    tcase_set_timeout(tcase, 300);
    tcase_add_test(tcase, nothing_starts_before_its_window_opens_and_then_everything_does);
    tcase_add_test(tcase, a_single_run_while_the_window_is_closed_moves_nothing_and_ends_blocked);
    tcase_add_test(tcase, the_loop_is_woken_at_the_instant_at_which_a_window_opens);
    tcase_add_test(tcase, a_move_that_does_not_fit_its_window_never_starts_and_others_do);
    tcase_add_test(tcase, nothing_starts_in_a_blackout);
    tcase_add_test(tcase, what_is_left_of_a_plan_when_the_window_closes_waits_for_the_next);
    tcase_add_test(tcase, a_host_whose_window_is_closed_is_no_temporary_host);
    tcase_add_test(tcase, a_guest_whose_window_is_closed_does_not_make_way);
    tcase_add_test(tcase, drift_is_corrected_when_the_schedule_says);
    tcase_add_loop_test(
        tcase, whatever_the_timetable_nothing_starts_outside_of_it_and_all_is_done_in_the_end, 0,
        40);
    suite_add_tcase(suite, tcase);
    status = runner_run(suite);
    world_tear_down();
    return status;
}
