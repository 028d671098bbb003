/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "actuators/libvirt_command.h"
#include "actuators/ssh.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/text.h"
#include "model/profile.h"
#include "tests/runner.h"

#define ID "([[:xdigit:]]{8}(-[[:xdigit:]]{4}){3}-[[:xdigit:]]{12})"

/* What is found, with '|' between. */
static const char *found(struct arena *arena, const char *text, const char *match)
{
    struct text joined = text_new(arena);
    const char **items = NULL;
    struct err err;
    size_t count;

    ck_assert_int_eq(libvirt_command_find(arena, text, match, &items, &count, &err), 0);
    for (size_t i = 0; i < count; i++) {
        text_printf(&joined, "%s%s", i == 0 ? "" : "|", items[i]);
    }
    return joined.data;
}

static const struct {
    const char *text;
    const char *match;
    const char *found;
} table[] = {
    { "", NULL, "" },
    { "\n \n\t\n", NULL, "" },
    { " a b \n\nc\r\n", NULL, "a b|c" },
    { "c", NULL, "c" },
    { "", "a", "" },
    { "b\n", "a", "" },
    { "xay\naa\n", "a", "a|a|a" },
    { "id: 7\nid: 8\n", "^id: ([0-9]+)$", "7|8" },
    { "id: 7 x\nid: 8\n", "^id: ([0-9]+)$", "8" },
    { "ab\n", "^.", "a" },
    { "a\nb\n", "^.", "a|b" },
    { "ab\n", "x*", "" },
    { "a1b2\n", "a([0-9])|b([0-9])", "1|b2" },
    { "3d8c1b1c-2fa8-fc6e-3d8c-1b1c2fa8fc6e  kvm1 edv\n", ID,
      "3d8c1b1c-2fa8-fc6e-3d8c-1b1c2fa8fc6e" },
    { "\x1b[2J7\n", "[0-9]+", "2|7" },
};

START_TEST(matches_are_found_line_by_line)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *text = found(&arena, table[_i].text, table[_i].match);

    if (table[_i].match != NULL && strcmp(table[_i].match, "x*") == 0) {
        ck_assert_uint_eq(strspn(text, "|"), strlen(text)); /* Nothing, wherever it is found. */
    } else {
        ck_assert_str_eq(text, table[_i].found);
    }
}
END_TEST

START_TEST(an_output_without_end_of_matches_is_bounded)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct text text = text_new(&arena);
    const char **items = NULL;
    struct err err;
    size_t count;

    text_fill(&text, 'a', 100000);
    ck_assert_int_eq(libvirt_command_find(&arena, text.data, "a", &items, &count, &err), 0);
    ck_assert_uint_eq(count, 4096);
}
END_TEST

START_TEST(one_value_is_picked_however_often_it_is_said)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *value = NULL;
    struct err err;

    ck_assert_int_eq(libvirt_command_pick(&arena, " vol:1 \n", NULL, "id", &value, &err), 0);
    ck_assert_str_eq(value, "vol:1");
    ck_assert_int_eq(
        libvirt_command_pick(&arena, "id 7, id 7\n", "id ([0-9]+)", "id", &value, &err), 0);
    ck_assert_str_eq(value, "7");
}
END_TEST

START_TEST(no_value_and_two_of_them_are_errors)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *value = NULL;
    struct err err;

    ck_assert_int_eq(libvirt_command_pick(&arena, "", NULL, "id", &value, &err), -1);
    ck_assert_int_eq(err.code, ERR_NOT_FOUND);
    ck_assert_int_eq(libvirt_command_pick(&arena, "id 7, id 8\n", "[0-9]+", "id", &value, &err),
                     -1);
    ck_assert_int_eq(err.code, ERR_FAILED);
    ck_assert_str_eq(err.text, "cannot find out {id}: it may be '7' or '8'");
    ck_assert_int_eq(libvirt_command_pick(&arena, "x", "(", "id", &value, &err), -1);
    ck_assert_int_eq(err.code, ERR_INVALID);
    ck_assert_ptr_null(value);
}
END_TEST

START_TEST(what_a_host_says_cannot_steer_a_terminal)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *value = NULL;
    struct err err;

    ck_assert_int_eq(libvirt_command_pick(&arena, "a\x1b[2J\nb\n", NULL, "id", &value, &err), -1);
    ck_assert_ptr_null(strchr(err.text, '\x1b'));
}
END_TEST

START_TEST(an_error_names_the_command_its_place_its_host_and_the_end_of_what_it_said)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *const words[] = { "attach", "{name}", "a b", NULL };
    const struct profile_command command = { .words = words, .key = "[volume] provide" };
    const struct profile_names names = { .host = "kvm1", .name = "v1" };
    struct libvirt_command_host host = { .arena = &arena, .profile = profile_default() };
    struct ssh_output output = { 0 };
    struct text said = text_new(&arena);
    struct err err;

    ck_assert_int_eq(libvirt_command_run(&host, &command, &names, 1000, &output, &err), -1);
    ck_assert_int_eq(err.code, ERR_INVALID);
    ck_assert_msg(strstr(err.text, "set [fleet] ssh in berth.conf") != NULL &&
                      strstr(err.text, "([volume] provide: attach v1 'a b')") != NULL,
                  "%s", err.text);
    text_fill(&said, 'x', 900);
    text_append(&said, "\xe2\x82\xac: no room\n");
    output = (struct ssh_output){ .status = 3, .err = said.data };
    host.address = "root@kvm1";
    ck_assert_int_eq(libvirt_command_check(&host, "provide volume 'v1'", &output, &err), -1);
    ck_assert_int_eq(err.code, ERR_FAILED);
    ck_assert_ptr_eq(strstr(err.text, "cannot provide volume 'v1' on 'root@kvm1': exit status 3: "
                                      "...xxx"),
                     err.text);
    ck_assert_ptr_nonnull(
        strstr(err.text, "x\xe2\x82\xac: no room ([volume] provide: attach v1 'a b')"));
    ck_assert_uint_lt(strlen(err.text), 300);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("libvirt_command");
    TCase *tcase = tcase_create("output");

    tcase_add_loop_test(tcase, matches_are_found_line_by_line, 0, (int)ARRAY_LEN(table));
    tcase_add_test(tcase, an_output_without_end_of_matches_is_bounded);
    tcase_add_test(tcase, one_value_is_picked_however_often_it_is_said);
    tcase_add_test(tcase, no_value_and_two_of_them_are_errors);
    tcase_add_test(tcase, what_a_host_says_cannot_steer_a_terminal);
    tcase_add_test(tcase,
                   an_error_names_the_command_its_place_its_host_and_the_end_of_what_it_said);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
