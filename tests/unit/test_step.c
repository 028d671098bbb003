/* SPDX-License-Identifier: Apache-2.0 */

/* What is done next for a move: one sentence a rule, then every situation at once. */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "model/observed.h"
#include "reconciler/step.h"
#include "tests/runner.h"

static const struct observed_guest running = { .state = GUEST_RUNNING, .persistent = true };
static const struct observed_guest off = { .state = GUEST_SHUTOFF, .persistent = true };

static struct journal_move move_of(enum move_mode mode, enum guest_state original)
{
    return (struct journal_move){
        .guest = "vm1",
        .from = "kvm1",
        .to = "kvm2",
        .mode = mode,
        .original = original,
    };
}

static void assert_runs(struct step step, enum op_kind op, unsigned side)
{
    ck_assert_int_eq(step.action, STEP_RUN);
    ck_assert_str_eq(op_kind_name(step.op), op_kind_name(op));
    ck_assert_uint_eq(step.side, side);
}

static void assert_ends(struct step step, enum journal_move_state state)
{
    ck_assert_int_eq(step.action, STEP_END);
    ck_assert_str_eq(journal_move_state_name(step.state), journal_move_state_name(state));
}

START_TEST(new_live_move_checks_both_hosts_before_it_touches_anything)
{
    struct journal_move move = move_of(MOVE_LIVE, GUEST_RUNNING);
    struct step_facts facts = { .verdict = SETTLE_NOT_HAPPENED, .guests = { &running, NULL } };

    assert_runs(step_next(&move, &facts), OP_PREFLIGHT, 0);
    facts.proven = true;
    assert_runs(step_next(&move, &facts), OP_MIGRATE, 0);
}
END_TEST

/* Somebody defines another guest of its name at the target while the hosts are being checked. */
START_TEST(move_whose_hosts_change_before_it_began_is_over_and_holds_nobody)
{
    const enum settle_verdict verdicts[] = { SETTLE_ALARM, SETTLE_HOLD };
    struct journal_move move = move_of((enum move_mode)_i, GUEST_RUNNING);

    for (size_t i = 0; i < ARRAY_LEN(verdicts); i++) {
        struct step_facts facts = { .verdict = verdicts[i], .guests = { &running, NULL } };

        move.tried = false;
        assert_ends(step_next(&move, &facts), JOURNAL_MOVE_FAILED);
        facts.stranger = true;
        ck_assert_ptr_nonnull(strstr(step_next(&move, &facts).text, "a guest of its name"));
        move.tried = true;
        ck_assert_int_eq(step_next(&move, &facts).action, STEP_STUCK);
    }
}
END_TEST

START_TEST(offline_move_stops_defines_undefines_and_starts)
{
    struct journal_move move = move_of(MOVE_OFFLINE, GUEST_RUNNING);
    struct step_facts facts = {
        .verdict = SETTLE_NOT_HAPPENED,
        .guests = { &running, NULL },
        .proven = true,
    };

    assert_runs(step_next(&move, &facts), OP_STOP, 0);
    move.tried = true;
    facts.verdict = SETTLE_STOPPED;
    facts.guests[0] = &off;
    assert_runs(step_next(&move, &facts), OP_DEFINE, 1);
    facts.verdict = SETTLE_DEFINED_TWICE;
    assert_runs(step_next(&move, &facts), OP_UNDEFINE, 0);
    facts.verdict = SETTLE_DONE_OFF;
    facts.guests[0] = NULL;
    facts.guests[1] = &off;
    assert_runs(step_next(&move, &facts), OP_START, 1);
    facts.verdict = SETTLE_DONE;
    facts.guests[1] = &running;
    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_DONE);
}
END_TEST

START_TEST(forced_move_fences_before_it_defines_and_again_before_it_starts)
{
    struct journal_move move = move_of(MOVE_FORCED, GUEST_RUNNING);
    struct step_facts facts = {
        .verdict = SETTLE_WAIT,
        .views = { SETTLE_UNREACHABLE, SETTLE_ABSENT },
    };

    assert_runs(step_next(&move, &facts), OP_PREFLIGHT, 1);
    facts.proven = true;
    assert_runs(step_next(&move, &facts), OP_FENCE, 1);
    facts.fenced = true;
    assert_runs(step_next(&move, &facts), OP_DEFINE, 1);
    move.tried = true;
    move.target_made = true;
    facts.views[1] = SETTLE_OFF;
    facts.guests[1] = &off;
    facts.fenced = false;
    assert_runs(step_next(&move, &facts), OP_FENCE, 1);
    facts.fenced = true;
    assert_runs(step_next(&move, &facts), OP_START, 1);
    facts.started = true;
    facts.views[1] = SETTLE_RUNNING;
    facts.guests[1] = &running;
    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_DONE);
}
END_TEST

START_TEST(forced_move_never_starts_a_guest_whose_host_is_back_or_whose_death_is_in_doubt)
{
    struct journal_move move = move_of(MOVE_FORCED, GUEST_RUNNING);
    struct step_facts facts = {
        .verdict = SETTLE_WAIT,
        .views = { SETTLE_UNREACHABLE, SETTLE_OFF },
        .guests = { NULL, &off },
        .proven = true,
        .fenced = true,
    };
    struct step_facts doubts[4] = { facts, facts, facts, facts };

    move.target_made = true;
    doubts[0].voided = true;
    doubts[1].resumed = true;
    for (enum settle_view view = 0; view < SETTLE_VIEW_COUNT; view++) {
        if (view != SETTLE_UNREACHABLE && view != SETTLE_ABSENT) {
            doubts[2].views[0] = view;
            assert_runs(step_next(&move, &doubts[2]), OP_UNDEFINE, 1);
        }
    }
    assert_runs(step_next(&move, &doubts[0]), OP_UNDEFINE, 1);
    assert_runs(step_next(&move, &doubts[1]), OP_UNDEFINE, 1);
    move.cancel_requested = true;
    assert_runs(step_next(&move, &doubts[3]), OP_UNDEFINE, 1);
    move.cancel_requested = false;
    assert_runs(step_next(&move, &facts), OP_START, 1);
    facts.views[0] = SETTLE_ABSENT; /* It answers, and says 'not here'. */
    facts.voided = true;
    assert_runs(step_next(&move, &facts), OP_START, 1);
}
END_TEST

START_TEST(forced_move_touches_neither_copy_of_a_guest_that_runs_twice)
{
    struct journal_move move = move_of(MOVE_FORCED, GUEST_RUNNING);
    const struct step_facts facts = {
        .verdict = SETTLE_ALARM,
        .views = { SETTLE_RUNNING, SETTLE_RUNNING },
        .guests = { &running, &running },
        .started = true,
    };

    move.target_made = true;
    ck_assert_int_eq(step_next(&move, &facts).action, STEP_STUCK);
}
END_TEST

START_TEST(forced_move_leaves_alone_what_somebody_else_has_put_on_the_target)
{
    struct journal_move move = move_of(MOVE_FORCED, GUEST_RUNNING);
    struct step_facts facts = {
        .verdict = SETTLE_WAIT,
        .views = { SETTLE_UNREACHABLE, SETTLE_OFF },
        .guests = { NULL, &off },
        .fenced = true,
    };

    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_FAILED);
    facts.views[1] = SETTLE_RUNNING;
    facts.guests[1] = &running;
    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_FAILED);
}
END_TEST

START_TEST(early_stop_checks_and_stops_the_guest_and_is_done_with_it_off_at_the_source)
{
    struct journal_move move = move_of(MOVE_STOP, GUEST_RUNNING);
    struct step_facts facts = { .verdict = SETTLE_NOT_HAPPENED, .guests = { &running, NULL } };

    move.autostart = true;
    assert_runs(step_next(&move, &facts), OP_PREFLIGHT, 0);
    facts.proven = true;
    assert_runs(step_next(&move, &facts), OP_STOP, 0);
    move.tried = true;
    facts = (struct step_facts){ .verdict = SETTLE_STOPPED, .guests = { &off, NULL } };
    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_DONE);
    facts.resumed = true;
    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_DONE);
}
END_TEST

START_TEST(early_stop_does_not_wait_for_a_target_that_had_no_part_in_it)
{
    struct journal_move move = move_of(MOVE_STOP, GUEST_RUNNING);
    struct step_facts facts = { .verdict = SETTLE_WAIT, .guests = { &off, NULL } };

    ck_assert_int_eq(step_next(&move, &facts).action, STEP_WAIT);
    move.tried = true;
    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_DONE);
    facts.guests[0] = &running;
    ck_assert_int_eq(step_next(&move, &facts).action, STEP_WAIT);
    facts.guests[0] = NULL;
    ck_assert_int_eq(step_next(&move, &facts).action, STEP_WAIT);
}
END_TEST

START_TEST(early_stop_that_the_guest_ignores_gives_its_autostart_back)
{
    struct journal_move move = move_of(MOVE_STOP, GUEST_RUNNING);
    struct err err = { .code = ERR_TIMEOUT };
    struct step_facts facts = {
        .verdict = SETTLE_NOT_HAPPENED,
        .guests = { &running, NULL },
        .error = &err,
        .failed = OP_STOP,
        .failures = 1,
    };

    move.tried = true;
    move.autostart = true;
    assert_runs(step_next(&move, &facts), OP_AUTOSTART, 0);
    move.autostart = false;
    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_FAILED);
}
END_TEST

START_TEST(guest_that_went_off_before_its_early_stop_is_not_taken_for_stopped_by_us)
{
    struct journal_move move = move_of(MOVE_STOP, GUEST_RUNNING);
    struct step_facts facts = { .verdict = SETTLE_STOPPED, .guests = { &off, NULL } };

    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_FAILED);
    facts.resumed = true;
    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_FAILED);
}
END_TEST

START_TEST(guest_that_was_off_and_owed_a_start_is_stopped_early_for_the_journal_only)
{
    struct journal_move move = move_of(MOVE_STOP, GUEST_RUNNING);
    struct step_facts facts = {
        .verdict = SETTLE_STOPPED,
        .guests = { &off, NULL },
        .owed = true,
    };

    assert_runs(step_next(&move, &facts), OP_PREFLIGHT, 0);
    facts.proven = true;
    assert_runs(step_next(&move, &facts), OP_STOP, 0);
    move.cancel_requested = true;
    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_CANCELLED);
    move.cancel_requested = false;
    facts.resumed = true;
    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_FAILED);
}
END_TEST

/* Its room may be another's: only a look at the whole fleet tells whether it may be started. */
START_TEST(cancelled_early_stop_leaves_the_start_to_a_move_of_its_own)
{
    struct journal_move move = move_of(MOVE_STOP, GUEST_RUNNING);
    struct step_facts facts = { .verdict = SETTLE_NOT_HAPPENED, .guests = { &running, NULL } };

    move.cancel_requested = true;
    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_CANCELLED);
    move.tried = true;
    facts = (struct step_facts){ .verdict = SETTLE_STOPPED, .guests = { &off, NULL } };
    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_CANCELLED);
}
END_TEST

START_TEST(guest_stopped_early_is_not_started_at_its_source_by_the_move_that_follows)
{
    struct err err = { .code = ERR_INCOMPATIBLE };
    struct journal_move move = move_of(MOVE_OFFLINE, GUEST_RUNNING);
    struct step_facts facts = {
        .verdict = SETTLE_STOPPED,
        .guests = { &off, NULL },
        .early = true,
        .error = &err,
        .failed = OP_PREFLIGHT,
        .failures = 1,
    };

    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_FAILED);
    move.tried = true;
    facts.failed = OP_DEFINE;
    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_FAILED);
    facts.error = NULL;
    assert_runs(step_next(&move, &facts), OP_DEFINE, 1);
    move.back = true;
    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_ROLLED_BACK);
    move.cancel_requested = true;
    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_CANCELLED);
}
END_TEST

START_TEST(early_stop_leaves_alone_what_others_do_on_the_target)
{
    static const enum settle_verdict verdicts[] = {
        SETTLE_DESTROY_TARGET, SETTLE_UNDEFINE_TARGET, SETTLE_DESTROY_SOURCE, SETTLE_RESUME_SOURCE,
        SETTLE_SWEEP_SOURCE,   SETTLE_DEFINED_TWICE,   SETTLE_DONE,           SETTLE_DONE_OFF,
    };

    for (size_t v = 0; v < ARRAY_LEN(verdicts); v++) {
        struct journal_move move = move_of(MOVE_STOP, GUEST_RUNNING);
        struct step_facts facts = { .verdict = verdicts[v], .guests = { &off, &running } };

        assert_ends(step_next(&move, &facts), JOURNAL_MOVE_FAILED);
        move.tried = true;
        assert_ends(step_next(&move, &facts), JOURNAL_MOVE_FAILED);
    }
}
END_TEST

START_TEST(cold_move_never_starts_the_guest)
{
    struct journal_move move = move_of(MOVE_COLD, GUEST_SHUTOFF);
    struct step_facts facts = {
        .verdict = SETTLE_STOPPED,
        .guests = { &off, NULL },
        .proven = true,
    };

    assert_runs(step_next(&move, &facts), OP_DEFINE, 1);
    facts.verdict = SETTLE_DONE_OFF;
    facts.guests[0] = NULL;
    facts.guests[1] = &off;
    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_DONE);
}
END_TEST

START_TEST(failed_preflight_ends_the_move_with_nothing_touched)
{
    struct journal_move move = move_of(MOVE_LIVE, GUEST_RUNNING);
    struct err err = { .code = ERR_UNSAFE };
    struct step_facts facts = {
        .verdict = SETTLE_NOT_HAPPENED,
        .guests = { &running, NULL },
        .error = &err,
        .failed = OP_PREFLIGHT,
        .failures = 1,
    };

    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_FAILED);
}
END_TEST

START_TEST(live_move_that_was_tried_is_not_tried_again_by_itself)
{
    struct journal_move move = move_of(MOVE_LIVE, GUEST_RUNNING);
    struct step_facts facts = { .verdict = SETTLE_NOT_HAPPENED, .guests = { &running, NULL } };

    move.tried = true;
    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_FAILED);
}
END_TEST

START_TEST(autostart_is_given_back_on_whichever_host_the_guest_ends)
{
    struct journal_move move = move_of(MOVE_LIVE, GUEST_RUNNING);
    struct step_facts facts = { .verdict = SETTLE_DONE, .guests = { NULL, &running } };

    move.autostart = true;
    assert_runs(step_next(&move, &facts), OP_AUTOSTART, 1);
    move.tried = true;
    facts = (struct step_facts){ .verdict = SETTLE_NOT_HAPPENED, .guests = { &running, NULL } };
    assert_runs(step_next(&move, &facts), OP_AUTOSTART, 0);
}
END_TEST

START_TEST(autostart_that_cannot_be_given_back_keeps_the_move_open)
{
    struct journal_move move = move_of(MOVE_LIVE, GUEST_RUNNING);
    struct err err = { .code = ERR_FAILED };
    struct step_facts facts = {
        .verdict = SETTLE_DONE,
        .guests = { NULL, &running },
        .error = &err,
        .failed = OP_AUTOSTART,
        .failures = 1,
    };

    move.autostart = true;
    assert_runs(step_next(&move, &facts), OP_AUTOSTART, 1);
    facts.failures = 3;
    ck_assert_int_eq(step_next(&move, &facts).action, STEP_STUCK);
}
END_TEST

START_TEST(stopped_guest_whose_definition_failed_starts_again_at_the_source)
{
    struct journal_move move = move_of(MOVE_OFFLINE, GUEST_RUNNING);
    struct err err = { .code = ERR_INCOMPATIBLE };
    struct step_facts facts = {
        .verdict = SETTLE_STOPPED,
        .guests = { &off, NULL },
        .error = &err,
        .failed = OP_DEFINE,
        .failures = 1,
    };
    struct step step;

    move.tried = true;
    step = step_next(&move, &facts);
    assert_runs(step, OP_START, 0);
    ck_assert(step.back);
    move.back = true;
    facts = (struct step_facts){ .verdict = SETTLE_NOT_HAPPENED, .guests = { &running, NULL } };
    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_ROLLED_BACK);
}
END_TEST

START_TEST(guest_that_cannot_start_on_the_target_goes_back_with_one_definition)
{
    struct journal_move move = move_of(MOVE_OFFLINE, GUEST_RUNNING);
    struct err err = { .code = ERR_INCOMPATIBLE };
    struct step_facts facts = {
        .verdict = SETTLE_DONE_OFF,
        .guests = { NULL, &off },
        .error = &err,
        .failed = OP_START,
        .failures = 1,
    };
    struct step step;

    move.tried = true;
    step = step_next(&move, &facts);
    assert_runs(step, OP_DEFINE, 0);
    ck_assert(step.back);
    move.back = true;
    facts = (struct step_facts){ .verdict = SETTLE_DEFINED_TWICE, .guests = { &off, &off } };
    assert_runs(step_next(&move, &facts), OP_UNDEFINE, 1);
    facts = (struct step_facts){ .verdict = SETTLE_STOPPED, .guests = { &off, NULL } };
    assert_runs(step_next(&move, &facts), OP_START, 0);
}
END_TEST

START_TEST(start_that_may_pass_is_tried_once_more_before_turning_back)
{
    struct journal_move move = move_of(MOVE_OFFLINE, GUEST_RUNNING);
    struct err err = { .code = ERR_TIMEOUT };
    struct step_facts facts = {
        .verdict = SETTLE_DONE_OFF,
        .guests = { NULL, &off },
        .error = &err,
        .failed = OP_START,
        .failures = 1,
    };

    move.tried = true;
    assert_runs(step_next(&move, &facts), OP_START, 1);
    facts.failures = 2;
    assert_runs(step_next(&move, &facts), OP_DEFINE, 0);
}
END_TEST

START_TEST(guest_found_running_on_the_target_is_a_success_however_it_got_there)
{
    struct journal_move move = move_of(MOVE_OFFLINE, GUEST_RUNNING);
    struct step_facts facts = { .verdict = SETTLE_DONE, .guests = { NULL, &running } };

    move.tried = true;
    move.back = true;
    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_DONE);
}
END_TEST

START_TEST(cancel_of_a_stopped_guest_starts_it_where_it_was)
{
    struct journal_move move = move_of(MOVE_OFFLINE, GUEST_RUNNING);
    struct step_facts facts = { .verdict = SETTLE_STOPPED, .guests = { &off, NULL } };

    move.tried = true;
    move.cancel_requested = true;
    assert_runs(step_next(&move, &facts), OP_START, 0);
    facts = (struct step_facts){ .verdict = SETTLE_NOT_HAPPENED, .guests = { &running, NULL } };
    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_CANCELLED);
}
END_TEST

START_TEST(migration_that_we_did_not_begin_is_left_alone)
{
    struct journal_move move = move_of(MOVE_LIVE, GUEST_RUNNING);
    struct step_facts facts = { .verdict = SETTLE_ADOPT, .guests = { &running, NULL } };

    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_FAILED);
    move.tried = true;
    assert_runs(step_next(&move, &facts), OP_ADOPT, 0);
    move.mode = MOVE_OFFLINE;
    ck_assert_int_eq(step_next(&move, &facts).action, STEP_STUCK);
}
END_TEST

START_TEST(half_state_that_we_cannot_have_made_is_left_alone)
{
    static const enum settle_verdict verdicts[] = {
        SETTLE_DESTROY_TARGET, SETTLE_UNDEFINE_TARGET, SETTLE_DESTROY_SOURCE, SETTLE_RESUME_SOURCE,
        SETTLE_SWEEP_SOURCE,   SETTLE_DEFINED_TWICE,   SETTLE_LOST,
    };
    static const enum move_mode modes[] = { MOVE_LIVE, MOVE_OFFLINE, MOVE_COLD };

    for (size_t m = 0; m < ARRAY_LEN(modes); m++) {
        for (size_t v = 0; v < ARRAY_LEN(verdicts); v++) {
            struct journal_move move = move_of(modes[m], GUEST_RUNNING);
            struct step_facts facts = { .verdict = verdicts[v], .guests = { &off, &off } };

            assert_ends(step_next(&move, &facts), JOURNAL_MOVE_FAILED);
            move.tried = true;
            ck_assert_int_ne(step_next(&move, &facts).action, STEP_END);
        }
    }
}
END_TEST

START_TEST(move_that_an_earlier_run_had_not_begun_is_not_begun_now)
{
    struct journal_move move = move_of(MOVE_LIVE, GUEST_RUNNING);
    struct step_facts facts = {
        .verdict = SETTLE_NOT_HAPPENED,
        .guests = { &running, NULL },
        .resumed = true,
    };

    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_FAILED);
    move = move_of(MOVE_COLD, GUEST_SHUTOFF);
    facts.verdict = SETTLE_STOPPED;
    facts.guests[0] = &off;
    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_FAILED);
    move.tried = true;
    assert_runs(step_next(&move, &facts), OP_DEFINE, 1);
}
END_TEST

START_TEST(owed_start_of_an_earlier_run_waits_for_a_look_at_every_host)
{
    struct journal_move move = move_of(MOVE_OFFLINE, GUEST_RUNNING);
    struct step_facts facts = {
        .verdict = SETTLE_HOLD,
        .guests = { &off, &off },
        .resumed = true,
    };

    move.to = move.from;
    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_FAILED);
    facts.guests[0] = &running;
    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_DONE);
    facts.guests[0] = NULL;
    facts.verdict = SETTLE_WAIT;
    ck_assert_int_eq(step_next(&move, &facts).action, STEP_STUCK);
    facts.verdict = SETTLE_LOST;
    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_FAILED);
}
END_TEST

/* It is owed a start, which the move leaves to whoever looks at the whole fleet. */
START_TEST(guest_that_is_down_at_the_source_and_will_not_start_holds_no_move_open)
{
    struct journal_move move = move_of(MOVE_OFFLINE, GUEST_RUNNING);
    struct err err = { .code = ERR_FAILED };
    struct step_facts facts = {
        .verdict = SETTLE_STOPPED,
        .guests = { &off, NULL },
        .error = &err,
        .failed = OP_START,
        .failures = 4,
    };

    move.tried = true;
    move.back = true;
    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_ROLLED_BACK);
}
END_TEST

/* The definition arrives each time, and each time its autostart cannot be cleared. */
START_TEST(stopped_guest_whose_move_keeps_failing_is_started_where_it_was)
{
    struct journal_move move = move_of(MOVE_OFFLINE, GUEST_RUNNING);
    struct step_facts facts = {
        .verdict = SETTLE_STOPPED,
        .guests = { &off, NULL },
        .failures = 2,
    };

    move.tried = true;
    assert_runs(step_next(&move, &facts), OP_DEFINE, 1);
    facts.failures = 3;
    assert_runs(step_next(&move, &facts), OP_START, 0);
    facts.failures = 9;
    assert_runs(step_next(&move, &facts), OP_START, 0);
}
END_TEST

START_TEST(owed_start_without_a_move_starts_the_guest_where_it_is)
{
    struct journal_move move = move_of(MOVE_OFFLINE, GUEST_RUNNING);
    struct step_facts facts = { .verdict = SETTLE_ALARM, .guests = { &off, &off } };

    move.to = move.from;
    assert_runs(step_next(&move, &facts), OP_START, 0);
    facts.guests[0] = &running;
    assert_ends(step_next(&move, &facts), JOURNAL_MOVE_DONE);
}
END_TEST

/* Every verdict, direction and failure: the answer is always one of the actions, and never an act on a
 * guest that only a person may touch. */
START_TEST(every_situation_has_an_answer_that_is_safe)
{
    static const enum move_mode modes[] = { MOVE_LIVE, MOVE_OFFLINE, MOVE_COLD, MOVE_STOP };
    struct err err = { .code = ERR_FAILED };

    for (unsigned bits = 0; bits < 64; bits++) {
        for (size_t m = 0; m < ARRAY_LEN(modes); m++) {
            for (int verdict = 0; verdict < SETTLE_VERDICT_COUNT; verdict++) {
                for (int failed = 0; failed <= OP_KIND_COUNT; failed++) {
                    struct journal_move move =
                        move_of(modes[m], modes[m] == MOVE_COLD ? GUEST_SHUTOFF : GUEST_RUNNING);
                    struct step_facts facts = {
                        .verdict = (enum settle_verdict)verdict,
                        .proven = (bits & 1) != 0,
                        .owed = (bits & 32) != 0,
                        .early = (bits & 16) != 0,
                        .error = failed == OP_KIND_COUNT ? NULL : &err,
                        .failed = failed == OP_KIND_COUNT ? OP_PREFLIGHT : (enum op_kind)failed,
                        .failures = failed == OP_KIND_COUNT ? 0 : 1,
                    };
                    struct step step;

                    move.tried = (bits & 2) != 0;
                    move.back = (bits & 4) != 0;
                    move.cancel_requested = (bits & 8) != 0;
                    step = step_next(&move, &facts);
                    if (verdict == SETTLE_ALARM || verdict == SETTLE_HOLD) {
                        ck_assert_int_eq(step.action, move.tried ? STEP_STUCK : STEP_END);
                    }
                    if (verdict == SETTLE_WAIT) {
                        ck_assert_int_eq(step.action, STEP_WAIT);
                    }
                    if (step.action == STEP_RUN && step.op == OP_START) {
                        ck_assert(verdict == SETTLE_STOPPED || verdict == SETTLE_DONE_OFF);
                        ck_assert_uint_eq(step.side, verdict == SETTLE_STOPPED ? 0 : 1);
                        ck_assert(modes[m] != MOVE_STOP && (step.side == 1 || !facts.early));
                    }
                    if (step.action == STEP_RUN && modes[m] == MOVE_STOP) {
                        ck_assert_uint_eq(step.side, 0);
                        ck_assert(step.op == OP_PREFLIGHT || step.op == OP_STOP ||
                                  step.op == OP_AUTOSTART);
                    }
                    if (step.action == STEP_RUN && step.op == OP_STOP) {
                        ck_assert(facts.proven &&
                                  (verdict == SETTLE_NOT_HAPPENED ||
                                   (verdict == SETTLE_STOPPED && facts.owed)) &&
                                  (move.mode == MOVE_STOP ||
                                   (move.mode == MOVE_OFFLINE && verdict == SETTLE_NOT_HAPPENED)));
                    }
                }
            }
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("step");
    TCase *tcase = tcase_create("step");

    tcase_add_test(tcase, new_live_move_checks_both_hosts_before_it_touches_anything);
    tcase_add_loop_test(tcase, move_whose_hosts_change_before_it_began_is_over_and_holds_nobody, 0,
                        MOVE_FORCED);
    tcase_add_test(tcase, offline_move_stops_defines_undefines_and_starts);
    tcase_add_test(tcase, forced_move_fences_before_it_defines_and_again_before_it_starts);
    tcase_add_test(tcase,
                   forced_move_never_starts_a_guest_whose_host_is_back_or_whose_death_is_in_doubt);
    tcase_add_test(tcase, forced_move_touches_neither_copy_of_a_guest_that_runs_twice);
    tcase_add_test(tcase, forced_move_leaves_alone_what_somebody_else_has_put_on_the_target);
    tcase_add_test(tcase,
                   early_stop_checks_and_stops_the_guest_and_is_done_with_it_off_at_the_source);
    tcase_add_test(tcase, early_stop_does_not_wait_for_a_target_that_had_no_part_in_it);
    tcase_add_test(tcase, early_stop_that_the_guest_ignores_gives_its_autostart_back);
    tcase_add_test(tcase, guest_that_went_off_before_its_early_stop_is_not_taken_for_stopped_by_us);
    tcase_add_test(tcase,
                   guest_that_was_off_and_owed_a_start_is_stopped_early_for_the_journal_only);
    tcase_add_test(tcase, cancelled_early_stop_leaves_the_start_to_a_move_of_its_own);
    tcase_add_test(tcase,
                   guest_stopped_early_is_not_started_at_its_source_by_the_move_that_follows);
    tcase_add_test(tcase, early_stop_leaves_alone_what_others_do_on_the_target);
    tcase_add_test(tcase, cold_move_never_starts_the_guest);
    tcase_add_test(tcase, failed_preflight_ends_the_move_with_nothing_touched);
    tcase_add_test(tcase, live_move_that_was_tried_is_not_tried_again_by_itself);
    tcase_add_test(tcase, autostart_is_given_back_on_whichever_host_the_guest_ends);
    tcase_add_test(tcase, autostart_that_cannot_be_given_back_keeps_the_move_open);
    tcase_add_test(tcase, stopped_guest_whose_definition_failed_starts_again_at_the_source);
    tcase_add_test(tcase, guest_that_cannot_start_on_the_target_goes_back_with_one_definition);
    tcase_add_test(tcase, start_that_may_pass_is_tried_once_more_before_turning_back);
    tcase_add_test(tcase, guest_found_running_on_the_target_is_a_success_however_it_got_there);
    tcase_add_test(tcase, cancel_of_a_stopped_guest_starts_it_where_it_was);
    tcase_add_test(tcase, migration_that_we_did_not_begin_is_left_alone);
    tcase_add_test(tcase, half_state_that_we_cannot_have_made_is_left_alone);
    tcase_add_test(tcase, move_that_an_earlier_run_had_not_begun_is_not_begun_now);
    tcase_add_test(tcase, owed_start_of_an_earlier_run_waits_for_a_look_at_every_host);
    tcase_add_test(tcase, guest_that_is_down_at_the_source_and_will_not_start_holds_no_move_open);
    tcase_add_test(tcase, stopped_guest_whose_move_keeps_failing_is_started_where_it_was);
    tcase_add_test(tcase, owed_start_without_a_move_starts_the_guest_where_it_is);
    tcase_add_test(tcase, every_situation_has_an_answer_that_is_safe);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
