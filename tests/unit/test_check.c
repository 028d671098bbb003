/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/text.h"
#include "model/check.h"
#include "tests/runner.h"

START_TEST(a_list_keeps_its_checks_in_the_order_they_were_made)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct check_list list = check_list(&arena);

    for (unsigned i = 0; i < 3 * CHECK_KIND_COUNT; i++) {
        check_pass(&list, i % CHECK_KIND_COUNT, "number %u", i);
    }
    ck_assert_uint_eq(list.count, 3 * CHECK_KIND_COUNT);
    for (unsigned i = 0; i < list.count; i++) {
        ck_assert_int_eq(list.items[i].kind, i % CHECK_KIND_COUNT);
        ck_assert_str_eq(list.items[i].evidence, text_format(&arena, "number %u", i));
        ck_assert_ptr_null(list.items[i].change);
    }
}
END_TEST

START_TEST(each_result_is_what_it_was_added_as)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct check_list list = check_list(&arena);
    struct err err;

    check_pass(&list, CHECK_NAME, "free");
    check_warn(&list, CHECK_LOCKS, "set one", "none");
    check_skip(&list, CHECK_CLOCKS, NULL, "not asked");
    check_fail(&list, CHECK_CACHE, ERR_UNSAFE, "set cache='none'", "writeback");
    (void)err_set(&err, ERR_UNREACHABLE, "gone");
    check_fail_err(&list, CHECK_JOB, &err);
    for (unsigned i = 0; i < CHECK_RESULT_COUNT; i++) {
        ck_assert_uint_eq(check_count(list.items, list.count, i), i == CHECK_FAILED ? 2 : 1);
    }
    ck_assert_str_eq(check_text(&arena, &list.items[1]), "none: set one");
    ck_assert_str_eq(check_text(&arena, &list.items[2]), "not asked");
    ck_assert_int_eq(list.items[3].code, ERR_UNSAFE);
    ck_assert_int_eq(list.items[4].code, ERR_UNREACHABLE);
    ck_assert_str_eq(list.items[4].evidence, "gone");
}
END_TEST

START_TEST(a_move_fails_with_the_first_check_that_failed_and_its_name)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct check_list list = check_list(&arena);
    struct err err;

    check_pass(&list, CHECK_NAME, "free");
    check_warn(&list, CHECK_LOCKS, "set one", "none");
    check_skip(&list, CHECK_CLOCKS, NULL, "not asked");
    ck_assert_int_eq(check_judge(&list, "vm1", "kvm1", "kvm2", &err), 0);
    check_fail(&list, CHECK_CACHE, ERR_UNSAFE, "set cache='none'", "it has writeback");
    check_fail(&list, CHECK_STATE, ERR_CONFLICT, "plan anew", "it is off");
    ck_assert_int_eq(check_judge(&list, "vm1", "kvm1", "kvm2", &err), -1);
    ck_assert_int_eq(err.code, ERR_UNSAFE);
    ck_assert_str_eq(err.text, "cannot move guest 'vm1' from 'kvm1' to 'kvm2': check 'disk-cache': "
                               "it has writeback: set cache='none'");
}
END_TEST

START_TEST(copies_live_in_the_arena_they_were_added_to)
{
    AUTO(arena) struct arena kept = ARENA_INIT;
    struct check_list copy = check_list(&kept);

    {
        AUTO(arena) struct arena arena = ARENA_INIT;
        struct check_list list = check_list(&arena);

        check_fail(&list, CHECK_CACHE, ERR_UNSAFE, "change", "%s", "evidence");
        check_add(&copy, list.items, list.count);
        memset(list.items, 0x55, sizeof(*list.items));
    }
    ck_assert_uint_eq(copy.count, 1);
    ck_assert_str_eq(copy.items[0].evidence, "evidence");
    ck_assert_str_eq(copy.items[0].change, "change");
}
END_TEST

START_TEST(evidence_is_cut_and_never_too_long)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct check_list list = check_list(&arena);
    struct text text = text_new(&arena);

    text_fill(&text, 'x', 100000);
    check_pass(&list, CHECK_NAME, "%s", text.data);
    ck_assert_uint_lt(strlen(list.items[0].evidence), 4096);
}
END_TEST

START_TEST(names_are_there_once_and_are_words)
{
    for (unsigned i = 0; i < CHECK_KIND_COUNT; i++) {
        const char *name = check_kind_name(i);

        ck_assert_uint_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz-"), strlen(name));
        for (unsigned j = 0; j < i; j++) {
            ck_assert_str_ne(name, check_kind_name(j));
        }
    }
    ck_assert_str_eq(check_result_name(CHECK_PASSED), "passed");
    ck_assert_str_eq(check_result_name(CHECK_WARNED), "warned");
    ck_assert_str_eq(check_result_name(CHECK_SKIPPED), "skipped");
    ck_assert_str_eq(check_result_name(CHECK_FAILED), "failed");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("check");
    TCase *tcase = tcase_create("list");

    tcase_add_test(tcase, a_list_keeps_its_checks_in_the_order_they_were_made);
    tcase_add_test(tcase, each_result_is_what_it_was_added_as);
    tcase_add_test(tcase, a_move_fails_with_the_first_check_that_failed_and_its_name);
    tcase_add_test(tcase, copies_live_in_the_arena_they_were_added_to);
    tcase_add_test(tcase, evidence_is_cut_and_never_too_long);
    tcase_add_test(tcase, names_are_there_once_and_are_words);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
