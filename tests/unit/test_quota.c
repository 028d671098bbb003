/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "reconciler/api/quota.h"
#include "tests/runner.h"

START_TEST(a_peer_has_so_many_connections_and_no_more)
{
    struct quota quota = { 0 };

    for (int i = 0; i < 3; i++) {
        ck_assert(quota_enter(&quota, 7, 3, 1));
    }
    ck_assert(!quota_enter(&quota, 7, 3, 1));
    ck_assert(quota_enter(&quota, 8, 3, 1));
    quota_leave(&quota, 7);
    ck_assert(quota_enter(&quota, 7, 3, 1));
}
END_TEST

START_TEST(requests_come_back_with_time)
{
    struct quota quota = { 0 };

    ck_assert(quota_enter(&quota, 7, 1, 1));
    for (int i = 0; i < QUOTA_REQUESTS_BURST; i++) {
        ck_assert(quota_spend(&quota, 7, 1));
    }
    ck_assert(!quota_spend(&quota, 7, 1));
    ck_assert(!quota_spend(&quota, 7, 1000 / QUOTA_REQUESTS_SECOND));
    ck_assert(quota_spend(&quota, 7, 1 + 1000 / QUOTA_REQUESTS_SECOND));
    ck_assert(!quota_spend(&quota, 7, 1 + 1000 / QUOTA_REQUESTS_SECOND));
    for (int i = 0; i < QUOTA_REQUESTS_BURST; i++) { /* Never more than that, however long. */
        ck_assert(quota_spend(&quota, 7, 1000000000));
    }
    ck_assert(!quota_spend(&quota, 7, 1000000000));
}
END_TEST

START_TEST(going_and_coming_again_gives_no_fresh_quota)
{
    struct quota quota = { 0 };

    ck_assert(quota_enter(&quota, 7, 1, 1));
    for (int i = 0; i < QUOTA_REQUESTS_BURST; i++) {
        ck_assert(quota_spend(&quota, 7, 1));
    }
    quota_leave(&quota, 7);
    ck_assert(quota_enter(&quota, 7, 1, 1));
    ck_assert(!quota_spend(&quota, 7, 1));
}
END_TEST

START_TEST(a_place_is_given_to_another_peer_once_its_quota_is_whole_again)
{
    struct quota quota = { 0 };

    for (uint64_t key = 0; key < QUOTA_PEERS; key++) {
        ck_assert(quota_enter(&quota, key, 1, 1));
        ck_assert(quota_spend(&quota, key, 1));
    }
    ck_assert(!quota_enter(&quota, QUOTA_PEERS, 1, 1000000));
    quota_leave(&quota, 3);
    ck_assert(!quota_enter(&quota, QUOTA_PEERS, 1, 1));
    ck_assert(quota_enter(&quota, QUOTA_PEERS, 1, 1 + 1000 / QUOTA_REQUESTS_SECOND));
    ck_assert(!quota_enter(&quota, 3, 1, 1000000));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("quota");
    TCase *tcase = tcase_create("quota");

    tcase_add_test(tcase, a_peer_has_so_many_connections_and_no_more);
    tcase_add_test(tcase, requests_come_back_with_time);
    tcase_add_test(tcase, going_and_coming_again_gives_no_fresh_quota);
    tcase_add_test(tcase, a_place_is_given_to_another_peer_once_its_quota_is_whole_again);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
