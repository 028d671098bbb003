/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/file.h"
#include "tests/runner.h"
#include "tests/unit/scratch.h"

static const char *in(struct arena *arena, const struct scratch *scratch, const char *name)
{
    char *path = arena_alloc(arena, PATH_MAX, 1);

    (void)snprintf(path, PATH_MAX, "%s/%s", scratch->path, name);
    return path;
}

static size_t entries(const struct scratch *scratch)
{
    DIR *folder = opendir(scratch->path);
    size_t count = 0;

    ck_assert_ptr_nonnull(folder);
    while (readdir(folder) != NULL) {
        count++;
    }
    (void)closedir(folder);
    return count - 2; /* "." and ".." */
}

static void put(const char *path, const char *bytes, unsigned mode)
{
    struct err err;

    ck_assert_msg(file_replace(path, bytes, strlen(bytes), mode, &err) == 0, "%s", err.text);
}

static void assert_holds(const char *path, const char *bytes)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct err err;
    char *found;
    size_t length;

    ck_assert_msg(file_read(&arena, path, 1024, &found, &length, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(length, strlen(bytes));
    ck_assert_str_eq(found, bytes);
}

START_TEST(what_was_written_is_read_back_with_a_nul_behind_it)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    const char *path = in(&arena, &scratch, "es.xml");

    put(path, "", 0600);
    assert_holds(path, "");
    put(path, "<engineeredSystem/>\n", 0600);
    assert_holds(path, "<engineeredSystem/>\n");
    ck_assert_uint_eq(entries(&scratch), 1);
}
END_TEST

START_TEST(a_file_of_many_chunks_is_read_whole)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    const char *path = in(&arena, &scratch, "large");
    const size_t size = 1000003;
    unsigned char *bytes = arena_alloc(&arena, size, 1);
    struct err err;
    char *found;
    size_t length;

    for (size_t i = 0; i < size; i++) {
        bytes[i] = (unsigned char)(i * 31 % 256); /* NUL bytes among them. */
    }
    ck_assert_int_eq(file_replace(path, bytes, size, 0600, &err), 0);
    ck_assert_int_eq(file_read(&arena, path, size, &found, &length, &err), 0);
    ck_assert_uint_eq(length, size);
    ck_assert_mem_eq(found, bytes, size);
}
END_TEST

START_TEST(a_file_larger_than_allowed_is_refused)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    const char *path = in(&arena, &scratch, "large");
    struct err err;
    char *found = NULL;
    size_t length;

    put(path, "12345678", 0600);
    ck_assert_int_eq(file_read(&arena, path, 7, &found, &length, &err), -1);
    ck_assert_int_eq(err.code, ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, path));
    ck_assert_ptr_null(found);
    ck_assert_int_eq(file_read(&arena, path, 8, &found, &length, &err), 0);
}
END_TEST

START_TEST(an_endless_file_is_refused)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    int zeros = open("/dev/zero", O_RDONLY);
    char path[32];
    struct err err;
    char *found;
    size_t length;

    (void)snprintf(path, sizeof(path), "/dev/fd/%d", zeros);
    ck_assert_int_eq(file_read(&arena, path, 1024 * 1024, &found, &length, &err), -1);
    ck_assert_int_eq(err.code, ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "larger than 1 MiB"));
    (void)close(zeros);
}
END_TEST

START_TEST(what_could_keep_its_reader_waiting_is_refused)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    const char *pipe = in(&arena, &scratch, "pipe");
    const char *const paths[] = { pipe, "/dev/zero" };
    struct err err;
    char *found;
    size_t length;

    ck_assert_int_eq(mkfifo(pipe, 0600), 0);
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        ck_assert_int_eq(file_read(&arena, paths[i], 10, &found, &length, &err), -1);
        ck_assert_int_eq(err.code, ERR_INVALID);
        ck_assert_ptr_nonnull(strstr(err.text, "no plain file"));
    }
}
END_TEST

START_TEST(a_file_that_is_not_there_is_not_found)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    struct err err;
    char *found;
    size_t length;

    ck_assert_int_eq(file_read(&arena, in(&arena, &scratch, "absent"), 10, &found, &length, &err),
                     -1);
    ck_assert_int_eq(err.code, ERR_NOT_FOUND);
    ck_assert_int_eq(file_read(&arena, in(&arena, &scratch, "a/b"), 10, &found, &length, &err), -1);
    ck_assert_int_eq(err.code, ERR_NOT_FOUND);
}
END_TEST

START_TEST(a_folder_cannot_be_read_as_a_file)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    struct err err;
    char *found;
    size_t length;

    ck_assert_int_eq(file_read(&arena, scratch.path, 10, &found, &length, &err), -1);
    ck_assert_int_eq(err.code, ERR_IO);
}
END_TEST

START_TEST(a_pipe_is_read_to_its_end)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct err err;
    char path[32];
    char *found;
    size_t length;
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], "piped", 5), 5);
    (void)close(ends[1]);
    (void)snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
    ck_assert_int_eq(file_read(&arena, path, 10, &found, &length, &err), 0);
    ck_assert_str_eq(found, "piped");
    (void)close(ends[0]);
}
END_TEST

START_TEST(a_replaced_file_keeps_its_mode_and_a_new_one_gets_the_given)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    const char *path = in(&arena, &scratch, "es.xml");
    struct stat status;

    put(path, "new", 0640);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 07777, 0640);
    ck_assert_int_eq(chmod(path, 0604), 0);
    put(path, "newer", 0600);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 07777, 0604);
}
END_TEST

START_TEST(a_replaced_file_keeps_its_owner)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    const char *path = in(&arena, &scratch, "es.xml");
    uid_t owner = geteuid() == 0 ? 12345 : geteuid(); /* Only root can give files away. */
    gid_t group = geteuid() == 0 ? 23456 : getegid();
    struct stat status;

    put(path, "old", 0600);
    ck_assert_int_eq(chown(path, owner, group), 0);
    put(path, "new", 0600);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_uid, owner);
    ck_assert_uint_eq(status.st_gid, group);
}
END_TEST

START_TEST(a_reader_that_has_the_old_file_open_keeps_the_old_bytes)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    const char *path = in(&arena, &scratch, "es.xml");
    char bytes[4] = "";
    int fd;

    put(path, "old", 0600);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    put(path, "new", 0600);
    ck_assert_int_eq(read(fd, bytes, 3), 3);
    ck_assert_str_eq(bytes, "old");
    (void)close(fd);
    assert_holds(path, "new");
}
END_TEST

START_TEST(a_replacement_that_fails_leaves_the_folder_as_it_was)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    const char *path = in(&arena, &scratch, "folder");
    struct err err;

    ck_assert_int_eq(mkdir(path, 0700), 0); /* A rename onto a folder fails. */
    ck_assert_int_eq(file_replace(path, "new", 3, 0600, &err), -1);
    ck_assert_int_eq(err.code, ERR_IO);
    ck_assert_ptr_nonnull(strstr(err.text, path));
    ck_assert_uint_eq(entries(&scratch), 1);
    ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

START_TEST(a_file_cannot_be_written_into_a_folder_that_is_not_there)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    struct err err;

    ck_assert_int_eq(file_replace(in(&arena, &scratch, "no/file"), "x", 1, 0600, &err), -1);
    ck_assert_int_eq(err.os_errno, ENOENT);
}
END_TEST

START_TEST(a_path_that_is_too_long_is_refused)
{
    char path[2 * PATH_MAX];
    struct err err;

    memset(path, 'x', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    ck_assert_int_eq(file_replace(path, "x", 1, 0600, &err), -1);
    ck_assert_int_eq(err.code, ERR_INVALID);
    ck_assert_int_eq(file_make_folder(path, 0700, &err), -1);
    ck_assert_int_eq(err.code, ERR_INVALID);
}
END_TEST

START_TEST(a_folder_is_made_with_its_parents_and_may_exist)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    const char *path = in(&arena, &scratch, "a/b/c");
    struct stat status;
    struct err err;

    ck_assert_int_eq(file_make_folder(path, 0700, &err), 0);
    ck_assert_int_eq(file_make_folder(path, 0700, &err), 0);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert(S_ISDIR(status.st_mode));
    ck_assert_uint_eq(status.st_mode & 07777, 0700);
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert_int_eq(rmdir(in(&arena, &scratch, "a/b")), 0);
    ck_assert_int_eq(rmdir(in(&arena, &scratch, "a")), 0);
}
END_TEST

START_TEST(a_folder_cannot_be_made_below_a_file)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    struct err err;

    put(in(&arena, &scratch, "file"), "x", 0600);
    ck_assert_int_eq(file_make_folder(in(&arena, &scratch, "file/sub"), 0700, &err), -1);
    ck_assert_int_eq(err.code, ERR_IO);
    ck_assert_int_eq(file_make_folder(in(&arena, &scratch, "file"), 0700, &err), -1);
    ck_assert_int_eq(err.code, ERR_INVALID);
}
END_TEST

static struct file_bytes bytes_of(const char *s)
{
    return (struct file_bytes){ s, strlen(s) };
}

static enum err_code change(const char *path, const char *old, const char *new)
{
    struct err err = { .code = ERR_NONE };

    if (file_replace_unchanged(path, bytes_of(old), bytes_of(new), &err) != 0) {
        ck_assert_ptr_nonnull(strstr(err.text, path));
    }
    return err.code;
}

START_TEST(an_unchanged_file_is_replaced_with_all_that_is_noted_on_it)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    const char *path = in(&arena, &scratch, "es.xml");
    /* Version 2; user::rw-, user:12345:r--, group::---, mask::r--, other::---. */
    static const unsigned char acl[] = { 2,    0,    0,    0, 1,    0,    6,    0,    0xff,
                                         0xff, 0xff, 0xff, 2, 0,    4,    0,    0x39, 0x30,
                                         0,    0,    4,    0, 0,    0,    0xff, 0xff, 0xff,
                                         0xff, 0x10, 0,    4, 0,    0xff, 0xff, 0xff, 0xff,
                                         0x20, 0,    0,    0, 0xff, 0xff, 0xff, 0xff };
    uid_t owner = geteuid() == 0 ? 12345 : geteuid();
    char value[64] = "";
    struct stat status;
    bool has_acl;
    bool has_user;

    put(path, "old", 0640);
    has_acl = setxattr(path, "system.posix_acl_access", acl, sizeof(acl), 0) == 0;
    has_user = setxattr(path, "user.note", "mine", 4, 0) == 0;
    ck_assert_int_eq(chown(path, owner, getegid()), 0);
    ck_assert_int_eq(change(path, "old", "new, and longer"), ERR_NONE);
    assert_holds(path, "new, and longer");
    ck_assert_uint_eq(entries(&scratch), 1);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 07777, 0640);
    ck_assert_uint_eq(status.st_uid, owner);
    if (has_user) { /* Not every file system has them. */
        ck_assert_int_eq(getxattr(path, "user.note", value, sizeof(value)), 4);
        ck_assert_str_eq(value, "mine");
    }
    if (has_acl) {
        ck_assert_int_eq(getxattr(path, "system.posix_acl_access", value, sizeof(value)),
                         sizeof(acl));
        ck_assert_mem_eq(value, acl, sizeof(acl));
    }
}
END_TEST

START_TEST(a_file_that_changed_meanwhile_is_left_as_it_is)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    const char *path = in(&arena, &scratch, "es.xml");
    static const char *const found[] = { "", "ol", "OLD", "older" };

    for (size_t i = 0; i < ARRAY_LEN(found); i++) {
        put(path, found[i], 0600);
        ck_assert_int_eq(change(path, "old", "new"), ERR_CONFLICT);
        assert_holds(path, found[i]);
    }
    ck_assert_uint_eq(entries(&scratch), 1);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(change(path, "old", "new"), ERR_NOT_FOUND);
    ck_assert_uint_eq(entries(&scratch), 0);
}
END_TEST

START_TEST(a_link_stays_a_link_and_its_file_is_replaced)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    AUTO(scratch) struct scratch elsewhere = scratch_new();
    const char *path = in(&arena, &scratch, "es.xml");
    const char *file = in(&arena, &elsewhere, "file");
    struct stat status;

    put(file, "old", 0600);
    ck_assert_int_eq(symlink(file, path), 0);
    ck_assert_int_eq(change(path, "old", "new"), ERR_NONE);
    ck_assert_int_eq(lstat(path, &status), 0);
    ck_assert(S_ISLNK(status.st_mode));
    assert_holds(file, "new");
    ck_assert_uint_eq(entries(&scratch), 1);
    ck_assert_uint_eq(entries(&elsewhere), 1);
}
END_TEST

START_TEST(what_is_no_plain_file_is_not_replaced)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    const char *path = in(&arena, &scratch, "folder");
    const char *pipe = in(&arena, &scratch, "pipe");

    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(change(path, "", "new"), ERR_INVALID);
    ck_assert_int_eq(mkfifo(pipe, 0600), 0);
    ck_assert_int_eq(change(pipe, "", "new"), ERR_INVALID);
    ck_assert_uint_eq(entries(&scratch), 2);
    ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

START_TEST(only_one_process_at_a_time_replaces_in_a_folder)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    const char *path = in(&arena, &scratch, "es.xml");
    int folder = open(scratch.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    put(path, "old", 0600);
    ck_assert_int_eq(flock(folder, LOCK_EX), 0);
    ck_assert_int_eq(change(path, "old", "new"), ERR_BUSY);
    assert_holds(path, "old");
    (void)close(folder);
    ck_assert_int_eq(change(path, "old", "new"), ERR_NONE);
}
END_TEST

/* Adds one to the number in 'path', 'times' times, each time trying until nobody was quicker. */
static void count_up(const char *path, unsigned times)
{
    while (times > 0) {
        AUTO(arena) struct arena arena = ARENA_INIT;
        char next[16];
        char *found;
        size_t length;
        struct err err;

        ck_assert_int_eq(file_read(&arena, path, sizeof(next), &found, &length, &err), 0);
        (void)snprintf(next, sizeof(next), "%d", atoi(found) + 1);
        if (file_replace_unchanged(path, bytes_of(found), bytes_of(next), &err) == 0) {
            times--;
        } else {
            ck_assert(err.code == ERR_CONFLICT || err.code == ERR_BUSY);
        }
    }
}

START_TEST(no_change_of_several_processes_is_lost)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    const char *path = in(&arena, &scratch, "number");
    int status;

    put(path, "0", 0600);
    for (unsigned i = 0; i < 3; i++) {
        pid_t pid = fork();

        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            count_up(path, 20);
            _exit(0);
        }
    }
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_gt(wait(&status), 0);
        ck_assert_int_eq(status, 0);
    }
    assert_holds(path, "60");
    ck_assert_uint_eq(entries(&scratch), 1);
}
END_TEST

START_TEST(a_secret_that_others_may_read_or_that_is_no_file_is_not_opened)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    const char *path = in(&arena, &scratch, "secret");
    struct err err;

    ck_assert_int_eq(file_open_private(path, &err), -1);
    ck_assert_int_eq(err.code, ERR_NOT_FOUND);
    put(path, "hush", 0640);
    ck_assert_int_eq(file_open_private(path, &err), -1);
    ck_assert_int_eq(err.code, ERR_DENIED);
    ck_assert_ptr_nonnull(strstr(err.text, "others may read or write it"));
    ck_assert_int_eq(chmod(path, 0602), 0);
    ck_assert_int_eq(file_open_private(path, &err), -1);
    ck_assert_int_eq(err.code, ERR_DENIED);
    ck_assert_int_eq(file_open_private(scratch.path, &err), -1);
    ck_assert_int_eq(err.code, ERR_INVALID);
}
END_TEST

START_TEST(a_secret_of_this_user_alone_is_opened)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    const char *path = in(&arena, &scratch, "secret");
    struct err err;
    char bytes[8];
    int fd;

    put(path, "hush", 0600);
    fd = file_open_private(path, &err);
    ck_assert_msg(fd >= 0, "%s", err.text);
    ck_assert_int_eq(read(fd, bytes, sizeof(bytes)), 4);
    ck_assert_int_eq(close(fd), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("file");
    TCase *tcase = tcase_create("file");

    tcase_add_test(tcase, what_was_written_is_read_back_with_a_nul_behind_it);
    tcase_add_test(tcase, a_file_of_many_chunks_is_read_whole);
    tcase_add_test(tcase, a_file_larger_than_allowed_is_refused);
    tcase_add_test(tcase, an_endless_file_is_refused);
    tcase_add_test(tcase, what_could_keep_its_reader_waiting_is_refused);
    tcase_add_test(tcase, a_file_that_is_not_there_is_not_found);
    tcase_add_test(tcase, a_folder_cannot_be_read_as_a_file);
    tcase_add_test(tcase, a_pipe_is_read_to_its_end);
    tcase_add_test(tcase, a_secret_that_others_may_read_or_that_is_no_file_is_not_opened);
    tcase_add_test(tcase, a_secret_of_this_user_alone_is_opened);
    tcase_add_test(tcase, a_replaced_file_keeps_its_mode_and_a_new_one_gets_the_given);
    tcase_add_test(tcase, a_replaced_file_keeps_its_owner);
    tcase_add_test(tcase, a_reader_that_has_the_old_file_open_keeps_the_old_bytes);
    tcase_add_test(tcase, a_replacement_that_fails_leaves_the_folder_as_it_was);
    tcase_add_test(tcase, a_file_cannot_be_written_into_a_folder_that_is_not_there);
    tcase_add_test(tcase, a_path_that_is_too_long_is_refused);
    tcase_add_test(tcase, a_folder_is_made_with_its_parents_and_may_exist);
    tcase_add_test(tcase, a_folder_cannot_be_made_below_a_file);
    tcase_add_test(tcase, an_unchanged_file_is_replaced_with_all_that_is_noted_on_it);
    tcase_add_test(tcase, a_file_that_changed_meanwhile_is_left_as_it_is);
    tcase_add_test(tcase, a_link_stays_a_link_and_its_file_is_replaced);
    tcase_add_test(tcase, what_is_no_plain_file_is_not_replaced);
    tcase_add_test(tcase, only_one_process_at_a_time_replaces_in_a_folder);
    tcase_add_test(tcase, no_change_of_several_processes_is_lost);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
