/* SPDX-License-Identifier: Apache-2.0 */

/* Guests that were stopped for a move must run again, whenever a controller dies, whatever fails on the way, and
 * however late a shutdown that was asked for takes effect. */

#include <check.h>
#include <string.h>

#include "actuators/sim_fleet.h"
#include "base/base.h"
#include "tests/runner.h"
#include "world.h"

#define HOUR_MS INT64_C(3600000)

static struct world world;

static const struct world_guest away[] = {
    { "vm1", "kvm1", "kvm2", "running", 600, true, false, NULL },
};
static const struct world_guest deaf[] = {
    { "vm1", "kvm1", "kvm2", "running", 600, true, true, NULL },
};
static const struct world_guest stay[] = {
    { "vm1", "kvm1", "kvm1", "running", 600, true, true, NULL },
};

static void begin(const struct world_guest *guests, const char *faults)
{
    world_init(&world, 1024, guests, 1, faults);
    world.config.policy.mode = POLICY_MODE_OFFLINE;
}

static void follow(int64_t ms)
{
    world.follow_ms = ms;
    world_live(&world, WORLD_KILL_NEVER, 0);
}

static const char *runs_on(const char *guest)
{
    const char *host = world_runs_on(&world, guest);

    return host == NULL ? "no host" : host;
}

static void take_long_to_stop(void *context, struct sim_fleet *fleet)
{
    (void)context;
    fleet->durations.stop_ms = 20000;
    fleet->changed = true;
}

static void fail_check(struct sim_fleet *fleet, uint64_t times)
{
    static struct sim_fault fault;

    fault = (struct sim_fault){
        .op = OP_PREFLIGHT,
        .error = ERR_UNSAFE,
        .when = SIM_WHEN_BEFORE,
        .times = times,
    };
    fleet->faults = &fault;
    fleet->fault_count = 1;
    fleet->changed = true;
}

static void fail_checks(void *context, struct sim_fleet *fleet)
{
    (void)context;
    fail_check(fleet, 5);
}

static void fail_a_check(void *context, struct sim_fleet *fleet)
{
    (void)context;
    fail_check(fleet, 1);
}

/* It is asked to shut down, the controller dies, the next one finds it running and another move of it fails; and only
 * then it obeys. */
START_TEST(shutdown_that_takes_effect_after_two_moves_have_ended_is_made_good)
{
    begin(away, "");
    world_edit(&world, take_long_to_stop, NULL);
    world.follow_ms = HOUR_MS;
    world_live(&world, WORLD_KILL_AFTER_CALL, 2);
    ck_assert_uint_eq(world.calls, 2); /* Preflight and stop. */
    world_edit(&world, fail_checks, NULL);
    follow(HOUR_MS);
    ck_assert_str_eq(runs_on("vm1"), "kvm1");
    ck_assert_uint_eq(world_owed(&world), 0);
    ck_assert(world_has_autostart(&world, "vm1", "kvm1"));
    world_deinit(&world);
}
END_TEST

/* A deaf guest hears the request after all, when nobody waits for it any more. */
START_TEST(guest_that_obeys_late_runs_again_wherever_the_controller_died)
{
    bool killed = true;

    for (size_t at = 1; killed; at++) {
        begin(deaf, "");
        world.follow_ms = HOUR_MS / 4;
        world_live(&world, WORLD_KILL_AFTER_COMMIT, at);
        killed = world.killed;
        world_want(&world, stay, 1);
        follow(5000);
        if (world_owed(&world) > 0) {
            world_turn_off(&world, "vm1");
        }
        follow(HOUR_MS);
        ck_assert_msg(strcmp(runs_on("vm1"), "kvm1") == 0, "killed at %zu: it runs on %s (%s)", at,
                      runs_on("vm1"), world.last_text);
        ck_assert_uint_eq(world_owed(&world), 0);
        ck_assert(world_has_autostart(&world, "vm1", "kvm1"));
        world_deinit(&world);
    }
}
END_TEST

/* It cannot go on to the target at first, and then not start at the source any more. */
START_TEST(guest_that_cannot_run_again_at_its_source_is_moved_on)
{
    begin(away, "{\"op\":\"define\",\"host\":\"kvm2\",\"error\":\"timeout\",\"times\":1},"
                "{\"op\":\"start\",\"host\":\"kvm1\",\"error\":\"failed\",\"times\":1000}");
    follow(2 * HOUR_MS);
    ck_assert_str_eq(runs_on("vm1"), "kvm2");
    ck_assert_uint_eq(world_owed(&world), 0);
    ck_assert_uint_eq(world_open_moves(&world), 0);
    ck_assert(world_has_autostart(&world, "vm1", "kvm2"));
    world_deinit(&world);
}
END_TEST

/* Two guests of full hosts change places, for which vm1 is stopped early.  It was parked while it was off, is started
 * where it was and so no longer parked: whoever stops it again must not find it parked as before. */
START_TEST(guest_that_was_parked_while_it_was_off_is_not_stopped_and_started_without_end)
{
    const unsigned memory_mib[] = { 640, 640 };
    static const struct policy_guest park[] = { { .name = "vm1", .park = true } };
    const struct world_guest swap[] = {
        { "vm1", "kvm1", "kvm2", "running", 600, true, false, NULL },
        { "vm2", "kvm2", "kvm1", "running", 600, true, false, NULL },
    };
    size_t at = 1;
    bool stopped = false;

    while (!stopped) {
        world_init_hosts(&world, memory_mib, ARRAY_LEN(memory_mib), swap, ARRAY_LEN(swap), "");
        world.config.policy.guests = park;
        world.config.policy.guest_count = ARRAY_LEN(park);
        world.follow_ms = HOUR_MS;
        world_live(&world, WORLD_KILL_AFTER_COMMIT, at++);
        ck_assert(world.killed);
        stopped = world_owed(&world) == 1 && world_open_moves(&world) == 0;
        if (!stopped) {
            world_deinit(&world);
        }
    }
    world_edit(&world, fail_a_check, NULL);
    follow(HOUR_MS);
    ck_assert_str_eq(runs_on("vm1"), "kvm2");
    ck_assert_str_eq(runs_on("vm2"), "kvm1");
    ck_assert_uint_le(world.starts, 3);
    world_deinit(&world);
}
END_TEST

/* What the file no longer names is not forgotten, and no storm either. */
START_TEST(guest_that_the_file_forgets_while_it_is_down_is_tried_with_growing_pauses)
{
    struct world_edit edits[] = { { .at_ms = 2000 } };
    const char *before;

    begin(away, "{\"op\":\"define\",\"host\":\"kvm2\",\"error\":\"timeout\",\"times\":1},"
                "{\"op\":\"start\",\"error\":\"failed\",\"times\":1000}");
    before = world.es_xml;
    world_want(&world, away, 0);
    edits[0].es_xml = world.es_xml;
    world.es_xml = before;
    world.edits = edits;
    world.edit_count = 1;
    follow(6 * HOUR_MS);
    ck_assert_uint_ge(world.starts, 10);
    ck_assert_uint_le(world.starts, 80); /* Not two a minute. */
    ck_assert_uint_eq(world_owed(&world), 1);
    world_deinit(&world);
}
END_TEST

/* The controller's clock: it was two hours fast, and is put right while something waits. */
#define SET_BACK_MS (-2 * HOUR_MS)

static void follow_clock(int64_t at_ms, int64_t ms)
{
    const struct world_edit edits[] = {
        { .at_ms = at_ms, .es_xml = world.es_xml, .unnoticed = true, .jump_ms = SET_BACK_MS },
    };

    world.edits = edits;
    world.edit_count = ARRAY_LEN(edits);
    follow(ms);
    world.edits = NULL;
    world.edit_count = 0;
}

/* By the clock its move ends before the guest was asked; it obeys after that, and nothing else is to be done. */
START_TEST(guest_that_obeys_late_runs_again_though_the_clock_was_set_back_meanwhile)
{
    struct world_edit edits[] = { { .at_ms = 5000, .jump_ms = -30000 } };
    const char *before;

    begin(away, "{\"op\":\"stop\",\"when\":\"lost\",\"error\":\"unreachable\",\"times\":1}");
    world_edit(&world, take_long_to_stop, NULL);
    before = world.es_xml;
    world_want(&world, stay, 1);
    edits[0].es_xml = world.es_xml;
    world.es_xml = before;
    world.edits = edits;
    world.edit_count = ARRAY_LEN(edits);
    follow(HOUR_MS);
    world.edits = NULL;
    world.edit_count = 0;
    ck_assert_str_eq(runs_on("vm1"), "kvm1");
    ck_assert_uint_eq(world_owed(&world), 0);
    world_deinit(&world);
}
END_TEST

START_TEST(debt_is_paid_in_its_time_after_the_clock_was_set_back)
{
    begin(deaf, "");
    world.config.policy.stop_timeout_ms = 60000;
    world_live(&world, WORLD_KILL_NEVER, 0); /* It is not heard, and what is owed stays. */
    ck_assert_uint_eq(world_owed(&world), 1);
    world_want(&world, stay, 1);
    follow_clock(1000, HOUR_MS / 4);
    ck_assert_str_eq(runs_on("vm1"), "kvm1");
    ck_assert_uint_eq(world_owed(&world), 0);
    world_deinit(&world);
}
END_TEST

START_TEST(guest_is_tried_again_in_its_time_after_the_clock_was_set_back)
{
    begin(away, "{\"op\":\"preflight\",\"error\":\"timeout\",\"times\":1}");
    follow_clock(300, HOUR_MS);
    ck_assert_str_eq(runs_on("vm1"), "kvm2");
    world_deinit(&world);
}
END_TEST

/* A migration that makes no progress, taken up by the next controller. */
START_TEST(migration_is_cancelled_in_its_time_after_the_clock_was_set_back)
{
    struct journal_move *moves;

    world_init(&world, 1024, away, 1, "{\"op\":\"migrate\",\"when\":\"hang\",\"times\":1}");
    world.follow_ms = HOUR_MS;
    world_live(&world, WORLD_KILL_AFTER_CALL, 2);
    world_wait(&world, SET_BACK_MS);
    follow(HOUR_MS / 4);
    ck_assert_uint_ge(world_moves(&world, &moves), 2);
    ck_assert_int_eq(moves[0].state, JOURNAL_MOVE_FAILED);
    ck_assert_str_eq(runs_on("vm1"), "kvm2");
    world_deinit(&world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("debts");
    TCase *tcase = tcase_create("debts");
    int status;

    tcase_add_test(tcase, shutdown_that_takes_effect_after_two_moves_have_ended_is_made_good);
    tcase_add_test(tcase, guest_that_obeys_late_runs_again_wherever_the_controller_died);
    tcase_add_test(tcase, guest_that_cannot_run_again_at_its_source_is_moved_on);
    tcase_add_test(tcase,
                   guest_that_the_file_forgets_while_it_is_down_is_tried_with_growing_pauses);
    tcase_add_test(tcase,
                   guest_that_was_parked_while_it_was_off_is_not_stopped_and_started_without_end);
    tcase_add_test(tcase, guest_that_obeys_late_runs_again_though_the_clock_was_set_back_meanwhile);
    tcase_add_test(tcase, debt_is_paid_in_its_time_after_the_clock_was_set_back);
    tcase_add_test(tcase, guest_is_tried_again_in_its_time_after_the_clock_was_set_back);
    tcase_add_test(tcase, migration_is_cancelled_in_its_time_after_the_clock_was_set_back);
    tcase_set_timeout(tcase, 120);
    suite_add_tcase(suite, tcase);
    world_set_up();
    status = runner_run(suite);
    world_tear_down();
    return status;
}
