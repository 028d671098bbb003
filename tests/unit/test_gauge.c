/* SPDX-License-Identifier: Apache-2.0 */

/* The bar of a move: from figures that may run backwards to a fraction that never does. */

#include <check.h>
#include <stdint.h>
#include <stdlib.h>

#include "actuators/actuator.h"
#include "base/base.h"
#include "reconciler/gauge.h"
#include "tests/runner.h"

#define GIB (UINT64_C(1) << 30)

static struct actuator_progress memory(uint64_t total_bytes, uint64_t remaining_bytes)
{
    return (struct actuator_progress){
        .phase = ACTUATOR_PHASE_MEMORY,
        .total_bytes = total_bytes,
        .remaining_bytes = remaining_bytes,
    };
}

static struct actuator_progress in_phase(enum actuator_phase phase)
{
    return (struct actuator_progress){ .phase = phase };
}

/* The fraction after 'raw' if it was 'before'. */
static double fed(double before, const struct actuator_progress *raw)
{
    struct gauge gauge = { .fraction = before };

    gauge_feed(&gauge, raw);
    return gauge.fraction;
}

START_TEST(what_is_copied_makes_the_bar_grow)
{
    double fraction = 0;

    for (uint64_t left = 8; left-- > 0;) {
        struct actuator_progress raw = memory(8 * GIB, left * GIB);
        double next = fed(fraction, &raw);

        ck_assert_double_gt(next, fraction);
        fraction = next;
    }
    ck_assert_double_gt(fraction, 0.9);
}
END_TEST

START_TEST(half_the_memory_is_about_half_the_bar)
{
    struct actuator_progress raw = memory(8 * GIB, 4 * GIB);

    ck_assert_double_eq_tol(fed(0, &raw), 0.5, 0.05);
}
END_TEST

START_TEST(the_bar_stays_when_a_dirty_guest_makes_more_remain)
{
    struct actuator_progress raw = memory(8 * GIB, 2 * GIB);
    double before = fed(0, &raw);

    raw = memory(8 * GIB, 6 * GIB);
    ck_assert_double_eq_tol(fed(before, &raw), before, 1e-12);
    raw = memory(8 * GIB, 1 * GIB);
    ck_assert_double_gt(fed(before, &raw), before);
}
END_TEST

/* What hosts have reported, or might. */
static const struct actuator_progress odd[] = {
    { .phase = ACTUATOR_PHASE_MEMORY },
    { .phase = ACTUATOR_PHASE_MEMORY, .remaining_bytes = GIB },
    { .phase = ACTUATOR_PHASE_MEMORY, .total_bytes = GIB, .remaining_bytes = 2 * GIB },
    { .phase = ACTUATOR_PHASE_MEMORY, .total_bytes = UINT64_MAX, .remaining_bytes = UINT64_MAX },
    { .phase = ACTUATOR_PHASE_MEMORY, .total_bytes = UINT64_MAX, .remaining_bytes = 1 },
    { .phase = ACTUATOR_PHASE_MEMORY, .total_bytes = 1 },
    { .phase = ACTUATOR_PHASE_SETUP, .total_bytes = GIB },
    { .phase = ACTUATOR_PHASE_WAIT, .total_bytes = GIB },
    { .phase = ACTUATOR_PHASE_SWITCHOVER, .total_bytes = GIB, .remaining_bytes = GIB },
    { .phase = ACTUATOR_PHASE_CLEANUP, .remaining_bytes = UINT64_MAX },
};

START_TEST(odd_figures_keep_it_within_its_bounds)
{
    static const double befores[] = { 0, 0.25, 0.5, 0.97 };

    for (size_t i = 0; i < ARRAY_LEN(befores); i++) {
        double fraction = fed(befores[i], &odd[_i]);

        ck_assert_double_ge(fraction, befores[i]);
        ck_assert_double_lt(fraction, 1);
    }
}
END_TEST

START_TEST(a_phase_that_comes_later_is_further_on_the_bar)
{
    static const enum actuator_phase phases[] = {
        ACTUATOR_PHASE_SETUP,
        ACTUATOR_PHASE_MEMORY,
        ACTUATOR_PHASE_SWITCHOVER,
        ACTUATOR_PHASE_CLEANUP,
    };

    for (size_t i = 1; i < ARRAY_LEN(phases); i++) {
        struct actuator_progress earlier = in_phase(phases[i - 1]);
        struct actuator_progress later = in_phase(phases[i]);

        ck_assert_double_gt(fed(0, &later), fed(0, &earlier));
    }
}
END_TEST

START_TEST(a_phase_reported_late_takes_nothing_back)
{
    struct actuator_progress raw = in_phase(ACTUATOR_PHASE_CLEANUP);
    double before = fed(0, &raw);

    raw = in_phase(ACTUATOR_PHASE_SETUP);
    ck_assert_double_eq_tol(fed(before, &raw), before, 1e-12);
    raw = memory(8 * GIB, 4 * GIB);
    ck_assert_double_eq_tol(fed(before, &raw), before, 1e-12);
}
END_TEST

START_TEST(any_sequence_of_figures_only_grows)
{
    uint64_t seed = 1;
    double fraction = 0;

    for (int i = 0; i < 10000; i++) {
        struct actuator_progress raw;
        double next;

        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        raw = memory((seed >> 32) % 100, (seed >> 40) % 100);
        raw.phase = (seed >> 20) % 50 == 0 ? ACTUATOR_PHASE_SETUP : ACTUATOR_PHASE_MEMORY;
        next = fed(fraction, &raw);
        ck_assert_double_ge(next, fraction);
        ck_assert_double_lt(next, 1);
        fraction = next;
    }
    ck_assert_double_gt(fraction, 0);
}
END_TEST

START_TEST(time_left_follows_the_rate_and_is_unknown_without_one)
{
    struct actuator_progress raw = memory(8 * GIB, 4 * GIB);
    struct gauge gauge;

    gauge_reset(&gauge);
    ck_assert_int_eq(gauge_left_ms(&gauge), -1);
    gauge_feed(&gauge, &raw);
    ck_assert_int_eq(gauge_left_ms(&gauge), -1);
    raw.rate_bytes_s = GIB;
    gauge_feed(&gauge, &raw);
    ck_assert_int_eq(gauge_left_ms(&gauge), 4000);
    raw.phase = ACTUATOR_PHASE_SWITCHOVER;
    gauge_feed(&gauge, &raw);
    ck_assert_int_eq(gauge_left_ms(&gauge), -1);
}
END_TEST

/* The gauge of a copy with 'left' GiB to go at 1 GiB a second, while 'dirty' MiB a second are written. */
static struct gauge writing(uint64_t left, uint64_t dirty)
{
    struct actuator_progress raw = memory(8 * GIB, left * GIB);
    struct gauge gauge;

    raw.rate_bytes_s = GIB;
    raw.dirty_bytes_s = dirty * (GIB / 1024);
    gauge_reset(&gauge);
    gauge_feed(&gauge, &raw);
    return gauge;
}

START_TEST(what_the_guest_writes_makes_the_time_left_a_range)
{
    struct gauge quiet = writing(4, 0);
    struct gauge mild = writing(4, 512);
    struct gauge busy = writing(4, 1024);

    ck_assert_int_eq(gauge_left_most_ms(&quiet), gauge_left_ms(&quiet));
    ck_assert_int_eq(gauge_left_ms(&mild), 4000);
    ck_assert_int_eq(gauge_left_most_ms(&mild), 8000);
    ck_assert_int_eq(gauge_left_most_ms(&busy), GAUGE_NEVER);
    busy.raw.phase = ACTUATOR_PHASE_SWITCHOVER;
    ck_assert_int_eq(gauge_left_most_ms(&busy), -1);
}
END_TEST

START_TEST(until_a_pass_is_over_what_was_measured_counts_as_written)
{
    struct gauge gauge = writing(4, 0);

    gauge.raw.has_written = true;
    gauge.raw.written_bytes_s = GIB / 2;
    ck_assert_int_eq(gauge_left_most_ms(&gauge), 8000);
    gauge.raw.dirty_bytes_s = GIB / 4 * 3;
    ck_assert_int_eq(gauge_left_most_ms(&gauge), 16000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gauge");
    TCase *tcase = tcase_create("gauge");

    tcase_add_test(tcase, what_is_copied_makes_the_bar_grow);
    tcase_add_test(tcase, half_the_memory_is_about_half_the_bar);
    tcase_add_test(tcase, the_bar_stays_when_a_dirty_guest_makes_more_remain);
    tcase_add_loop_test(tcase, odd_figures_keep_it_within_its_bounds, 0, (int)ARRAY_LEN(odd));
    tcase_add_test(tcase, a_phase_that_comes_later_is_further_on_the_bar);
    tcase_add_test(tcase, a_phase_reported_late_takes_nothing_back);
    tcase_add_test(tcase, any_sequence_of_figures_only_grows);
    tcase_add_test(tcase, time_left_follows_the_rate_and_is_unknown_without_one);
    tcase_add_test(tcase, what_the_guest_writes_makes_the_time_left_a_range);
    tcase_add_test(tcase, until_a_pass_is_over_what_was_measured_counts_as_written);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
