/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "actuators/libvirt_file.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "tests/runner.h"

START_TEST(what_stat_prints_is_taken_apart)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct libvirt_file file;
    const char *type;
    struct err err;

    ck_assert_int_eq(libvirt_file_parse(&arena, "regular file|600|libvirt-qemu|kvm|540672\n", &type,
                                        &file, &err),
                     0);
    ck_assert_str_eq(type, "regular file");
    ck_assert_str_eq(file.permissions, "600");
    ck_assert_str_eq(file.owner, "libvirt-qemu");
    ck_assert_str_eq(file.group, "kvm");
    ck_assert_uint_eq(file.size, 540672);
}
END_TEST

static const char *const lines[] = {
    "",
    "\n",
    "regular file|600|root|root",
    "regular file|600|root|root|",
    "regular file|600|root|root|12|13",
    "regular file|600|root|root|-1",
    "regular file|600|root|root|1e3",
    "regular file|600|root|root|99999999999999999999",
    "regular file|600|root|root|1\nregular file|600|root|root|1\n",
};

START_TEST(what_stat_does_not_print_is_refused)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct libvirt_file file;
    const char *type;
    struct err err;

    ck_assert_int_eq(libvirt_file_parse(&arena, lines[_i], &type, &file, &err), -1);
    ck_assert_int_eq(err.code, ERR_FAILED);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("libvirt_file");
    TCase *tcase = tcase_create("libvirt_file");

    tcase_add_test(tcase, what_stat_prints_is_taken_apart);
    tcase_add_loop_test(tcase, what_stat_does_not_print_is_refused, 0, ARRAY_LEN(lines));
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
