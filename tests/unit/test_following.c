/* SPDX-License-Identifier: Apache-2.0 */

/* When the plan that is followed gives way to a fresh one. */

#include <check.h>

#include "base/base.h"
#include "reconciler/following.h"
#include "tests/runner.h"

#define LIVE(mib)                                                  \
    {                                                              \
        .guest = "g", .mode = MOVE_LIVE, .memory_kib = (mib)*1024u \
    }
#define OFFLINE(mib)                                                  \
    {                                                                 \
        .guest = "g", .mode = MOVE_OFFLINE, .memory_kib = (mib)*1024u \
    }

static bool beats(const struct plan_move *theirs, size_t their_count, size_t their_blocks,
                  const struct plan_move *ours, size_t our_count, size_t taken)
{
    struct following following = {
        .plan = { .moves = ours, .move_count = our_count, .block_count = 1 },
        .next = taken,
        .valid = true,
    };
    struct plan fresh = {
        .moves = theirs,
        .move_count = their_count,
        .block_count = their_blocks,
    };

    return following_is_beaten(&following, &fresh);
}

START_TEST(plan_of_equal_cost_does_not_replace_the_one_that_is_followed)
{
    const struct plan_move moves[] = { LIVE(64), LIVE(64) };

    ck_assert(!beats(moves, 2, 1, moves, 2, 0));
    ck_assert(!beats(moves, 1, 1, moves, 2, 1)); /* What is taken counts no more. */
}
END_TEST

START_TEST(fewer_moves_win_and_more_lose)
{
    const struct plan_move moves[] = { LIVE(64), LIVE(64), LIVE(64) };

    ck_assert(beats(moves, 2, 1, moves, 3, 0));
    ck_assert(!beats(moves, 3, 1, moves, 3, 1));
}
END_TEST

START_TEST(guest_left_behind_counts_more_than_any_move)
{
    const struct plan_move moves[] = { LIVE(64), LIVE(64), LIVE(64) };

    ck_assert(beats(moves, 3, 0, moves, 1, 0));
    ck_assert(!beats(moves, 0, 2, moves, 3, 0));
}
END_TEST

START_TEST(stopping_a_guest_counts_more_than_moves_and_memory)
{
    const struct plan_move live[] = { LIVE(64), LIVE(64) };
    const struct plan_move offline[] = { OFFLINE(8) };

    ck_assert(beats(live, 2, 1, offline, 1, 0));
    ck_assert(!beats(offline, 1, 1, live, 2, 0));
}
END_TEST

START_TEST(less_memory_wins_among_as_many_moves)
{
    const struct plan_move large[] = { LIVE(64) };
    const struct plan_move small[] = { LIVE(32) };

    ck_assert(beats(small, 1, 1, large, 1, 0));
    ck_assert(!beats(large, 1, 1, small, 1, 0));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("following");
    TCase *tcase = tcase_create("following");

    tcase_add_test(tcase, plan_of_equal_cost_does_not_replace_the_one_that_is_followed);
    tcase_add_test(tcase, fewer_moves_win_and_more_lose);
    tcase_add_test(tcase, guest_left_behind_counts_more_than_any_move);
    tcase_add_test(tcase, stopping_a_guest_counts_more_than_moves_and_memory);
    tcase_add_test(tcase, less_memory_wins_among_as_many_moves);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
