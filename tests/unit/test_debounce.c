/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "base/loop.h"
#include "base/loop_manual.h"
#include "reconciler/debounce.h"
#include "tests/runner.h"

#define QUIET_MS 200
#define LIMIT_MS 1000

struct rig {
    struct loop *loop;
    struct debounce debounce;
    size_t calls;
    int64_t called_ms; /* The last time. */
};

static void on_call(void *context)
{
    struct rig *rig = context;

    rig->calls++;
    rig->called_ms = loop_now_ms(rig->loop);
}

static void init(struct rig *rig)
{
    *rig = (struct rig){ .loop = loop_manual_new(0) };
    debounce_init(&rig->debounce, rig->loop, QUIET_MS, LIMIT_MS, on_call, rig);
}

static void deinit(struct rig *rig)
{
    debounce_stop(&rig->debounce);
    loop_manual_free(rig->loop);
}

/* One every 'every_ms', from now on. */
static void note(struct rig *rig, size_t count, int64_t every_ms)
{
    for (size_t i = 0; i < count; i++) {
        debounce_note(&rig->debounce);
        loop_manual_advance(rig->loop, every_ms);
    }
}

START_TEST(nothing_is_called_without_a_notice)
{
    struct rig rig;

    init(&rig);
    loop_manual_advance(rig.loop, 60000);
    ck_assert_uint_eq(rig.calls, 0);
    deinit(&rig);
}
END_TEST

START_TEST(notices_that_follow_each_other_are_one_call_after_the_last)
{
    struct rig rig;

    init(&rig);
    note(&rig, 4, 100);
    loop_manual_advance(rig.loop, 60000);
    ck_assert_uint_eq(rig.calls, 1);
    ck_assert_int_eq(rig.called_ms, 300 + QUIET_MS);
    deinit(&rig);
}
END_TEST

START_TEST(notices_without_end_postpone_the_call_no_further_than_the_limit)
{
    struct rig rig;

    init(&rig);
    note(&rig, 11, 100); /* The last one at the very limit. */
    ck_assert_uint_eq(rig.calls, 1);
    ck_assert_int_eq(rig.called_ms, LIMIT_MS);
    note(&rig, 100, 100);
    ck_assert_uint_eq(rig.calls, 11);
    deinit(&rig);
}
END_TEST

START_TEST(a_notice_after_the_call_is_waited_for_anew)
{
    struct rig rig;

    init(&rig);
    note(&rig, 1, 5000);
    note(&rig, 1, 5000);
    ck_assert_uint_eq(rig.calls, 2);
    ck_assert_int_eq(rig.called_ms, 5000 + QUIET_MS);
    deinit(&rig);
}
END_TEST

START_TEST(what_was_noticed_is_forgotten_when_stopped)
{
    struct rig rig;

    init(&rig);
    note(&rig, 1, 100);
    debounce_stop(&rig.debounce);
    loop_manual_advance(rig.loop, 60000);
    ck_assert_uint_eq(rig.calls, 0);
    deinit(&rig);
}
END_TEST

START_TEST(a_clock_that_jumps_changes_nothing)
{
    struct rig rig;

    init(&rig);
    debounce_note(&rig.debounce);
    loop_manual_jump(rig.loop, -3600000);
    note(&rig, 1, 0);
    loop_manual_advance(rig.loop, QUIET_MS);
    ck_assert_uint_eq(rig.calls, 1);
    deinit(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("debounce");
    TCase *tcase = tcase_create("debounce");

    tcase_add_test(tcase, nothing_is_called_without_a_notice);
    tcase_add_test(tcase, notices_that_follow_each_other_are_one_call_after_the_last);
    tcase_add_test(tcase, notices_without_end_postpone_the_call_no_further_than_the_limit);
    tcase_add_test(tcase, a_notice_after_the_call_is_waited_for_anew);
    tcase_add_test(tcase, what_was_noticed_is_forgotten_when_stopped);
    tcase_add_test(tcase, a_clock_that_jumps_changes_nothing);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
