/* SPDX-License-Identifier: Apache-2.0 */

/* How a simulated migration copies a guest that goes on writing. */

#include <check.h>
#include <stdint.h>
#include <stdlib.h>

#include "actuators/sim_copy.h"
#include "base/base.h"
#include "tests/runner.h"

#define MIB (UINT64_C(1) << 20)

/* 1000 MiB at 100 MiB a second. */
static struct sim_copy writing(uint64_t mib_s)
{
    return (struct sim_copy){
        .bytes = 1000 * MIB,
        .first_ms = 10000,
        .written_s = mib_s * MIB,
        .live = { .max_downtime_ms = 300 },
    };
}

START_TEST(a_guest_that_writes_nothing_is_copied_once)
{
    struct sim_copy copy = writing(0);
    struct sim_copy_state state = sim_copy_at(&copy, 5000);

    ck_assert(!state.endless && !state.over);
    ck_assert_int_eq(state.over_ms, 10000);
    ck_assert_uint_eq(state.pass, 1);
    ck_assert_uint_eq(state.sent, 500 * MIB);
    ck_assert_uint_eq(state.left, 500 * MIB);
    ck_assert(sim_copy_at(&copy, 10000).over);
}
END_TEST

START_TEST(each_pass_sends_what_was_written_in_the_one_before)
{
    struct sim_copy copy = writing(50);
    struct sim_copy_state state = sim_copy_at(&copy, 12500);

    ck_assert_uint_eq(state.pass, 2);
    ck_assert_uint_eq(state.sent, 1250 * MIB);
    ck_assert_uint_eq(state.left, 250 * MIB);
    ck_assert_uint_eq(state.dirty_s, 50 * MIB);
    /* 10 + 5 + 2.5 + 1.25 + 0.625 s, and the last 0.3125 would be too long a pause. */
    ck_assert_int_eq(state.over_ms, 19843);
}
END_TEST

START_TEST(what_is_written_is_at_most_all_of_the_memory)
{
    struct sim_copy copy = writing(UINT64_C(1) << 20);
    struct sim_copy_state state = sim_copy_at(&copy, 15000);

    ck_assert(state.endless);
    ck_assert_uint_eq(state.pass, 2);
    ck_assert_uint_eq(state.left, 500 * MIB);
}
END_TEST

START_TEST(a_longer_pause_ends_it_sooner)
{
    struct sim_copy copy = writing(80);
    int64_t over_ms = sim_copy_at(&copy, 0).over_ms;

    copy.live.max_downtime_ms = 2000;
    ck_assert_int_lt(sim_copy_at(&copy, 0).over_ms, over_ms);
}
END_TEST

START_TEST(slowing_the_guest_down_ends_what_else_never_would)
{
    struct sim_copy copy = writing(150);
    struct sim_copy_state state;

    ck_assert(sim_copy_at(&copy, 0).endless);
    copy.live.auto_converge = true;
    state = sim_copy_at(&copy, 0);
    ck_assert(!state.endless);
    ck_assert_uint_eq(state.throttle_percent, 0);
    state = sim_copy_at(&copy, state.over_ms);
    ck_assert(state.over && !state.postcopy);
    ck_assert_uint_gt(state.throttle_percent, 0);
}
END_TEST

START_TEST(postcopy_ends_anything_in_one_pass_more)
{
    struct sim_copy copy = writing(UINT64_C(1) << 20);
    struct sim_copy_state state;

    copy.live.postcopy = true;
    state = sim_copy_at(&copy, 0);
    ck_assert(!state.endless && !state.postcopy);
    ck_assert_int_eq(state.over_ms, 80000);
    ck_assert(!sim_copy_at(&copy, 69999).postcopy);
    ck_assert(sim_copy_at(&copy, 70000).postcopy);
    copy.live.postcopy_first = true;
    ck_assert_int_eq(sim_copy_at(&copy, 0).over_ms, 20000);
}
END_TEST

START_TEST(what_was_sent_only_grows)
{
    static const uint64_t rates[] = { 0, 30, 99, 101, 1000 };
    struct sim_copy copy = writing(rates[_i]);
    uint64_t sent = 0;

    copy.live.auto_converge = true;
    for (int64_t ms = 0; ms < 200000; ms += 333) {
        struct sim_copy_state state = sim_copy_at(&copy, ms);

        ck_assert_uint_ge(state.sent, sent);
        ck_assert_uint_le(state.left, copy.bytes);
        sent = state.sent;
    }
    ck_assert_uint_ge(sent, copy.bytes);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim_copy");
    TCase *tcase = tcase_create("sim_copy");

    tcase_add_test(tcase, a_guest_that_writes_nothing_is_copied_once);
    tcase_add_test(tcase, each_pass_sends_what_was_written_in_the_one_before);
    tcase_add_test(tcase, what_is_written_is_at_most_all_of_the_memory);
    tcase_add_test(tcase, a_longer_pause_ends_it_sooner);
    tcase_add_test(tcase, slowing_the_guest_down_ends_what_else_never_would);
    tcase_add_test(tcase, postcopy_ends_anything_in_one_pass_more);
    tcase_add_loop_test(tcase, what_was_sent_only_grows, 0, 5);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
