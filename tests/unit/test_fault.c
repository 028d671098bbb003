/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "model/fault.h"
#include "tests/runner.h"

START_TEST(faults_are_kept_in_the_order_found)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct faults faults = fault_list(&arena);

    for (uint32_t i = 0; i < 100; i++) {
        fault_add(&faults, 100 - i, "number %u", i);
    }
    ck_assert_uint_eq(faults.count, 100);
    ck_assert_uint_eq(faults.items[99].line, 1);
    ck_assert_str_eq(faults.items[0].text, "number 0");
    ck_assert_str_eq(faults.items[99].text, "number 99");
}
END_TEST

START_TEST(sorting_orders_by_line_then_text_and_drops_repetitions)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct faults faults = fault_list(&arena);

    fault_add(&faults, 9, "b");
    fault_add(&faults, 10, "a");
    fault_add(&faults, 9, "b");
    fault_add(&faults, 9, "a");
    fault_add(&faults, 0, "whole file");
    fault_sort(&faults);
    ck_assert_uint_eq(faults.count, 4);
    ck_assert_str_eq(faults.items[0].text, "whole file");
    ck_assert_str_eq(faults.items[1].text, "a");
    ck_assert_str_eq(faults.items[2].text, "b");
    ck_assert_uint_eq(faults.items[3].line, 10);
}
END_TEST

START_TEST(sorting_an_empty_list_leaves_it_empty)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct faults faults = fault_list(&arena);

    fault_sort(&faults);
    ck_assert_uint_eq(faults.count, 0);
}
END_TEST

START_TEST(faults_beyond_the_limit_are_counted)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct faults faults = fault_list(&arena);

    for (uint32_t i = 0; i < FAULTS_MAX + 3; i++) {
        fault_add(&faults, i, "x");
    }
    ck_assert_uint_eq(faults.count, FAULTS_MAX);
    ck_assert_uint_eq(faults.dropped, 3);
}
END_TEST

START_TEST(quoted_control_characters_do_not_reach_the_terminal)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct faults faults = fault_list(&arena);

    fault_add(&faults, 1, "'%s'",
              "a\nb\x1b[2J\x7f\xc2\x9b"
              "c\xc3\xa9\xc2\xb5");
    ck_assert_str_eq(faults.items[0].text, "'a?b?[2J???c\xc3\xa9\xc2\xb5'");
}
END_TEST

START_TEST(long_text_ends_between_two_characters)
{
    for (size_t i = 0; i < 4; i++) {
        AUTO(arena) struct arena arena = ARENA_INIT;
        struct faults faults = fault_list(&arena);
        struct text text = text_new(&arena);
        const char *kept;

        text_fill(&text, 'x', i);
        for (size_t k = 0; k < 1000; k++) {
            text_append(&text, "\xe2\x82\xac");
        }
        fault_add(&faults, 1, "%s", text.data);
        kept = faults.items[0].text;
        ck_assert_uint_gt(strlen(kept), 1000);
        ck_assert_uint_eq((strlen(kept) - i) % 3, 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fault");
    TCase *tcase = tcase_create("core");

    tcase_add_test(tcase, faults_are_kept_in_the_order_found);
    tcase_add_test(tcase, sorting_orders_by_line_then_text_and_drops_repetitions);
    tcase_add_test(tcase, sorting_an_empty_list_leaves_it_empty);
    tcase_add_test(tcase, faults_beyond_the_limit_are_counted);
    tcase_add_test(tcase, quoted_control_characters_do_not_reach_the_terminal);
    tcase_add_test(tcase, long_text_ends_between_two_characters);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
