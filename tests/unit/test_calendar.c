/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"
#include "calendar_cases.h"
#include "reconciler/calendar.h"
#include "reconciler/zone.h"
#include "tests/runner.h"
#include "tests/unit/instant.h"

static struct calendar parse(struct arena *arena, const char *text)
{
    struct calendar calendar = { 0 };
    struct err err = { 0 };

    ck_assert_msg(calendar_parse(arena, text, &calendar, &err) == 0, "%s: %s", text, err.text);
    if (calendar.zone == NULL) { /* Not the machine's. */
        calendar.zone = "UTC";
    }
    return calendar;
}

START_TEST(expressions_elapse_when_systemd_says)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct calendar calendar = parse(&arena, calendar_cases[_i].expression);
    int64_t ms = instant(calendar_cases[_i].base);
    char buffer[CLOCK_TEXT_SIZE];

    for (size_t i = 0; i < CALENDAR_CASE_INSTANTS; i++) {
        const char *expected = calendar_cases[_i].instants[i];

        if (expected == NULL) {
            ck_assert_msg(!calendar_next(&calendar, ms, &ms), "%s elapses again",
                          calendar_cases[_i].expression);
            return;
        }
        ck_assert(calendar_next(&calendar, ms, &ms));
        ck_assert_msg(strcmp(clock_format(ms, buffer), expected) == 0, "%s: #%zu is %s, not %s",
                      calendar_cases[_i].expression, i + 1, buffer, expected);
    }
}
END_TEST

/* SplitMix64: the same everywhere. */
static uint64_t roll(uint64_t *state, uint64_t sides)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (z ^ (z >> 31)) % sides;
}

static uint64_t draw_set(uint64_t *state, unsigned first, unsigned last)
{
    uint64_t set = 0;

    for (uint64_t left = 1 + roll(state, 3); left > 0; left--) {
        set |= UINT64_C(1) << (first + roll(state, last - first + 1));
    }
    return roll(state, 3) == 0 ? ((UINT64_C(2) << last) - 1) & ~((UINT64_C(1) << first) - 1) : set;
}

static struct calendar draw(uint64_t *state)
{
    static const char *const zones[] = { "UTC", "Europe/Berlin", "America/New_York",
                                         "Australia/Lord_Howe", "Asia/Kolkata" };

    return (struct calendar){
        .seconds = draw_set(state, 0, 59),
        .minutes = draw_set(state, 0, 59),
        .hours = draw_set(state, 0, 23),
        .days = draw_set(state, 1, 28),
        .months = draw_set(state, 1, 12),
        .years = { roll(state, 2) == 0 ? ~UINT64_C(0) : UINT64_C(0xF) << 56, ~UINT64_C(0) },
        .weekdays = draw_set(state, 0, 6),
        .from_end = roll(state, 2) == 0,
        .zone = zones[roll(state, ARRAY_LEN(zones))],
    };
}

static void check_fields(const struct calendar *calendar, int64_t ms)
{
    AUTO(zone) struct zone *zone = zone_open(calendar->zone);
    struct zone_time time = zone_local(zone, ms);
    int64_t days = clock_days(time.year, time.month, time.day);
    int64_t length = time.month == 12 ? 31
                                      : clock_days(time.year, time.month + 1, 1) -
                                            clock_days(time.year, time.month, 1);
    int64_t day = calendar->from_end ? length - time.day + 1 : time.day;

    ck_assert_int_eq(ms % 1000, 0);
    ck_assert((calendar->seconds >> time.second & 1) != 0);
    ck_assert((calendar->minutes >> time.minute & 1) != 0);
    ck_assert((calendar->hours >> time.hour & 1) != 0);
    ck_assert((calendar->days >> day & 1) != 0);
    ck_assert((calendar->months >> time.month & 1) != 0);
    ck_assert((calendar->weekdays >> (days + 3) % 7 & 1) != 0);
    ck_assert((calendar->years[(time.year - 1970) / 64] >> (time.year - 1970) % 64 & 1) != 0);
}

START_TEST(what_is_next_comes_later_matches_and_skips_nothing)
{
    uint64_t state = (uint64_t)_i;
    struct calendar calendar = draw(&state);
    int64_t base = instant("2025-01-01T00:00:00Z") + (int64_t)roll(&state, 63072000) * 1000 + 7;
    int64_t first = 0;

    if (!calendar_next(&calendar, base, &first)) {
        return; /* Such as 'the 28th last day, a Monday in two Februaries'. */
    }
    ck_assert_int_gt(first, base);
    check_fields(&calendar, first);
    for (int i = 0; i < 20; i++) { /* From anywhere between, it is the same. */
        int64_t between = base + (int64_t)roll(&state, (uint64_t)(first - base));
        int64_t again = 0;

        ck_assert(calendar_next(&calendar, between, &again));
        ck_assert_int_eq(again, first);
    }
}
END_TEST

START_TEST(a_canonical_text_is_read_as_what_it_was_made_of)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    uint64_t state = (uint64_t)_i;
    struct calendar calendar = draw(&state);
    struct calendar back = parse(&arena, calendar_text(&arena, &calendar));

    ck_assert_str_eq(calendar_text(&arena, &back), calendar_text(&arena, &calendar));
    ck_assert_uint_eq(back.days, calendar.days);
    ck_assert_uint_eq(back.weekdays, calendar.weekdays);
    ck_assert_uint_eq(back.minutes, calendar.minutes);
    ck_assert_int_eq(back.from_end, calendar.from_end);
}
END_TEST

static const struct {
    const char *text;
    const char *canonical;
} texts[] = {
    { "daily", "*-*-* 00:00:00 UTC" },
    { "  weekly   Europe/Berlin ", "Mon *-*-* 00:00:00 Europe/Berlin" },
    { "Sat,Thu,Mon..Wed,Sat..Sun", "Mon..Thu,Sat,Sun *-*-* 00:00:00 UTC" },
    { "12,14,13,12:20,10,30", "*-*-* 12..14:10,20,30:00 UTC" },
    { "mon,fri *-1/6-1,3 *:30:45", "Mon,Fri *-01,07-01,03 *:30:45 UTC" },
    { "*-05~07/1", "*-05~01..07 00:00:00 UTC" },
    { "*-*~*", "*-*-* 00:00:00 UTC" },
    { "2027-02..04-05", "2027-02..04-05 00:00:00 UTC" },
    { "Mon..Sun", "*-*-* 00:00:00 UTC" },
};

START_TEST(two_ways_to_write_the_same_have_one_text)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct calendar calendar = parse(&arena, texts[_i].text);

    ck_assert_str_eq(calendar_text(&arena, &calendar), texts[_i].canonical);
}
END_TEST

#define NUMBER  "not '*' or a number"
#define STAR    NUMBER " ('*' stands alone; a step needs a first value: 0/15)"
#define WEEKDAY "weekday: not the name of a day, such as Mon or Monday"
#define ZONE    "time zone: not UTC or one that this machine knows, such as Europe/Berlin"
#define ORDER   "not a date such as *-12-24, a time such as 22:00 or a time zone, in this order"

static const struct {
    const char *text;
    const char *expected;
} bad[] = {
    { "", "it is empty" },
    { "  ", "it is empty" },
    { "UTC UTC UTC UTC UTC", "more than weekdays, a date, a time and a time zone" },
    { "24:00", "hour: 24 is not from 0 to 23" },
    { "12:60", "minute: 60 is not from 0 to 59" },
    { "12:00:60", "second: 60 is not from 0 to 59" },
    { "12:00:00.5", "second: something odd behind it" },
    { "12:", "minute: " NUMBER },
    { "99999:00", "hour: " NUMBER },
    { "-1:00", "hour: " NUMBER },
    { "*:*/5", "minute: " STAR },
    { "*,5:00", "hour: " STAR },
    { "5,:00", "hour: " NUMBER },
    { "5..3:00", "hour: 5..3 does not go up" },
    { "5..:00", "hour: " NUMBER },
    { "*:0/0", "minute: a step of 0 never gets to another value" },
    { "*:0/90", "minute: a step of 90 never gets to another value" },
    { "*:0..10/20", "minute: a step of 20 never gets to another value" },
    { "12x:00", "hour: no ':' behind it" },
    { "*-13-01", "month: 13 is not from 1 to 12" },
    { "*-00-01", "month: 0 is not from 1 to 12" },
    { "*-12-32", "day: 32 is not from 1 to 31" },
    { "*-02~29", "day from the end of the month: 29 is not from 1 to 28" },
    { "1969-01-01", "year: 1969 is not from 1970 to 2199" },
    { "26-01-01", "year: 26 is not from 1970 to 2199" },
    { "2200-01-01", "year: 2200 is not from 1970 to 2199" },
    { "2026-01", "month: 2026 is not from 1 to 12" },
    { "2026-01-01-01", "day: something odd behind it" },
    { "2026~01-01", "year: no '-' behind it" },
    { "10-", "day: " NUMBER },
    { "Mo 10:00", WEEKDAY },
    { "Mon.. 10:00", WEEKDAY },
    { "Fri..Mon", "weekday: a range goes from Mon towards Sun" },
    { "Mon;Tue", "weekday: something odd behind it" },
    { "sometimes", WEEKDAY },
    { "22:00 Europe/Nowhere", ZONE },
    { "22:00 ../etc/passwd", "part 2: " ORDER },
    { "22:00 *-12-24", "part 2: " ORDER },
    { "22:00 23:00", "part 2: " ORDER },
    { "10", "part 1: " ORDER },
    { "*", "part 1: " ORDER },
    { "daily 10:00", WEEKDAY },
    { "10:00 Mon", ZONE },
};

START_TEST(what_is_wrong_is_told_with_the_part_it_is_in)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct calendar calendar = { .zone = "untouched" };
    struct err err = { 0 };

    ck_assert_msg(calendar_parse(&arena, bad[_i].text, &calendar, &err) == -1, "%s", bad[_i].text);
    ck_assert_int_eq(err.code, ERR_INVALID);
    ck_assert_str_eq(err.text, bad[_i].expected);
    ck_assert_str_eq(calendar.zone, "untouched");
}
END_TEST

START_TEST(a_time_that_comes_twice_counts_once_wherever_one_looks_from)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct calendar calendar = parse(&arena, "02:15 Europe/Berlin");
    int64_t ms = 0;

    ck_assert(calendar_next(&calendar, instant("2026-10-25T00:00:00Z"), &ms));
    ck_assert_int_eq(ms, instant("2026-10-25T00:15:00Z"));
    ck_assert(calendar_next(&calendar, ms, &ms));
    ck_assert_int_eq(ms, instant("2026-10-26T01:15:00Z"));
    ck_assert(calendar_next(&calendar, instant("2026-10-25T01:10:00Z"), &ms));
    ck_assert_int_eq(ms, instant("2026-10-26T01:15:00Z"));
}
END_TEST

START_TEST(instants_before_1970_and_after_the_last_year_are_bounded)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct calendar calendar = parse(&arena, "daily");
    int64_t ms = 42;

    ck_assert(calendar_next(&calendar, INT64_MIN, &ms));
    ck_assert_int_eq(ms, 0);
    ms = 42;
    ck_assert(!calendar_next(&calendar, instant("2199-12-31T00:00:00Z"), &ms));
    ck_assert(!calendar_next(&calendar, INT64_MAX, &ms));
    ck_assert_int_eq(ms, 42);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("calendar");
    TCase *tcase = tcase_create("calendar");

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, expressions_elapse_when_systemd_says, 0,
                        (int)ARRAY_LEN(calendar_cases));
    tcase_add_loop_test(tcase, what_is_next_comes_later_matches_and_skips_nothing, 0, 500);
    tcase_add_loop_test(tcase, a_canonical_text_is_read_as_what_it_was_made_of, 0, 200);
    tcase_add_loop_test(tcase, two_ways_to_write_the_same_have_one_text, 0, (int)ARRAY_LEN(texts));
    tcase_add_loop_test(tcase, what_is_wrong_is_told_with_the_part_it_is_in, 0,
                        (int)ARRAY_LEN(bad));
    tcase_add_test(tcase, a_time_that_comes_twice_counts_once_wherever_one_looks_from);
    tcase_add_test(tcase, instants_before_1970_and_after_the_last_year_are_bounded);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
