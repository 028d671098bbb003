/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>

#include "base/base.h"
#include "model/desired.h"
#include "tests/runner.h"

static struct desired three_of_each(void)
{
    static const struct desired_host hosts[] = { { .name = "Kvm1" },
                                                 { .name = "kvm1" },
                                                 { .name = "kvm2" } };
    static const struct desired_guest guests[] = { { .name = "a" },
                                                   { .name = "a.b" },
                                                   { .name = "b" } };

    return (struct desired){ .hosts = hosts,
                             .host_count = ARRAY_LEN(hosts),
                             .guests = guests,
                             .guest_count = ARRAY_LEN(guests) };
}

START_TEST(every_host_and_guest_is_found_by_its_name)
{
    struct desired desired = three_of_each();

    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(desired_find_host(&desired, desired.hosts[i].name), i);
        ck_assert_uint_eq(desired_find_guest(&desired, desired.guests[i].name), i);
    }
}
END_TEST

START_TEST(unknown_names_are_not_found)
{
    static const char *const names[] = { "", "A", "aa", "a.", "kvm", "kvm3", "z" };
    struct desired desired = three_of_each();

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        ck_assert_uint_eq(desired_find_host(&desired, names[i]), DESIRED_NONE);
        ck_assert_uint_eq(desired_find_guest(&desired, names[i]), DESIRED_NONE);
    }
    ck_assert_uint_eq(desired_find_host(&desired, "a"), DESIRED_NONE);
    ck_assert_uint_eq(desired_find_guest(&desired, "kvm1"), DESIRED_NONE);
}
END_TEST

START_TEST(empty_state_has_nobody)
{
    struct desired desired = { 0 };

    ck_assert_uint_eq(desired_find_host(&desired, "kvm1"), DESIRED_NONE);
    ck_assert_uint_eq(desired_find_guest(&desired, "vm1"), DESIRED_NONE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("desired");
    TCase *tcase = tcase_create("find");

    tcase_add_test(tcase, every_host_and_guest_is_found_by_its_name);
    tcase_add_test(tcase, unknown_names_are_not_found);
    tcase_add_test(tcase, empty_state_has_nobody);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
