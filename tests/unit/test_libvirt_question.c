/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "actuators/libvirt_question.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/file.h"
#include "base/text.h"
#include "tests/runner.h"
#include "tests/unit/scratch.h"

#define MAX_OUTPUT ((size_t)1024 * 1024)

static const char *make_file(struct arena *arena, const struct scratch *scratch, const char *name)
{
    const char *path = text_format(arena, "%s/%s", scratch->path, name);
    struct err err;

    ck_assert_msg(file_replace(path, "x", 1, 0600, &err) == 0, "%s", err.text);
    return path;
}

/* Runs the script here, in the shell that a host would use, and reads the answers. */
static void ask(struct arena *arena, const struct scratch *scratch, struct libvirt_question *items,
                size_t count)
{
    const char *path = text_format(arena, "%s/script", scratch->path);
    const char *command = text_format(arena, "sh -s < %s", path);
    const char *script;
    char *output;
    size_t length;
    struct err err;
    FILE *shell;

    ck_assert_msg(libvirt_question_script(arena, items, count, &script, &err) == 0, "%s", err.text);
    ck_assert_int_eq(file_replace(path, script, strlen(script), 0600, &err), 0);
    shell = popen(command, "r");
    ck_assert_ptr_nonnull(shell);
    output = arena_alloc(arena, MAX_OUTPUT + 1, 1);
    length = fread(output, 1, MAX_OUTPUT, shell);
    ck_assert_uint_lt(length, MAX_OUTPUT);
    ck_assert_int_eq(pclose(shell), 0);
    ck_assert_msg(libvirt_question_read(arena, output, "here", items, count, &err) == 0, "%s: %s",
                  err.text, output);
}

static struct libvirt_question identity(const char *path)
{
    return (struct libvirt_question){ .kind = LIBVIRT_QUESTION_IDENTITY, .name = path };
}

START_TEST(one_file_by_two_names_is_the_same_storage)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    const char *file = make_file(&arena, &scratch, "disk");
    const char *alias = text_format(&arena, "%s/alias", scratch.path);
    const char *other = make_file(&arena, &scratch, "other");
    struct libvirt_question items[] = { identity(file), identity(alias), identity(other) };

    ck_assert_int_eq(symlink(file, alias), 0);
    ask(&arena, &scratch, items, ARRAY_LEN(items));
    for (size_t i = 0; i < ARRAY_LEN(items); i++) {
        ck_assert_int_eq(items[i].answer, LIBVIRT_QUESTION_KNOWN);
    }
    ck_assert_str_eq(items[0].text, items[1].text);
    ck_assert_str_ne(items[0].text, items[2].text);
}
END_TEST

START_TEST(what_does_not_exist_is_missing)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    struct libvirt_question items[] = {
        identity("/nonexistent/disk"),
        { .kind = LIBVIRT_QUESTION_EXISTS, .name = "/nonexistent/kernel" },
        { .kind = LIBVIRT_QUESTION_BRIDGE, .name = "berth-none0" },
        { .kind = LIBVIRT_QUESTION_BRIDGE, .name = "lo" }, /* An interface, but no bridge. */
        { .kind = LIBVIRT_QUESTION_EXISTS, .name = scratch.path },
    };

    ask(&arena, &scratch, items, ARRAY_LEN(items));
    for (size_t i = 0; i < 4; i++) {
        ck_assert_msg(items[i].answer == LIBVIRT_QUESTION_MISSING, "%s", items[i].name);
    }
    ck_assert_int_eq(items[4].answer, LIBVIRT_QUESTION_PRESENT);
}
END_TEST

START_TEST(a_character_device_has_no_identity)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    struct libvirt_question item = identity("/dev/null");

    ask(&arena, &scratch, &item, 1);
    ck_assert_int_eq(item.answer, LIBVIRT_QUESTION_PRESENT);
}
END_TEST

START_TEST(hostile_names_are_only_names)
{
    static const char *const names[] = {
        "a b",
        "it's",
        "$(touch pwned)",
        "`touch pwned`",
        "x;touch pwned;",
        "\"q\"",
        "back\\slash",
        "*",
        "-rf",
        "a'$(touch pwned)'b",
        "$HOME",
        "&&touch pwned",
    };
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    struct libvirt_question items[ARRAY_LEN(names)];

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        items[i] = identity(make_file(&arena, &scratch, names[i]));
    }
    ck_assert_int_eq(chdir(scratch.path), 0);
    ask(&arena, &scratch, items, ARRAY_LEN(items));
    ck_assert_int_eq(access("pwned", F_OK), -1);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        ck_assert_msg(items[i].answer == LIBVIRT_QUESTION_KNOWN, "%s", names[i]);
        for (size_t j = 0; j < i; j++) {
            ck_assert_str_ne(items[i].text, items[j].text);
        }
    }
    ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

/* What listens on a port of this machine, or did a moment ago. */
static int listen_somewhere(unsigned *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (const void *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    ck_assert_int_eq(getsockname(fd, (void *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

START_TEST(a_connection_is_open_refused_or_says_why_not)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    unsigned open = 0;
    unsigned closed = 0;
    int listening = listen_somewhere(&open);
    struct libvirt_question items[3] = {
        { .kind = LIBVIRT_QUESTION_CONNECT },
        { .kind = LIBVIRT_QUESTION_CONNECT },
        { .kind = LIBVIRT_QUESTION_CONNECT, .name = "berth.invalid:1" },
    };

    ck_assert_int_eq(close(listen_somewhere(&closed)), 0);
    items[0].name = text_format(&arena, "127.0.0.1:%u", open);
    items[1].name = text_format(&arena, "127.0.0.1:%u", closed);
    ask(&arena, &scratch, items, ARRAY_LEN(items));
    ck_assert_str_eq(items[0].text, LIBVIRT_QUESTION_OPEN);
    ck_assert_str_eq(items[1].text, LIBVIRT_QUESTION_REFUSED);
    ck_assert_int_eq(items[2].answer, LIBVIRT_QUESTION_KNOWN);
    ck_assert_str_ne(items[2].text, LIBVIRT_QUESTION_OPEN);
    ck_assert_str_ne(items[2].text, LIBVIRT_QUESTION_REFUSED);
    ck_assert_int_eq(close(listening), 0);
}
END_TEST

START_TEST(the_clock_is_told_in_milliseconds)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    struct libvirt_question item = { .kind = LIBVIRT_QUESTION_CLOCK };
    uint64_t before = (uint64_t)time(NULL) * 1000;
    uint64_t told = 0;

    ask(&arena, &scratch, &item, 1);
    ck_assert_int_eq(item.answer, LIBVIRT_QUESTION_KNOWN);
    ck_assert(text_to_u64(item.text, UINT64_MAX, &told));
    ck_assert_uint_ge(told, before);
    ck_assert_uint_le(told, (uint64_t)time(NULL) * 1000 + 1000);
}
END_TEST

/* The script with another file in place of libvirt's, as no test may write that. */
static struct libvirt_question setting_in(struct arena *arena, const struct scratch *scratch,
                                          const char *bytes)
{
    struct libvirt_question item = { .kind = LIBVIRT_QUESTION_SETTING, .name = "lock_manager" };
    const char *file = text_format(arena, "%s/qemu.conf", scratch->path);
    const char *folder = "cd /etc/libvirt ";
    const char *script;
    const char *at;
    char *output = arena_alloc(arena, 4096, 1);
    struct err err;
    FILE *shell;

    ck_assert_int_eq(file_replace(file, bytes, strlen(bytes), 0600, &err), 0);
    ck_assert_int_eq(libvirt_question_script(arena, &item, 1, &script, &err), 0);
    at = strstr(script, folder);
    ck_assert_ptr_nonnull(at);
    script = text_format(arena, "%.*scd '%s' %s", (int)(at - script), script, scratch->path,
                         at + strlen(folder));
    ck_assert_int_eq(file_replace(text_format(arena, "%s/script", scratch->path), script,
                                  strlen(script), 0600, &err),
                     0);
    shell = popen(text_format(arena, "sh -s < %s/script", scratch->path), "r");
    ck_assert_ptr_nonnull(shell);
    ck_assert_uint_gt(fread(output, 1, 4095, shell), 0);
    ck_assert_int_eq(pclose(shell), 0);
    ck_assert_msg(libvirt_question_read(arena, output, "here", &item, 1, &err) == 0, "%s: %s",
                  err.text, output);
    return item;
}

START_TEST(a_setting_is_read_as_libvirt_reads_it)
{
    static const struct {
        const char *file;
        const char *value; /* NULL = not set. */
    } cases[] = {
        { "lock_manager = \"sanlock\"\n", "sanlock" },
        { "  lock_manager=\"lockd\"   # why\n", "lockd" },
        { "lock_manager = \"a\"\nlock_manager = \"b\"\n", "b" },
        { "lock_manager = plain\n", "plain" },
        { "lock_manager = \"*\"\n", "*" },
        { "#lock_manager = \"lockd\"\n", NULL },
        { "block_manager = \"x\"\nlock_managers = \"x\"\n", NULL },
        { "lock_manager = \"\"\n", NULL },
        { "", NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(arena) struct arena arena = ARENA_INIT;
        AUTO(scratch) struct scratch scratch = scratch_new();
        struct libvirt_question item = setting_in(&arena, &scratch, cases[i].file);

        ck_assert_int_eq(item.answer, cases[i].value == NULL ? LIBVIRT_QUESTION_PRESENT
                                                             : LIBVIRT_QUESTION_KNOWN);
        ck_assert_msg(text_equal(item.text, cases[i].value), "%s: %s", cases[i].file, item.text);
    }
}
END_TEST

START_TEST(names_that_are_no_plain_paths_are_not_asked_about)
{
    static const struct libvirt_question bad[] = {
        { .kind = LIBVIRT_QUESTION_IDENTITY, .name = "/dev/a\nb" },
        { .kind = LIBVIRT_QUESTION_IDENTITY, .name = "relative" },
        { .kind = LIBVIRT_QUESTION_EXISTS, .name = "" },
        { .kind = LIBVIRT_QUESTION_BRIDGE, .name = "../../etc" },
        { .kind = LIBVIRT_QUESTION_BRIDGE, .name = "-x" },
        { .kind = LIBVIRT_QUESTION_SETTING, .name = "x/p;w /etc/passwd" },
        { .kind = LIBVIRT_QUESTION_CONNECT, .name = "kvm1" },
        { .kind = LIBVIRT_QUESTION_CONNECT, .name = "$(id):1" },
        { .kind = LIBVIRT_QUESTION_CONNECT, .name = "../x:1" },
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO(arena) struct arena arena = ARENA_INIT;
        const char *script;
        struct err err = { 0 };

        ck_assert_msg(libvirt_question_script(&arena, &bad[i], 1, &script, &err) < 0, "%s",
                      bad[i].name);
        ck_assert_int_eq(err.code, ERR_INVALID);
    }
}
END_TEST

static int read_output(struct arena *arena, const char *output, struct libvirt_question *items,
                       size_t count)
{
    struct err err;

    return libvirt_question_read(arena, output, "kvm1", items, count, &err);
}

START_TEST(answers_are_read_in_order_and_other_lines_are_ignored)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct libvirt_question items[] = { identity("/a"), identity("/b"), identity("/c") };

    ck_assert_int_eq(read_output(&arena,
                                 "Welcome!\nberth-answer known wwid:naa.6 1\n"
                                 "berth-answer missing\nberth-answer present\n",
                                 items, 3),
                     0);
    ck_assert_int_eq(items[0].answer, LIBVIRT_QUESTION_KNOWN);
    ck_assert_str_eq(items[0].text, "wwid:naa.6 1");
    ck_assert_int_eq(items[1].answer, LIBVIRT_QUESTION_MISSING);
    ck_assert_int_eq(items[2].answer, LIBVIRT_QUESTION_PRESENT);
}
END_TEST

START_TEST(answers_that_do_not_fit_the_questions_are_refused)
{
    static const char *const bad[] = {
        "",
        "berth-answer missing\nberth-answer missing\n",
        "berth-answer maybe\n",
        "berth-answer known \n",
        "berth-answer known a\tb\n",
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO(arena) struct arena arena = ARENA_INIT;
        struct libvirt_question item = identity("/a");

        ck_assert_msg(read_output(&arena, bad[i], &item, 1) < 0, "%s", bad[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("libvirt_question");
    TCase *script = tcase_create("script");
    TCase *answers = tcase_create("answers");

    tcase_add_test(script, one_file_by_two_names_is_the_same_storage);
    tcase_add_test(script, what_does_not_exist_is_missing);
    tcase_add_test(script, a_character_device_has_no_identity);
    tcase_add_test(script, hostile_names_are_only_names);
    tcase_add_test(script, a_connection_is_open_refused_or_says_why_not);
    tcase_add_test(script, the_clock_is_told_in_milliseconds);
    tcase_add_test(script, a_setting_is_read_as_libvirt_reads_it);
    tcase_add_test(script, names_that_are_no_plain_paths_are_not_asked_about);
    tcase_add_test(answers, answers_are_read_in_order_and_other_lines_are_ignored);
    tcase_add_test(answers, answers_that_do_not_fit_the_questions_are_refused);
    suite_add_tcase(suite, script);
    suite_add_tcase(suite, answers);
    return runner_run(suite);
}
