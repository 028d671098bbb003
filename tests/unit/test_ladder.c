/* SPDX-License-Identifier: Apache-2.0 */

/* What helps a migration to its end, pass by pass. */

#include <check.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/base.h"
#include "model/ladder.h"
#include "model/op.h"
#include "tests/runner.h"

#define PASSES 40

/* The limits of the pause that the ladder comes to, the longest must be that of 'live'. */
static void check_downtimes(const struct op_live *live)
{
    struct ladder ladder = ladder_begin(live);
    uint32_t before_ms = ladder.downtime_ms;

    ck_assert_uint_le(before_ms, live->max_downtime_ms);
    for (uint64_t pass = 1; pass <= PASSES; pass++) {
        enum ladder_rung rung = ladder_climb(&ladder, live, pass);

        ck_assert_int_ne(rung, LADDER_POSTCOPY);
        ck_assert((rung == LADDER_DOWNTIME) == (ladder.downtime_ms > before_ms));
        ck_assert_uint_le(ladder.downtime_ms, live->max_downtime_ms);
        before_ms = ladder.downtime_ms;
    }
    ck_assert_uint_eq(ladder.downtime_ms, live->max_downtime_ms);
}

START_TEST(the_pause_grows_to_the_limit_and_never_above)
{
    static const uint32_t limits[] = { 1, 299, 300, 301, 302, 500, 999, 1000, 1999, 2000 };

    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        check_downtimes(&(struct op_live){ .max_downtime_ms = limits[i] });
    }
}
END_TEST

START_TEST(the_first_passes_are_left_alone)
{
    const struct op_live live = { .max_downtime_ms = 2000, .postcopy = true };
    struct ladder ladder = ladder_begin(&live);

    ck_assert_int_eq(ladder_climb(&ladder, &live, 1), LADDER_STAY);
    ck_assert_int_eq(ladder_climb(&ladder, &live, 2), LADDER_STAY);
    ck_assert_int_eq(ladder_climb(&ladder, &live, 3), LADDER_DOWNTIME);
}
END_TEST

START_TEST(a_pass_brings_one_rung_however_often_it_is_asked_for)
{
    const struct op_live live = { .max_downtime_ms = 2000 };
    struct ladder ladder = ladder_begin(&live);
    uint32_t downtime_ms;

    ck_assert_int_eq(ladder_climb(&ladder, &live, 3), LADDER_DOWNTIME);
    downtime_ms = ladder.downtime_ms;
    ck_assert_int_eq(ladder_climb(&ladder, &live, 3), LADDER_STAY);
    ck_assert_int_eq(ladder_climb(&ladder, &live, 2), LADDER_STAY);
    ck_assert_uint_eq(ladder.downtime_ms, downtime_ms);
}
END_TEST

/* The pass in which post-copy comes first, 0 if it never does. */
static uint64_t postcopy_pass(const struct op_live *live)
{
    struct ladder ladder = ladder_begin(live);

    for (uint64_t pass = 1; pass <= PASSES; pass++) {
        if (ladder_climb(&ladder, live, pass) == LADDER_POSTCOPY) {
            return pass;
        }
    }
    return 0;
}

START_TEST(postcopy_comes_last_and_only_where_it_is_allowed)
{
    struct op_live live = { .max_downtime_ms = 1000, .auto_converge = true };

    ck_assert_uint_eq(postcopy_pass(&live), 0);
    live.postcopy_first = true;
    ck_assert_uint_eq(postcopy_pass(&live), 0);
    live.postcopy_first = false;
    live.postcopy = true;
    ck_assert_uint_eq(postcopy_pass(&live), 8);
    live.postcopy_first = true;
    ck_assert_uint_eq(postcopy_pass(&live), 2);
}
END_TEST

START_TEST(postcopy_that_was_refused_is_tried_again_in_the_next_pass)
{
    const struct op_live live = { .max_downtime_ms = 300, .postcopy = true };
    struct ladder ladder = ladder_begin(&live);

    ck_assert_int_eq(ladder_climb(&ladder, &live, 20), LADDER_POSTCOPY);
    ck_assert_int_eq(ladder_climb(&ladder, &live, 20), LADDER_STAY);
    ck_assert_int_eq(ladder_climb(&ladder, &live, 21), LADDER_POSTCOPY);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ladder");
    TCase *tcase = tcase_create("ladder");

    tcase_add_test(tcase, the_pause_grows_to_the_limit_and_never_above);
    tcase_add_test(tcase, the_first_passes_are_left_alone);
    tcase_add_test(tcase, a_pass_brings_one_rung_however_often_it_is_asked_for);
    tcase_add_test(tcase, postcopy_comes_last_and_only_where_it_is_allowed);
    tcase_add_test(tcase, postcopy_that_was_refused_is_tried_again_in_the_next_pass);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
