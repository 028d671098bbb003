/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/exact.h"

#include "search_fleet.h"
#include "tests/runner.h"

/* a and b change places on full hosts; a third has room for 'spare' GiB. */
static struct build *swap(struct arena *arena, uint64_t spare)
{
    struct build *build = build_fleet(arena);

    (void)build_host(build, "kvm1", 4);
    (void)build_host(build, "kvm2", 4);
    (void)build_host(build, "kvm3", spare);
    (void)build_guest(build, "a", 4, "kvm1", "kvm2");
    (void)build_guest(build, "b", 4, "kvm2", "kvm1");
    return build;
}

static struct exact_problem problem_of(struct build *build)
{
    struct exact_problem problem;

    ck_assert(exact_fits(&search_fleet(build)->trail, &problem));
    problem.budget = 10000;
    return problem;
}

/* Anything is better than this. */
static const struct trail_cost any = { .left = EXACT_GUESTS };

START_TEST(swap_takes_three_moves_over_a_third_host)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct exact_problem problem = problem_of(swap(&arena, 4));
    struct exact_answer answer = exact_solve(&arena, &problem, &any);

    ck_assert(answer.found && answer.proven);
    ck_assert_uint_eq(answer.step_count, 3);
    ck_assert_uint_eq(answer.steps[0].to, 2);
    ck_assert_uint_eq(answer.steps[2].from, 2);
}
END_TEST

START_TEST(nothing_is_found_that_is_no_better_than_the_bound)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct exact_problem problem = problem_of(swap(&arena, 4));
    const struct trail_cost same = { .steps = 3, .moved_kib = 12 * GIB };
    struct exact_answer answer = exact_solve(&arena, &problem, &same);

    ck_assert(!answer.found && answer.proven);
}
END_TEST

START_TEST(swap_without_a_third_host_is_proven_impossible)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct exact_problem problem = problem_of(swap(&arena, 3));
    struct exact_answer answer;

    problem.required = 0;
    answer = exact_solve(&arena, &problem, &any);
    ck_assert(!answer.found && answer.proven);
    problem.absent = 1U << 1; /* Without b, a just goes. */
    answer = exact_solve(&arena, &problem, &any);
    ck_assert(answer.found);
    ck_assert_uint_eq(answer.step_count, 1);
}
END_TEST

START_TEST(end_of_the_budget_is_no_proof)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct exact_problem problem = problem_of(swap(&arena, 4));
    struct exact_answer answer;

    problem.required = 0;
    problem.budget = 2;
    answer = exact_solve(&arena, &problem, &any);
    ck_assert(!answer.found && !answer.proven);
}
END_TEST

START_TEST(guest_that_may_be_parked_is_stopped_only_if_no_host_has_room)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = swap(&arena, 3);
    struct exact_problem problem;
    struct exact_answer answer;

    build_policy_guest(build, "b")->park = true;
    problem = problem_of(build);
    answer = exact_solve(&arena, &problem, &any);
    ck_assert(answer.found && answer.proven);
    ck_assert(answer.steps[0].stop);
    ck_assert_uint_eq(answer.steps[0].guest, 1);
    ck_assert(answer.steps[2].resumes);
    build->hosts[2].memory_kib = 4 * GIB;
    problem = problem_of(build);
    answer = exact_solve(&arena, &problem, &any);
    ck_assert_uint_eq(answer.step_count, 3);
    ck_assert(!answer.steps[0].stop);
}
END_TEST

START_TEST(guests_that_are_alike_are_told_apart_in_the_answer)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);
    struct exact_problem problem;
    struct exact_answer answer;
    uint32_t moved = 0;

    (void)build_host(build, "kvm1", 4);
    (void)build_host(build, "kvm2", 4);
    (void)build_guest(build, "a", 1, "kvm1", "kvm2");
    (void)build_guest(build, "b", 1, "kvm1", "kvm2");
    (void)build_guest(build, "c", 1, "kvm1", "kvm2");
    problem = problem_of(build);
    answer = exact_solve(&arena, &problem, &any);
    ck_assert_uint_eq(answer.step_count, 3);
    for (size_t i = 0; i < 3; i++) {
        moved |= 1U << answer.steps[i].guest;
    }
    ck_assert_uint_eq(moved, 7);
    ck_assert_uint_le(answer.looked_at, 4);
}
END_TEST

START_TEST(fleet_with_more_than_sixteen_movable_guests_is_too_large)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);
    struct exact_problem problem;

    (void)build_host(build, "kvm1", 64);
    for (unsigned i = 0; i <= EXACT_GUESTS; i++) {
        (void)build_guest(build, text_format(&arena, "vm%02u", i), 1, "kvm1", "kvm1");
    }
    ck_assert(!exact_fits(&search_fleet(build)->trail, &problem));
    build_policy_guest(build, "vm00")->pin = true;
    ck_assert(exact_fits(&search_fleet(build)->trail, &problem));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("exact");
    TCase *tcase = tcase_create("core");

    tcase_add_test(tcase, swap_takes_three_moves_over_a_third_host);
    tcase_add_test(tcase, nothing_is_found_that_is_no_better_than_the_bound);
    tcase_add_test(tcase, swap_without_a_third_host_is_proven_impossible);
    tcase_add_test(tcase, end_of_the_budget_is_no_proof);
    tcase_add_test(tcase, guest_that_may_be_parked_is_stopped_only_if_no_host_has_room);
    tcase_add_test(tcase, guests_that_are_alike_are_told_apart_in_the_answer);
    tcase_add_test(tcase, fleet_with_more_than_sixteen_movable_guests_is_too_large);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
