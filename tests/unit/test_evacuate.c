/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "diff/evacuate.h"
#include "model/es_edit.h"
#include "tests/runner.h"
#include "tests/unit/draw_fleet.h"

#define SEEDS 300

static struct evacuation evacuate(struct build *build, const char *host)
{
    const struct plan_input *input = build_input(build);

    return evacuate_find(build->arena, input, desired_find_host(input->desired, host));
}

/* "vm1:kvm2 vm2:kvm3 vm3!no-capacity" */
static const char *shown(struct build *build, const char *host)
{
    struct evacuation evacuation = evacuate(build, host);
    struct text text = text_new(build->arena);

    for (size_t i = 0; i < evacuation.edit_count; i++) {
        text_printf(&text, "%s%s:%s", text.length == 0 ? "" : " ", evacuation.edits[i].guest,
                    evacuation.edits[i].host);
    }
    for (size_t i = 0; i < evacuation.block_count; i++) {
        ck_assert_ptr_nonnull(evacuation.blocked[i].reason);
        text_printf(&text, "%s%s!%s", text.length == 0 ? "" : " ", evacuation.blocked[i].guest,
                    plan_code_name(evacuation.blocked[i].code));
    }
    return text.data;
}

START_TEST(a_host_without_guests_needs_nothing)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);

    (void)build_host(build, "a", 8);
    (void)build_host(build, "b", 8);
    (void)build_guest(build, "vm", 1, "b", "b");
    ck_assert_str_eq(shown(build, "a"), "");
}
END_TEST

START_TEST(each_guest_goes_to_the_host_that_it_fills_best)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);

    (void)build_host(build, "a", 32);
    (void)build_host(build, "b", 16);
    (void)build_host(build, "c", 8);
    (void)build_guest(build, "large", 12, "a", "a");
    (void)build_guest(build, "small", 7, "a", "a");
    ck_assert_str_eq(shown(build, "a"), "large:b small:c");
}
END_TEST

START_TEST(a_choice_that_leaves_the_last_without_room_is_made_again)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);

    (void)build_host(build, "a", 32);
    (void)build_host(build, "b", 10);
    (void)build_host(build, "c", 9);
    (void)build_guest(build, "vm1", 6, "a", "a");
    (void)build_guest(build, "vm2", 5, "a", "a");
    (void)build_guest(build, "vm3", 4, "a", "a");
    (void)build_guest(build, "vm4", 4, "a", "a");
    ck_assert_str_eq(shown(build, "a"), "vm1:b vm2:c vm3:b vm4:c");
}
END_TEST

START_TEST(room_counts_who_is_still_to_come_and_who_is_not_in_the_file)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);

    (void)build_host(build, "a", 16);
    (void)build_host(build, "b", 8);
    (void)build_host(build, "c", 8);
    (void)build_guest(build, "vm", 6, "a", "a");
    (void)build_guest(build, "late", 3, "a", "b");
    (void)build_sighting(build, "foreign", 3, "c");
    ck_assert_str_eq(shown(build, "a"), "vm!no-capacity");
}
END_TEST

START_TEST(guests_on_huge_pages_go_where_such_pages_are_left)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);
    struct observed_guest *vm;

    build_pool(build, build_host(build, "a", 32), 2048, 8 * GIB / 2048);
    build_pool(build, build_host(build, "b", 16), 2048, 7 * GIB / 2048); /* 4 are taken. */
    build_pool(build, build_host(build, "c", 32), 2048, 8 * GIB / 2048);
    (void)build_host(build, "d", 64);
    vm = build_guest(build, "vm", 4, "a", "a");
    build_sighting(build, "foreign", 4, "b")->hugepage_kib = 2048;
    ck_assert_str_eq(shown(build, "a"), "vm:b");
    vm->hugepage_kib = 2048;
    ck_assert_str_eq(shown(build, "a"), "vm:c");
    vm->memory_kib = 9 * GIB;
    ck_assert_str_eq(shown(build, "a"), "vm!no-capacity");
}
END_TEST

START_TEST(a_guest_that_is_elsewhere_already_stays_there)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);

    (void)build_host(build, "a", 8);
    (void)build_host(build, "b", 8);
    (void)build_host(build, "c", 64);
    (void)build_guest(build, "vm", 1, "c", "a");
    ck_assert_str_eq(shown(build, "a"), "vm:c");
}
END_TEST

START_TEST(members_of_a_cluster_that_are_apart_stay_apart)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);

    (void)build_host(build, "a", 8);
    (void)build_host(build, "b", 8);
    (void)build_host(build, "c", 64);
    build_member(build, "db1", "db", "a", "a");
    build_member(build, "db2", "db", "b", "b");
    ck_assert_str_eq(shown(build, "a"), "db1:c");
    build_member(build, "db3", "db", "c", "c");
    ck_assert_str_eq(shown(build, "a"), "db1!apart");
}
END_TEST

START_TEST(hosts_that_take_nobody_or_cannot_run_it_are_passed_over)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);

    (void)build_host(build, "a", 8);
    (void)build_host(build, "b", 8);
    build_host(build, "c", 8)->reachable = false;
    build_host(build, "d", 8)->arch = "aarch64";
    (void)build_host(build, "e", 64);
    (void)build_guest(build, "vm", 1, "a", "a");
    build_policy_host(build, "b")->maintenance = true;
    ck_assert_str_eq(shown(build, "a"), "vm:e");
    build_policy_host(build, "e")->maintenance = true;
    ck_assert_str_eq(shown(build, "a"), "vm!incompatible");
    build->hosts[3].reachable = false;
    ck_assert_str_eq(shown(build, "a"), "vm!unreachable-host");
}
END_TEST

START_TEST(a_guest_that_may_not_move_stays_with_its_reason_and_others_go)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);

    (void)build_host(build, "a", 16);
    (void)build_host(build, "b", 16);
    (void)build_guest(build, "held", 1, "a", "a");
    (void)build_guest(build, "pinned", 1, "a", "a");
    build_guest(build, "snapshot", 1, "a", "a")->snapshots = 1;
    (void)build_guest(build, "vm", 1, "a", "a");
    (void)build_wish(build, "lost", 1, "a");
    build_policy_guest(build, "pinned")->pin = true;
    build_exclusion(build, "held", PLAN_HELD, "held");
    ck_assert_str_eq(shown(build, "a"),
                     "vm:b held!held lost!missing pinned!pinned snapshot!unsafe");
}
END_TEST

START_TEST(a_guest_that_stays_takes_no_room_from_those_that_can_leave)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);

    (void)build_host(build, "a", 16);
    (void)build_host(build, "b", 8);
    (void)build_guest(build, "held", 6, "a", "a");
    (void)build_guest(build, "vm", 6, "a", "a");
    build_exclusion(build, "held", PLAN_HELD, "held");
    ck_assert_str_eq(shown(build, "a"), "vm:b held!held");
    build->exclusion_count = 0;
    build_policy_guest(build, "held")->pin = true;
    ck_assert_str_eq(shown(build, "a"), "vm:b held!pinned");
}
END_TEST

START_TEST(a_guest_that_is_kept_where_it_is_takes_room_there_too)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);

    (void)build_host(build, "a", 16);
    (void)build_host(build, "b", 8);
    (void)build_host(build, "c", 16);
    (void)build_guest(build, "vm", 6, "a", "a");
    (void)build_guest(build, "held", 6, "b", "c");
    build_exclusion(build, "held", PLAN_HELD, "held");
    ck_assert_str_eq(shown(build, "a"), "vm:c");
}
END_TEST

START_TEST(the_most_important_guest_leaves_if_not_all_can)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);

    (void)build_host(build, "a", 16);
    (void)build_host(build, "b", 8);
    (void)build_guest(build, "large", 8, "a", "a");
    (void)build_guest(build, "vital", 1, "a", "a");
    ck_assert_str_eq(shown(build, "a"), "large:b vital!no-capacity");
    build_policy_guest(build, "vital")->priority = 1;
    ck_assert_str_eq(shown(build, "a"), "vital:b large!no-capacity");
}
END_TEST

START_TEST(cpus_are_not_over_committed_where_it_can_be_helped)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);

    (void)build_host(build, "a", 8);
    build_host(build, "b", 8)->cpus = 1;
    (void)build_host(build, "c", 64);
    build_guest(build, "vm", 1, "a", "a")->vcpus = 2;
    ck_assert_str_eq(shown(build, "a"), "vm:c");
    build->hosts[2].cpus = 1;
    ck_assert_str_eq(shown(build, "a"), "vm:b");
    build->policy.cpu_policy = POLICY_CPU_STRICT;
    ck_assert_str_eq(shown(build, "a"), "vm!no-capacity");
}
END_TEST

/* What the file puts on a host after the evacuation. */
static uint64_t load_of(const struct build *build, const struct evacuation *evacuation,
                        const char *host)
{
    uint64_t kib = 0;

    for (size_t i = 0; i < build->wish_count; i++) {
        const struct build_wish *wish = &build->wishes[i];
        const char *where = wish->host;

        for (size_t k = 0; k < evacuation->edit_count; k++) {
            where = strcmp(evacuation->edits[k].guest, wish->guest.name) == 0
                        ? evacuation->edits[k].host
                        : where;
        }
        kib += strcmp(where, host) == 0 ? wish->guest.memory_kib : 0;
    }
    return kib;
}

static void assert_sound(struct build *build, const char *host)
{
    struct evacuation evacuation = evacuate(build, host);
    size_t guests = 0;
    struct plan plan;

    for (size_t i = 0; i < build->wish_count; i++) {
        guests += strcmp(build->wishes[i].host, host) == 0;
    }
    ck_assert_uint_eq(evacuation.edit_count + evacuation.block_count, guests);
    for (size_t i = 0; i < evacuation.edit_count; i++) {
        const struct es_edit *edit = &evacuation.edits[i];
        const struct observed_host *seen = observed_find_host(&build->observed, edit->host);

        ck_assert_str_ne(edit->host, host);
        ck_assert_ptr_nonnull(seen);
        ck_assert_uint_le(load_of(build, &evacuation, edit->host), seen->memory_kib);
    }
    for (size_t i = 0; i < evacuation.edit_count; i++) {
        build_wish_of(build, evacuation.edits[i].guest)->host = evacuation.edits[i].host;
    }
    plan = build_plan(build);
    for (size_t i = 0; i < evacuation.edit_count; i++) {
        for (size_t k = 0; k < plan.block_count; k++) {
            ck_assert_str_ne(plan.blocked[k].guest, evacuation.edits[i].guest);
        }
    }
}

START_TEST(every_choice_is_one_that_the_planner_carries_through)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        AUTO(arena) struct arena arena = ARENA_INIT;
        struct build *build = draw_fleet(&arena, seed, seed % 2 == 0);

        assert_sound(build, build->file_hosts[seed % build->file_host_count].name);
        build = draw_tight(&arena, seed);
        assert_sound(build, build->file_hosts[seed % build->file_host_count].name);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("evacuate");
    TCase *tcase = tcase_create("evacuate");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_host_without_guests_needs_nothing);
    tcase_add_test(tcase, each_guest_goes_to_the_host_that_it_fills_best);
    tcase_add_test(tcase, a_choice_that_leaves_the_last_without_room_is_made_again);
    tcase_add_test(tcase, room_counts_who_is_still_to_come_and_who_is_not_in_the_file);
    tcase_add_test(tcase, guests_on_huge_pages_go_where_such_pages_are_left);
    tcase_add_test(tcase, a_guest_that_is_elsewhere_already_stays_there);
    tcase_add_test(tcase, members_of_a_cluster_that_are_apart_stay_apart);
    tcase_add_test(tcase, hosts_that_take_nobody_or_cannot_run_it_are_passed_over);
    tcase_add_test(tcase, a_guest_that_may_not_move_stays_with_its_reason_and_others_go);
    tcase_add_test(tcase, a_guest_that_stays_takes_no_room_from_those_that_can_leave);
    tcase_add_test(tcase, a_guest_that_is_kept_where_it_is_takes_room_there_too);
    tcase_add_test(tcase, the_most_important_guest_leaves_if_not_all_can);
    tcase_add_test(tcase, cpus_are_not_over_committed_where_it_can_be_helped);
    tcase_add_test(tcase, every_choice_is_one_that_the_planner_carries_through);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
