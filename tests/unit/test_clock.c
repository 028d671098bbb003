/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/clock.h"
#include "tests/runner.h"

/* An instant, and the one text that means it.  date -u -d @SECONDS. */
static const struct {
    int64_t ms;
    const char *text;
} instants[] = {
    { 0, "1970-01-01T00:00:00Z" },
    { INT64_C(86399000), "1970-01-01T23:59:59Z" },
    { INT64_C(68169600000), "1972-02-29T00:00:00Z" },
    { INT64_C(951782400000), "2000-02-29T00:00:00Z" }, /* A leap year in spite of the century. */
    { INT64_C(951868800000), "2000-03-01T00:00:00Z" },
    { INT64_C(1709210096000), "2024-02-29T12:34:56Z" },
    { INT64_C(1795435200000), "2026-11-23T12:00:00Z" },
    { INT64_C(4107542400000), "2100-03-01T00:00:00Z" }, /* No leap year: the day after the 28th. */
    { INT64_C(4107456000000), "2100-02-28T00:00:00Z" },
    { INT64_C(253402300799000), "9999-12-31T23:59:59Z" },
};

START_TEST(an_instant_is_written_as_its_text)
{
    char buffer[CLOCK_TEXT_SIZE];

    ck_assert_str_eq(clock_format(instants[_i].ms, buffer), instants[_i].text);
}
END_TEST

START_TEST(a_text_is_read_as_its_instant)
{
    int64_t ms = -1;

    ck_assert(clock_parse(instants[_i].text, &ms));
    ck_assert_int_eq(ms, instants[_i].ms);
}
END_TEST

START_TEST(every_day_of_four_centuries_survives_writing_and_reading)
{
    const int64_t day_ms = INT64_C(24) * 60 * 60 * 1000;
    char buffer[CLOCK_TEXT_SIZE];

    for (int64_t day = 0; day <= 146097; day++) {
        int64_t ms = -1;

        ck_assert(clock_parse(clock_format(day * day_ms + 1000, buffer), &ms));
        ck_assert_int_eq(ms, day * day_ms + 1000);
    }
}
END_TEST

START_TEST(milliseconds_are_cut_when_written)
{
    char buffer[CLOCK_TEXT_SIZE];

    ck_assert_str_eq(clock_format(1999, buffer), "1970-01-01T00:00:01Z");
}
END_TEST

START_TEST(an_instant_outside_of_four_digit_years_is_written_as_the_nearest_inside)
{
    char buffer[CLOCK_TEXT_SIZE];

    ck_assert_str_eq(clock_format(-1, buffer), "1970-01-01T00:00:00Z");
    ck_assert_str_eq(clock_format(INT64_MIN, buffer), "1970-01-01T00:00:00Z");
    ck_assert_str_eq(clock_format(INT64_MAX, buffer), "9999-12-31T23:59:59Z");
}
END_TEST

static const struct {
    const char *text;
    int64_t ms;
} fractions[] = {
    { "1970-01-01T00:00:01.5Z", 1500 },
    { "1970-01-01T00:00:01.05Z", 1050 },
    { "1970-01-01T00:00:01.123456789Z", 1123 },
    { "1970-01-01T00:00:01.999999Z", 1999 },
};

START_TEST(a_fraction_is_cut_to_milliseconds)
{
    int64_t ms = -1;

    ck_assert(clock_parse(fractions[_i].text, &ms));
    ck_assert_int_eq(ms, fractions[_i].ms);
}
END_TEST

static const char *const bad_texts[] = {
    "2026-02-30T00:00:00Z",
    "2023-02-29T00:00:00Z",
    "2026-04-31T00:00:00Z",
    "",
    "now",
    "2026-11-23",
    "2026-11-23T12:00:00",
    "2026-11-23 12:00:00Z",
    "2026-11-23t12:00:00z",
    "2026-11-23T12:00:00+01:00",
    "2026-11-23T12:00:00.Z",
    "2026-11-23T12:00:00Zx",
    " 2026-11-23T12:00:00Z",
    "26-11-23T12:00:00Z",
    "+026-11-23T12:00:00Z",
    "2026-00-23T12:00:00Z",
    "2026-13-23T12:00:00Z",
    "2026-11-00T12:00:00Z",
    "2026-11-32T12:00:00Z",
    "2026-11-23T24:00:00Z",
    "2026-11-23T12:60:00Z",
    "2026-11-23T12:00:61Z",
    "1969-12-31T23:59:59Z",
};

START_TEST(anything_else_is_refused_and_writes_nothing)
{
    int64_t ms = 42;

    ck_assert(!clock_parse(bad_texts[_i], &ms));
    ck_assert_int_eq(ms, 42);
}
END_TEST

static const struct {
    int64_t ms;
    const char *text;
} durations[] = {
    { -5, "0 ms" },
    { 0, "0 ms" },
    { 850, "850 ms" },
    { 999, "999 ms" },
    { 1000, "1.0 s" },
    { 9999, "9.9 s" },
    { 10000, "10 s" },
    { 12000, "12 s" },
    { 119999, "119 s" },
    { 200000, "3 min 20 s" },
    { 7199999, "119 min 59 s" },
    { 7500000, "2 h 5 min" },
};

START_TEST(a_duration_is_written_the_way_people_say_it)
{
    char buffer[CLOCK_TEXT_SIZE];

    ck_assert_str_eq(clock_format_duration(durations[_i].ms, buffer), durations[_i].text);
}
END_TEST

START_TEST(the_longest_duration_fits_its_buffer)
{
    char buffer[CLOCK_TEXT_SIZE];

    ck_assert_uint_lt(strlen(clock_format_duration(INT64_MAX, buffer)), CLOCK_TEXT_SIZE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("clock");
    TCase *tcase = tcase_create("clock");

    tcase_add_loop_test(tcase, an_instant_is_written_as_its_text, 0, (int)ARRAY_LEN(instants));
    tcase_add_loop_test(tcase, a_text_is_read_as_its_instant, 0, (int)ARRAY_LEN(instants));
    tcase_add_test(tcase, every_day_of_four_centuries_survives_writing_and_reading);
    tcase_add_test(tcase, milliseconds_are_cut_when_written);
    tcase_add_test(tcase, an_instant_outside_of_four_digit_years_is_written_as_the_nearest_inside);
    tcase_add_loop_test(tcase, a_fraction_is_cut_to_milliseconds, 0, (int)ARRAY_LEN(fractions));
    tcase_add_loop_test(tcase, anything_else_is_refused_and_writes_nothing, 0,
                        (int)ARRAY_LEN(bad_texts));
    tcase_add_loop_test(tcase, a_duration_is_written_the_way_people_say_it, 0,
                        (int)ARRAY_LEN(durations));
    tcase_add_test(tcase, the_longest_duration_fits_its_buffer);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
