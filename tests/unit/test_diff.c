/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/diff.h"

#include "build_fleet.h"
#include "tests/runner.h"

static const struct diff_guest *guest_of(const struct diff *diff, const char *name)
{
    for (size_t i = 0; i < diff->count; i++) {
        if (strcmp(diff->guests[i].name, name) == 0) {
            return &diff->guests[i];
        }
    }
    ck_abort_msg("'%s' is not in the diff", name);
}

static struct diff compute(struct build *build)
{
    const struct plan_input *input = build_input(build);

    return diff_compute(build->arena, input->desired, input->observed);
}

static struct build *two_hosts(struct arena *arena)
{
    struct build *build = build_fleet(arena);

    (void)build_host(build, "kvm1", 64);
    (void)build_host(build, "kvm2", 64);
    return build;
}

START_TEST(guest_on_its_host_is_placed)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = two_hosts(&arena);
    struct diff diff;

    (void)build_guest(build, "a", 4, "kvm1", "kvm1");
    diff = compute(build);
    ck_assert_int_eq(guest_of(&diff, "a")->class, DIFF_PLACED);
    ck_assert_uint_eq(diff.counts[DIFF_PLACED], 1);
}
END_TEST

START_TEST(guest_on_another_host_is_misplaced)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = two_hosts(&arena);
    struct diff diff;
    const struct diff_guest *a;

    (void)build_guest(build, "a", 4, "kvm1", "kvm2");
    diff = compute(build);
    a = guest_of(&diff, "a");
    ck_assert_int_eq(a->class, DIFF_MISPLACED);
    ck_assert_str_eq(a->wanted, "kvm2");
    ck_assert_str_eq(a->at->host->name, "kvm1");
}
END_TEST

START_TEST(guest_on_no_host_is_missing_only_if_every_host_answered)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = two_hosts(&arena);
    struct diff diff;

    (void)build_wish(build, "a", 4, "kvm1");
    diff = compute(build);
    ck_assert_int_eq(guest_of(&diff, "a")->class, DIFF_MISSING);
    build->hosts[1].reachable = false;
    diff = compute(build);
    ck_assert_int_eq(guest_of(&diff, "a")->class, DIFF_UNKNOWN);
}
END_TEST

START_TEST(host_that_was_not_observed_counts_as_silent)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = two_hosts(&arena);
    struct diff diff;

    (void)build_wish(build, "a", 4, "kvm1");
    build->host_count = 1;
    diff = compute(build);
    ck_assert_int_eq(guest_of(&diff, "a")->class, DIFF_UNKNOWN);
}
END_TEST

START_TEST(guest_last_seen_on_a_silent_host_is_unknown_even_where_it_belongs)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = two_hosts(&arena);
    struct diff diff;

    (void)build_guest(build, "a", 4, "kvm1", "kvm1");
    build->hosts[0].reachable = false;
    diff = compute(build);
    ck_assert_int_eq(guest_of(&diff, "a")->class, DIFF_UNKNOWN);
    ck_assert_uint_eq(guest_of(&diff, "a")->found_count, 1);
}
END_TEST

START_TEST(guest_on_two_hosts_is_a_duplicate)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = two_hosts(&arena);
    struct diff diff;
    const struct diff_guest *a;

    (void)build_guest(build, "a", 4, "kvm2", "kvm1");
    (void)build_sighting(build, "a", 4, "kvm1");
    diff = compute(build);
    a = guest_of(&diff, "a");
    ck_assert_int_eq(a->class, DIFF_DUPLICATE);
    ck_assert_uint_eq(a->found_count, 2);
    ck_assert_str_eq(a->found[0], "kvm1");
    ck_assert_str_eq(a->found[1], "kvm2");
    ck_assert_ptr_null(a->at);
}
END_TEST

START_TEST(both_ends_of_a_move_in_flight_count_as_its_source)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = two_hosts(&arena);
    struct diff diff;

    (void)build_guest(build, "a", 4, "kvm1", "kvm2");
    (void)build_sighting(build, "a", 4, "kvm2");
    build_in_flight(build, "a", "kvm1", "kvm2");
    diff = compute(build);
    ck_assert_int_eq(guest_of(&diff, "a")->class, DIFF_MISPLACED);
    ck_assert_str_eq(guest_of(&diff, "a")->at->host->name, "kvm1");
}
END_TEST

START_TEST(third_place_beside_a_move_in_flight_is_a_duplicate)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = two_hosts(&arena);
    struct diff diff;

    (void)build_host(build, "kvm3", 64);
    (void)build_guest(build, "a", 4, "kvm1", "kvm2");
    (void)build_sighting(build, "a", 4, "kvm3");
    build_in_flight(build, "a", "kvm1", "kvm2");
    diff = compute(build);
    ck_assert_int_eq(guest_of(&diff, "a")->class, DIFF_DUPLICATE);
}
END_TEST

START_TEST(migration_that_shows_only_in_its_jobs_counts_as_its_source)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = two_hosts(&arena);
    struct diff diff;

    build_guest(build, "a", 4, "kvm1", "kvm1")->job = GUEST_JOB_OUTGOING;
    build_sighting(build, "a", 4, "kvm2")->job = GUEST_JOB_INCOMING;
    diff = compute(build);
    ck_assert_int_eq(guest_of(&diff, "a")->class, DIFF_PLACED);
}
END_TEST

START_TEST(guest_the_file_does_not_list_is_unmanaged)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = two_hosts(&arena);
    struct diff diff;

    (void)build_guest(build, "m", 4, "kvm1", "kvm1");
    (void)build_sighting(build, "z", 4, "kvm2");
    (void)build_sighting(build, "b", 4, "kvm2");
    diff = compute(build);
    ck_assert_uint_eq(diff.count, 3);
    ck_assert_str_eq(diff.guests[0].name, "b");
    ck_assert_str_eq(diff.guests[1].name, "m");
    ck_assert_str_eq(diff.guests[2].name, "z");
    ck_assert_int_eq(diff.guests[2].class, DIFF_UNMANAGED);
    ck_assert_ptr_null(diff.guests[2].wanted);
    ck_assert_uint_eq(diff.counts[DIFF_UNMANAGED], 2);
}
END_TEST

START_TEST(empty_fleet_has_an_empty_diff)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);

    ck_assert_uint_eq(compute(build).count, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("diff");
    TCase *tcase = tcase_create("classes");

    tcase_add_test(tcase, guest_on_its_host_is_placed);
    tcase_add_test(tcase, guest_on_another_host_is_misplaced);
    tcase_add_test(tcase, guest_on_no_host_is_missing_only_if_every_host_answered);
    tcase_add_test(tcase, host_that_was_not_observed_counts_as_silent);
    tcase_add_test(tcase, guest_last_seen_on_a_silent_host_is_unknown_even_where_it_belongs);
    tcase_add_test(tcase, guest_on_two_hosts_is_a_duplicate);
    tcase_add_test(tcase, both_ends_of_a_move_in_flight_count_as_its_source);
    tcase_add_test(tcase, third_place_beside_a_move_in_flight_is_a_duplicate);
    tcase_add_test(tcase, migration_that_shows_only_in_its_jobs_counts_as_its_source);
    tcase_add_test(tcase, guest_the_file_does_not_list_is_unmanaged);
    tcase_add_test(tcase, empty_fleet_has_an_empty_diff);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
