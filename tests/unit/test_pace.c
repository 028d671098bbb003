/* SPDX-License-Identifier: Apache-2.0 */

/* When a copy will be over, and whether it goes on. */

#include <check.h>
#include <stdint.h>
#include <stdlib.h>

#include "actuators/actuator.h"
#include "base/arena.h"
#include "base/base.h"
#include "reconciler/pace.h"
#include "tests/runner.h"

#define MIB (UINT64_C(1) << 20)

struct prospect {
    uint64_t mib;
    double rate; /* MiB a second, as the next. */
    double written;
    int64_t downtime_ms;
    int64_t time_ms;
};

static const struct prospect prospects[] = {
    { 0, 100, 0, 0, 0 },
    { 1000, 100, 0, 0, 10000 },
    { 1000, 100, 50, 0, 20000 },           /* 10 s, then 5 s, 2.5 s, ... */
    { 1000, 100, 50, 1000, 19000 },        /* The last 100 MiB while it stands still. */
    { 100, 100, 500, 1000, 1000 },         /* All of it fits into the pause. */
    { 1000, 100, 100, 1000, PACE_NEVER },  /* As fast as it is copied ... */
    { 1000, 100, 5000, 1000, PACE_NEVER }, /* ... and faster. */
    { 1000, 0, 0, 1000, PACE_NEVER },      /* Nothing is copied. */
    { 1000, -1, 0, 1000, PACE_NEVER },
    { UINT64_C(1) << 40, 0.001, 0, 0, PACE_NEVER }, /* Nobody lives so long. */
};

START_TEST(a_copy_takes_as_long_as_its_passes_together)
{
    const struct prospect *it = &prospects[_i];
    int64_t time_ms = pace_time_ms(it->mib * MIB, it->rate * (double)MIB, it->written * (double)MIB,
                                   it->downtime_ms);

    if (it->time_ms == PACE_NEVER) {
        ck_assert_int_eq(time_ms, PACE_NEVER);
    } else {
        ck_assert_int_ge(time_ms, it->time_ms - 1);
        ck_assert_int_le(time_ms, it->time_ms + 1);
    }
}
END_TEST

/* A second into a copy: 100 of 1100 MiB are sent. */
static const struct actuator_progress early = {
    .phase = ACTUATOR_PHASE_MEMORY,
    .elapsed_ms = 1000,
    .total_bytes = 1100 * MIB,
    .remaining_bytes = 1000 * MIB,
    .processed_bytes = 100 * MIB,
    .has_written = true,
    .written_bytes_s = 50 * MIB,
};

START_TEST(a_migration_is_foretold_by_what_it_has_taken_and_what_is_left)
{
    struct actuator_progress raw = early;

    ck_assert_int_eq(pace_foretell_ms(&raw, 0), 22000); /* 50 MiB were written already. */
    raw.iteration = 2;                                  /* Those are part of what is left. */
    ck_assert_int_eq(pace_foretell_ms(&raw, 0), 21000);
    raw.written_bytes_s = 0;
    ck_assert_int_eq(pace_foretell_ms(&raw, 0), 11000);
    raw.written_bytes_s = 100 * MIB;
    ck_assert_int_eq(pace_foretell_ms(&raw, 0), PACE_NEVER);
}
END_TEST

START_TEST(nothing_is_foretold_while_too_little_is_known)
{
    struct actuator_progress raw = early;

    raw.has_written = false;
    ck_assert_int_eq(pace_foretell_ms(&raw, 0), 0);
    raw = early;
    raw.elapsed_ms = 100;
    ck_assert_int_eq(pace_foretell_ms(&raw, 0), 0);
    raw = early;
    raw.processed_bytes = 0;
    ck_assert_int_eq(pace_foretell_ms(&raw, 0), 0);
    raw = early;
    raw.phase = ACTUATOR_PHASE_SWITCHOVER;
    ck_assert_int_eq(pace_foretell_ms(&raw, 0), 0);
}
END_TEST

START_TEST(a_copy_goes_on_while_bytes_are_sent)
{
    struct pace pace = { .copied = 0 };
    struct actuator_progress raw = early;

    ck_assert(!pace_goes_on(&pace, 0));
    pace_feed(&pace, &raw, 5000);
    ck_assert(pace_goes_on(&pace, 5000));
    pace_feed(&pace, &raw, 14000); /* No more than before. */
    ck_assert(pace_goes_on(&pace, 14000));
    ck_assert(!pace_goes_on(&pace, 15000));
    raw.processed_bytes += 1;
    pace_feed(&pace, &raw, 15000);
    ck_assert(pace_goes_on(&pace, 15000));
}
END_TEST

START_TEST(postcopy_is_not_forgotten)
{
    struct pace pace = { .copied = 0 };
    struct actuator_progress raw = early;

    pace_feed(&pace, &raw, 1);
    ck_assert(!pace.postcopy);
    raw.phase = ACTUATOR_PHASE_POSTCOPY;
    pace_feed(&pace, &raw, 2);
    raw.phase = ACTUATOR_PHASE_MEMORY;
    pace_feed(&pace, &raw, 3);
    ck_assert(pace.postcopy);
}
END_TEST

START_TEST(why_it_has_not_ended_is_said_in_figures)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct pace pace = { .newest = { .iteration = 1, .rate_bytes_s = 12 * MIB } };

    ck_assert_str_eq(pace_why(&pace, &arena), "its memory had not been copied once, at 12 MiB/s");
    pace.newest.iteration = 9;
    pace.newest.dirty_bytes_s = 30 * MIB;
    ck_assert_str_eq(pace_why(&pace, &arena),
                     "after 9 passes it still wrote 30 MiB/s, 12 MiB/s were copied");
    pace.newest.throttle_percent = 60;
    ck_assert_str_eq(pace_why(&pace, &arena), "after 9 passes it still wrote 30 MiB/s, although "
                                              "slowed down by 60 %, 12 MiB/s were copied");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pace");
    TCase *tcase = tcase_create("pace");

    tcase_add_loop_test(tcase, a_copy_takes_as_long_as_its_passes_together, 0,
                        (int)ARRAY_LEN(prospects));
    tcase_add_test(tcase, a_migration_is_foretold_by_what_it_has_taken_and_what_is_left);
    tcase_add_test(tcase, nothing_is_foretold_while_too_little_is_known);
    tcase_add_test(tcase, a_copy_goes_on_while_bytes_are_sent);
    tcase_add_test(tcase, postcopy_is_not_forgotten);
    tcase_add_test(tcase, why_it_has_not_ended_is_said_in_figures);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
