/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actuators/libvirt_disk.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/file.h"
#include "base/text.h"
#include "tests/runner.h"

#define MAX_OUTPUT ((size_t)1024 * 1024)

/* A folder of its own for each test, removed with all that is in it. */
struct scratch {
    char path[64];
};

static void scratch_deinit(struct scratch *scratch)
{
    DIR *folder = opendir(scratch->path);
    const struct dirent *entry;

    ck_assert_ptr_nonnull(folder);
    while ((entry = readdir(folder)) != NULL) {
        (void)unlinkat(dirfd(folder), entry->d_name, 0);
    }
    (void)closedir(folder);
    (void)rmdir(scratch->path);
}

AUTO_VALUE(scratch, struct scratch, scratch_deinit);

static struct scratch scratch_new(void)
{
    struct scratch scratch = { .path = "/tmp/berth-disk-XXXXXX" };

    ck_assert_ptr_nonnull(mkdtemp(scratch.path));
    return scratch;
}

static const char *make_file(struct arena *arena, const struct scratch *scratch, const char *name)
{
    const char *path = text_format(arena, "%s/%s", scratch->path, name);
    struct err err;

    ck_assert_msg(file_replace(path, "x", 1, 0600, &err) == 0, "%s", err.text);
    return path;
}

/* Runs the script here, in the shell that a host would use, and reads the answers. */
static void ask(struct arena *arena, const struct scratch *scratch, struct libvirt_disk_item *items,
                size_t count)
{
    const char *path = text_format(arena, "%s/script", scratch->path);
    const char *command = text_format(arena, "sh -s < %s", path);
    const char *script;
    char *output;
    size_t length;
    struct err err;
    FILE *shell;

    ck_assert_msg(libvirt_disk_script(arena, items, count, &script, &err) == 0, "%s", err.text);
    ck_assert_int_eq(file_replace(path, script, strlen(script), 0600, &err), 0);
    shell = popen(command, "r");
    ck_assert_ptr_nonnull(shell);
    output = arena_alloc(arena, MAX_OUTPUT + 1, 1);
    length = fread(output, 1, MAX_OUTPUT, shell);
    ck_assert_uint_lt(length, MAX_OUTPUT);
    ck_assert_int_eq(pclose(shell), 0);
    ck_assert_msg(libvirt_disk_read(arena, output, "here", items, count, &err) == 0, "%s: %s",
                  err.text, output);
}

static struct libvirt_disk_item identity(const char *path)
{
    return (struct libvirt_disk_item){ .question = LIBVIRT_DISK_IDENTITY, .name = path };
}

START_TEST(one_file_by_two_names_is_the_same_storage)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    const char *file = make_file(&arena, &scratch, "disk");
    const char *alias = text_format(&arena, "%s/alias", scratch.path);
    const char *other = make_file(&arena, &scratch, "other");
    struct libvirt_disk_item items[] = { identity(file), identity(alias), identity(other) };

    ck_assert_int_eq(symlink(file, alias), 0);
    ask(&arena, &scratch, items, ARRAY_LEN(items));
    for (size_t i = 0; i < ARRAY_LEN(items); i++) {
        ck_assert_int_eq(items[i].answer, LIBVIRT_DISK_KNOWN);
    }
    ck_assert_str_eq(items[0].identity, items[1].identity);
    ck_assert_str_ne(items[0].identity, items[2].identity);
}
END_TEST

START_TEST(what_does_not_exist_is_missing)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    struct libvirt_disk_item items[] = {
        identity("/nonexistent/disk"),
        { .question = LIBVIRT_DISK_EXISTS, .name = "/nonexistent/kernel" },
        { .question = LIBVIRT_DISK_BRIDGE, .name = "berth-none0" },
        { .question = LIBVIRT_DISK_BRIDGE, .name = "lo" }, /* An interface, but no bridge. */
        { .question = LIBVIRT_DISK_EXISTS, .name = scratch.path },
    };

    ask(&arena, &scratch, items, ARRAY_LEN(items));
    for (size_t i = 0; i < 4; i++) {
        ck_assert_msg(items[i].answer == LIBVIRT_DISK_MISSING, "%s", items[i].name);
    }
    ck_assert_int_eq(items[4].answer, LIBVIRT_DISK_PRESENT);
}
END_TEST

START_TEST(a_character_device_has_no_identity)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    struct libvirt_disk_item item = identity("/dev/null");

    ask(&arena, &scratch, &item, 1);
    ck_assert_int_eq(item.answer, LIBVIRT_DISK_PRESENT);
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
    struct libvirt_disk_item items[ARRAY_LEN(names)];

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        items[i] = identity(make_file(&arena, &scratch, names[i]));
    }
    ck_assert_int_eq(chdir(scratch.path), 0);
    ask(&arena, &scratch, items, ARRAY_LEN(items));
    ck_assert_int_eq(access("pwned", F_OK), -1);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        ck_assert_msg(items[i].answer == LIBVIRT_DISK_KNOWN, "%s", names[i]);
        for (size_t j = 0; j < i; j++) {
            ck_assert_str_ne(items[i].identity, items[j].identity);
        }
    }
    ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(names_that_are_no_plain_paths_are_not_asked_about)
{
    static const struct libvirt_disk_item bad[] = {
        { .question = LIBVIRT_DISK_IDENTITY, .name = "/dev/a\nb" },
        { .question = LIBVIRT_DISK_IDENTITY, .name = "relative" },
        { .question = LIBVIRT_DISK_EXISTS, .name = "" },
        { .question = LIBVIRT_DISK_BRIDGE, .name = "../../etc" },
        { .question = LIBVIRT_DISK_BRIDGE, .name = "-x" },
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO(arena) struct arena arena = ARENA_INIT;
        const char *script;
        struct err err = { 0 };

        ck_assert_msg(libvirt_disk_script(&arena, &bad[i], 1, &script, &err) < 0, "%s",
                      bad[i].name);
        ck_assert_int_eq(err.code, ERR_INVALID);
    }
}
END_TEST

static int read_output(struct arena *arena, const char *output, struct libvirt_disk_item *items,
                       size_t count)
{
    struct err err;

    return libvirt_disk_read(arena, output, "kvm1", items, count, &err);
}

START_TEST(answers_are_read_in_order_and_other_lines_are_ignored)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct libvirt_disk_item items[] = { identity("/a"), identity("/b"), identity("/c") };

    ck_assert_int_eq(read_output(&arena,
                                 "Welcome!\nberth-answer known wwid:naa.6 1\n"
                                 "berth-answer missing\nberth-answer present\n",
                                 items, 3),
                     0);
    ck_assert_int_eq(items[0].answer, LIBVIRT_DISK_KNOWN);
    ck_assert_str_eq(items[0].identity, "wwid:naa.6 1");
    ck_assert_int_eq(items[1].answer, LIBVIRT_DISK_MISSING);
    ck_assert_int_eq(items[2].answer, LIBVIRT_DISK_PRESENT);
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
        struct libvirt_disk_item item = identity("/a");

        ck_assert_msg(read_output(&arena, bad[i], &item, 1) < 0, "%s", bad[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("libvirt_disk");
    TCase *script = tcase_create("script");
    TCase *answers = tcase_create("answers");

    tcase_add_test(script, one_file_by_two_names_is_the_same_storage);
    tcase_add_test(script, what_does_not_exist_is_missing);
    tcase_add_test(script, a_character_device_has_no_identity);
    tcase_add_test(script, hostile_names_are_only_names);
    tcase_add_test(script, names_that_are_no_plain_paths_are_not_asked_about);
    tcase_add_test(answers, answers_are_read_in_order_and_other_lines_are_ignored);
    tcase_add_test(answers, answers_that_do_not_fit_the_questions_are_refused);
    suite_add_tcase(suite, script);
    suite_add_tcase(suite, answers);
    return runner_run(suite);
}
