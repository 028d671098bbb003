/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuators/ssh.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/text.h"
#include "tests/runner.h"

START_TEST(addresses_are_taken_apart)
{
    static const struct {
        const char *spec;
        struct ssh_spec parsed;
    } cases[] = {
        { "kvm1", { NULL, "kvm1", 22 } },
        { "root@kvm1.example.com", { "root", "kvm1.example.com", 22 } },
        { "root@kvm1:2222", { "root", "kvm1", 2222 } },
        { "root@[fd00::1]:22", { "root", "fd00::1", 22 } },
        { "[fd00::1]", { NULL, "fd00::1", 22 } },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(arena) struct arena arena = ARENA_INIT;
        struct ssh_spec parsed;
        struct err err;

        ck_assert_msg(ssh_parse_spec(&arena, cases[i].spec, &parsed, &err) == 0, "%s", err.text);
        ck_assert(text_equal(parsed.user, cases[i].parsed.user));
        ck_assert_str_eq(parsed.host, cases[i].parsed.host);
        ck_assert_uint_eq(parsed.port, cases[i].parsed.port);
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
        struct ssh_spec parsed;
        struct err err = { 0 };

        ck_assert_msg(ssh_parse_spec(&arena, bad[i], &parsed, &err) < 0, "%s", bad[i]);
        ck_assert_int_eq(err.code, ERR_INVALID);
    }
}
END_TEST

START_TEST(quoted_text_comes_out_of_a_shell_as_it_went_in)
{
    static const char text[] = "it's `a` $(test) \"of\" \\all* that; is & special\t|<>#!~";
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *command = text_format(&arena, "printf %%s %s", ssh_quote(&arena, text));
    char output[sizeof(text) + 1] = "";
    FILE *shell = popen(command, "r");

    ck_assert_ptr_nonnull(shell);
    ck_assert_uint_eq(fread(output, 1, sizeof(output), shell), sizeof(text) - 1);
    ck_assert_int_eq(pclose(shell), 0);
    ck_assert_str_eq(output, text);
}
END_TEST

START_TEST(a_host_that_refuses_is_unreachable)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const struct ssh_settings settings = { NULL, "/nonexistent" };
    const struct ssh_command command = {
        .command = "true", .input = "", .timeout_ms = 5000, .max_output = 100
    };
    struct ssh_output output;
    struct err err = { 0 };

    /* Port 1 of the loopback: nobody listens there. */
    ck_assert_int_eq(ssh_run(&arena, &settings, "root@127.0.0.1:1", &command, &output, &err), -1);
    ck_assert_int_eq(err.code, ERR_UNREACHABLE);
    ck_assert_ptr_nonnull(strstr(err.text, "root@127.0.0.1:1"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ssh");
    TCase *cases = tcase_create("ssh");

    tcase_add_test(cases, addresses_are_taken_apart);
    tcase_add_test(cases, addresses_that_are_none_are_refused);
    tcase_add_test(cases, quoted_text_comes_out_of_a_shell_as_it_went_in);
    tcase_add_test(cases, a_host_that_refuses_is_unreachable);
    suite_add_tcase(suite, cases);
    return runner_run(suite);
}
