/* SPDX-License-Identifier: Apache-2.0 */

/* Whether a guest that was stopped early finds room where it is. */

#include <check.h>

#include "build_fleet.h"
#include "diff/restart.h"
#include "tests/runner.h"

static const char *const nobody[] = { NULL };

/* 'a' of 4 GiB is off and owed a start on kvm1, which holds 8. */
static struct build *stopped(struct arena *arena)
{
    struct build *build = build_fleet(arena);
    struct observed_guest *guest;

    (void)build_host(build, "kvm1", 8);
    (void)build_host(build, "kvm2", 8);
    guest = build_guest(build, "a", 4, "kvm1", "kvm2");
    guest->state = GUEST_SHUTOFF;
    guest->owed_start = true;
    return build;
}

static struct restart_room room_of(struct build *build, const char *const *others, size_t count)
{
    const struct plan_input *input = build_input(build);

    return restart_room(input,
                        observed_find_guest_named(observed_find_host(input->observed, "kvm1"), "a"),
                        "kvm1", others, count);
}

START_TEST(guest_fits_where_nobody_has_taken_its_room)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = stopped(&arena);
    struct restart_room room;

    (void)build_guest(build, "b", 4, "kvm1", "kvm1");
    room = room_of(build, nobody, 0);
    ck_assert_int_eq(room.fit, CAPACITY_FITS);
    ck_assert_uint_eq(room.needs_kib, 4 * GIB);
    ck_assert_uint_eq(room.free_kib, 4 * GIB);
}
END_TEST

START_TEST(whoever_runs_or_arrives_or_may_start_there_takes_the_room)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = stopped(&arena);
    struct restart_room room;

    (void)build_guest(build, "b", 4, "kvm1", "kvm1");
    switch (_i) {
    case 0:
        (void)build_guest(build, "c", 1, "kvm1", "kvm1");
        break;
    case 1: /* Not in the file. */
        (void)build_sighting(build, "c", 1, "kvm1");
        break;
    case 2:
        (void)build_guest(build, "c", 1, "kvm2", "kvm1");
        build->in_flight[build->in_flight_count++] =
            (struct observed_move){ .guest = "c", .from = "kvm2", .to = "kvm1" };
        break;
    default:
        build_guest(build, "c", 1, "kvm1", "kvm1")->state = GUEST_SHUTOFF;
        break;
    }
    room = room_of(build, nobody, 0);
    ck_assert_int_eq(room.fit, CAPACITY_NO_MEMORY);
    ck_assert_uint_eq(room.free_kib, 3 * GIB);
}
END_TEST

START_TEST(file_and_policy_limit_a_host_as_they_do_for_a_plan)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = stopped(&arena);

    build_policy_host(build, "kvm1")->memory_kib = 3 * GIB;
    ck_assert_int_eq(room_of(build, nobody, 0).fit, CAPACITY_NO_MEMORY);
    build_policy_host(build, "kvm1")->memory_kib = 4 * GIB;
    ck_assert_int_eq(room_of(build, nobody, 0).fit, CAPACITY_FITS);
    build_wish_of(build, "a")->guest.memory_kib = 5 * GIB;
    ck_assert_int_eq(room_of(build, nobody, 0).fit, CAPACITY_NO_MEMORY);
}
END_TEST

START_TEST(others_that_were_stopped_early_take_no_room_until_they_are_started)
{
    static const char *const others[] = { "a", "b" };
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = stopped(&arena);
    struct observed_guest *other = build_guest(build, "b", 4, "kvm1", "kvm2");

    other->state = GUEST_SHUTOFF;
    other->owed_start = true;
    (void)build_guest(build, "c", 4, "kvm1", "kvm1");
    ck_assert_int_eq(room_of(build, nobody, 0).fit, CAPACITY_NO_MEMORY);
    ck_assert_int_eq(room_of(build, others, 2).fit, CAPACITY_FITS);
    other->state = GUEST_RUNNING;
    ck_assert_int_eq(room_of(build, others, 2).fit, CAPACITY_NO_MEMORY);
}
END_TEST

START_TEST(guest_that_the_file_does_not_name_any_more_needs_room_too)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = stopped(&arena);

    build->wish_count = 0;
    ck_assert_int_eq(room_of(build, nobody, 0).fit, CAPACITY_FITS);
    (void)build_guest(build, "b", 5, "kvm1", "kvm1");
    ck_assert_int_eq(room_of(build, nobody, 0).fit, CAPACITY_NO_MEMORY);
    ck_assert_uint_eq(room_of(build, nobody, 0).needs_kib, 4 * GIB);
    ck_assert_uint_eq(room_of(build, nobody, 0).free_kib, 3 * GIB);
}
END_TEST

START_TEST(cpus_count_only_where_policy_is_strict_about_them)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = stopped(&arena);

    build_guest(build, "b", 1, "kvm1", "kvm1")->vcpus = 64;
    ck_assert_int_eq(room_of(build, nobody, 0).fit, CAPACITY_FITS);
    build->policy.cpu_policy = POLICY_CPU_STRICT;
    ck_assert_int_eq(room_of(build, nobody, 0).fit, CAPACITY_NO_CPU);
}
END_TEST

/* Whose host is dead.  It is known on kvm2 too, where a move that is given up was to bring it. */
START_TEST(guest_of_a_dead_host_needs_room_where_it_is_to_run)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);
    struct observed_guest guest;
    struct restart_room room;

    build_host(build, "kvm1", 8)->reachable = false;
    (void)build_host(build, "kvm2", 8);
    guest = *build_guest(build, "a", 4, "kvm1", "kvm2");
    build_sighting(build, "a", 4, "kvm2")->state = GUEST_SHUTOFF;
    build->in_flight[build->in_flight_count++] =
        (struct observed_move){ .guest = "a", .from = "kvm1", .to = "kvm2" };
    (void)build_guest(build, "b", 3, "kvm2", "kvm2");
    room = restart_room_elsewhere(build_input(build), &guest, "kvm2");
    ck_assert_int_eq(room.fit, CAPACITY_FITS);
    ck_assert_uint_eq(room.needs_kib, 4 * GIB);
    ck_assert_uint_eq(room.free_kib, 5 * GIB);
    (void)build_guest(build, "c", 2, "kvm1", "kvm2");
    build->in_flight[build->in_flight_count++] =
        (struct observed_move){ .guest = "c", .from = "kvm1", .to = "kvm2" };
    room = restart_room_elsewhere(build_input(build), &guest, "kvm2");
    ck_assert_int_eq(room.fit, CAPACITY_NO_MEMORY);
    ck_assert_uint_eq(room.free_kib, 3 * GIB);
}
END_TEST

/* It is only to be defined there. */
START_TEST(guest_of_a_dead_host_that_was_off_needs_room_if_those_that_are_off_do)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);
    struct observed_guest guest;

    build_host(build, "kvm1", 8)->reachable = false;
    (void)build_host(build, "kvm2", 4);
    guest = *build_guest(build, "a", 4, "kvm1", "kvm2");
    guest.state = GUEST_SHUTOFF;
    (void)build_guest(build, "b", 4, "kvm2", "kvm2");
    ck_assert_int_eq(restart_room_elsewhere(build_input(build), &guest, "kvm2").fit,
                     CAPACITY_NO_MEMORY);
    build->policy.charge_off = false;
    ck_assert_int_eq(restart_room_elsewhere(build_input(build), &guest, "kvm2").fit, CAPACITY_FITS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("restart");
    TCase *tcase = tcase_create("restart");

    tcase_add_test(tcase, guest_fits_where_nobody_has_taken_its_room);
    tcase_add_loop_test(tcase, whoever_runs_or_arrives_or_may_start_there_takes_the_room, 0, 4);
    tcase_add_test(tcase, file_and_policy_limit_a_host_as_they_do_for_a_plan);
    tcase_add_test(tcase, others_that_were_stopped_early_take_no_room_until_they_are_started);
    tcase_add_test(tcase, guest_that_the_file_does_not_name_any_more_needs_room_too);
    tcase_add_test(tcase, cpus_count_only_where_policy_is_strict_about_them);
    tcase_add_test(tcase, guest_of_a_dead_host_needs_room_where_it_is_to_run);
    tcase_add_test(tcase, guest_of_a_dead_host_that_was_off_needs_room_if_those_that_are_off_do);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
