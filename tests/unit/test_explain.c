/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/explain.h"

#include "build_fleet.h"
#include "tests/runner.h"

static struct build *small_fleet(struct arena *arena)
{
    struct build *build = build_fleet(arena);

    (void)build_host(build, "kvm1", 16);
    (void)build_host(build, "kvm2", 16);
    (void)build_guest(build, "a", 4, "kvm1", "kvm2");
    return build;
}

static const char *explain(struct build *build, const char *guest)
{
    struct plan plan = build_plan(build);
    struct text text = text_new(build->arena);

    if (!explain_guest(build->arena, &text, &build->input, &plan, guest)) {
        ck_assert_uint_eq(text.length, 0);
        return NULL;
    }
    return text.data;
}

START_TEST(guest_that_moves_is_told_how_and_why)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = small_fleet(&arena);

    ck_assert_str_eq(explain(build, "a"),
                     "'a' runs on 'kvm1' and belongs on 'kvm2' (line 1 of the file).\n"
                     "Move 1 of 1 takes it live from 'kvm1' to 'kvm2': the file puts it there. "
                     "'kvm2' then has 12 GiB left.\n");
}
END_TEST

START_TEST(guest_in_its_place_needs_one_sentence)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = small_fleet(&arena);

    build->wishes[0].host = "kvm1";
    ck_assert_str_eq(explain(build, "a"), "'a' runs on 'kvm1', where the file wants it.\n");
}
END_TEST

START_TEST(blocked_guest_is_told_what_stands_in_the_way)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = small_fleet(&arena);

    (void)build_sighting(build, "z", 14, "kvm2");
    ck_assert_str_eq(
        explain(build, "a"),
        "'a' runs on 'kvm1' and belongs on 'kvm2' (line 1 of the file).\n"
        "It is not moved (no-capacity): needs 4 GiB on 'kvm2', which has 2 GiB free of "
        "16 GiB.\n"
        "To unblock it: 2 GiB more room on 'kvm2' for 'a'.\n");
}
END_TEST

START_TEST(unlisted_guest_is_left_alone)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = small_fleet(&arena);

    build_sighting(build, "z", 1, "kvm2")->state = GUEST_SHUTOFF;
    ck_assert_str_eq(explain(build, "z"), "'z' is shut off on 'kvm2' and is not in the file: Berth "
                                          "counts its memory and never touches it.\n");
}
END_TEST

START_TEST(guest_nobody_knows_is_not_explained)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    ck_assert_ptr_null(explain(small_fleet(&arena), "x"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("explain");
    TCase *tcase = tcase_create("core");

    tcase_add_test(tcase, guest_that_moves_is_told_how_and_why);
    tcase_add_test(tcase, guest_in_its_place_needs_one_sentence);
    tcase_add_test(tcase, blocked_guest_is_told_what_stands_in_the_way);
    tcase_add_test(tcase, unlisted_guest_is_left_alone);
    tcase_add_test(tcase, guest_nobody_knows_is_not_explained);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
