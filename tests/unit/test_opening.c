/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/clock.h"
#include "base/err.h"
#include "reconciler/opening.h"
#include "reconciler/timetable.h"
#include "tests/runner.h"
#include "tests/unit/instant.h"

#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)

#define WINDOWS   8
#define BLACKOUTS 4

/* A timetable that grows, with room for everything in itself. */
struct plot {
    struct arena arena;
    struct timetable_window windows[WINDOWS];
    const struct timetable_window *lists[WINDOWS];
    struct timetable_blackout blackouts[BLACKOUTS];
    struct timetable_gate hosts[2];
    struct timetable_gate guests[1];
    struct timetable timetable;
};

static void plot_deinit(struct plot *plot)
{
    arena_deinit(&plot->arena);
}

AUTO_VALUE(plot, struct plot, plot_deinit);

/* Window 'name' opens so. */
static const struct timetable_window **window(struct plot *plot, const char *name,
                                              const char *opens, int64_t lasts_ms)
{
    size_t index = plot->timetable.window_count++;
    struct timetable_window *this = &plot->windows[index];
    struct err err = { 0 };

    *this = (struct timetable_window){ .name = name, .lasts_ms = lasts_ms };
    ck_assert_msg(calendar_parse(&plot->arena, opens, &this->opens, &err) == 0, "%s", err.text);
    plot->timetable.windows = plot->windows;
    plot->timetable.zone = "UTC";
    plot->lists[index] = this;
    return &plot->lists[index];
}

static struct timetable_gate gate(const char *owner, const struct timetable_window **windows,
                                  size_t count)
{
    return (struct timetable_gate){ .owner = owner, .windows = windows, .count = count };
}

static struct timetable_blackout *blackout(struct plot *plot, const char *name, const char *from,
                                           const char *until)
{
    struct timetable_blackout *this = &plot->blackouts[plot->timetable.blackout_count++];

    *this = (struct timetable_blackout){
        .name = name,
        .from_ms = instant(from),
        .until_ms = instant(until),
    };
    plot->timetable.blackouts = plot->blackouts;
    return this;
}

/* What is said of a move of 'vm1' from 'kvm1' to 'kvm2'; "" if it may start. */
static const char *objection(struct plot *plot, int64_t lasts_ms, const char *now)
{
    const struct opening_move move = { "vm1", "kvm1", "kvm2", lasts_ms };
    const char *text = opening_objection(&plot->arena, &plot->timetable, &move, instant(now));

    return text == NULL ? "" : text;
}

static bool host_is_open(struct plot *plot, const char *host, const char *now)
{
    const struct opening_move move = { .to = host };

    return opening_is_open(&plot->timetable, &move, instant(now));
}

static const char *next_change(struct plot *plot, const char *now)
{
    int64_t next_ms = opening_next_change(&plot->timetable, instant(now));
    char *buffer = arena_alloc(&plot->arena, CLOCK_TEXT_SIZE, 1);

    return next_ms == INT64_MAX ? "never" : clock_format(next_ms, buffer);
}

START_TEST(without_a_window_a_move_starts_at_any_time)
{
    AUTO(plot) struct plot plot = { 0 };

    ck_assert_str_eq(objection(&plot, 1000 * HOUR, "2026-11-24T12:00:00Z"), "");
    ck_assert(host_is_open(&plot, "kvm1", "2026-11-24T12:00:00Z"));
    ck_assert_str_eq(next_change(&plot, "2026-11-24T12:00:00Z"), "never");
}
END_TEST

static const struct {
    const char *now;
    const char *objection;
} nights[] = {
    { "2026-11-24T12:00:00Z", "waits for window 'night', which opens Tue 2026-11-24 22:00 CET" },
    { "2026-11-24T20:59:59Z", "waits for window 'night', which opens Tue 2026-11-24 22:00 CET" },
    { "2026-11-24T21:00:00Z", "" },
    { "2026-11-25T02:50:00Z", "" },
    { "2026-11-25T02:50:01Z", "needs about 10 min 0 s, and window 'night' closes Wed 2026-11-25 "
                              "04:00 CET; it can start Wed 2026-11-25 22:00 CET" },
    { "2026-11-25T03:00:00Z", "waits for window 'night', which opens Wed 2026-11-25 22:00 CET" },
    { "2026-07-01T19:30:00Z", "waits for window 'night', which opens Wed 2026-07-01 22:00 CEST" },
    /* The night in which clocks are put back is an hour longer by the wall, and six hours all the same. */
    { "2026-10-25T01:50:00Z", "" },
    { "2026-10-25T02:00:00Z", "waits for window 'night', which opens Sun 2026-10-25 22:00 CET" },
    { "2026-03-29T02:50:00Z", "" },
    { "2026-03-29T03:00:00Z", "waits for window 'night', which opens Sun 2026-03-29 22:00 CEST" },
};

START_TEST(a_move_starts_while_the_window_is_open_and_long_enough_for_it)
{
    AUTO(plot) struct plot plot = { 0 };

    plot.timetable.fleet = gate(NULL, window(&plot, "night", "22:00 Europe/Berlin", 6 * HOUR), 1);
    ck_assert_str_eq(objection(&plot, 10 * MINUTE, nights[_i].now), nights[_i].objection);
}
END_TEST

START_TEST(a_move_that_fits_no_window_is_told_so)
{
    AUTO(plot) struct plot plot = { 0 };
    static const char expected[] =
        "needs about 3 h 0 min, and window 'night' leaves at most 60 min 0 s";

    plot.timetable.fleet = gate(NULL, window(&plot, "night", "22:00 UTC", HOUR), 1);
    ck_assert_str_eq(objection(&plot, 3 * HOUR, "2026-11-24T12:00:00Z"), expected);
    ck_assert_str_eq(objection(&plot, 3 * HOUR, "2026-11-24T22:10:00Z"), expected);
    ck_assert_str_eq(objection(&plot, HOUR, "2026-11-24T22:00:00Z"), "");
}
END_TEST

START_TEST(a_window_that_does_not_open_any_more_is_told_so)
{
    AUTO(plot) struct plot plot = { 0 };

    plot.timetable.fleet = gate(NULL, window(&plot, "once", "2020-01-01 UTC", HOUR), 1);
    ck_assert_str_eq(objection(&plot, 0, "2026-11-24T12:00:00Z"),
                     "waits for window 'once', which does not open any more");
    ck_assert_str_eq(next_change(&plot, "2026-11-24T12:00:00Z"), "never");
}
END_TEST

START_TEST(one_window_of_several_is_enough_and_those_that_follow_each_other_are_one)
{
    AUTO(plot) struct plot plot = { 0 };
    const struct timetable_window **windows = window(&plot, "evening", "18:00 UTC", 4 * HOUR);

    (void)window(&plot, "night", "22:00 UTC", 6 * HOUR);
    plot.timetable.fleet = gate(NULL, windows, 2);
    ck_assert_str_eq(objection(&plot, 5 * HOUR, "2026-11-24T20:00:00Z"), "");
    ck_assert_str_eq(objection(&plot, 10 * HOUR, "2026-11-24T18:00:00Z"), "");
    ck_assert_str_eq(objection(&plot, 10 * HOUR, "2026-11-24T18:00:01Z"),
                     "needs about 10 h 0 min, and window 'night' closes Wed 2026-11-25 04:00 UTC; "
                     "it can start Wed 2026-11-25 18:00 UTC");
    ck_assert_str_eq(objection(&plot, 0, "2026-11-24T12:00:00Z"),
                     "waits for window 'evening', which opens Tue 2026-11-24 18:00 UTC");
}
END_TEST

START_TEST(a_window_that_opens_before_it_closes_is_never_closed)
{
    AUTO(plot) struct plot plot = { 0 };

    plot.timetable.fleet = gate(NULL, window(&plot, "always", "hourly UTC", HOUR), 1);
    ck_assert_str_eq(objection(&plot, 500 * HOUR, "2026-11-24T12:34:56Z"), "");
    ck_assert_str_eq(next_change(&plot, "2026-11-24T12:34:56Z"), "2026-11-24T13:00:00Z");
}
END_TEST

START_TEST(a_guests_own_window_stands_in_place_of_the_fleets)
{
    AUTO(plot) struct plot plot = { 0 };
    const struct opening_move other = { "vm2", "kvm1", "kvm2", 0 };

    plot.timetable.fleet = gate(NULL, window(&plot, "night", "22:00 UTC", 6 * HOUR), 1);
    plot.guests[0] = gate("vm1", window(&plot, "noon", "12:00 UTC", HOUR), 1);
    plot.timetable.guests = plot.guests;
    plot.timetable.guest_count = 1;
    ck_assert_str_eq(objection(&plot, 0, "2026-11-24T12:30:00Z"), "");
    ck_assert_str_eq(objection(&plot, 0, "2026-11-24T22:30:00Z"),
                     "waits for window 'noon' of 'vm1', which opens Wed 2026-11-25 12:00 UTC");
    ck_assert_ptr_null(
        opening_objection(&plot.arena, &plot.timetable, &other, instant("2026-11-24T22:30:00Z")));
}
END_TEST

START_TEST(both_hosts_windows_must_be_open_besides)
{
    AUTO(plot) struct plot plot = { 0 };

    plot.timetable.fleet = gate(NULL, window(&plot, "night", "22:00 UTC", 6 * HOUR), 1);
    plot.hosts[0] = gate("kvm1", window(&plot, "late", "23:00 UTC", 2 * HOUR), 1);
    plot.hosts[1] = gate("kvm2", window(&plot, "early", "Wed 00:00 UTC", 12 * HOUR), 1);
    plot.timetable.hosts = plot.hosts;
    plot.timetable.host_count = 2;
    ck_assert_str_eq(objection(&plot, 0, "2026-11-24T22:30:00Z"),
                     "waits for window 'late' of 'kvm1', which opens Tue 2026-11-24 23:00 UTC; it "
                     "can start Wed 2026-11-25 00:00 UTC");
    ck_assert_str_eq(objection(&plot, 0, "2026-11-24T23:30:00Z"),
                     "waits for window 'early' of 'kvm2', which opens Wed 2026-11-25 00:00 UTC");
    ck_assert_str_eq(objection(&plot, HOUR, "2026-11-25T00:00:00Z"), "");
    ck_assert_str_eq(
        objection(&plot, HOUR + 1, "2026-11-25T00:00:00Z"),
        "needs about 60 min 0 s, and window 'late' of 'kvm1' leaves at most 60 min 0 s");
    ck_assert(!host_is_open(&plot, "kvm1", "2026-11-24T22:30:00Z"));
    ck_assert(host_is_open(&plot, "kvm1", "2026-11-24T23:30:00Z"));
    ck_assert(host_is_open(&plot, "kvm3", "2026-11-24T12:00:00Z"));
}
END_TEST

START_TEST(windows_that_are_never_open_at_once_are_told)
{
    AUTO(plot) struct plot plot = { 0 };

    plot.timetable.fleet = gate(NULL, window(&plot, "night", "22:00 UTC", HOUR), 1);
    plot.hosts[0] = gate("kvm1", window(&plot, "noon", "12:00 UTC", HOUR), 1);
    plot.timetable.hosts = plot.hosts;
    plot.timetable.host_count = 1;
    ck_assert_str_eq(objection(&plot, 0, "2026-11-24T12:00:00Z"),
                     "waits for window 'night', which opens Tue 2026-11-24 22:00 UTC, but what it "
                     "needs is never open at once");
}
END_TEST

START_TEST(nothing_starts_in_a_blackout_nor_what_would_last_into_one)
{
    AUTO(plot) struct plot plot = { 0 };

    blackout(&plot, "xmas", "2026-12-24T12:00:00Z", "2027-01-02T00:00:00Z")->scope.fleet = true;
    plot.timetable.zone = "Europe/Berlin";
    ck_assert_str_eq(objection(&plot, HOUR, "2026-12-24T11:00:00Z"), "");
    ck_assert_str_eq(objection(&plot, HOUR, "2026-12-24T11:00:01Z"),
                     "needs about 60 min 0 s, and blackout 'xmas' begins Thu 2026-12-24 13:00 CET; "
                     "it can start Sat 2027-01-02 01:00 CET");
    ck_assert_str_eq(objection(&plot, 0, "2026-12-24T12:00:00Z"),
                     "waits for the end of blackout 'xmas', which is Sat 2027-01-02 01:00 CET");
    ck_assert_str_eq(objection(&plot, 0, "2027-01-02T00:00:00Z"), "");
    ck_assert_str_eq(next_change(&plot, "2026-12-01T00:00:00Z"), "2026-12-24T12:00:00Z");
    ck_assert_str_eq(next_change(&plot, "2026-12-24T12:00:00Z"), "2027-01-02T00:00:00Z");
    ck_assert_str_eq(next_change(&plot, "2027-01-02T00:00:00Z"), "never");
}
END_TEST

static const struct {
    const char *host;
    const char *guest;
    bool concerns;
} scopes[] = {
    { "kvm1", NULL, true }, { "kvm2", NULL, true }, { "kvm3", NULL, false },
    { NULL, "vm1", true },  { NULL, "vm2", false },
};

START_TEST(a_blackout_concerns_its_guests_and_what_goes_to_or_from_its_hosts)
{
    AUTO(plot) struct plot plot = { 0 };
    struct timetable_scope *scope =
        &blackout(&plot, "audit", "2026-12-24T12:00:00Z", "2026-12-25T12:00:00Z")->scope;

    scope->hosts = &scopes[_i].host;
    scope->host_count = scopes[_i].host != NULL;
    scope->guests = &scopes[_i].guest;
    scope->guest_count = scopes[_i].guest != NULL;
    ck_assert_int_eq(*objection(&plot, 0, "2026-12-24T13:00:00Z") != '\0', scopes[_i].concerns);
    if (scopes[_i].host != NULL) {
        ck_assert(!host_is_open(&plot, scopes[_i].host, "2026-12-24T13:00:00Z"));
    }
}
END_TEST

START_TEST(a_window_within_a_blackout_is_passed_over)
{
    AUTO(plot) struct plot plot = { 0 };

    plot.timetable.fleet = gate(NULL, window(&plot, "night", "22:00 UTC", HOUR), 1);
    blackout(&plot, "freeze", "2026-11-24T00:00:00Z", "2026-11-26T00:00:00Z")->scope.fleet = true;
    ck_assert_str_eq(objection(&plot, 0, "2026-11-24T12:00:00Z"),
                     "waits for window 'night', which opens Tue 2026-11-24 22:00 UTC; it can start "
                     "Thu 2026-11-26 22:00 UTC");
    ck_assert_str_eq(
        objection(&plot, 0, "2026-11-24T22:30:00Z"),
        "waits for the end of blackout 'freeze', which is Thu 2026-11-26 00:00 UTC; it "
        "can start Thu 2026-11-26 22:00 UTC");
}
END_TEST

START_TEST(between_changes_every_answer_stays_the_same)
{
    AUTO(plot) struct plot plot = { 0 };
    int64_t now_ms = instant("2026-10-23T00:00:00Z");
    struct opening_move move = { "vm1", "kvm1", "kvm2", 0 };

    plot.timetable.fleet =
        gate(NULL, window(&plot, "night", "02:30 Europe/Berlin", 90 * MINUTE), 1);
    plot.hosts[0] = gate("kvm1", window(&plot, "odd", "*:0/40 America/New_York", 25 * MINUTE), 1);
    plot.timetable.hosts = plot.hosts;
    plot.timetable.host_count = 1;
    blackout(&plot, "freeze", "2026-10-24T00:17:00Z", "2026-10-24T01:03:00Z")->scope.fleet = true;
    for (int change = 0; change < 200; change++) {
        int64_t next_ms = opening_next_change(&plot.timetable, now_ms);
        bool open = opening_objection(&plot.arena, &plot.timetable, &move, now_ms) == NULL;

        ck_assert_int_gt(next_ms, now_ms);
        for (int64_t at_ms = now_ms; at_ms < next_ms; at_ms += 30000) {
            ck_assert((opening_objection(&plot.arena, &plot.timetable, &move, at_ms) == NULL) ==
                      open);
        }
        now_ms = next_ms;
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("opening");
    TCase *tcase = tcase_create("opening");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, without_a_window_a_move_starts_at_any_time);
    tcase_add_loop_test(tcase, a_move_starts_while_the_window_is_open_and_long_enough_for_it, 0,
                        (int)ARRAY_LEN(nights));
    tcase_add_test(tcase, a_move_that_fits_no_window_is_told_so);
    tcase_add_test(tcase, a_window_that_does_not_open_any_more_is_told_so);
    tcase_add_test(tcase, one_window_of_several_is_enough_and_those_that_follow_each_other_are_one);
    tcase_add_test(tcase, a_window_that_opens_before_it_closes_is_never_closed);
    tcase_add_test(tcase, a_guests_own_window_stands_in_place_of_the_fleets);
    tcase_add_test(tcase, both_hosts_windows_must_be_open_besides);
    tcase_add_test(tcase, windows_that_are_never_open_at_once_are_told);
    tcase_add_test(tcase, nothing_starts_in_a_blackout_nor_what_would_last_into_one);
    tcase_add_loop_test(tcase, a_blackout_concerns_its_guests_and_what_goes_to_or_from_its_hosts, 0,
                        (int)ARRAY_LEN(scopes));
    tcase_add_test(tcase, a_window_within_a_blackout_is_passed_over);
    tcase_add_test(tcase, between_changes_every_answer_stays_the_same);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
