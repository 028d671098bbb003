/* SPDX-License-Identifier: Apache-2.0 */

/* What other people and bad luck do around a controller, and what it must not do then. */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/text.h"
#include "tests/runner.h"
#include "world.h"

static struct world world;

static void live(void)
{
    world_live(&world, WORLD_KILL_NEVER, 0);
}

static void assert_is(const char *guest, const char *host, const char *state)
{
    world_assert_is(&world, guest, host, state);
}

/* Somebody else migrated it and left the old definition behind. */
START_TEST(owed_start_is_not_paid_with_a_second_copy_of_a_guest_that_runs_elsewhere)
{
    const struct world_guest before[] = { { "vm1", "kvm1", "kvm2", "running", 96, false, true,
                                            NULL } };
    const struct world_guest after[] = { { "vm1", "kvm2", "kvm2", "running", 96, false, true,
                                           NULL } };

    world_init(&world, 1024, before, 1, "");
    world.config.policy.mode = POLICY_MODE_OFFLINE;
    live();
    ck_assert_uint_eq(world_owed(&world), 1);
    world_turn_off(&world, "vm1");
    world_add(&world, &after[0], 0);
    live();
    assert_is("vm1", "kvm1", "shutoff");
    assert_is("vm1", "kvm2", "running");
    world_wait(&world, INT64_C(3600000));
    live();
    assert_is("vm1", "kvm1", "shutoff");
    ck_assert_uint_eq(world_owed(&world), 0);
    world_deinit(&world);
}
END_TEST

/* The move was journaled, and nothing else; meanwhile the target has filled up. */
START_TEST(move_that_had_not_begun_is_planned_anew_and_not_taken_up)
{
    const struct world_guest guests[] = {
        { "vm1", "kvm1", "kvm2", "running", 600, false, false, NULL },
        { "vm2", "kvm2", "kvm2", "running", 600, false, false, NULL },
    };
    const enum policy_mode modes[] = { POLICY_MODE_LIVE, POLICY_MODE_OFFLINE };
    size_t at = 1;
    bool begun;

    do {
        world_init(&world, 1024, guests, 1, "");
        world.config.policy.mode = modes[_i];
        world_live(&world, WORLD_KILL_AFTER_COMMIT, at++);
        begun = world_open_moves(&world) > 0;
        if (!begun) {
            world_deinit(&world);
        }
    } while (!begun);
    ck_assert_uint_eq(world.calls, 0);
    world_add(&world, &guests[1], 1);
    live();
    ck_assert_uint_eq(world.calls, 0);
    assert_is("vm1", "kvm1", "running");
    ck_assert_uint_eq(world_open_moves(&world), 0);
    ck_assert_int_eq(world.result.status, RECONCILER_BLOCKED);
    world_deinit(&world);
}
END_TEST

/* Whatever a person interrupts, and when: no operation is begun after it but one that brings the guest
 * back, and it runs. */
START_TEST(cancelled_run_begins_nothing_more_and_leaves_the_guest_running)
{
    const struct world_guest guests[] = { { "vm1", "kvm1", "kvm2", "running", 96, false, false,
                                            NULL } };
    const enum policy_mode modes[] = { POLICY_MODE_LIVE, POLICY_MODE_OFFLINE };
    bool cancelled = true;
    size_t at = 0;

    while (cancelled) {
        world_init(&world, 1024, guests, 1, "");
        world.config.policy.mode = modes[_i];
        world.cancel_at_commit = ++at;
        live();
        cancelled = world.commits >= at;
        if (cancelled && (modes[_i] == POLICY_MODE_LIVE || world.calls_at_cancel < 2)) {
            ck_assert_uint_eq(world.calls, world.calls_at_cancel);
        }
        ck_assert_uint_eq(world_open_moves(&world), 0);
        ck_assert_uint_eq(world_owed(&world), 0);
        world.cancel_at_commit = 0;
        live();
        assert_is("vm1", "kvm2", "running");
        world_deinit(&world);
    }
    ck_assert_uint_gt(at, 5);
}
END_TEST

START_TEST(cancelled_operation_leaves_the_guest_running_and_nothing_owed)
{
    const struct world_guest guests[] = { { "vm1", "kvm1", "kvm2", "running", 96, true, false,
                                            NULL } };
    const enum policy_mode modes[] = { POLICY_MODE_LIVE, POLICY_MODE_OFFLINE };
    const int64_t delays_ms[] = { 0, 15, 200 };
    size_t calls;

    for (size_t at = 1;; at++) {
        const char *host;

        world_init(&world, 1024, guests, 1, "");
        world.config.policy.mode = modes[_i % 2];
        world.cancel_at_call = at;
        world.cancel_after_ms = delays_ms[_i / 2];
        live();
        calls = world.calls;
        if (calls < at) {
            break;
        }
        ck_assert(world.result.status == RECONCILER_CANCELLED ||
                  (world.cancel_after_ms > 0 && world.result.status == RECONCILER_DONE));
        ck_assert_uint_eq(world_open_moves(&world), 0);
        ck_assert_uint_eq(world_owed(&world), 0);
        host = strcmp(world_state(&world, "vm1", "kvm1"), "absent") == 0 ? "kvm2" : "kvm1";
        assert_is("vm1", host, "running");
        ck_assert(world_has_autostart(&world, "vm1", host));
        world_deinit(&world);
    }
    world_deinit(&world);
}
END_TEST

/* A person stops a run before it has taken up what an earlier one left. */
START_TEST(cancelled_run_takes_up_nothing)
{
    const struct world_guest guests[] = { { "vm1", "kvm1", "kvm2", "running", 96, false, false,
                                            NULL } };
    size_t open_moves;

    world_init(&world, 1024, guests, 1, "");
    world.config.policy.mode = POLICY_MODE_OFFLINE;
    world_live(&world, WORLD_KILL_BEFORE_CALL, 3);
    open_moves = world_open_moves(&world);
    ck_assert_uint_eq(open_moves, 1);
    world.cancel_at_commit = 2; /* Of the run, then of the revision: before the first look. */
    live();
    ck_assert_uint_eq(world.calls, 0);
    ck_assert_int_eq(world.result.status, RECONCILER_CANCELLED);
    world_deinit(&world);
}
END_TEST

START_TEST(move_cancelled_in_an_earlier_run_stays_cancelled_and_stops_no_other)
{
    const struct world_guest guests[] = {
        { "vm1", "kvm1", "kvm2", "running", 96, false, false, NULL },
        { "vm2", "kvm1", "kvm2", "running", 96, false, false, NULL },
    };
    struct journal_move *moves;
    size_t at = 1;
    bool cancelled;

    do {
        world_init(&world, 1024, guests, 2,
                   "{\"op\":\"migrate\",\"guest\":\"vm1\",\"when\":\"hang\",\"times\":1}");
        world.cancel_at_call = 2;
        world.cancel_after_ms = 200;
        world_live(&world, WORLD_KILL_AFTER_COMMIT, ++at);
        ck_assert(world.killed);
        cancelled = world_moves(&world, &moves) > 0 && moves[0].cancel_requested;
        if (!cancelled) {
            world_deinit(&world);
        }
    } while (!cancelled);
    ck_assert_uint_eq(world_open_moves(&world), 1);
    world.cancel_at_call = 0;
    world.follow_ms = 60000;
    live();
    ck_assert_uint_eq(world_open_moves(&world), 0);
    assert_is("vm1", "kvm1", "running");
    assert_is("vm2", "kvm2", "running");
    world_deinit(&world);
}
END_TEST

/* The guest that steps aside cannot be on the only host with room. */
START_TEST(guest_whose_temporary_host_refuses_it_is_parked)
{
    const struct world_guest guests[] = {
        { "vm1", "kvm1", "kvm2", "running", 600, false, false, NULL },
        { "vm2", "kvm2", "kvm1", "running", 600, false, false, NULL },
    };

    world_init(&world, 1024, guests, 2,
               "{\"op\":\"preflight\",\"error\":\"incompatible\",\"times\":99}");
    live();
    ck_assert_uint_le(world.moves_begun, 2); /* Each once at most. */
    ck_assert_int_ne(world.result.status, RECONCILER_DONE);
    world_deinit(&world);
}
END_TEST

/* The target's libvirtd stood still for longer than anybody waits, and came back with half a guest. */
START_TEST(half_state_that_shows_after_its_move_was_given_up_is_ended_in_its_time)
{
    const struct world_guest guests[] = {
        { "vm1", "kvm1", "kvm2", "running", 96, false, false, NULL },
        { "vm1", "kvm2", "kvm2", "incoming", 96, false, false, NULL },
    };

    world_init(&world, 1024, guests, 1,
               "{\"op\":\"migrate\",\"when\":\"middle\",\"error\":\"failed\",\"times\":9}");
    world_live(&world, WORLD_KILL_BEFORE_CALL, 2);
    world_freeze(&world, "kvm2", true);
    live();
    ck_assert_uint_eq(world_open_moves(&world), 1);
    world_freeze(&world, "kvm2", false);
    world_add(&world, &guests[1], 0);
    world.follow_ms = 150000;
    live();
    ck_assert_uint_eq(world_open_moves(&world), 0);
    assert_is("vm1", "kvm1", "running");
    assert_is("vm1", "kvm2", "absent");
    world_deinit(&world);
}
END_TEST

START_TEST(cancel_ends_a_run_that_follows)
{
    const struct world_guest guests[] = { { "vm1", "kvm1", "kvm2", "running", 96, false, false,
                                            NULL } };

    world_init(&world, 1024, guests, 1, "");
    world.follow_ms = 60000;
    world.cancel_at_call = 2;
    world.cancel_after_ms = 5000; /* It rests by then. */
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_CANCELLED);
    assert_is("vm1", "kvm2", "running");
    world_deinit(&world);
}
END_TEST

/* Somebody else moved it while no controller lived. */
START_TEST(guest_on_neither_host_of_its_move_is_looked_for_on_all)
{
    const struct world_guest before[] = { { "vm1", "kvm1", "kvm2", "running", 96, false, false,
                                            NULL } };
    const struct world_guest after[] = { { "vm1", "kvm3", "kvm2", "running", 96, false, false,
                                           NULL } };

    world_init(&world, 1024, before, 1, "");
    world_live(&world, WORLD_KILL_BEFORE_CALL, 2);
    world_remove(&world, "vm1");
    world_add(&world, &after[0], 0);
    world_freeze(&world, "kvm3", true);
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_FAILED);
    ck_assert_uint_eq(world_open_moves(&world), 1);
    ck_assert_ptr_nonnull(strstr(world.last_text, "kvm3"));
    world_freeze(&world, "kvm3", false);
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_DONE);
    ck_assert_uint_eq(world_open_moves(&world), 0);
    assert_is("vm1", "kvm2", "running");
    assert_is("vm1", "kvm3", "absent");
    world_deinit(&world);
}
END_TEST

/* What an earlier run could not tell is no failure of the move once it is told. */
START_TEST(move_that_could_not_be_settled_is_planned_anew_once_it_is)
{
    const struct world_guest guests[] = { { "vm1", "kvm1", "kvm2", "running", 96, false, false,
                                            NULL } };

    world_init(&world, 1024, guests, 1, "");
    world_live(&world, WORLD_KILL_BEFORE_CALL, 2);
    world_freeze(&world, "kvm2", true);
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_FAILED);
    ck_assert_uint_eq(world_open_moves(&world), 1);
    world_freeze(&world, "kvm2", false);
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_DONE);
    ck_assert_uint_eq(world.result.failed, 0);
    assert_is("vm1", "kvm2", "running");
    world_deinit(&world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hazards");
    TCase *tcase = tcase_create("hazards");
    int status;

    tcase_add_test(tcase, owed_start_is_not_paid_with_a_second_copy_of_a_guest_that_runs_elsewhere);
    tcase_add_loop_test(tcase, move_that_had_not_begun_is_planned_anew_and_not_taken_up, 0, 2);
    tcase_add_loop_test(tcase, cancelled_run_begins_nothing_more_and_leaves_the_guest_running, 0,
                        2);
    tcase_add_loop_test(tcase, cancelled_operation_leaves_the_guest_running_and_nothing_owed, 0, 6);
    tcase_add_test(tcase, cancelled_run_takes_up_nothing);
    tcase_add_test(tcase, move_cancelled_in_an_earlier_run_stays_cancelled_and_stops_no_other);
    tcase_add_test(tcase, guest_whose_temporary_host_refuses_it_is_parked);
    tcase_add_test(tcase, half_state_that_shows_after_its_move_was_given_up_is_ended_in_its_time);
    tcase_add_test(tcase, cancel_ends_a_run_that_follows);
    tcase_add_test(tcase, guest_on_neither_host_of_its_move_is_looked_for_on_all);
    tcase_add_test(tcase, move_that_could_not_be_settled_is_planned_anew_once_it_is);
    suite_add_tcase(suite, tcase);
    world_set_up();
    status = runner_run(suite);
    world_tear_down();
    return status;
}
