/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/file.h"
#include "base/loop.h"
#include "base/loop_manual.h"
#include "base/loop_uv.h"
#include "base/text.h"
#include "reconciler/watch.h"
#include "tests/runner.h"

#define MANY_SAVES 10000

/* Environment variable that tells the tests' processes the folder of this program: one that fails leaves
 * nothing behind. */
#define FOLDER "BERTH_WATCH_FOLDER"

/* Somebody who reads the file at each notice, and ends the loop when it holds what is awaited. */
struct reader {
    struct arena arena;
    struct loop *loop;
    struct watch *watch;
    char folder[96];  /* Of the test. */
    const char *path; /* Of the file. */
    const char *awaited;
    size_t notices;
    size_t troubles;
    char trouble[ERR_TEXT_SIZE];
};

static const char *in(struct reader *reader, const char *name)
{
    return text_format(&reader->arena, "%s/%s", reader->folder, name);
}

static bool holds(const struct reader *reader, const char *text)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct err err;
    char *bytes;
    size_t length;

    return file_read(&arena, reader->path, 1 << 20, &bytes, &length, &err) == 0 &&
           strcmp(bytes, text) == 0;
}

static void on_changed(void *context)
{
    struct reader *reader = context;

    reader->notices++;
    if (reader->awaited != NULL && holds(reader, reader->awaited)) {
        reader->awaited = NULL;
        loop_stop(reader->loop);
    }
}

static void on_degraded(void *context, const struct err *err)
{
    struct reader *reader = context;

    reader->troubles++;
    (void)snprintf(reader->trouble, sizeof(reader->trouble), "%s", err->text);
}

static void start(struct reader *reader)
{
    const struct watch_listener listener = { reader, on_changed, on_degraded };

    reader->watch = watch_new(reader->loop, reader->path, &listener);
}

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    ck_assert_int_eq(close(fd), 0);
}

static void put_in(struct reader *reader, const char *name, const char *text)
{
    put(in(reader, name), text);
}

static void move(struct reader *reader, const char *from, const char *to)
{
    ck_assert_int_eq(rename(in(reader, from), in(reader, to)), 0);
}

static void link_to(struct reader *reader, const char *target, const char *name)
{
    ck_assert_int_eq(symlink(target, in(reader, name)), 0);
}

static void make(struct reader *reader, const char *name)
{
    ck_assert_int_eq(mkdir(in(reader, name), 0755), 0);
}

/* A folder with 'old' in etc/es.xml, seen by a loop of the given kind; nothing is watched yet. */
static void init(struct reader *reader, struct loop *loop)
{
    *reader = (struct reader){ .loop = loop };
    (void)snprintf(reader->folder, sizeof(reader->folder), "%s/XXXXXX", getenv(FOLDER));
    ck_assert_ptr_nonnull(mkdtemp(reader->folder));
    make(reader, "etc");
    reader->path = in(reader, "etc/es.xml");
    put(reader->path, "old");
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static void remove_all(const char *folder)
{
    (void)nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void deinit(struct reader *reader)
{
    watch_free(reader->watch);
    remove_all(reader->folder);
    arena_deinit(&reader->arena);
}

/* Every way to save: from 'old' to 'new'. */
static void save_in_place(struct reader *reader)
{
    put(reader->path, "new");
}

static void save_by_rename(struct reader *reader)
{
    put_in(reader, "etc/.es.xml.tmp", "new");
    move(reader, "etc/.es.xml.tmp", "etc/es.xml");
}

static void save_by_rename_from_elsewhere(struct reader *reader)
{
    put_in(reader, "es.xml", "new");
    move(reader, "es.xml", "etc/es.xml");
}

static void save_as_vim(struct reader *reader)
{
    put_in(reader, "etc/4913", "");
    ck_assert_int_eq(unlink(in(reader, "etc/4913")), 0);
    move(reader, "etc/es.xml", "etc/es.xml~");
    put(reader->path, "new");
    ck_assert_int_eq(unlink(in(reader, "etc/es.xml~")), 0);
}

static void save_as_emacs(struct reader *reader)
{
    ck_assert_int_eq(link(reader->path, in(reader, "etc/es.xml~")), 0);
    put_in(reader, "etc/#es.xml#", "new");
    move(reader, "etc/#es.xml#", "etc/es.xml");
}

static void save_by_link(struct reader *reader)
{
    put_in(reader, "etc/other", "new");
    ck_assert_int_eq(unlink(reader->path), 0);
    ck_assert_int_eq(link(in(reader, "etc/other"), reader->path), 0);
}

static void save_by_deleting_and_making(struct reader *reader)
{
    ck_assert_int_eq(unlink(reader->path), 0);
    put(reader->path, "new");
}

static void save_by_shell(struct reader *reader, const char *format)
{
    const char *command = text_format(&reader->arena, "cd '%s/etc' && %s", reader->folder, format);

    ck_assert_int_eq(system(command), 0); /* NOLINT(cert-env33-c): as people do. */
}

static void save_by_sed(struct reader *reader)
{
    save_by_shell(reader, "sed -i s/old/new/ es.xml");
}

static void save_by_cp(struct reader *reader)
{
    save_by_shell(reader, "printf new > ../source && cp ../source es.xml");
}

static void save_by_install(struct reader *reader)
{
    save_by_shell(reader, "printf new > ../source && install -m 600 ../source es.xml");
}

static void save_in_pieces(struct reader *reader)
{
    int fd = open(reader->path, O_WRONLY | O_TRUNC | O_CLOEXEC);

    for (const char *c = "new"; *c != '\0'; c++) {
        ck_assert_int_eq(write(fd, c, 1), 1);
        ck_assert_int_eq(fsync(fd), 0);
    }
    ck_assert_int_eq(close(fd), 0);
}

static void save_with_the_directory(struct reader *reader)
{
    make(reader, "etc.new");
    put_in(reader, "etc.new/es.xml", "new");
    move(reader, "etc", "etc.old");
    move(reader, "etc.new", "etc");
}

static void save_in_a_directory_made_anew(struct reader *reader)
{
    ck_assert_int_eq(unlink(reader->path), 0);
    ck_assert_int_eq(rmdir(in(reader, "etc")), 0);
    make(reader, "etc");
    put(reader->path, "new");
}

static void save_behind_a_link_in_place_of_the_directory(struct reader *reader)
{
    make(reader, "real");
    put_in(reader, "real/es.xml", "new");
    move(reader, "etc", "etc.old");
    link_to(reader, "real", "etc");
}

static void save_many_times(struct reader *reader)
{
    for (int i = 0; i < MANY_SAVES; i++) {
        put(in(reader, "etc/tmp"), text_format(&reader->arena, "%d", i));
        move(reader, "etc/tmp", "etc/es.xml");
    }
    put(reader->path, "new");
}

static void (*const saves[])(struct reader *reader) = {
    save_in_place,
    save_by_rename,
    save_by_rename_from_elsewhere,
    save_as_vim,
    save_as_emacs,
    save_by_link,
    save_by_deleting_and_making,
    save_by_sed,
    save_by_cp,
    save_by_install,
    save_in_pieces,
    save_with_the_directory,
    save_in_a_directory_made_anew,
    save_behind_a_link_in_place_of_the_directory,
    save_many_times,
};

/* Until the newest content has been read after a notice; the test's timeout says that there was none. */
static void await(struct reader *reader, const char *text)
{
    reader->awaited = text;
    loop_run(reader->loop);
    ck_assert_ptr_null(reader->awaited);
}

START_TEST(what_was_saved_is_read_however_it_was_saved)
{
    struct reader reader;
    struct loop *loop = loop_uv_new();

    init(&reader, loop);
    start(&reader);
    saves[_i](&reader);
    await(&reader, "new");
    put(reader.path, "newer"); /* It still sees the file. */
    await(&reader, "newer");
    ck_assert_uint_eq(reader.troubles, 0);
    deinit(&reader);
    loop_uv_free(loop);
}
END_TEST

/* inotify's descriptor of this process: the watch keeps its own to itself. */
static int inotify_fd(void)
{
    for (int fd = 0; fd < 1024; fd++) {
        char path[64];
        char target[64] = { 0 };

        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        if (readlink(path, target, sizeof(target) - 1) > 0 && strstr(target, "inotify") != NULL) {
            return fd;
        }
    }
    return -1;
}

/* How many notices what happened so far brings on the manual loop. */
static size_t notices(struct reader *reader)
{
    size_t before = reader->notices;
    int fd = inotify_fd();

    int length;

    while (ioctl(fd, FIONREAD, &length) == 0 && length > 0) {
        ck_assert(loop_manual_ready(reader->loop, fd));
    }
    return reader->notices - before;
}

static void start_manual(struct reader *reader)
{
    start(reader);
    loop_manual_advance(reader->loop, 0); /* Tells trouble, if there is any. */
    ck_assert_uint_eq(notices(reader), 0);
}

START_TEST(a_save_is_told_without_a_poll)
{
    struct reader reader;
    struct loop *loop = loop_manual_new(0); /* Its timers do not run by themselves. */

    init(&reader, loop);
    start_manual(&reader);
    if (saves[_i] != save_many_times) {
        saves[_i](&reader);
        ck_assert_uint_gt(notices(&reader), 0);
    }
    ck_assert_uint_eq(notices(&reader), 0);
    deinit(&reader);
    loop_manual_free(loop);
}
END_TEST

START_TEST(other_files_beside_it_are_not_told)
{
    struct reader reader;
    struct loop *loop = loop_manual_new(0);

    init(&reader, loop);
    start_manual(&reader);
    put_in(&reader, "etc/other", "x");
    put_in(&reader, "other", "x");
    ck_assert(holds(&reader, "old")); /* Nor is a look at it. */
    ck_assert_uint_eq(notices(&reader), 0);
    deinit(&reader);
    loop_manual_free(loop);
}
END_TEST

START_TEST(a_file_that_is_deleted_is_told)
{
    struct reader reader;
    struct loop *loop = loop_manual_new(0);

    init(&reader, loop);
    start_manual(&reader);
    ck_assert_int_eq(unlink(reader.path), 0);
    ck_assert_uint_gt(notices(&reader), 0);
    deinit(&reader);
    loop_manual_free(loop);
}
END_TEST

START_TEST(a_change_of_its_mode_is_told)
{
    struct reader reader;
    struct loop *loop = loop_manual_new(0);

    init(&reader, loop);
    start_manual(&reader);
    ck_assert_int_eq(chmod(reader.path, 0600), 0);
    ck_assert_uint_gt(notices(&reader), 0);
    ck_assert_int_eq(chmod(in(&reader, "etc"), 0700), 0);
    ck_assert_uint_gt(notices(&reader), 0);
    deinit(&reader);
    loop_manual_free(loop);
}
END_TEST

/* As Kubernetes mounts a config map: es.xml -> ..data/es.xml, ..data -> a directory of this revision. */
static void make_config_map(struct reader *reader)
{
    ck_assert_int_eq(unlink(reader->path), 0);
    make(reader, "etc/..1");
    put_in(reader, "etc/..1/es.xml", "old");
    link_to(reader, "..1", "etc/..data");
    link_to(reader, "..data/es.xml", "etc/es.xml");
}

static void switch_config_map(struct reader *reader, int revision, const char *text)
{
    const char *name = text_format(&reader->arena, "..%d", revision);

    make(reader, text_format(&reader->arena, "etc/%s", name));
    put_in(reader, text_format(&reader->arena, "etc/%s/es.xml", name), text);
    link_to(reader, name, "etc/..data_tmp");
    move(reader, "etc/..data_tmp", "etc/..data");
}

/* How many directories the kernel watches for us. */
static size_t watched_directories(void)
{
    char path[64];
    char line[256];
    FILE *info;
    size_t count = 0;

    (void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", inotify_fd());
    info = fopen(path, "re");
    ck_assert_ptr_nonnull(info);
    while (fgets(line, sizeof(line), info) != NULL) {
        count += strncmp(line, "inotify ", strlen("inotify ")) == 0;
    }
    (void)fclose(info);
    return count;
}

START_TEST(links_that_are_switched_are_followed_each_time)
{
    struct reader reader;
    struct loop *loop = loop_manual_new(0);
    size_t directories;

    init(&reader, loop);
    make_config_map(&reader);
    start_manual(&reader);
    directories = watched_directories();
    ck_assert_uint_gt(directories, 0);
    for (int i = 2; i < 100; i++) {
        switch_config_map(&reader, i, "new");
        ck_assert_uint_gt(notices(&reader), 0);
        put_in(&reader, text_format(&reader.arena, "etc/..%d/es.xml", i - 1), "stale");
        ck_assert_uint_eq(notices(&reader), 0); /* Where it led before is not watched any more. */
        put_in(&reader, text_format(&reader.arena, "etc/..%d/es.xml", i), "newer");
        ck_assert_uint_gt(notices(&reader), 0);
        ck_assert_uint_eq(watched_directories(), directories);
    }
    deinit(&reader);
    loop_manual_free(loop);
}
END_TEST

START_TEST(a_link_out_of_the_directory_is_followed_there)
{
    const char *const targets[] = { "../far/./away/../es.xml", "%s/far/es.xml", "../far//es.xml" };
    struct reader reader;
    struct loop *loop = loop_manual_new(0);

    init(&reader, loop);
    make(&reader, "far");
    make(&reader, "far/away");
    put_in(&reader, "far/es.xml", "old");
    ck_assert_int_eq(unlink(reader.path), 0);
    link_to(&reader, _i == 1 ? in(&reader, "far/es.xml") : targets[_i], "etc/es.xml");
    start_manual(&reader);
    put_in(&reader, "far/es.xml", "new");
    ck_assert_uint_gt(notices(&reader), 0);
    move(&reader, "far", "farther");
    ck_assert_uint_gt(notices(&reader), 0);
    make(&reader, "far");
    ck_assert_uint_gt(notices(&reader), 0);
    make(&reader, "far/away");
    (void)notices(&reader);
    put_in(&reader, "far/es.xml", "newer");
    ck_assert_uint_gt(notices(&reader), 0);
    deinit(&reader);
    loop_manual_free(loop);
}
END_TEST

START_TEST(a_link_that_leads_nowhere_is_watched_until_it_does)
{
    struct reader reader;
    struct loop *loop = loop_manual_new(0);

    init(&reader, loop);
    ck_assert_int_eq(unlink(reader.path), 0);
    link_to(&reader, "../far/es.xml", "etc/es.xml");
    start_manual(&reader);
    make(&reader, "far");
    ck_assert_uint_gt(notices(&reader), 0);
    put_in(&reader, "far/es.xml", "new");
    ck_assert_uint_gt(notices(&reader), 0);
    ck_assert(holds(&reader, "new"));
    deinit(&reader);
    loop_manual_free(loop);
}
END_TEST

START_TEST(links_in_a_circle_are_watched_until_they_lead_somewhere)
{
    struct reader reader;
    struct loop *loop = loop_manual_new(0);

    init(&reader, loop);
    ck_assert_int_eq(unlink(reader.path), 0);
    link_to(&reader, "es.xml", "etc/es.xml");
    start_manual(&reader);
    put_in(&reader, "etc/tmp", "new");
    move(&reader, "etc/tmp", "etc/es.xml");
    ck_assert_uint_gt(notices(&reader), 0);
    ck_assert(holds(&reader, "new"));
    deinit(&reader);
    loop_manual_free(loop);
}
END_TEST

START_TEST(directories_that_come_one_by_one_are_followed_to_the_file)
{
    struct reader reader;
    struct loop *loop = loop_manual_new(0);

    init(&reader, loop);
    reader.path = in(&reader, "a/b/c/es.xml");
    start_manual(&reader);
    make(&reader, "a");
    ck_assert_uint_gt(notices(&reader), 0);
    make(&reader, "a/b");
    make(&reader, "a/b/c"); /* Before anybody can watch a/b. */
    ck_assert_uint_gt(notices(&reader), 0);
    put(reader.path, "new");
    ck_assert_uint_gt(notices(&reader), 0);
    move(&reader, "a", "z");
    ck_assert_uint_gt(notices(&reader), 0);
    ck_assert_uint_eq(reader.troubles, 0);
    deinit(&reader);
    loop_manual_free(loop);
}
END_TEST

START_TEST(a_path_relative_to_the_current_directory_is_watched)
{
    struct reader reader;
    struct loop *loop = loop_manual_new(0);

    init(&reader, loop);
    ck_assert_int_eq(chdir(in(&reader, "etc")), 0);
    reader.path = "./es.xml";
    start_manual(&reader);
    put(reader.path, "new");
    ck_assert_uint_gt(notices(&reader), 0);
    ck_assert_int_eq(chdir("/"), 0);
    deinit(&reader);
    loop_manual_free(loop);
}
END_TEST

static bool has_overflowed(int witness)
{
    _Alignas(struct inotify_event) char events[4096];
    bool overflowed = false;
    ssize_t length;

    while ((length = read(witness, events, sizeof(events))) > 0) {
        for (ssize_t at = 0; at < length;) {
            const struct inotify_event *event = (const void *)(events + at);

            overflowed = overflowed || (event->mask & IN_Q_OVERFLOW) != 0;
            at += (ssize_t)(sizeof(*event) + event->len);
        }
    }
    return overflowed;
}

/* Nothing but other files before the overflow: the save itself is among what was lost. */
START_TEST(a_save_that_a_full_queue_swallows_is_told_all_the_same)
{
    struct reader reader;
    struct loop *loop = loop_manual_new(0);
    int witness;

    init(&reader, loop);
    start_manual(&reader);
    witness = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    ck_assert_int_ge(inotify_add_watch(witness, in(&reader, "etc"), IN_CREATE | IN_DELETE), 0);
    do {
        for (int i = 0; i < 20000; i++) {
            put_in(&reader, "etc/other", "");
            ck_assert_int_eq(unlink(in(&reader, "etc/other")), 0);
        }
    } while (!has_overflowed(witness));
    (void)close(witness);
    put(reader.path, "new");
    ck_assert_uint_eq(notices(&reader), 1);
    put(reader.path, "newer");
    ck_assert_uint_gt(notices(&reader), 0);
    deinit(&reader);
    loop_manual_free(loop);
}
END_TEST

/* Opens no descriptor more than there are. */
static void limit_descriptors(rlim_t count)
{
    struct rlimit limit;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = count == 0 ? limit.rlim_max : count;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

START_TEST(without_inotify_the_file_is_polled_and_that_is_told_once)
{
    struct reader reader;
    struct loop *loop = loop_manual_new(0);

    init(&reader, loop);
    limit_descriptors(3);
    start(&reader);
    ck_assert_uint_eq(reader.troubles, 0); /* Not from inside the call. */
    loop_manual_advance(loop, 5000);
    limit_descriptors(0);
    ck_assert_uint_eq(reader.troubles, 1);
    ck_assert_ptr_nonnull(strstr(reader.trouble, "no inotify instance"));
    put(reader.path, "newer and longer");
    limit_descriptors(3);
    ck_assert_uint_eq(reader.notices, 0);
    loop_manual_advance(loop, 1000);
    ck_assert_uint_eq(reader.notices, 1);
    ck_assert_uint_eq(reader.troubles, 1);
    limit_descriptors(0);
    loop_manual_advance(loop, 1000); /* It tries again, and can. */
    put(reader.path, "new");
    ck_assert_uint_gt(notices(&reader), 0);
    deinit(&reader);
    loop_manual_free(loop);
}
END_TEST

START_TEST(behind_a_directory_that_may_not_be_read_the_file_is_polled)
{
    struct reader reader;
    struct loop *loop = loop_manual_new(0);
    uid_t user = geteuid();

    init(&reader, loop);
    ck_assert_int_eq(chmod(reader.folder, 0755), 0);
    ck_assert_int_eq(chmod(in(&reader, "etc"), 0711), 0);
    if (user == 0) {
        ck_assert_int_eq(seteuid(65534), 0);
    } else {
        ck_assert_int_eq(chmod(in(&reader, "etc"), 0311), 0);
    }
    start(&reader);
    loop_manual_advance(loop, 3000);
    ck_assert_int_eq(seteuid(user), 0);
    ck_assert_uint_eq(reader.troubles, 1);
    ck_assert_ptr_nonnull(strstr(reader.trouble, in(&reader, "etc'")));
    put(reader.path, "newer and longer");
    loop_manual_advance(loop, 1000);
    ck_assert_uint_ge(reader.notices, 1);
    ck_assert_int_eq(chmod(in(&reader, "etc"), 0755), 0);
    deinit(&reader);
    loop_manual_free(loop);
}
END_TEST

/* As on a network file system, where another client saves: simulated by a link to the file elsewhere. */
START_TEST(a_save_that_inotify_does_not_tell_is_found_by_polling)
{
    struct reader reader;
    struct loop *loop = loop_manual_new(0);

    init(&reader, loop);
    make(&reader, "far");
    ck_assert_int_eq(link(reader.path, in(&reader, "far/es.xml")), 0);
    start_manual(&reader);
    put_in(&reader, "far/es.xml", "newer and longer");
    ck_assert_uint_eq(notices(&reader), 0);
    loop_manual_advance(loop, 10000);
    ck_assert_uint_eq(reader.notices, 1);
    loop_manual_advance(loop, 60000);
    ck_assert_uint_eq(reader.notices, 1);
    deinit(&reader);
    loop_manual_free(loop);
}
END_TEST

static void add_saves(TCase *tcase)
{
    tcase_add_loop_test(tcase, what_was_saved_is_read_however_it_was_saved, 0, ARRAY_LEN(saves));
    tcase_add_loop_test(tcase, a_save_is_told_without_a_poll, 0, ARRAY_LEN(saves));
}

int main(void)
{
    Suite *suite = suite_create("watch");
    TCase *tcase = tcase_create("watch");
    char folder[] = "/tmp/berth-watch-XXXXXX";
    int status;

    if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0 || setenv(FOLDER, folder, 1) != 0) {
        abort(); /* Outside of a test there is nobody to report to. */
    }
    tcase_set_timeout(tcase, 120);
    add_saves(tcase);
    tcase_add_test(tcase, other_files_beside_it_are_not_told);
    tcase_add_test(tcase, a_file_that_is_deleted_is_told);
    tcase_add_test(tcase, a_change_of_its_mode_is_told);
    tcase_add_test(tcase, links_that_are_switched_are_followed_each_time);
    tcase_add_loop_test(tcase, a_link_out_of_the_directory_is_followed_there, 0, 3);
    tcase_add_test(tcase, a_link_that_leads_nowhere_is_watched_until_it_does);
    tcase_add_test(tcase, links_in_a_circle_are_watched_until_they_lead_somewhere);
    tcase_add_test(tcase, directories_that_come_one_by_one_are_followed_to_the_file);
    tcase_add_test(tcase, a_path_relative_to_the_current_directory_is_watched);
    tcase_add_test(tcase, a_save_that_a_full_queue_swallows_is_told_all_the_same);
    tcase_add_test(tcase, without_inotify_the_file_is_polled_and_that_is_told_once);
    tcase_add_test(tcase, behind_a_directory_that_may_not_be_read_the_file_is_polled);
    tcase_add_test(tcase, a_save_that_inotify_does_not_tell_is_found_by_polling);
    suite_add_tcase(suite, tcase);
    status = runner_run(suite);
    remove_all(folder);
    return status;
}
