/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actuators/fence.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"
#include "base/loop_uv.h"
#include "base/text.h"
#include "tests/runner.h"

#define LONG_MS 60000

/* An agent that notes what it is given in a file, and what became of it. */
struct rig {
    struct arena arena;
    struct loop *loop;
    char folder[32];
    const char *agent;
    const char *secrets;
    size_t done;
    struct err err;
};

static void on_done(void *context, const struct err *err)
{
    struct rig *rig = context;

    rig->done++;
    rig->err = err == NULL ? (struct err){ .code = ERR_NONE } : *err;
    loop_stop(rig->loop);
}

static void write_file(const char *path, const char *text, unsigned mode)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(path, mode), 0);
}

/* 'answer' is shell code that knows $action and $dir. */
static void rig_init(struct rig *rig, const char *answer)
{
    *rig = (struct rig){ .loop = loop_uv_new(), .folder = "/tmp/berth-fence-XXXXXX" };
    ck_assert_ptr_nonnull(mkdtemp(rig->folder));
    rig->agent = text_format(&rig->arena, "%s/fence_test", rig->folder);
    rig->secrets = text_format(&rig->arena, "%s/secret", rig->folder);
    write_file(rig->agent,
               text_format(&rig->arena,
                           "#!/bin/sh\ndir=%s\n"
                           "tr '\\0' ' ' < /proc/$$/cmdline >> $dir/argv\nenv >> $dir/environment\n"
                           "while read -r line; do\n"
                           "  echo \"$line\" >> $dir/input\n"
                           "  case $line in action=*) action=${line#action=};; esac\n"
                           "done\n%s\n",
                           rig->folder, answer),
               0700);
    write_file(rig->secrets, "password=hush hush\n", 0600);
}

static void rig_deinit(struct rig *rig)
{
    static const char *const names[] = { "fence_test",  "secret", "argv",
                                         "environment", "input",  "count" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        (void)unlink(text_format(&rig->arena, "%s/%s", rig->folder, names[i]));
    }
    ck_assert_int_eq(rmdir(rig->folder), 0);
    loop_uv_free(rig->loop);
    arena_deinit(&rig->arena);
}

AUTO_VALUE(rig, struct rig, rig_deinit);

static void cut(struct rig *rig, const char *options, int64_t timeout_ms)
{
    const struct fence_device device = { rig->agent, options, rig->secrets };

    (void)fence_begin(rig->loop, &device, "kvm1", timeout_ms, on_done, rig);
    ck_assert_uint_eq(rig->done, 0);
    loop_run(rig->loop);
    ck_assert_uint_eq(rig->done, 1);
}

static const char *noted(struct rig *rig, const char *name)
{
    char *bytes;
    size_t length;
    struct err err;

    ck_assert_msg(file_read(&rig->arena, text_format(&rig->arena, "%s/%s", rig->folder, name),
                            65536, &bytes, &length, &err) == 0,
                  "%s", err.text);
    return bytes;
}

START_TEST(host_is_off_when_the_agent_says_so_and_each_run_is_given_all_options)
{
    AUTO(rig) struct rig rig;

    rig_init(&rig, "[ $action = off ] && exit 0; exit 2");
    cut(&rig, "ip=10.0.0.1\nport=7\n", LONG_MS);
    ck_assert_int_eq(rig.err.code, ERR_NONE);
    ck_assert_str_eq(noted(&rig, "input"),
                     "ip=10.0.0.1\nport=7\npassword=hush hush\naction=off\n"
                     "ip=10.0.0.1\nport=7\npassword=hush hush\naction=status\n");
}
END_TEST

START_TEST(secret_is_in_no_argument_no_environment_and_no_error)
{
    AUTO(rig) struct rig rig;

    rig_init(&rig, "echo 'cannot log in' >&2; echo 'with hush hush' >&2; exit 1");
    cut(&rig, "ip=10.0.0.1\n", 1500);
    ck_assert_int_eq(rig.err.code, ERR_FAILED);
    ck_assert_ptr_nonnull(strstr(rig.err.text, "cannot log in"));
    ck_assert_ptr_null(strstr(rig.err.text, "hush"));
    ck_assert_ptr_null(strstr(noted(&rig, "argv"), "hush"));
    ck_assert_ptr_null(strstr(noted(&rig, "environment"), "hush"));
}
END_TEST

START_TEST(off_that_claims_success_is_not_believed_while_the_status_says_on)
{
    AUTO(rig) struct rig rig;

    rig_init(&rig, "exit 0");
    cut(&rig, "", 1500);
    ck_assert_int_eq(rig.err.code, ERR_FAILED);
    ck_assert_ptr_nonnull(strstr(rig.err.text, "still on"));
}
END_TEST

START_TEST(off_that_fails_does_not_matter_if_the_host_is_off)
{
    AUTO(rig) struct rig rig;

    rig_init(&rig, "[ $action = off ] && exit 1; exit 2");
    cut(&rig, "", LONG_MS);
    ck_assert_int_eq(rig.err.code, ERR_NONE);
}
END_TEST

START_TEST(status_is_asked_until_it_says_off)
{
    AUTO(rig) struct rig rig;

    rig_init(&rig, "[ $action = off ] && exit 0; echo x >> $dir/count;"
                   "[ $(wc -l < $dir/count) -ge 3 ] && exit 2; exit 0");
    cut(&rig, "", LONG_MS);
    ck_assert_int_eq(rig.err.code, ERR_NONE);
    ck_assert_str_eq(noted(&rig, "count"), "x\nx\nx\n");
}
END_TEST

START_TEST(agent_that_hangs_is_ended_and_the_host_is_not_off)
{
    AUTO(rig) struct rig rig;

    rig_init(&rig, "sleep 60");
    cut(&rig, "", 600);
    ck_assert_int_ne(rig.err.code, ERR_NONE);
}
END_TEST

START_TEST(off_that_hangs_is_a_success_if_the_status_says_off)
{
    AUTO(rig) struct rig rig;

    rig_init(&rig, "[ $action = off ] && sleep 60; exit 2");
    cut(&rig, "", 6000);
    ck_assert_int_eq(rig.err.code, ERR_NONE);
}
END_TEST

START_TEST(secrets_that_others_can_read_are_not_used)
{
    AUTO(rig) struct rig rig;

    rig_init(&rig, "exit 2");
    ck_assert_int_eq(chmod(rig.secrets, 0640), 0);
    cut(&rig, "", LONG_MS);
    ck_assert_int_eq(rig.err.code, ERR_DENIED);
    ck_assert_ptr_nonnull(strstr(rig.err.text, "0600"));
}
END_TEST

START_TEST(options_that_cannot_be_given_are_refused_before_anything_runs)
{
    static const char *const bad[] = { "action=on\n", "reboot\n", "=\naction=off\n" };
    AUTO(rig) struct rig rig;
    char *large;

    rig_init(&rig, "exit 2");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        rig.done = 0;
        cut(&rig, bad[i], LONG_MS);
        ck_assert_int_eq(rig.err.code, ERR_INVALID);
    }
    large = arena_alloc(&rig.arena, 1, FENCE_INPUT_MAX + 1);
    memset(large, 'x', FENCE_INPUT_MAX);
    rig.done = 0;
    cut(&rig, large, LONG_MS);
    ck_assert_int_eq(rig.err.code, ERR_INVALID);
    ck_assert_int_ne(access(text_format(&rig.arena, "%s/input", rig.folder), F_OK), 0);
}
END_TEST

START_TEST(agent_that_is_not_there_or_not_named_is_an_error)
{
    AUTO(rig) struct rig rig;
    const struct fence_device none = { .agent = NULL };

    rig_init(&rig, "exit 2");
    ck_assert_int_eq(unlink(rig.agent), 0);
    cut(&rig, "", LONG_MS);
    ck_assert_int_eq(rig.err.code, ERR_NOT_FOUND);
    rig.done = 0;
    (void)fence_begin(rig.loop, &none, "kvm1", LONG_MS, on_done, &rig);
    loop_run(rig.loop);
    ck_assert_int_eq(rig.err.code, ERR_NOT_FOUND);
}
END_TEST

/* To agents it also means that they do not understand what they were given, and then they say it to everything. */
START_TEST(agent_that_ends_off_as_it_ends_a_status_of_off_has_switched_nothing_off)
{
    AUTO(rig) struct rig rig;

    rig_init(&rig, "echo 'bad option' >&2; exit 2");
    cut(&rig, "", LONG_MS);
    ck_assert_int_eq(rig.err.code, ERR_FAILED);
    ck_assert_ptr_nonnull(strstr(rig.err.text, "bad option"));
}
END_TEST

START_TEST(what_is_given_up_tells_nobody)
{
    AUTO(rig) struct rig rig;
    struct fence_device device;

    rig_init(&rig, "exit 2");
    device = (struct fence_device){ rig.agent, "", NULL };
    fence_abandon(fence_begin(rig.loop, &device, "kvm1", LONG_MS, on_done, &rig));
    fence_abandon(NULL);
    cut(&rig, "", LONG_MS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fence");
    TCase *tcase = tcase_create("fence");

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, host_is_off_when_the_agent_says_so_and_each_run_is_given_all_options);
    tcase_add_test(tcase, secret_is_in_no_argument_no_environment_and_no_error);
    tcase_add_test(tcase, off_that_claims_success_is_not_believed_while_the_status_says_on);
    tcase_add_test(tcase, off_that_fails_does_not_matter_if_the_host_is_off);
    tcase_add_test(tcase, status_is_asked_until_it_says_off);
    tcase_add_test(tcase, agent_that_hangs_is_ended_and_the_host_is_not_off);
    tcase_add_test(tcase, off_that_hangs_is_a_success_if_the_status_says_off);
    tcase_add_test(tcase, secrets_that_others_can_read_are_not_used);
    tcase_add_test(tcase, options_that_cannot_be_given_are_refused_before_anything_runs);
    tcase_add_test(tcase, agent_that_is_not_there_or_not_named_is_an_error);
    tcase_add_test(tcase, agent_that_ends_off_as_it_ends_a_status_of_off_has_switched_nothing_off);
    tcase_add_test(tcase, what_is_given_up_tells_nobody);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
