/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/lookup.h"

#include <check.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/text.h"
#include "tests/runner.h"

START_TEST(every_name_is_found_and_no_other)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct lookup lookup = lookup_new(&arena, 1000);

    for (uint32_t i = 0; i < 1000; i++) {
        lookup_add(&lookup, text_format(&arena, "vm%u", i), i);
    }
    for (uint32_t i = 0; i < 1000; i++) {
        ck_assert_uint_eq(lookup_find(&lookup, text_format(&arena, "vm%u", i)), i);
    }
    ck_assert_uint_eq(lookup_find(&lookup, "vm1000"), LOOKUP_NONE);
    ck_assert_uint_eq(lookup_find(&lookup, ""), LOOKUP_NONE);
}
END_TEST

START_TEST(name_entered_twice_keeps_its_first_value)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct lookup lookup = lookup_new(&arena, 2);

    lookup_add(&lookup, "a", 1);
    lookup_add(&lookup, "a", 2);
    ck_assert_uint_eq(lookup_find(&lookup, "a"), 1);
}
END_TEST

START_TEST(names_looked_up_together_are_found_as_one_by_one)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct lookup lookup = lookup_new(&arena, 200);
    struct {
        unsigned other;
        const char *name;
    } items[200];
    uint32_t values[200];
    const char *stranger[] = { "host", "vm7", "" };

    for (unsigned i = 0; i < 200; i++) {
        items[i].name = text_format(&arena, "vm%u", i % 150);
    }
    lookup_add_all(&lookup, (struct lookup_names){ &items[0].name, sizeof(items[0]), 200 });
    lookup_find_all(&lookup, (struct lookup_names){ &items[0].name, sizeof(items[0]), 200 },
                    values);
    for (unsigned i = 0; i < 200; i++) {
        ck_assert_uint_eq(values[i], i % 150); /* The first of a name counts. */
    }
    lookup_find_all(&lookup, (struct lookup_names){ stranger, sizeof(stranger[0]), 3 }, values);
    ck_assert_uint_eq(values[0], LOOKUP_NONE);
    ck_assert_uint_eq(values[1], 7);
    ck_assert_uint_eq(values[2], LOOKUP_NONE);
}
END_TEST

START_TEST(empty_table_finds_nothing)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct lookup lookup = lookup_new(&arena, 0);

    ck_assert_uint_eq(lookup_find(&lookup, "a"), LOOKUP_NONE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lookup");
    TCase *tcase = tcase_create("core");

    tcase_add_test(tcase, every_name_is_found_and_no_other);
    tcase_add_test(tcase, name_entered_twice_keeps_its_first_value);
    tcase_add_test(tcase, names_looked_up_together_are_found_as_one_by_one);
    tcase_add_test(tcase, empty_table_finds_nothing);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
