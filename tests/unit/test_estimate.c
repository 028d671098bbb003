/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/estimate.h"

#include "base/base.h"
#include "tests/runner.h"

#define MIB UINT64_C(1048576)
#define GIB (UINT64_C(1024) * 1024) /* In KiB. */

static struct estimate_past arrived(const char *guest, uint64_t total_ms, uint64_t mib)
{
    return (struct estimate_past){ .guest = guest, .total_ms = total_ms, .bytes = mib * MIB };
}

static void assert_times(const struct estimate_forecast *forecast, uint64_t least, uint64_t likely,
                         uint64_t most)
{
    ck_assert_uint_eq(forecast->least_ms, least);
    ck_assert_uint_eq(forecast->likely_ms, likely);
    ck_assert_uint_eq(forecast->most_ms, most);
}

START_TEST(without_any_earlier_move_it_is_a_guess_by_size)
{
    struct estimate_forecast forecast = estimate_live(NULL, 0, "a", 4 * GIB, 0);

    ck_assert_int_eq(forecast.source, ESTIMATE_SIZE);
    ck_assert_uint_eq(forecast.moves, 0);
    assert_times(&forecast, 1024, 4096, 16384);
    ck_assert(!forecast.overran);
    forecast = estimate_live(NULL, 0, "a", 4 * GIB, 64);
    assert_times(&forecast, 16000, 64000, 256000);
}
END_TEST

START_TEST(a_guest_takes_what_its_own_moves_took)
{
    const struct estimate_past past[] = { arrived("a", 9000, 500), arrived("b", 100, 500),
                                          arrived("a", 7000, 500), arrived("a", 8000, 500) };
    struct estimate_forecast forecast = estimate_live(past, ARRAY_LEN(past), "a", 64 * GIB, 0);

    ck_assert_int_eq(forecast.source, ESTIMATE_GUEST);
    ck_assert_uint_eq(forecast.moves, 3);
    assert_times(&forecast, 7000, 8000, 9000);
}
END_TEST

START_TEST(one_move_tells_less_than_several)
{
    const struct estimate_past past[] = { arrived("a", 8000, 500) };
    struct estimate_forecast forecast = estimate_live(past, 1, "a", 64 * GIB, 0);

    assert_times(&forecast, 4000, 8000, 16000);
}
END_TEST

START_TEST(only_the_newest_moves_of_a_guest_count)
{
    struct estimate_past past[20];
    struct estimate_forecast forecast;

    for (size_t i = 0; i < ARRAY_LEN(past); i++) {
        past[i] = arrived("a", i < 15 ? 100000 : 1000 + i, 500);
    }
    forecast = estimate_live(past, ARRAY_LEN(past), "a", GIB, 0);
    ck_assert_uint_eq(forecast.moves, 5);
    assert_times(&forecast, 1015, 1017, 1019);
}
END_TEST

START_TEST(a_limit_that_came_since_is_kept_to)
{
    const struct estimate_past past[] = { arrived("a", 7000, 1000), arrived("a", 8000, 1000),
                                          arrived("a", 30000, 1000) };
    struct estimate_forecast forecast = estimate_live(past, 3, "a", GIB, 100);

    assert_times(&forecast, 10000, 10000, 30000);
}
END_TEST

START_TEST(others_moves_tell_how_fast_the_fleet_copies)
{
    const struct estimate_past past[] = { arrived("b", 1000, 400), arrived("c", 2000, 400),
                                          arrived("d", 4000, 400) };
    struct estimate_forecast forecast = estimate_live(past, ARRAY_LEN(past), "a", 4 * GIB, 0);

    ck_assert_int_eq(forecast.source, ESTIMATE_FLEET);
    ck_assert_uint_eq(forecast.moves, 3);
    assert_times(&forecast, 10240, 20480, 40960);
    forecast = estimate_live(past, ARRAY_LEN(past), "a", 4 * GIB, 128);
    assert_times(&forecast, 32000, 32000, 40960);
}
END_TEST

START_TEST(a_move_that_was_not_done_in_time_is_told_and_not_counted)
{
    const struct estimate_past past[] = {
        arrived("a", 8000, 500),
        { .guest = "a", .overran = true, .total_ms = 600000, .bytes = 1, .written_bytes_s = 30 },
    };
    struct estimate_forecast forecast = estimate_live(past, 2, "a", GIB, 100);

    ck_assert(forecast.overran);
    ck_assert_uint_eq(forecast.written_bytes_s, 30);
    ck_assert_int_eq(forecast.source, ESTIMATE_GUEST);
    assert_times(&forecast, 4000, 8000, 16000);
    forecast = estimate_live(&past[1], 1, "a", GIB, 0);
    ck_assert(forecast.overran);
    ck_assert_int_eq(forecast.source, ESTIMATE_SIZE);
    ck_assert(!estimate_live(past, 2, "b", GIB, 0).overran);
}
END_TEST

START_TEST(a_move_that_arrived_since_then_is_no_warning)
{
    const struct estimate_past past[] = { { .guest = "a", .overran = true },
                                          arrived("a", 8000, 500) };

    ck_assert(!estimate_live(past, 2, "a", GIB, 0).overran);
}
END_TEST

START_TEST(figures_that_were_not_reported_are_not_counted)
{
    const struct estimate_past past[] = { arrived("a", 0, 500), arrived("b", 0, 500),
                                          arrived("c", 1000, 0) };

    ck_assert_int_eq(estimate_live(past, 3, "a", GIB, 0).source, ESTIMATE_SIZE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("estimate");
    TCase *tcase = tcase_create("forecasts");

    tcase_add_test(tcase, without_any_earlier_move_it_is_a_guess_by_size);
    tcase_add_test(tcase, a_guest_takes_what_its_own_moves_took);
    tcase_add_test(tcase, one_move_tells_less_than_several);
    tcase_add_test(tcase, only_the_newest_moves_of_a_guest_count);
    tcase_add_test(tcase, a_limit_that_came_since_is_kept_to);
    tcase_add_test(tcase, others_moves_tell_how_fast_the_fleet_copies);
    tcase_add_test(tcase, a_move_that_was_not_done_in_time_is_told_and_not_counted);
    tcase_add_test(tcase, a_move_that_arrived_since_then_is_no_warning);
    tcase_add_test(tcase, figures_that_were_not_reported_are_not_counted);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
