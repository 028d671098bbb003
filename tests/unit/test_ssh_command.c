/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "actuators/ssh_command.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/text.h"
#include "tests/runner.h"
#include "tests/unit/dice.h"

#define WORDS_MAX  8
#define LENGTH_MAX 40
#define ROUNDS     200

/* What could mean something to a shell, to a terminal, or to whoever counts bytes. */
static const char *const hostile[] = {
    "",
    " ",
    "'",
    "''",
    "'\\''",
    "it's",
    "\"",
    "\\",
    "\\'",
    "$(touch /tmp/berth-was-here)",
    "`touch /tmp/berth-was-here`",
    "'; touch /tmp/berth-was-here; '",
    "a;b",
    "a&b",
    "a|b",
    "a>b",
    "$HOME",
    "${HOME}",
    "~",
    "~root",
    "*",
    "?",
    "[a-z]*",
    "{a,b}",
    "!",
    "!!",
    "!history",
    "#comment",
    "-n",
    "--",
    "--help",
    "-rf /",
    "FOO=bar",
    "if",
    "two\nlines",
    "\n",
    "trailing newline\n",
    "carriage\rreturn",
    "tab\tand\x01\x1b[31m",
    "\x7f",
    "\xff\xfe latin \xe9",
    "gr\xc3\xbc\xc3\x9f",
    "\xe2\x80\xae",
    "%s%n%x",
};

/* What a line prints, run as sshd's login shell would. */
static struct text output_of(struct arena *arena, const char *line)
{
    struct text output = text_new(arena);
    FILE *shell = popen(line, "re");
    char chunk[256];
    size_t got;

    ck_assert_ptr_nonnull(shell);
    while ((got = fread(chunk, 1, sizeof(chunk), shell)) > 0) {
        text_append_bytes(&output, chunk, got);
    }
    ck_assert_int_eq(pclose(shell), 0);
    return output;
}

/* Compares what printf(1), which 'argv' runs, was given with 'argv' from its third word on. */
static void assert_survives(const char *const *argv)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct text expected = text_new(&arena);
    struct text output;
    const char *line = NULL;
    struct err err = { 0 };

    for (size_t i = 2; argv[i] != NULL; i++) {
        text_append_bytes(&expected, argv[i], strlen(argv[i]) + 1);
    }
    ck_assert_msg(ssh_command_line(&arena, argv, &line, &err) == 0, "%s", err.text);
    output = output_of(&arena, line);
    ck_assert_uint_eq(output.length, expected.length);
    ck_assert_mem_eq(output.data, expected.data, expected.length);
}

START_TEST(every_word_comes_out_of_a_shell_as_it_went_in)
{
    const char *argv[ARRAY_LEN(hostile) + 3] = { "printf", "%s\\0" };

    for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
        argv[i + 2] = hostile[i];
    }
    assert_survives(argv);
}
END_TEST

/* A word of up to LENGTH_MAX bytes, half of them of the kind that shells act on. */
static const char *draw_word(struct arena *arena, struct dice *dice)
{
    static const char likely[] = "'\\\"$`;&|<>()*?!#~-\n\t =";
    size_t length = dice_roll(dice, LENGTH_MAX + 1);
    unsigned char *word = arena_alloc(arena, length + 1, 1);

    for (size_t i = 0; i < length; i++) {
        word[i] = dice_one_in(dice, 2) ? (unsigned char)likely[dice_roll(dice, sizeof(likely) - 1)]
                                       : (unsigned char)(1 + dice_roll(dice, 255));
    }
    return (const char *)word;
}

START_TEST(words_of_any_bytes_come_out_of_a_shell_as_they_went_in)
{
    struct dice dice = { 20261124 };

    for (size_t round = 0; round < ROUNDS; round++) {
        AUTO(arena) struct arena arena = ARENA_INIT;
        const char *argv[WORDS_MAX + 3] = { "printf", "%s\\0" };
        size_t count = 1 + dice_roll(&dice, WORDS_MAX);

        for (size_t i = 0; i < count; i++) {
            argv[i + 2] = draw_word(&arena, &dice);
        }
        assert_survives(argv);
    }
}
END_TEST

START_TEST(a_program_is_never_a_word_of_the_shell)
{
    /* Each would do something, and end with status 0, were it not quoted. */
    static const char *const words[] = { "X=1", "true;", "{", "!", "#", "~", "true\n", "true&" };

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        AUTO(arena) struct arena arena = ARENA_INIT;
        const char *const argv[] = { words[i], NULL };
        const char *line = NULL;
        struct err err = { 0 };
        int status;

        ck_assert_int_eq(ssh_command_line(&arena, argv, &line, &err), 0);
        status = system(text_format(&arena, "{ %s\n} 2>/dev/null", line));
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) > 125, "%s: %d", words[i], status);
    }
}
END_TEST

static const struct {
    const char *const argv[5];
    const char *shown;
} lines[] = {
    { { "ip", "link", "set", "dev", NULL }, "ip link set dev" },
    { { "escli", "rm", "2:72eb", "--a=b,c=/d.e", NULL }, "escli rm 2:72eb --a=b,c=/d.e" },
    { { "sh", "-c", "a && b", "", NULL }, "sh -c 'a && b' ''" },
    { { "echo", "it's", "$HOME", NULL }, "echo 'it'\\''s' '$HOME'" },
    { { "echo", "\x1b[31m\n", NULL }, "echo '?[31m?'" },
    { { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL },
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
    { { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "b", NULL },
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa..." },
    { { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "\u20ac\u20ac\u20ac", NULL },
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa '..." },
};

START_TEST(a_command_is_shown_as_a_person_would_write_it)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    ck_assert_str_eq(ssh_command_show(&arena, lines[_i].argv, 40), lines[_i].shown);
}
END_TEST

START_TEST(no_program_is_refused)
{
    static const char *const none[] = { NULL };
    static const char *const empty[] = { "", "argument", NULL };
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *line = NULL;
    struct err err = { 0 };

    ck_assert_int_eq(ssh_command_line(&arena, none, &line, &err), -1);
    ck_assert_int_eq(err.code, ERR_INVALID);
    ck_assert_int_eq(ssh_command_line(&arena, empty, &line, &err), -1);
    ck_assert_int_eq(err.code, ERR_INVALID);
    ck_assert_ptr_null(line);
}
END_TEST

START_TEST(the_longest_line_runs_and_a_longer_one_is_refused)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    size_t length = SSH_COMMAND_MAX_BYTES - strlen("'true' ''");
    char *word = arena_alloc(&arena, length + 2, 1);
    const char *const argv[] = { "true", word, NULL };
    const char *line = NULL;
    struct err err = { 0 };

    memset(word, 'x', length);
    ck_assert_msg(ssh_command_line(&arena, argv, &line, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(strlen(line), SSH_COMMAND_MAX_BYTES);
    ck_assert_int_eq(system(line), 0);
    word[length] = 'x';
    ck_assert_int_eq(ssh_command_line(&arena, argv, &line, &err), -1);
    ck_assert_int_eq(err.code, ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "'true'"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ssh_command");
    TCase *cases = tcase_create("ssh_command");

    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, every_word_comes_out_of_a_shell_as_it_went_in);
    tcase_add_test(cases, words_of_any_bytes_come_out_of_a_shell_as_they_went_in);
    tcase_add_test(cases, a_program_is_never_a_word_of_the_shell);
    tcase_add_test(cases, no_program_is_refused);
    tcase_add_loop_test(cases, a_command_is_shown_as_a_person_would_write_it, 0,
                        (int)ARRAY_LEN(lines));
    tcase_add_test(cases, the_longest_line_runs_and_a_longer_one_is_refused);
    suite_add_tcase(suite, cases);
    return runner_run(suite);
}
