/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "reconciler/zone.h"
#include "tests/runner.h"
#include "tests/unit/instant.h"

static const char *const strangers[] = {
    "",
    "Europe/Nowhere",
    "Europe",
    "../../../etc/passwd",
    "Europe/../Europe/Berlin",
    "/etc/localtime",
    "Berlin1",
    "CET-1CEST",
    "UTC\n",
    "+02:00",
    "zone.tab",
    "Europe/Berlin/of/a/name/that/is/much/longer/than/any/that/is/known",
};

START_TEST(what_is_no_name_of_a_zone_opens_nothing)
{
    ck_assert_ptr_null(zone_open(strangers[_i]));
}
END_TEST

START_TEST(the_zone_of_the_machine_is_always_there)
{
    AUTO(zone) struct zone *zone = zone_open(NULL);

    ck_assert_ptr_nonnull(zone);
}
END_TEST

static const struct {
    const char *zone;
    const char *instant;
    const char *text;
} shown[] = {
    { "UTC", "2026-11-24T21:00:59Z", "Tue 2026-11-24 21:00 UTC" },
    { "Europe/Berlin", "2026-11-24T21:00:00Z", "Tue 2026-11-24 22:00 CET" },
    { "Europe/Berlin", "2026-06-30T22:00:00Z", "Wed 2026-07-01 00:00 CEST" },
    { "Europe/Berlin", "2026-03-29T00:59:59Z", "Sun 2026-03-29 01:59 CET" },
    { "Europe/Berlin", "2026-03-29T01:00:00Z", "Sun 2026-03-29 03:00 CEST" },
    { "Europe/Berlin", "2026-10-25T00:30:00Z", "Sun 2026-10-25 02:30 CEST" },
    { "Europe/Berlin", "2026-10-25T01:30:00Z", "Sun 2026-10-25 02:30 CET" },
    { "America/New_York", "2026-03-08T07:00:00Z", "Sun 2026-03-08 03:00 EDT" },
    { "Australia/Lord_Howe", "2026-04-04T15:00:00Z", "Sun 2026-04-05 01:30 +1030" },
    { "Asia/Kolkata", "1970-01-01T00:00:00Z", "Thu 1970-01-01 05:30 IST" },
    { "America/New_York", "1970-01-01T00:00:00Z", "Wed 1969-12-31 19:00 EST" },
    { "Europe/Berlin", "2100-07-01T00:00:00Z", "Thu 2100-07-01 02:00 CEST" },
};

START_TEST(an_instant_is_shown_as_a_wall_there_shows_it)
{
    AUTO(zone) struct zone *zone = zone_open(shown[_i].zone);
    char buffer[ZONE_TEXT_SIZE];

    ck_assert_ptr_nonnull(zone);
    ck_assert_str_eq(zone_format(zone, instant(shown[_i].instant), buffer), shown[_i].text);
}
END_TEST

static const struct {
    const char *zone;
    struct zone_time time;
    const char *instant; /* NULL = never shown. */
} times[] = {
    { "Europe/Berlin", { 2026, 3, 29, 1, 59, 59 }, "2026-03-29T00:59:59Z" },
    { "Europe/Berlin", { 2026, 3, 29, 2, 0, 0 }, NULL },
    { "Europe/Berlin", { 2026, 3, 29, 2, 59, 59 }, NULL },
    { "Europe/Berlin", { 2026, 3, 29, 3, 0, 0 }, "2026-03-29T01:00:00Z" },
    { "Europe/Berlin", { 2026, 10, 25, 2, 0, 0 }, "2026-10-25T00:00:00Z" },
    { "Europe/Berlin", { 2026, 10, 25, 2, 59, 59 }, "2026-10-25T00:59:59Z" },
    { "Europe/Berlin", { 2026, 10, 25, 3, 0, 0 }, "2026-10-25T02:00:00Z" },
    { "America/New_York", { 2026, 3, 8, 2, 30, 0 }, NULL },
    { "America/New_York", { 2026, 11, 1, 1, 30, 0 }, "2026-11-01T05:30:00Z" },
    { "Australia/Lord_Howe", { 2026, 10, 4, 2, 15, 0 }, NULL },
    { "Australia/Lord_Howe", { 2026, 10, 4, 2, 30, 0 }, "2026-10-03T15:30:00Z" },
    { "Australia/Lord_Howe", { 2026, 4, 5, 1, 45, 0 }, "2026-04-04T14:45:00Z" },
    { "Asia/Kolkata", { 2026, 3, 29, 2, 30, 0 }, "2026-03-28T21:00:00Z" },
    { "UTC", { 2026, 3, 29, 2, 30, 0 }, "2026-03-29T02:30:00Z" },
};

START_TEST(a_local_time_is_its_first_instant_or_none)
{
    AUTO(zone) struct zone *zone = zone_open(times[_i].zone);
    int64_t ms = 42;

    ck_assert_ptr_nonnull(zone);
    if (times[_i].instant == NULL) {
        ck_assert(!zone_instant(zone, &times[_i].time, &ms));
        ck_assert_int_eq(ms, 42);
    } else {
        ck_assert(zone_instant(zone, &times[_i].time, &ms));
        ck_assert_int_eq(ms, instant(times[_i].instant));
    }
}
END_TEST

static const char *const travelled[] = { "Europe/Berlin", "America/New_York",
                                         "Australia/Lord_Howe" };

START_TEST(every_quarter_of_an_hour_of_a_year_is_shown_and_read_back)
{
    AUTO(zone) struct zone *zone = zone_open(travelled[_i]);
    int64_t begin = instant("2026-01-01T00:00:00Z");
    size_t repeated = 0;

    for (int64_t ms = begin; ms < instant("2027-01-01T00:00:00Z"); ms += INT64_C(900000)) {
        struct zone_time time = zone_local(zone, ms);
        int64_t back = 0;

        ck_assert(zone_instant(zone, &time, &back));
        ck_assert_int_le(back, ms);
        repeated += back < ms;
    }
    ck_assert_uint_eq(repeated, strcmp(travelled[_i], "Australia/Lord_Howe") == 0 ? 2 : 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("zone");
    TCase *tcase = tcase_create("zone");

    tcase_add_loop_test(tcase, what_is_no_name_of_a_zone_opens_nothing, 0,
                        (int)ARRAY_LEN(strangers));
    tcase_add_test(tcase, the_zone_of_the_machine_is_always_there);
    tcase_add_loop_test(tcase, an_instant_is_shown_as_a_wall_there_shows_it, 0,
                        (int)ARRAY_LEN(shown));
    tcase_add_loop_test(tcase, a_local_time_is_its_first_instant_or_none, 0, (int)ARRAY_LEN(times));
    tcase_add_loop_test(tcase, every_quarter_of_an_hour_of_a_year_is_shown_and_read_back, 0,
                        (int)ARRAY_LEN(travelled));
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
