/* SPDX-License-Identifier: Apache-2.0 */

/* Live moves of guests that write: each ends, by itself, with help, by its fallback or at its deadline with
 * the guest where it was. */

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "actuators/sim_fleet.h"
#include "base/base.h"
#include "model/observed.h"
#include "model/op.h"
#include "tests/runner.h"
#include "tests/sim/life.h"
#include "tests/sim/world.h"

#define TIMEOUT_MS 60000
#define CRASHES    40

static struct world world;

/* kvm1's guest of 96 MiB that belongs on kvm2; a pass over its memory takes about a second. */
static void begin(const char *more, const char *faults)
{
    const struct world_guest guest = { "vm1", "kvm1", "kvm2", "running", 96, false, false, more };

    world_init(&world, 1024, &guest, 1, faults);
    world.config.policy.timeout_ms = TIMEOUT_MS;
}

/* Writes slower, and faster, than is copied; and so much that nothing but post-copy helps. */
#define MILD   ",\"dirty_mib_s\":40"
#define BUSY   ",\"dirty_mib_s\":150"
#define RAGING ",\"dirty_mib_s\":100000"

static void live(void)
{
    world_live(&world, WORLD_KILL_NEVER, 0);
    ck_assert(!world.killed);
}

static void assert_runs_on(const char *host)
{
    ck_assert_str_eq(world_state(&world, "vm1", "kvm1"),
                     strcmp(host, "kvm1") == 0 ? "running" : "absent");
    ck_assert_str_eq(world_state(&world, "vm1", "kvm2"),
                     strcmp(host, "kvm2") == 0 ? "running" : "absent");
    ck_assert_uint_eq(world_open_moves(&world), 0);
    ck_assert_uint_eq(world_owed(&world), 0);
}

/* The moves of the journal, of which there must be 'count'. */
static const struct journal_move *moves_of(size_t count)
{
    struct journal_move *moves;

    ck_assert_uint_eq(world_moves(&world, &moves), count);
    return moves;
}

START_TEST(a_guest_that_writes_slower_than_is_copied_needs_no_help)
{
    const struct journal_move *move;

    begin(MILD, "");
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_DONE);
    assert_runs_on("kvm2");
    move = moves_of(1);
    ck_assert_uint_gt(move->iterations, 1);
    ck_assert_uint_eq(move->throttle_percent, 0);
    ck_assert(!move->postcopy && !move->overran && !move->fallback);
    world_deinit(&world);
}
END_TEST

START_TEST(what_was_foretold_is_kept_beside_what_it_took)
{
    const struct journal_move *move;

    begin(",\"dirty_mib_s\":80", "");
    live();
    assert_runs_on("kvm2");
    move = moves_of(1);
    ck_assert_uint_eq(move->written_bytes_s, UINT64_C(80) << 20);
    ck_assert_int_gt(move->predicted_ms, move->total_ms / 2);
    ck_assert_int_lt(move->predicted_ms, move->total_ms * 2);
    world_deinit(&world);
}
END_TEST

START_TEST(a_guest_that_writes_faster_is_slowed_down_until_it_is_moved)
{
    const struct journal_move *move;

    begin(BUSY, "");
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_DONE);
    assert_runs_on("kvm2");
    move = moves_of(1);
    ck_assert_int_eq(move->predicted_ms, INT64_MAX);
    ck_assert_uint_gt(move->throttle_percent, 0);
    ck_assert(!move->postcopy && !move->overran);
    world_deinit(&world);
}
END_TEST

START_TEST(a_guest_that_may_not_be_slowed_down_stays_where_it_was_and_history_says_why)
{
    const struct journal_move *move;

    begin(BUSY, "");
    world.config.policy.auto_converge = false;
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_FAILED);
    assert_runs_on("kvm1");
    move = moves_of(1); /* What did not end is not tried again at once. */
    ck_assert_int_eq(move->state, JOURNAL_MOVE_FAILED);
    ck_assert_int_eq(move->error, ERR_TIMEOUT);
    ck_assert(move->overran);
    ck_assert_uint_eq(move->throttle_percent, 0);
    ck_assert_msg(strstr(move->error_text, "passes it still wrote 150 MiB/s") != NULL, "%s",
                  move->error_text);
    world_deinit(&world);
}
END_TEST

START_TEST(postcopy_ends_what_nothing_else_does)
{
    const struct journal_move *move;

    begin(RAGING, "");
    world.config.policy.postcopy = true;
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_DONE);
    assert_runs_on("kvm2");
    move = moves_of(1);
    ck_assert(move->postcopy && !move->fallback);
    world_deinit(&world);
}
END_TEST

START_TEST(a_guests_own_settings_go_before_the_fleets)
{
    const struct policy_guest own = {
        .name = "vm1", .has_postcopy = true, .has_fallback = true, .fallback = POLICY_FALLBACK_NONE
    };

    begin(RAGING, "");
    world.config.policy.postcopy = true;
    world.config.policy.fallback = POLICY_FALLBACK_OFFLINE;
    world.config.policy.guests = &own;
    world.config.policy.guest_count = 1;
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_FAILED);
    assert_runs_on("kvm1");
    ck_assert(!moves_of(1)->postcopy);
    world_deinit(&world);
}
END_TEST

START_TEST(a_live_move_that_overran_falls_back_to_offline_where_policy_says_so)
{
    const struct journal_move *moves;

    begin(RAGING, "");
    world.config.policy.fallback = POLICY_FALLBACK_OFFLINE;
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_DONE);
    assert_runs_on("kvm2");
    moves = moves_of(2);
    ck_assert(moves[0].mode == MOVE_LIVE && moves[0].overran && !moves[0].fallback);
    ck_assert_int_eq(moves[0].state, JOURNAL_MOVE_FAILED);
    ck_assert(moves[1].mode == MOVE_OFFLINE && moves[1].fallback);
    ck_assert_int_eq(moves[1].state, JOURNAL_MOVE_DONE);
    world_deinit(&world);
}
END_TEST

START_TEST(a_live_move_that_overran_falls_back_to_postcopy_where_policy_says_so)
{
    const struct journal_move *moves;

    begin(RAGING, "");
    world.config.policy.fallback = POLICY_FALLBACK_POSTCOPY;
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_DONE);
    assert_runs_on("kvm2");
    moves = moves_of(2);
    ck_assert(moves[0].overran && !moves[0].postcopy);
    ck_assert(moves[1].mode == MOVE_LIVE && moves[1].fallback && moves[1].postcopy);
    ck_assert_uint_le(moves[1].iterations, 2);
    world_deinit(&world);
}
END_TEST

START_TEST(a_fallback_that_fails_too_is_tried_again_as_a_fallback)
{
    const struct journal_move *moves;

    begin(RAGING, "{\"op\":\"stop\",\"error\":\"failed\"}");
    world.config.policy.fallback = POLICY_FALLBACK_OFFLINE;
    world.config.policy.outage_wait_ms = 1000;
    live();
    assert_runs_on("kvm2");
    moves = moves_of(3);
    ck_assert(moves[1].mode == MOVE_OFFLINE && moves[1].fallback);
    ck_assert_int_ne(moves[1].state, JOURNAL_MOVE_DONE);
    ck_assert(moves[2].mode == MOVE_OFFLINE && moves[2].fallback);
    ck_assert_int_eq(moves[2].state, JOURNAL_MOVE_DONE);
    world_deinit(&world);
}
END_TEST

START_TEST(another_revision_of_the_file_begins_with_a_live_move_again)
{
    const struct journal_move *moves;

    begin(RAGING, "");
    live();
    assert_runs_on("kvm1");
    world_touch(&world);
    world.config.policy.fallback = POLICY_FALLBACK_OFFLINE;
    live();
    assert_runs_on("kvm2");
    moves = moves_of(3);
    ck_assert(moves[1].mode == MOVE_LIVE && moves[1].overran && !moves[1].fallback);
    ck_assert(moves[2].mode == MOVE_OFFLINE && moves[2].fallback);
    world_deinit(&world);
}
END_TEST

/* Failures of a live move that say nothing of how its guest writes. */
static const char *const other_failures[] = {
    "{\"op\":\"migrate\",\"error\":\"failed\",\"times\":9}",
    "{\"op\":\"migrate\",\"error\":\"timeout\",\"times\":9}",
    "{\"op\":\"migrate\",\"error\":\"failed\",\"when\":\"middle\",\"times\":9}",
    "{\"op\":\"migrate\",\"error\":\"unreachable\",\"when\":\"hang\",\"times\":9}",
    "{\"op\":\"preflight\",\"error\":\"timeout\",\"times\":9}",
};

START_TEST(no_other_failure_ever_stops_the_guest)
{
    struct journal_move *moves;
    size_t count;

    begin(MILD, other_failures[_i]);
    world.config.policy.fallback = POLICY_FALLBACK_OFFLINE;
    live();
    assert_runs_on("kvm1");
    count = world_moves(&world, &moves);
    ck_assert_uint_gt(count, 0);
    for (size_t i = 0; i < count; i++) {
        ck_assert(moves[i].mode == MOVE_LIVE && !moves[i].overran && !moves[i].fallback);
    }
    world_deinit(&world);
}
END_TEST

START_TEST(a_person_who_cancels_gets_no_fallback)
{
    const struct journal_move *move;

    begin(RAGING, "");
    world.config.policy.fallback = POLICY_FALLBACK_OFFLINE;
    world.cancel_at_call = 1;
    world.cancel_after_ms = 20000;
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_CANCELLED);
    assert_runs_on("kvm1");
    move = moves_of(1);
    ck_assert_int_eq(move->state, JOURNAL_MOVE_CANCELLED);
    ck_assert(!move->overran);
    world_deinit(&world);
}
END_TEST

START_TEST(after_postcopy_has_begun_a_cancel_says_that_it_is_too_late)
{
    begin(RAGING, "");
    world.config.policy.postcopy = true;
    world.cancel_at_call = 1;
    world.cancel_after_ms = 7500; /* The eighth of passes of one second each is on. */
    live();
    assert_runs_on("kvm2");
    ck_assert(moves_of(1)->postcopy);
    ck_assert_uint_eq(world.alarms, 1);
    ck_assert_msg(strstr(world.last_alarm, "cannot be cancelled any more") != NULL, "%s",
                  world.last_alarm);
    world_deinit(&world);
}
END_TEST

START_TEST(a_deadline_does_not_end_what_has_no_way_back)
{
    begin(RAGING, "");
    world.config.policy.postcopy = true;
    world.config.policy.timeout_ms = 7600;
    live();
    ck_assert_int_eq(world.result.status, RECONCILER_DONE);
    assert_runs_on("kvm2");
    ck_assert(moves_of(1)->postcopy && !moves_of(1)->overran);
    world_deinit(&world);
}
END_TEST

/* Killed at its 'at'-th commit, at the first and the second try, and run again. */
static void crash(enum world_kill kill, size_t at)
{
    begin(RAGING, "");
    world.config.policy.fallback = POLICY_FALLBACK_OFFLINE;
    world_live(&world, kill, at);
    for (int i = 0; i < 3; i++) {
        world_wait(&world, 1000);
        live();
    }
    ck_assert_str_eq(world_state(&world, "vm1", "kvm2"), "running");
    assert_runs_on("kvm2");
    world_deinit(&world);
}

START_TEST(a_crash_at_any_commit_leads_to_the_same_end)
{
    for (size_t at = 1; at <= CRASHES; at++) {
        crash(_i == 0 ? WORLD_KILL_BEFORE_COMMIT : WORLD_KILL_AFTER_COMMIT, at);
    }
}
END_TEST

/* What happens to a host, and when: counted from the beginning of the migration. */
static const char *stricken;
static struct loop_timer striking;
static int64_t strike_ms;
static int64_t mend_ms;
static struct life *living;

static void set_power(void *context, struct sim_fleet *fleet)
{
    sim_fleet_find_host(fleet, stricken)->power = *(enum sim_power *)context;
    fleet->changed = true;
}

static void mend(void *context)
{
    enum sim_power power = SIM_POWER_ON;

    (void)context;
    life_edit(living, set_power, &power);
}

static void strike(void *context)
{
    enum sim_power power = SIM_POWER_FROZEN;

    life_edit(living, set_power, &power);
    if (mend_ms > 0) {
        loop_timer_start(living->loop, &striking, mend_ms - strike_ms, mend, context);
    }
}

static void on_begun(void *context, struct life *life)
{
    (void)context;
    living = life;
}

static void on_starts(void *context, const struct op *op)
{
    if (op->kind == OP_MIGRATE) {
        loop_timer_start(living->loop, &striking, strike_ms, strike, context);
    }
}

static const struct life_hooks freezing = { .began = on_begun, .starts = on_starts };

/* The libvirtd of 'host' stands still from then until then; 0: for ever. */
static void live_with_freeze(const char *host, int64_t from_ms, int64_t until_ms)
{
    stricken = host;
    strike_ms = from_ms;
    mend_ms = until_ms;
    striking = (struct loop_timer){ 0 };
    world.hooks = &freezing;
    live();
    world.hooks = NULL;
}

/* It may be thawed before or after the connections to it are given up, and after the move was. */
static const int64_t thaws_ms[] = { 20000, 50000, 0 };

START_TEST(a_source_that_falls_silent_in_the_middle_of_a_copy_is_told_of_once)
{
    begin(MILD, "");
    live_with_freeze("kvm1", 500, thaws_ms[_i]);
    ck_assert_uint_eq(world.alarms, 1);
    ck_assert_msg(strstr(world.last_alarm, "'vm1' may be paused") != NULL &&
                      strstr(world.last_alarm, "restart libvirt on 'kvm1'") != NULL,
                  "%s", world.last_alarm);
    if (thaws_ms[_i] == 0) {
        ck_assert_int_eq(world.result.status, RECONCILER_FAILED);
        ck_assert_uint_eq(world_open_moves(&world), 1);
        live(); /* What is known to be unclear is not told again. */
        ck_assert_uint_eq(world.alarms, 0);
        world_freeze(&world, "kvm1", false);
        live();
    }
    ck_assert_int_eq(world.result.status, RECONCILER_DONE);
    assert_runs_on("kvm2");
    world_deinit(&world);
}
END_TEST

START_TEST(a_controller_that_finds_the_source_of_a_migration_silent_tells_of_it_at_once)
{
    begin(MILD, "");
    world_live(&world, WORLD_KILL_AFTER_CALL, 2);
    world_freeze(&world, "kvm1", true);
    live();
    ck_assert_uint_eq(world.alarms, 1);
    ck_assert_msg(strstr(world.last_alarm, "'vm1' may be paused") != NULL, "%s", world.last_alarm);
    world_freeze(&world, "kvm1", false);
    live();
    assert_runs_on("kvm2");
    world_deinit(&world);
}
END_TEST

START_TEST(a_guest_that_stands_still_between_its_hosts_is_told_of_once)
{
    begin(MILD, "");
    live_with_freeze("kvm2", 500, 30000);
    ck_assert_uint_eq(world.alarms, 1);
    ck_assert_msg(strstr(world.last_alarm, "'vm1' is paused between") != NULL, "%s",
                  world.last_alarm);
    ck_assert_int_eq(world.result.status, RECONCILER_DONE);
    assert_runs_on("kvm2");
    world_deinit(&world);
}
END_TEST

START_TEST(a_copy_that_stands_still_is_told_of_once_and_ends_at_its_deadline)
{
    begin(NULL, "{\"op\":\"migrate\",\"when\":\"hang\",\"times\":9}");
    live();
    assert_runs_on("kvm1");
    ck_assert_uint_eq(world.alarms, world.moves_begun); /* Once each. */
    ck_assert_msg(strstr(world.last_alarm, "nothing of 'vm1' was copied") != NULL, "%s",
                  world.last_alarm);
    world_deinit(&world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("live");
    TCase *tcase = tcase_create("live");
    int status;

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, a_guest_that_writes_slower_than_is_copied_needs_no_help);
    tcase_add_test(tcase, what_was_foretold_is_kept_beside_what_it_took);
    tcase_add_test(tcase, a_guest_that_writes_faster_is_slowed_down_until_it_is_moved);
    tcase_add_test(tcase,
                   a_guest_that_may_not_be_slowed_down_stays_where_it_was_and_history_says_why);
    tcase_add_test(tcase, postcopy_ends_what_nothing_else_does);
    tcase_add_test(tcase, a_guests_own_settings_go_before_the_fleets);
    tcase_add_test(tcase, a_live_move_that_overran_falls_back_to_offline_where_policy_says_so);
    tcase_add_test(tcase, a_live_move_that_overran_falls_back_to_postcopy_where_policy_says_so);
    tcase_add_test(tcase, a_fallback_that_fails_too_is_tried_again_as_a_fallback);
    tcase_add_test(tcase, another_revision_of_the_file_begins_with_a_live_move_again);
    tcase_add_loop_test(tcase, no_other_failure_ever_stops_the_guest, 0,
                        (int)ARRAY_LEN(other_failures));
    tcase_add_test(tcase, a_person_who_cancels_gets_no_fallback);
    tcase_add_test(tcase, after_postcopy_has_begun_a_cancel_says_that_it_is_too_late);
    tcase_add_test(tcase, a_deadline_does_not_end_what_has_no_way_back);
    tcase_add_loop_test(tcase, a_crash_at_any_commit_leads_to_the_same_end, 0, 2);
    tcase_add_loop_test(tcase, a_source_that_falls_silent_in_the_middle_of_a_copy_is_told_of_once,
                        0, (int)ARRAY_LEN(thaws_ms));
    tcase_add_test(tcase,
                   a_controller_that_finds_the_source_of_a_migration_silent_tells_of_it_at_once);
    tcase_add_test(tcase, a_guest_that_stands_still_between_its_hosts_is_told_of_once);
    tcase_add_test(tcase, a_copy_that_stands_still_is_told_of_once_and_ends_at_its_deadline);
    suite_add_tcase(suite, tcase);
    world_set_up();
    status = runner_run(suite);
    world_tear_down();
    return status;
}
