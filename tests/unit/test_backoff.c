/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/backoff.h"
#include "base/base.h"
#include "tests/runner.h"

#define SEEDS 2000

/* The longest delay after each number of failures. */
static const struct {
    uint32_t attempts;
    int64_t whole_ms;
} bounds[] = {
    { 1, 5000 },
    { 2, 10000 },
    { 3, 20000 },
    { 9, 1280000 },
    { 10, BACKOFF_CAP_MS }, /* 2,560 s would be more. */
    { 11, BACKOFF_CAP_MS },
    { 64, BACKOFF_CAP_MS },
    { UINT32_MAX, BACKOFF_CAP_MS },
};

static int64_t longest_ms(uint32_t attempts)
{
    int64_t longest = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        int64_t delay = backoff_delay_ms(attempts, seed);

        longest = delay > longest ? delay : longest;
    }
    return longest;
}

START_TEST(every_delay_is_between_the_floor_and_the_whole)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        int64_t delay = backoff_delay_ms(bounds[_i].attempts, seed);

        ck_assert_int_ge(delay, BACKOFF_FLOOR_MS);
        ck_assert_int_le(delay, bounds[_i].whole_ms);
    }
}
END_TEST

START_TEST(delays_are_spread_over_the_whole_range)
{
    int64_t span = bounds[_i].whole_ms - BACKOFF_FLOOR_MS;
    size_t quarters[4] = { 0 };

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        int64_t delay = backoff_delay_ms(bounds[_i].attempts, seed) - BACKOFF_FLOOR_MS;

        quarters[delay * 4 / (span + 1)]++;
    }
    for (size_t i = 0; i < ARRAY_LEN(quarters); i++) {
        ck_assert_uint_gt(quarters[i], SEEDS / 5); /* 2,000 in four: 500 each, give or take. */
    }
}
END_TEST

START_TEST(the_longest_delay_never_shrinks_with_more_failures)
{
    for (uint32_t attempts = 1; attempts < 14; attempts++) {
        ck_assert_int_le(longest_ms(attempts), longest_ms(attempts + 1) + BACKOFF_CAP_MS / 100);
    }
}
END_TEST

START_TEST(the_same_seed_gives_the_same_delay)
{
    ck_assert_int_eq(backoff_delay_ms(3, 42), backoff_delay_ms(3, 42));
    ck_assert_int_ne(backoff_delay_ms(9, 42), backoff_delay_ms(9, 43));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("backoff");
    TCase *tcase = tcase_create("backoff");

    tcase_add_loop_test(tcase, every_delay_is_between_the_floor_and_the_whole, 0,
                        (int)ARRAY_LEN(bounds));
    tcase_add_loop_test(tcase, delays_are_spread_over_the_whole_range, 0, (int)ARRAY_LEN(bounds));
    tcase_add_test(tcase, the_longest_delay_never_shrinks_with_more_failures);
    tcase_add_test(tcase, the_same_seed_gives_the_same_delay);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
