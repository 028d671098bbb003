/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/fleet.h"

#include "build_fleet.h"
#include "diff/capacity.h"
#include "diff/diff.h"
#include "tests/runner.h"

static struct fleet index_fleet(struct build *build)
{
    const struct plan_input *input = build_input(build);
    struct diff *diff = ARENA_NEW(build->arena, struct diff);

    *diff = diff_compute(build->arena, input->desired, input->observed);
    return fleet_build(build->arena, input, diff);
}

START_TEST(index_order_is_name_order)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);
    struct fleet fleet;

    (void)build_host(build, "kvm3", 4);
    (void)build_host(build, "kvm1", 4);
    (void)build_host(build, "kvm2", 4);
    build->host_count = 2; /* kvm2 was not observed. */
    fleet = index_fleet(build);
    ck_assert_uint_eq(fleet.host_count, 3);
    ck_assert_uint_eq(fleet_find_host(&fleet, "kvm1"), 0);
    ck_assert_uint_eq(fleet_find_host(&fleet, "kvm2"), 1);
    ck_assert_uint_eq(fleet_find_host(&fleet, "kvm3"), 2);
    ck_assert_uint_eq(fleet_find_host(&fleet, "kvm4"), FLEET_NONE);
    ck_assert(!fleet.hosts[1].reachable);
}
END_TEST

START_TEST(moving_back_undoes_a_move_exactly)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);
    struct fleet fleet;
    struct fleet_host before[2];

    (void)build_host(build, "kvm1", 16);
    (void)build_host(build, "kvm2", 16);
    (void)build_guest(build, "a", 4, "kvm1", "kvm2");
    (void)build_guest(build, "b", 6, "kvm1", "kvm1");
    fleet = index_fleet(build);
    memcpy(before, fleet.hosts, sizeof(before));
    fleet_move(&fleet, 0, 1);
    ck_assert_uint_eq(fleet.hosts[0].ordinary.charged_kib, 6 * GIB);
    ck_assert_uint_eq(fleet.hosts[1].ordinary.charged_kib, 4 * GIB);
    ck_assert_uint_eq(fleet.hosts[1].vcpus, 1);
    ck_assert_uint_eq(fleet.guests[0].at, 1);
    fleet_move(&fleet, 0, 0);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_uint_eq(fleet.hosts[i].ordinary.charged_kib, before[i].ordinary.charged_kib);
        ck_assert_uint_eq(fleet.hosts[i].vcpus, before[i].vcpus);
    }
    ck_assert_uint_eq(fleet.guests[0].at, 0);
}
END_TEST

START_TEST(guests_that_are_not_in_the_file_are_told_apart_in_what_is_charged)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);
    struct fleet fleet;

    build_pool(build, build_host(build, "kvm1", 16), 2048, 4 * GIB / 2048);
    (void)build_host(build, "kvm2", 16);
    (void)build_guest(build, "a", 1, "kvm1", "kvm2");
    (void)build_sighting(build, "other", 2, "kvm1");
    build_sighting(build, "paged", 4, "kvm1")->hugepage_kib = 2048;
    build_in_flight(build, "other", "kvm1", "kvm2");
    fleet = index_fleet(build);
    ck_assert_uint_eq(fleet.hosts[0].ordinary.charged_kib, 3 * GIB);
    ck_assert_uint_eq(fleet.hosts[0].ordinary.unlisted_kib, 2 * GIB);
    ck_assert_uint_eq(fleet.hosts[1].ordinary.unlisted_kib, 2 * GIB); /* It arrives. */
    ck_assert_uint_eq(fleet_memory(&fleet, 1, 0)->unlisted_kib, 4 * GIB);
    fleet_move(&fleet, 0, 1);
    ck_assert_uint_eq(fleet.hosts[1].ordinary.charged_kib, 3 * GIB);
    ck_assert_uint_eq(fleet.hosts[1].ordinary.unlisted_kib, 2 * GIB);
}
END_TEST

START_TEST(rival_moves_along_with_its_host)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);
    struct fleet fleet;

    (void)build_host(build, "kvm1", 16);
    (void)build_host(build, "kvm2", 16);
    (void)build_guest(build, "a", 1, "kvm1", "kvm1");
    (void)build_guest(build, "b", 1, "kvm1", "kvm2");
    (void)build_guest(build, "c", 1, "kvm1", "kvm1");
    for (size_t i = 0; i < 3; i++) {
        build->wishes[i].cluster = "c1";
    }
    fleet = index_fleet(build);
    ck_assert_uint_eq(fleet_find_rival(&fleet, 0, 0), 1);
    ck_assert_uint_eq(fleet_find_rival(&fleet, 0, 1), FLEET_NONE);
    ck_assert_uint_eq(fleet_find_rival(&fleet, 1, 0), 0);
    ck_assert_uint_eq(fleet_next_rival(&fleet, 1, 0, 0), 2);
    ck_assert_uint_eq(fleet_next_rival(&fleet, 1, 0, 2), FLEET_NONE);
    fleet_move(&fleet, 1, 1);
    ck_assert_uint_eq(fleet_find_rival(&fleet, 0, 0), FLEET_NONE);
    ck_assert_uint_eq(fleet_find_rival(&fleet, 0, 1), 1);
}
END_TEST

START_TEST(detour_is_measured_by_the_stricter_cpu_rule)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);
    struct fleet fleet;

    (void)build_host(build, "kvm1", 16);
    build_host(build, "kvm2", 16)->cpus = 4;
    build_host(build, "kvm3", 16)->cpus = 4;
    build_guest(build, "a", 1, "kvm1", "kvm2")->vcpus = 6;
    fleet = index_fleet(build);
    ck_assert_int_eq(capacity_fit(&fleet, 0, 1), CAPACITY_FITS);
    ck_assert_int_eq(capacity_fit(&fleet, 0, 2), CAPACITY_NO_CPU);
}
END_TEST

START_TEST(absurd_sizes_are_bounded_before_they_are_added)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);
    struct fleet fleet;

    (void)build_host(build, "kvm1", 16);
    for (size_t i = 0; i < 40; i++) {
        build_guest(build, text_format(&arena, "vm%zu", i), 1, "kvm1", "kvm1")->memory_kib =
            UINT64_MAX;
    }
    fleet = index_fleet(build);
    ck_assert_uint_eq(fleet.hosts[0].ordinary.charged_kib, 40 * CAPACITY_SIZE_MAX_KIB);
    ck_assert(capacity_is_over(&fleet.hosts[0].ordinary));
    ck_assert_uint_eq(capacity_free_kib(&fleet.hosts[0].ordinary), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fleet");
    TCase *tcase = tcase_create("core");

    tcase_add_test(tcase, index_order_is_name_order);
    tcase_add_test(tcase, moving_back_undoes_a_move_exactly);
    tcase_add_test(tcase, guests_that_are_not_in_the_file_are_told_apart_in_what_is_charged);
    tcase_add_test(tcase, rival_moves_along_with_its_host);
    tcase_add_test(tcase, detour_is_measured_by_the_stricter_cpu_rule);
    tcase_add_test(tcase, absurd_sizes_are_bounded_before_they_are_added);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
