/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/render.h"

#include "build_fleet.h"
#include "diff/diff.h"
#include "model/check.h"
#include "tests/runner.h"

static struct build *small_fleet(struct arena *arena)
{
    struct build *build = build_fleet(arena);

    (void)build_host(build, "kvm1", 16);
    (void)build_host(build, "kvm2", 16);
    (void)build_guest(build, "a", 4, "kvm1", "kvm2");
    return build;
}

static const char *plan_text(struct build *build, bool colour)
{
    struct plan plan = build_plan(build);
    struct text text = text_new(build->arena);

    render_plan(build->arena, &text, &plan, colour);
    return text.data;
}

START_TEST(plan_is_a_table_and_a_summary)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = small_fleet(&arena);

    ck_assert_str_eq(
        plan_text(build, false),
        "#  guest  from  to      how   memory  takes  room left there  why\n"
        "1  a      kvm1  → kvm2  live   4 GiB  4.0 s           12 GiB  the file puts it there\n"
        "\n"
        "1 move, 4 GiB, no guest interrupted, about 4.0 s at 1000 MiB/s.\n");
}
END_TEST

START_TEST(what_earlier_moves_tell_of_a_move_is_told_with_it)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct plan plan = build_plan(small_fleet(&arena));
    struct text text = text_new(&arena);
    struct plan_move move = plan.moves[0];

    move.forecast = (struct estimate_forecast){ .source = ESTIMATE_GUEST,
                                                .moves = 3,
                                                .likely_ms = 41000,
                                                .least_ms = 35000,
                                                .most_ms = 52000,
                                                .overran = true,
                                                .written_bytes_s = UINT64_C(30) << 20 };
    plan.moves = &move;
    render_plan(&arena, &text, &plan, false);
    ck_assert_ptr_nonnull(strstr(text.data, "  41 s (35 s to 52 s)  "));
    ck_assert_ptr_nonnull(strstr(
        text.data,
        "\n\nHow long live moves take: 1 as the same guest's took, 0 by its size as other guests' "
        "took, 0 by its size alone.\n"
        "a was not done in time when it was last moved live: it wrote 30 MiB a second.\n"
        "1 move, 4 GiB, no guest interrupted, about 41 s.\n"));
}
END_TEST

START_TEST(of_a_moment_no_range_is_told)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct plan plan = build_plan(small_fleet(&arena));
    struct text text = text_new(&arena);
    struct text longer = text_new(&arena);
    struct plan_move move = plan.moves[0];

    move.forecast = (struct estimate_forecast){
        .source = ESTIMATE_GUEST, .moves = 1, .likely_ms = 500, .least_ms = 400, .most_ms = 999
    };
    plan.moves = &move;
    render_plan(&arena, &text, &plan, false);
    ck_assert_ptr_nonnull(strstr(text.data, "  a moment  "));
    ck_assert_ptr_null(strstr(text.data, "(a moment"));
    move.forecast.most_ms = 1000;
    render_plan(&arena, &longer, &plan, false);
    ck_assert_ptr_nonnull(strstr(longer.data, "  a moment (a moment to 1.0 s)  "));
}
END_TEST

START_TEST(interrupted_guests_are_counted)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = small_fleet(&arena);

    build->policy.mode = POLICY_MODE_OFFLINE;
    ck_assert_ptr_nonnull(
        strstr(plan_text(build, false), "\n1 move, 4 GiB, 1 guest interrupted, about 60 s at"));
}
END_TEST

START_TEST(blocked_guest_comes_with_what_would_unblock_it)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = small_fleet(&arena);

    (void)build_sighting(build, "z", 14, "kvm2");
    ck_assert_str_eq(plan_text(build, false),
                     "Blocked\n"
                     "  a: no-capacity: needs 4 GiB on 'kvm2', which has 2 GiB free of 16 GiB\n"
                     "    to unblock: 2 GiB more room on 'kvm2' for 'a'\n"
                     "\n"
                     "Nothing can be moved; 1 guest blocked.\n");
}
END_TEST

START_TEST(satisfied_fleet_says_so)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = small_fleet(&arena);

    build->wishes[0].host = "kvm1";
    ck_assert_str_eq(plan_text(build, false),
                     "Nothing to do: the 1 guest is where the file wants it.\n");
    (void)build_guest(build, "b", 1, "kvm1", "kvm1");
    ck_assert_str_eq(plan_text(build, false),
                     "Nothing to do: all 2 guests are where the file wants them.\n");
}
END_TEST

START_TEST(colour_only_adds_escapes)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = small_fleet(&arena);

    ck_assert_ptr_nonnull(strstr(plan_text(build, true), "\033[1m"));
    ck_assert_ptr_null(strchr(plan_text(build, false), '\033'));
}
END_TEST

START_TEST(estimate_goes_by_the_bandwidth_that_policy_allows)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = small_fleet(&arena);

    build->policy.bandwidth_mib_s = 32;
    ck_assert_ptr_nonnull(
        strstr(plan_text(build, false), "no guest interrupted, about 2 min 8 s at 32 MiB/s.\n"));
}
END_TEST

START_TEST(ways_over_another_host_and_back_are_marked)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);
    const char *text;

    (void)build_host(build, "kvm1", 4);
    (void)build_host(build, "kvm2", 4);
    (void)build_host(build, "kvm3", 4);
    (void)build_guest(build, "a", 4, "kvm1", "kvm2");
    (void)build_guest(build, "b", 4, "kvm2", "kvm1");
    text = plan_text(build, false);
    ck_assert_ptr_nonnull(strstr(text, "→ kvm3 (for now)"));
    ck_assert_ptr_nonnull(strstr(text, " (at last)"));
    ck_assert_ptr_nonnull(strstr(text, "3 moves, 12 GiB, 1 to a temporary host"));
}
END_TEST

START_TEST(dot_draws_numbered_arrows)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = small_fleet(&arena);
    struct plan plan = build_plan(build);
    struct text text = text_new(&arena);

    render_dot(&text, &plan);
    ck_assert_str_eq(text.data, "digraph plan {\n"
                                "    rankdir=LR;\n"
                                "    nodesep=0.4;\n"
                                "    ranksep=1.2;\n"
                                "    node [shape=box, style=rounded];\n"
                                "    edge [fontsize=10];\n"
                                "    \"kvm1\" -> \"kvm2\" [label=\"1. a\\n4 GiB, live\"];\n"
                                "}\n");
}
END_TEST

START_TEST(diff_lists_who_is_not_in_place)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = small_fleet(&arena);
    const struct plan_input *input;
    struct diff diff;
    struct text text = text_new(&arena);

    (void)build_guest(build, "placed", 1, "kvm2", "kvm2");
    (void)build_sighting(build, "unlisted", 1, "kvm2");
    (void)build_wish(build, "gone", 1, "kvm2");
    input = build_input(build);
    diff = diff_compute(&arena, input->desired, input->observed);
    render_diff(&arena, &text, &diff, false);
    ck_assert_str_eq(text.data, "guest  class      found  wanted\n"
                                "a      misplaced  kvm1   → kvm2\n"
                                "gone   missing    -      → kvm2\n");
}
END_TEST

START_TEST(diff_of_a_satisfied_fleet_is_empty)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = small_fleet(&arena);
    const struct plan_input *input;
    struct diff diff;
    struct text text = text_new(&arena);

    build->wishes[0].host = "kvm1";
    input = build_input(build);
    diff = diff_compute(&arena, input->desired, input->observed);
    render_diff(&arena, &text, &diff, false);
    ck_assert_str_eq(text.data, "");
}
END_TEST

START_TEST(checks_that_did_not_pass_are_listed_with_what_to_change)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = small_fleet(&arena);
    struct plan plan = build_plan(build);
    struct plan_move move = plan.moves[0];
    struct check_list list = check_list(&arena);
    struct text none = text_new(&arena);
    struct text some = text_new(&arena);
    struct text all = text_new(&arena);

    render_checks(&arena, &none, &plan, true, false);
    ck_assert_uint_eq(none.length, 0);
    check_pass(&list, CHECK_NAME, "it is free");
    check_skip(&list, CHECK_CLOCKS, NULL, "nobody\nknows");
    check_warn(&list, CHECK_LOCKS, "set one", "there is none");
    check_fail(&list, CHECK_CACHE, ERR_UNSAFE, "set cache='none'", "it has writeback");
    move.checks = list.items;
    move.check_count = list.count;
    plan.moves = &move;
    render_checks(&arena, &some, &plan, false, false);
    ck_assert_str_eq(some.data,
                     "\nChecks of move 1, a kvm1 → kvm2: 1 passed, 1 skipped, 1 warned, 1 failed\n"
                     "  skipped  clocks            nobody?knows\n"
                     "  warned   lock-manager      there is none: set one\n"
                     "  failed   disk-cache        it has writeback: set cache='none'\n");
    render_checks(&arena, &all, &plan, true, true);
    ck_assert_ptr_nonnull(strstr(all.data, "\n  passed   name              it is free\n"));
    ck_assert_ptr_nonnull(strstr(all.data, "  \033[33mfailed \033[0m  disk-cache"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("render");
    TCase *tcase = tcase_create("core");

    tcase_add_test(tcase, plan_is_a_table_and_a_summary);
    tcase_add_test(tcase, what_earlier_moves_tell_of_a_move_is_told_with_it);
    tcase_add_test(tcase, of_a_moment_no_range_is_told);
    tcase_add_test(tcase, interrupted_guests_are_counted);
    tcase_add_test(tcase, blocked_guest_comes_with_what_would_unblock_it);
    tcase_add_test(tcase, satisfied_fleet_says_so);
    tcase_add_test(tcase, colour_only_adds_escapes);
    tcase_add_test(tcase, estimate_goes_by_the_bandwidth_that_policy_allows);
    tcase_add_test(tcase, ways_over_another_host_and_back_are_marked);
    tcase_add_test(tcase, dot_draws_numbered_arrows);
    tcase_add_test(tcase, checks_that_did_not_pass_are_listed_with_what_to_change);
    tcase_add_test(tcase, diff_lists_who_is_not_in_place);
    tcase_add_test(tcase, diff_of_a_satisfied_fleet_is_empty);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
