/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/trail.h"

#include "search_fleet.h"
#include "tests/runner.h"

/* a and b change places on full hosts, c is in its place on the third. */
static struct build *swap(struct arena *arena)
{
    struct build *build = build_fleet(arena);

    (void)build_host(build, "kvm1", 4);
    (void)build_host(build, "kvm2", 4);
    (void)build_host(build, "kvm3", 8);
    (void)build_guest(build, "a", 4, "kvm1", "kvm2");
    (void)build_guest(build, "b", 4, "kvm2", "kvm1");
    (void)build_guest(build, "c", 2, "kvm3", "kvm3");
    return build;
}

START_TEST(steps_taken_back_leave_everything_as_it_was)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct trail *trail = &search_fleet(swap(&arena))->trail;
    struct trail_cost before = trail_cost(trail);

    trail_move(trail, 0, 2);
    ck_assert_uint_eq(trail->astray, 1);
    trail_move(trail, 1, 0);
    trail_move(trail, 0, 1);
    trail_move(trail, 2, 1);
    ck_assert_uint_eq(trail->left, 1);
    ck_assert_uint_eq(trail->moved_kib, 14 * GIB);
    trail_undo(trail, 0);
    ck_assert_uint_eq(trail->left, before.left);
    ck_assert_uint_eq(trail->moved_kib, before.moved_kib);
    ck_assert_uint_eq(trail->astray, 0);
    ck_assert_uint_eq(trail->first[1], 0);
    ck_assert_uint_eq(trail->first[0], 1);
    ck_assert_uint_eq(trail->first[2], FLEET_NONE);
    ck_assert_uint_eq(trail->fleet->hosts[2].ordinary.charged_kib, 2 * GIB);
    ck_assert_uint_eq(trail->fleet->guests[0].hops, 0);
}
END_TEST

START_TEST(stopped_guest_takes_no_room_until_it_is_moved)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = swap(&arena);
    struct trail *trail;

    build_policy_guest(build, "a")->park = true;
    trail = &search_fleet(build)->trail;
    ck_assert(!trail_may_enter(trail, 1, 0));
    ck_assert(!trail_may_stop(trail, 1));
    ck_assert(trail_may_stop(trail, 0));
    trail_stop(trail, 0);
    ck_assert(trail_may_enter(trail, 1, 0));
    ck_assert(!trail_may_enter(trail, 0, 2)); /* Home, or nowhere. */
    trail_move(trail, 1, 0);
    ck_assert(trail_may_enter(trail, 0, 1));
    trail_move(trail, 0, 1);
    ck_assert_uint_eq(trail->interruptions, 1);
    ck_assert_uint_eq(trail->left + trail->astray, 0);
    trail_undo(trail, 1);
    ck_assert(trail->fleet->guests[0].stopped);
    trail_undo(trail, 0);
    ck_assert(!trail->fleet->guests[0].stopped);
    ck_assert_uint_eq(trail->fleet->hosts[0].ordinary.charged_kib, 4 * GIB);
}
END_TEST

START_TEST(detour_needs_leave_and_a_way_back)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = swap(&arena);

    ck_assert(trail_may_enter(&search_fleet(build)->trail, 0, 2));
    build_policy_guest(build, "a")->no_detour = true;
    ck_assert(!trail_may_enter(&search_fleet(build)->trail, 0, 2));
    ck_assert(trail_may_enter(&search_fleet(build)->trail, 1, 2));
    build->hosts[2].qemu_version++; /* It could go there, and not come home. */
    ck_assert(!trail_may_enter(&search_fleet(build)->trail, 1, 2));
    build->policy.allow_downgrade = true;
    ck_assert(trail_may_enter(&search_fleet(build)->trail, 1, 2));
}
END_TEST

START_TEST(detour_stays_within_the_cpu_limit_where_a_way_home_need_not)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = swap(&arena);

    build->hosts[2].cpus = 1;
    ck_assert(!trail_may_enter(&search_fleet(build)->trail, 0, 2));
    build->wishes[0].host = "kvm3"; /* Now it belongs there. */
    ck_assert(trail_may_enter(&search_fleet(build)->trail, 0, 2));
}
END_TEST

START_TEST(those_who_wait_for_a_host_are_listed_by_size)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = swap(&arena);
    struct trail *trail;

    (void)build_guest(build, "d", 1, "kvm3", "kvm2");
    (void)build_guest(build, "e", 5, "kvm3", "kvm2");
    trail = &search_fleet(build)->trail;
    ck_assert_uint_eq(trail->first[1], 4);
    ck_assert_uint_eq(trail->next[4], 0);
    ck_assert_uint_eq(trail->next[0], 3);
    ck_assert_uint_eq(trail->next[3], FLEET_NONE);
    ck_assert_uint_eq(trail->inbound[1], 10 * GIB);
}
END_TEST

START_TEST(cost_is_compared_in_the_order_of_the_objective)
{
    const struct trail_cost costs[] = {
        { 0, 0, 9, 9, 9 }, { 0, 1, 1, 1, 1 }, { 1, 0, 3, 8, 8 },
        { 1, 0, 4, 7, 7 }, { 1, 0, 4, 8, 1 }, { 1, 0, 4, 8, 2 },
    };

    for (size_t i = 0; i + 1 < ARRAY_LEN(costs); i++) {
        ck_assert(trail_is_better(&costs[i], &costs[i + 1]));
        ck_assert(!trail_is_better(&costs[i + 1], &costs[i]));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trail");
    TCase *tcase = tcase_create("core");

    tcase_add_test(tcase, steps_taken_back_leave_everything_as_it_was);
    tcase_add_test(tcase, stopped_guest_takes_no_room_until_it_is_moved);
    tcase_add_test(tcase, detour_needs_leave_and_a_way_back);
    tcase_add_test(tcase, detour_stays_within_the_cpu_limit_where_a_way_home_need_not);
    tcase_add_test(tcase, those_who_wait_for_a_host_are_listed_by_size);
    tcase_add_test(tcase, cost_is_compared_in_the_order_of_the_objective);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
