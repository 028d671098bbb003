/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "actuators/ssh_address.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/text.h"
#include "tests/runner.h"

START_TEST(addresses_are_taken_apart)
{
    static const struct {
        const char *text;
        struct ssh_address address;
    } cases[] = {
        { "kvm1", { NULL, "kvm1", 22, false } },
        { "root@kvm1.example.com", { "root", "kvm1.example.com", 22, false } },
        { "root@kvm1:2222", { "root", "kvm1", 2222, true } },
        { "root@[fd00::1]:22", { "root", "fd00::1", 22, true } },
        { "[fd00::1]", { NULL, "fd00::1", 22, false } },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(arena) struct arena arena = ARENA_INIT;
        struct ssh_address address;
        struct err err;

        ck_assert_msg(ssh_address_parse(&arena, cases[i].text, &address, &err) == 0, "%s",
                      err.text);
        ck_assert(text_equal(address.user, cases[i].address.user));
        ck_assert_str_eq(address.host, cases[i].address.host);
        ck_assert_uint_eq(address.port, cases[i].address.port);
        ck_assert(address.has_port == cases[i].address.has_port);
    }
}
END_TEST

START_TEST(addresses_that_are_none_are_refused)
{
    static const char *const bad[] = { "",         "@kvm1",         "root@",    "root@kvm1:",
                                       "kvm1:0",   "kvm1:65536",    "kvm1:22x", "root@-oProxy",
                                       "-oA@kvm1", "root@[fd00::1", "root@a@b", "root@a b" };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO(arena) struct arena arena = ARENA_INIT;
        struct ssh_address address;
        struct err err = { 0 };

        ck_assert_msg(ssh_address_parse(&arena, bad[i], &address, &err) < 0, "%s", bad[i]);
        ck_assert_int_eq(err.code, ERR_INVALID);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ssh_address");
    TCase *cases = tcase_create("ssh_address");

    tcase_add_test(cases, addresses_are_taken_apart);
    tcase_add_test(cases, addresses_that_are_none_are_refused);
    suite_add_tcase(suite, cases);
    return runner_run(suite);
}
