/* SPDX-License-Identifier: Apache-2.0 */

/* Which step of a move that is run by hand may be taken now. */

#include <check.h>
#include <stdlib.h>

#include "base/base.h"
#include "reconciler/hand.h"
#include "tests/runner.h"

static const struct supply bridge = { SUPPLY_BRIDGE, "br7", NULL };
static const struct supply_list supplies = { &bridge, 1 };
static const struct journal_move move = {
    .guest = "vm1",
    .from = "kvm1",
    .to = "kvm2",
    .mode = MOVE_OFFLINE,
    .original = GUEST_RUNNING,
    .by_hand = true,
};
static const struct step make_bridges = {
    .action = STEP_RUN, .op = OP_PROVIDE, .side = 1, .supply = SUPPLY_BRIDGE
};
static const struct step stop = { .action = STEP_RUN, .op = OP_STOP };

START_TEST(a_move_that_nobody_runs_by_hand_takes_every_step)
{
    const struct hand hand = { .step = NULL };

    ck_assert(hand_allows(&hand, &move, &make_bridges));
    ck_assert(hand_allows(&hand, &move, &stop));
}
END_TEST

START_TEST(only_the_step_that_was_asked_for_is_taken_and_what_has_no_name)
{
    const struct hand hand = { .step = "CREATE_BRIDGES" };
    const struct step preflight = { .action = STEP_RUN, .op = OP_PREFLIGHT };
    const struct step end = { .action = STEP_END };

    ck_assert(hand_allows(&hand, &move, &make_bridges));
    ck_assert(!hand_allows(&hand, &move, &stop));
    ck_assert(hand_allows(&hand, &move, &preflight));
    ck_assert(hand_allows(&hand, &move, &end));
}
END_TEST

START_TEST(what_was_done_before_is_looked_at_again)
{
    const struct journal_step done = {
        .kind = OP_PROVIDE, .supply = SUPPLY_BRIDGE, .host = "kvm2", .state = JOURNAL_STEP_DONE
    };
    struct hand hand = { .step = "STOP_GUEST" };

    ck_assert(!hand_allows(&hand, &move, &make_bridges));
    hand_read(&hand, &move, &supplies, &done, 1);
    ck_assert(hand_allows(&hand, &move, &make_bridges));
    ck_assert(hand_allows(&hand, &move, &stop));
}
END_TEST

START_TEST(nothing_leads_back_unless_a_person_cancels)
{
    const struct hand hand = { .step = "STARTUP_GUEST", .done = UINT32_MAX };
    struct journal_move cancelled = move;
    const struct step back[] = {
        { .action = STEP_RUN, .op = OP_START, .side = 0, .back = true },
        { .action = STEP_RUN, .op = OP_PROVIDE, .side = 0, .supply = SUPPLY_BRIDGE },
        { .action = STEP_RUN, .op = OP_WITHDRAW, .side = 1, .supply = SUPPLY_BRIDGE },
    };

    cancelled.cancel_requested = true;
    for (size_t i = 0; i < ARRAY_LEN(back); i++) {
        ck_assert(!hand_allows(&hand, &move, &back[i]));
        ck_assert(hand_allows(&hand, &cancelled, &back[i]));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hand");
    TCase *tcase = tcase_create("hand");

    tcase_add_test(tcase, a_move_that_nobody_runs_by_hand_takes_every_step);
    tcase_add_test(tcase, only_the_step_that_was_asked_for_is_taken_and_what_has_no_name);
    tcase_add_test(tcase, what_was_done_before_is_looked_at_again);
    tcase_add_test(tcase, nothing_leads_back_unless_a_person_cancels);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
