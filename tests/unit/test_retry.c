/* SPDX-License-Identifier: Apache-2.0 */

/* Which failure waits how long (docs/architecture.md, 'Retries'). */

#include <check.h>
#include <stdint.h>
#include <stdio.h>

#include "base/backoff.h"
#include "base/base.h"
#include "model/observed.h"
#include "model/policy.h"
#include "reconciler/ledger.h"
#include "reconciler/retry.h"
#include "tests/runner.h"

#define NOW       INT64_C(1764000000000)
#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)
#define FILE1     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define FILE2     "a3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static struct policy policy;

static void set_up(void)
{
    policy = policy_default();
}

static struct journal_move failed(enum move_mode mode, enum err_code code)
{
    return (struct journal_move){
        .key = { 1, 7 },
        .guest = "vm1",
        .from = "kvm1",
        .to = "kvm2",
        .mode = mode,
        .es_digest = FILE1,
        .tried = true,
        .state = JOURNAL_MOVE_ROLLED_BACK,
        .error = code,
        .error_text = "no",
        .begun_ms = NOW - 10 * MINUTE_MS,
        .deadline_ms = NOW,
    };
}

/* What remains after 'times' failures of the same kind, one right after the other. */
static struct journal_retry fail_often(const struct journal_move *move, size_t times)
{
    struct journal_retry retry = retry_after(NULL, move, &policy, false, NOW);

    for (size_t i = 1; i < times; i++) {
        struct journal_retry before = retry;

        retry = retry_after(&before, move, &policy, false, NOW);
    }
    return retry;
}

static void assert_between(int64_t value, int64_t least, int64_t most)
{
    ck_assert_int_ge(value, least);
    ck_assert_int_le(value, most);
}

START_TEST(a_failure_that_cost_nothing_is_tried_again_soon)
{
    static const enum move_mode modes[] = { MOVE_LIVE, MOVE_COLD };

    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        struct journal_move move = failed(modes[i], ERR_FAILED);
        struct journal_retry retry = fail_often(&move, 1);

        assert_between(retry.next_ms - NOW, BACKOFF_FLOOR_MS, BACKOFF_BASE_MS);
        ck_assert_int_eq(retry.off_ms, retry.next_ms);
        ck_assert_uint_eq(retry.outages, 0);
        retry = fail_often(&move, 100);
        assert_between(retry.next_ms - NOW, BACKOFF_FLOOR_MS, BACKOFF_CAP_MS);
    }
}
END_TEST

START_TEST(a_move_that_was_refused_before_the_stop_cost_nothing)
{
    struct journal_move move = failed(MOVE_OFFLINE, ERR_FAILED);

    move.tried = false;
    ck_assert_uint_eq(fail_often(&move, 5).outages, 0);
    ck_assert_int_le(fail_often(&move, 1).next_ms - NOW, BACKOFF_BASE_MS);
}
END_TEST

START_TEST(a_stop_in_vain_waits_long_then_twice_as_long_and_then_for_a_change)
{
    static const enum move_mode modes[] = { MOVE_OFFLINE, MOVE_STOP };

    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        struct journal_move move = failed(modes[i], ERR_FAILED);

        assert_between(fail_often(&move, 1).next_ms - NOW, 15 * MINUTE_MS,
                       15 * MINUTE_MS + BACKOFF_CAP_MS);
        assert_between(fail_often(&move, 2).next_ms - NOW, 30 * MINUTE_MS,
                       30 * MINUTE_MS + BACKOFF_CAP_MS);
        ck_assert_int_eq(fail_often(&move, 3).next_ms, INT64_MAX);
    }
}
END_TEST

START_TEST(stops_in_vain_count_whatever_the_error)
{
    struct journal_move move = failed(MOVE_OFFLINE, ERR_FAILED);
    struct journal_retry first = fail_often(&move, 1);
    struct journal_retry second;

    move.error = ERR_TIMEOUT;
    second = retry_after(&first, &move, &policy, false, NOW);
    ck_assert_uint_eq(second.attempts, 1);
    ck_assert_uint_eq(second.outages, 2);
    ck_assert_int_ge(second.next_ms - NOW, 30 * MINUTE_MS);
}
END_TEST

START_TEST(no_wait_doubles_beyond_six_hours)
{
    struct journal_move move = failed(MOVE_OFFLINE, ERR_FAILED);

    policy.outage_limit = 1000;
    assert_between(fail_often(&move, 999).next_ms - NOW, 6 * HOUR_MS, 6 * HOUR_MS + BACKOFF_CAP_MS);
    policy.outage_wait_ms = 20 * DAY_MS;
    assert_between(fail_often(&move, 9).next_ms - NOW, 20 * DAY_MS, 20 * DAY_MS + BACKOFF_CAP_MS);
}
END_TEST

START_TEST(a_copy_that_did_not_end_waits_long_and_is_never_given_up)
{
    struct journal_move move = failed(MOVE_LIVE, ERR_TIMEOUT);

    move.overran = true;
    move.state = JOURNAL_MOVE_FAILED;
    assert_between(fail_often(&move, 1).next_ms - NOW, 25 * MINUTE_MS,
                   25 * MINUTE_MS + BACKOFF_BASE_MS);
    assert_between(fail_often(&move, 100).next_ms - NOW, 6 * HOUR_MS + 10 * MINUTE_MS,
                   6 * HOUR_MS + 10 * MINUTE_MS + BACKOFF_CAP_MS);
    ck_assert_uint_eq(fail_often(&move, 100).outages, 0);
}
END_TEST

START_TEST(what_falls_back_is_not_kept_waiting)
{
    struct journal_move move = failed(MOVE_LIVE, ERR_TIMEOUT);
    struct journal_retry retry;

    move.overran = true;
    retry = retry_after(NULL, &move, &policy, true, NOW);
    ck_assert_int_eq(retry.next_ms, NOW);
    ck_assert(!retry_waits(&retry, FILE1, false, &policy, NOW));
}
END_TEST

START_TEST(a_permanent_error_parks_the_guest_even_if_it_is_off)
{
    struct journal_move move = failed(MOVE_OFFLINE, ERR_INCOMPATIBLE);
    struct journal_retry retry = fail_often(&move, 1);

    ck_assert(retry_waits(&retry, FILE1, false, &policy, NOW + 365 * DAY_MS));
    ck_assert(retry_waits(&retry, FILE1, true, &policy, NOW + 365 * DAY_MS));
    ck_assert(!retry_is_given_up(&retry));
}
END_TEST

START_TEST(a_guest_that_is_off_waits_no_longer_than_usual)
{
    struct journal_move move = failed(MOVE_OFFLINE, ERR_FAILED);
    struct journal_retry retry = fail_often(&move, 3);

    ck_assert(retry_is_given_up(&retry));
    ck_assert(retry_waits(&retry, FILE1, false, &policy, NOW + DAY_MS));
    ck_assert(retry_waits(&retry, FILE1, true, &policy, NOW));
    ck_assert(!retry_waits(&retry, FILE1, true, &policy, NOW + BACKOFF_CAP_MS));
}
END_TEST

START_TEST(the_start_of_a_guest_that_is_down_is_tried_for_ever_and_shortens_no_wait)
{
    struct journal_move move = failed(MOVE_OFFLINE, ERR_FAILED);
    struct journal_move start = failed(MOVE_OFFLINE, ERR_DENIED);
    struct journal_retry before = fail_often(&move, 2);
    struct journal_retry retry;

    start.to = "kvm1";
    retry = retry_after(&before, &start, &policy, false, NOW);
    assert_between(retry.off_ms - NOW, BACKOFF_FLOOR_MS, BACKOFF_BASE_MS);
    ck_assert_int_eq(retry.next_ms, before.next_ms);
    ck_assert_uint_eq(retry.outages, 2);
    before = fail_often(&move, 3);
    retry = retry_after(&before, &start, &policy, false, NOW);
    ck_assert(retry_is_given_up(&retry));
    retry = retry_after(NULL, &start, &policy, false, NOW);
    ck_assert_int_eq(retry.next_ms, retry.off_ms);
}
END_TEST

START_TEST(another_file_ends_the_wait_but_not_the_count)
{
    struct journal_move move = failed(MOVE_OFFLINE, ERR_FAILED);
    struct journal_retry before = fail_often(&move, 3);
    struct journal_retry retry;

    ck_assert(!retry_waits(&before, FILE2, false, &policy, NOW));
    (void)snprintf(move.es_digest, sizeof(move.es_digest), "%s", FILE2);
    retry = retry_after(&before, &move, &policy, false, NOW + DAY_MS - 1);
    ck_assert_uint_eq(retry.outages, 4);
    ck_assert_int_eq(retry.next_ms, INT64_MAX);
    retry = retry_after(&before, &move, &policy, false, NOW + DAY_MS);
    ck_assert_uint_eq(retry.outages, 1);
}
END_TEST

START_TEST(a_clock_that_was_set_back_keeps_nobody_for_longer_than_the_longest_wait)
{
    struct journal_move move = failed(MOVE_OFFLINE, ERR_FAILED);
    struct journal_retry retry = fail_often(&move, 1);

    ck_assert(retry_waits(&retry, FILE1, false, &policy, NOW));
    ck_assert(!retry_waits(&retry, FILE1, false, &policy, NOW - 30 * DAY_MS));
}
END_TEST

START_TEST(who_is_seen_to_run_anywhere_or_may_run_is_not_off)
{
    struct observed_guest off[] = { { .name = "vm1", .state = GUEST_SHUTOFF } };
    struct observed_guest on[] = { { .name = "vm1", .state = GUEST_PAUSED } };
    struct observed_host hosts[] = {
        { .name = "kvm1", .reachable = true, .guests = off, .guest_count = 1 },
        { .name = "kvm2", .reachable = true },
    };
    const struct observed fleet = { .hosts = hosts, .host_count = 2 };

    ck_assert(retry_finds_off(&fleet, "vm1"));
    ck_assert(!retry_finds_off(&fleet, "vm2"));
    hosts[1].guests = on;
    hosts[1].guest_count = 1;
    ck_assert(!retry_finds_off(&fleet, "vm1"));
    hosts[1].guests = off;
    ck_assert(retry_finds_off(&fleet, "vm1"));
    hosts[1].reachable = false;
    ck_assert(!retry_finds_off(&fleet, "vm1"));
}
END_TEST

START_TEST(the_earliest_try_is_told_of_those_that_are_waited_for)
{
    struct observed_guest off[] = { { .name = "b", .state = GUEST_SHUTOFF } };
    struct observed_host host = {
        .name = "kvm1", .reachable = true, .guests = off, .guest_count = 1
    };
    const struct observed fleet = { .hosts = &host, .host_count = 1 };
    struct journal_retry retries[] = {
        { .guest = "a", .es_digest = FILE1, .attempts = 1, .next_ms = NOW + 5000, .off_ms = 1 },
        { .guest = "b", .es_digest = FILE1, .next_ms = INT64_MAX, .off_ms = NOW + 3000 },
        { .guest = "c", .es_digest = FILE2, .next_ms = NOW + 1, .off_ms = NOW + 1 },
        { .guest = "d", .es_digest = FILE1, .attempts = 3, .next_ms = NOW + 2 },
    };
    const struct ledger ledger = { .retries = retries, .retry_count = ARRAY_LEN(retries) };
    struct retry_question question = {
        .es_digest = FILE1, .observed = &fleet, .tries = 3, .limit_ms = 60000
    };

    ck_assert_int_eq(retry_next_ms(&ledger, &question, NOW), NOW + 3000);
    question.only = "a";
    ck_assert_int_eq(retry_next_ms(&ledger, &question, NOW), NOW + 5000);
    question.limit_ms = 4999;
    ck_assert_int_eq(retry_next_ms(&ledger, &question, NOW), 0);
    question.only = "d";
    ck_assert_int_eq(retry_next_ms(&ledger, &question, NOW), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("retry");
    TCase *tcase = tcase_create("retry");

    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_test(tcase, a_failure_that_cost_nothing_is_tried_again_soon);
    tcase_add_test(tcase, a_move_that_was_refused_before_the_stop_cost_nothing);
    tcase_add_test(tcase, a_stop_in_vain_waits_long_then_twice_as_long_and_then_for_a_change);
    tcase_add_test(tcase, stops_in_vain_count_whatever_the_error);
    tcase_add_test(tcase, no_wait_doubles_beyond_six_hours);
    tcase_add_test(tcase, a_copy_that_did_not_end_waits_long_and_is_never_given_up);
    tcase_add_test(tcase, what_falls_back_is_not_kept_waiting);
    tcase_add_test(tcase, a_permanent_error_parks_the_guest_even_if_it_is_off);
    tcase_add_test(tcase, a_guest_that_is_off_waits_no_longer_than_usual);
    tcase_add_test(tcase, the_start_of_a_guest_that_is_down_is_tried_for_ever_and_shortens_no_wait);
    tcase_add_test(tcase, another_file_ends_the_wait_but_not_the_count);
    tcase_add_test(tcase, a_clock_that_was_set_back_keeps_nobody_for_longer_than_the_longest_wait);
    tcase_add_test(tcase, who_is_seen_to_run_anywhere_or_may_run_is_not_off);
    tcase_add_test(tcase, the_earliest_try_is_told_of_those_that_are_waited_for);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
