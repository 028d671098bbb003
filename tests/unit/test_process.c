/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/loop_uv.h"
#include "base/process.h"
#include "base/text.h"
#include "tests/runner.h"

#define LONG_MS 60000

/* A program and what was heard of it. */
struct rig {
    struct arena arena;
    struct loop *loop;
    struct process process;
    struct text lines;
    size_t ended;
    struct process_end end;
    char path[32];
};

static void on_line(void *context, const char *line)
{
    struct rig *rig = context;

    text_printf(&rig->lines, "%s\n", line);
}

static void on_ended(void *context, const struct process_end *end)
{
    struct rig *rig = context;

    rig->ended++;
    rig->end = *end;
    loop_stop(rig->loop);
}

static void rig_init(struct rig *rig, const char *script)
{
    int fd;

    *rig = (struct rig){ .loop = loop_uv_new(), .path = "/tmp/berth-process-XXXXXX" };
    rig->lines = text_new(&rig->arena);
    fd = mkstemp(rig->path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_gt(dprintf(fd, "#!/bin/sh\n%s\n", script), 0);
    ck_assert_int_eq(fchmod(fd, 0700), 0);
    (void)close(fd);
}

static void rig_deinit(struct rig *rig)
{
    process_deinit(&rig->process);
    loop_uv_free(rig->loop);
    (void)unlink(rig->path);
    arena_deinit(&rig->arena);
}

AUTO_VALUE(rig, struct rig, rig_deinit);

static int start(struct rig *rig, const char *input, int64_t timeout_ms, struct err *err)
{
    static const char *const environment[] = { "PATH=/usr/bin:/bin", "BERTH_X=a b;c", NULL };
    const struct process_listener listener = { rig, on_line, on_ended };
    const struct process_spec spec = {
        .path = rig->path,
        .environment = environment,
        .input = input,
        .input_length = strlen(input),
        .timeout_ms = timeout_ms,
    };

    return process_start(&rig->process, rig->loop, &spec, &listener, err);
}

static void run(struct rig *rig, const char *input, int64_t timeout_ms)
{
    struct err err;

    ck_assert_msg(start(rig, input, timeout_ms, &err) == 0, "%s", err.text);
    loop_run(rig->loop);
    ck_assert_uint_eq(rig->ended, 1);
    ck_assert(!rig->process.runs);
}

/* True if nothing runs as 'pid': a zombie, which whoever adopted it has yet to bury, does not. */
static bool is_gone(const char *pid)
{
    char path[64];
    char stat[256] = "";
    ssize_t got;
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)strtol(pid, NULL, 10));
    fd = open(path, O_RDONLY);
    if (fd < 0) {
        return errno == ENOENT;
    }
    got = read(fd, stat, sizeof(stat) - 1);
    (void)close(fd);
    return got < 0 || strstr(stat, ") Z ") != NULL;
}

/* A signal is on its way for a moment. */
static void assert_gone(const char *pid)
{
    while (!is_gone(pid)) { /* Until the test's own time is over. */
        (void)usleep(1000);
    }
}

START_TEST(a_program_reads_its_input_and_its_lines_are_heard)
{
    AUTO(rig) struct rig rig;

    rig_init(&rig, "cat >&2; echo >&2; echo \"$BERTH_X $#\" >&2; printf unfinished >&2; exit 3");
    run(&rig, "{\"a\":1}", LONG_MS);
    ck_assert_str_eq(rig.lines.data, "{\"a\":1}\na b;c 0\nunfinished\n");
    ck_assert_int_eq(rig.end.outcome, PROCESS_EXITED);
    ck_assert_int_eq(rig.end.value, 3);
    ck_assert(!rig.end.cut);
}
END_TEST

START_TEST(a_program_that_does_not_read_its_input_keeps_nobody_waiting)
{
    AUTO(rig) struct rig rig;
    char *input;

    rig_init(&rig, "exit 0");
    input = arena_alloc(&rig.arena, 1000001, 1);
    memset(input, 'x', 1000000);
    run(&rig, input, LONG_MS);
    ck_assert_int_eq(rig.end.outcome, PROCESS_EXITED);
    ck_assert_int_eq(rig.end.value, 0);
}
END_TEST

START_TEST(a_program_has_no_other_descriptor_and_no_other_environment)
{
    AUTO(rig) struct rig rig;
    int leak;

    rig_init(&rig, "ls -l /proc/$$/fd | sed 's/.* -> //' >&2\n"
                   "env | grep -v '^BERTH_X=\\|^PATH=\\|^PWD=\\|^_=\\|^SHLVL=\\|^OLDPWD=' >&2");
    leak = open("/etc/passwd", O_RDONLY); /* Without close-on-exec. */
    run(&rig, "", LONG_MS);
    (void)close(leak);
    ck_assert_ptr_nonnull(strstr(rig.lines.data, "/dev/null\n"));
    ck_assert_ptr_null(strstr(rig.lines.data, "/etc/passwd"));
    ck_assert_ptr_null(strstr(rig.lines.data, "="));
}
END_TEST

START_TEST(signals_that_this_process_ignores_are_not_ignored_by_the_program)
{
    AUTO(rig) struct rig rig;

    rig_init(&rig, "kill -PIPE $$; exit 0");
    (void)signal(SIGPIPE, SIG_IGN);
    run(&rig, "", LONG_MS);
    ck_assert_int_eq(rig.end.outcome, PROCESS_KILLED);
    ck_assert_int_eq(rig.end.value, SIGPIPE);
}
END_TEST

START_TEST(a_program_that_hangs_is_ended_with_what_it_began)
{
    AUTO(rig) struct rig rig;

    rig_init(&rig, "sleep 1000 & echo $! >&2; wait");
    run(&rig, "", 300);
    ck_assert_int_eq(rig.end.outcome, PROCESS_TIMED_OUT);
    assert_gone(rig.lines.data);
}
END_TEST

START_TEST(a_program_that_will_not_end_is_killed)
{
    AUTO(rig) struct rig rig;

    rig_init(&rig, "trap '' TERM; while :; do sleep 1000; done");
    run(&rig, "", 100);
    ck_assert_int_eq(rig.end.outcome, PROCESS_TIMED_OUT);
}
END_TEST

START_TEST(what_a_program_leaves_behind_ends_with_it)
{
    AUTO(rig) struct rig rig;

    rig_init(&rig, "sleep 1000 & echo $! >&2; exit 0"); /* It holds the pipe open. */
    run(&rig, "", LONG_MS);
    ck_assert_int_eq(rig.end.outcome, PROCESS_EXITED);
    assert_gone(rig.lines.data);
}
END_TEST

START_TEST(a_program_that_spams_is_heard_for_some_lines_only)
{
    AUTO(rig) struct rig rig;
    size_t lines = 0;

    rig_init(&rig, "exec yes \"$(printf %0500d 7)\" >&2");
    run(&rig, "", LONG_MS);
    for (const char *c = rig.lines.data; *c != '\0'; c++) {
        lines += *c == '\n';
    }
    ck_assert_uint_eq(lines, PROCESS_LINES_MAX);
    ck_assert_uint_eq(rig.lines.length, PROCESS_LINES_MAX * PROCESS_LINE_MAX);
    ck_assert(rig.end.cut);
    ck_assert_int_eq(rig.end.outcome, PROCESS_KILLED); /* By the pipe that nobody reads. */
}
END_TEST

START_TEST(a_program_that_is_not_there_or_may_not_be_run_is_an_error)
{
    AUTO(rig) struct rig rig;
    struct err err;

    rig_init(&rig, "exit 0");
    ck_assert_int_eq(chmod(rig.path, 0600), 0);
    ck_assert_int_eq(start(&rig, "", LONG_MS, &err), -1);
    ck_assert_int_eq(err.code, ERR_DENIED);
    ck_assert_int_eq(unlink(rig.path), 0);
    ck_assert_int_eq(start(&rig, "", LONG_MS, &err), -1);
    ck_assert_int_eq(err.code, ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, rig.path));
}
END_TEST

START_TEST(a_program_whose_user_goes_is_killed)
{
    AUTO(rig) struct rig rig;
    struct err err;
    char pid[16];

    rig_init(&rig, "sleep 1000");
    ck_assert_int_eq(start(&rig, "", LONG_MS, &err), 0);
    (void)snprintf(pid, sizeof(pid), "%d", (int)rig.process.pid);
    process_deinit(&rig.process);
    assert_gone(pid);
    ck_assert_uint_eq(rig.ended, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("process");
    TCase *tcase = tcase_create("process");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_program_reads_its_input_and_its_lines_are_heard);
    tcase_add_test(tcase, a_program_that_does_not_read_its_input_keeps_nobody_waiting);
    tcase_add_test(tcase, a_program_has_no_other_descriptor_and_no_other_environment);
    tcase_add_test(tcase, signals_that_this_process_ignores_are_not_ignored_by_the_program);
    tcase_add_test(tcase, a_program_that_hangs_is_ended_with_what_it_began);
    tcase_add_test(tcase, a_program_that_will_not_end_is_killed);
    tcase_add_test(tcase, what_a_program_leaves_behind_ends_with_it);
    tcase_add_test(tcase, a_program_that_spams_is_heard_for_some_lines_only);
    tcase_add_test(tcase, a_program_that_is_not_there_or_may_not_be_run_is_an_error);
    tcase_add_test(tcase, a_program_whose_user_goes_is_killed);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
