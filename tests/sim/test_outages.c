/* SPDX-License-Identifier: Apache-2.0 */

/* Moves that fail and have cost their guest something: what it suffers in a day is bounded, however often
 * the file is saved, and whoever is down is not kept waiting by that. */

#include <check.h>
#include <string.h>

#include "actuators/sim_fleet.h"
#include "base/base.h"
#include "life.h"
#include "model/op.h"
#include "model/profile.h"
#include "reconciler/order.h"
#include "tests/runner.h"
#include "world.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)
#define SAVES     6

#define VOLUME ",\"disks\":[{\"path\":\"/dev/exc/sys\",\"identity\":\"sys\"}]"
#define NEVER  ",\"error\":\"failed\",\"times\":100000}"

static const struct profile platform = {
    .name = "test",
    .supplies = { [SUPPLY_VOLUME] = { .given = true, .timeout_ms = 30000 } },
};

static const struct world_guest away[] = {
    { "vm1", "kvm1", "kvm2", "running", 600, true, false, VOLUME },
};
static const struct world_guest deaf[] = {
    { "vm1", "kvm1", "kvm2", "running", 600, true, true, NULL },
};
static const struct world_guest raging[] = {
    { "vm1", "kvm1", "kvm2", "running", 96, true, false, ",\"dirty_mib_s\":100000" },
};

static struct world world;
static struct life *living;
static struct loop_timer timer;
static size_t stops;
static size_t copies;

static void on_began(void *context, struct life *life)
{
    (void)context;
    living = life;
}

static void on_starts(void *context, const struct op *op)
{
    (void)context;
    stops += op->kind == OP_STOP ? 1 : 0;
    copies += op->kind == OP_MIGRATE ? 1 : 0;
}

static void furnish(void *context, struct sim_fleet *fleet)
{
    static const struct sim_disk storage[] = { { "/dev/exc/sys", "sys", NULL } };
    static const struct sim_volume lone = { "sys", NULL, false };

    (void)context;
    fleet->hosts[0].storage = storage;
    fleet->hosts[0].storage_count = 1;
    fleet->volumes = &lone;
    fleet->volume_count = 1;
    fleet->changed = true;
}

static void begin(const struct world_guest *guests, enum policy_mode mode, const char *faults)
{
    static const struct life_hooks hooks = { .began = on_began, .starts = on_starts };

    world_init(&world, 1024, guests, 1, faults);
    world.config.policy.mode = mode;
    world.config.policy.profile = &platform;
    world.hooks = &hooks;
    stops = 0;
    copies = 0;
    if (guests == away) {
        world_edit(&world, furnish, NULL);
    }
}

static void follow(int64_t ms)
{
    world.follow_ms = ms;
    world_live(&world, WORLD_KILL_NEVER, 0);
    ck_assert(!world.killed);
}

static const struct journal_retry *retry_of(void)
{
    struct journal_retry *retries;
    struct err err;
    struct journal *journal = journal_open_readonly(world.state_dir, &err);
    size_t count;

    ck_assert_ptr_nonnull(journal);
    ck_assert_int_eq(journal->ops->retries(journal, &world.arena, &retries, &count, &err), 0);
    journal_close(journal);
    ck_assert_uint_eq(count, 1);
    return retries;
}

#define ATTACH_FAILS "{\"op\":\"provide\",\"host\":\"kvm2\"" NEVER

START_TEST(a_guest_whose_move_is_always_rolled_back_is_stopped_a_few_times_and_then_left_alone)
{
    begin(away, POLICY_MODE_OFFLINE, ATTACH_FAILS);
    follow(14 * MINUTE_MS);
    ck_assert_uint_eq(stops, 1);
    follow(3 * MINUTE_MS);
    ck_assert_uint_eq(stops, 2);
    follow(28 * MINUTE_MS);
    ck_assert_uint_eq(stops, 2);
    follow(DAY_MS);
    ck_assert_uint_eq(stops, 3);
    follow(2 * DAY_MS);
    ck_assert_uint_eq(stops, 3);
    ck_assert_int_eq(retry_of()->next_ms, INT64_MAX);
    ck_assert_ptr_nonnull(strstr(retry_of()->reason, "asked to stop in vain 3 times"));
    world_assert_is(&world, "vm1", "kvm1", "running");
    ck_assert_uint_eq(world_owed(&world), 0);
    world_deinit(&world);
}
END_TEST

START_TEST(a_guest_deaf_to_shutdown_is_asked_a_few_times_and_then_left_alone)
{
    begin(deaf, POLICY_MODE_OFFLINE, "");
    follow(2 * DAY_MS);
    ck_assert_uint_eq(stops, 3);
    world_assert_is(&world, "vm1", "kvm1", "running");
    world_deinit(&world);
}
END_TEST

START_TEST(a_live_move_that_never_ends_in_time_is_tried_ever_less_often_and_not_given_up)
{
    size_t first_day;

    begin(raging, POLICY_MODE_LIVE, "");
    follow(DAY_MS);
    first_day = copies;
    ck_assert_uint_ge(first_day, 4);
    ck_assert_uint_le(first_day, 9);
    follow(DAY_MS);
    ck_assert_uint_ge(copies - first_day, 2);
    ck_assert_uint_le(copies - first_day, 4);
    ck_assert_uint_eq(stops, 0);
    world_deinit(&world);
}
END_TEST

START_TEST(each_new_file_is_one_more_try_and_no_more)
{
    begin(away, POLICY_MODE_OFFLINE, ATTACH_FAILS);
    follow(DAY_MS);
    ck_assert_uint_eq(stops, 3);
    for (size_t i = 1; i <= SAVES; i++) {
        world_touch(&world);
        follow(2 * HOUR_MS);
        ck_assert_uint_eq(stops, 3 + i);
    }
    world_deinit(&world);
}
END_TEST

START_TEST(after_a_day_of_peace_a_new_file_begins_to_count_anew)
{
    begin(away, POLICY_MODE_OFFLINE, ATTACH_FAILS);
    follow(DAY_MS);
    ck_assert_uint_eq(stops, 3);
    follow(DAY_MS);
    world_touch(&world);
    follow(HOUR_MS);
    ck_assert_uint_eq(stops, 3 + 3);
    world_deinit(&world);
}
END_TEST

static void end_faults(void *context, struct sim_fleet *fleet)
{
    (void)context;
    fleet->fault_count = 0;
    fleet->changed = true;
}

static void ask_again(void *context)
{
    (void)context;
    life_edit(living, end_faults, NULL);
    life_order(living, ORDER_RETRY, "vm1");
}

static void on_began_asking(void *context, struct life *life)
{
    on_began(context, life);
    loop_timer_start(life->loop, &timer, MINUTE_MS, ask_again, NULL);
}

START_TEST(whoever_asks_for_it_has_the_guest_tried_at_once)
{
    static const struct life_hooks asking = { .began = on_began_asking, .starts = on_starts };

    begin(away, POLICY_MODE_OFFLINE, ATTACH_FAILS);
    follow(DAY_MS);
    ck_assert_uint_eq(stops, 3);
    world.hooks = &asking;
    follow(5 * MINUTE_MS);
    ck_assert_uint_eq(stops, 4);
    world_assert_is(&world, "vm1", "kvm2", "running");
    world_deinit(&world);
}
END_TEST

START_TEST(a_restarted_controller_waits_as_long_as_its_forerunner_would_have)
{
    begin(away, POLICY_MODE_OFFLINE, ATTACH_FAILS);
    for (size_t i = 0; i < 24 * 6; i++) {
        follow(10 * MINUTE_MS);
    }
    ck_assert_uint_eq(stops, 3);
    world_deinit(&world);
}
END_TEST

START_TEST(limit_and_wait_are_what_the_policy_says)
{
    begin(away, POLICY_MODE_OFFLINE, ATTACH_FAILS);
    world.config.policy.outage_limit = 5;
    world.config.policy.outage_wait_ms = MINUTE_MS;
    follow(HOUR_MS);
    ck_assert_uint_eq(stops, 5);
    follow(DAY_MS);
    ck_assert_uint_eq(stops, 5);
    world_deinit(&world);
}
END_TEST

static void turn_off(void *context, struct sim_fleet *fleet)
{
    end_faults(context, fleet);
    sim_fleet_set_state(fleet, &fleet->hosts[0].guests[0], GUEST_SHUTOFF, GUEST_REASON_UNKNOWN);
}

/* A person has shut it down meanwhile: nothing is interrupted any more. */
START_TEST(a_guest_that_is_off_by_now_is_not_kept_waiting)
{
    begin(away, POLICY_MODE_OFFLINE, ATTACH_FAILS);
    follow(DAY_MS);
    ck_assert_int_eq(retry_of()->next_ms, INT64_MAX);
    world_edit(&world, turn_off, NULL);
    follow(HOUR_MS);
    world_assert_is(&world, "vm1", "kvm2", "shutoff");
    ck_assert_uint_eq(stops, 3);
    world_deinit(&world);
}
END_TEST

/* Its start at the source fails, too, for a while: it is down. */
START_TEST(a_guest_that_is_left_down_is_started_again_and_then_left_alone)
{
    begin(away, POLICY_MODE_OFFLINE,
          ATTACH_FAILS ",{\"op\":\"start\",\"host\":\"kvm1\",\"error\":\"failed\",\"times\":12}");
    follow(DAY_MS);
    world_assert_is(&world, "vm1", "kvm1", "running");
    ck_assert_uint_eq(world_owed(&world), 0);
    ck_assert_uint_le(stops, 3);
    world_deinit(&world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("outages");
    TCase *tcase = tcase_create("outages");
    int status;

    tcase_add_test(
        tcase, a_guest_whose_move_is_always_rolled_back_is_stopped_a_few_times_and_then_left_alone);
    tcase_add_test(tcase, a_guest_deaf_to_shutdown_is_asked_a_few_times_and_then_left_alone);
    tcase_add_test(tcase,
                   a_live_move_that_never_ends_in_time_is_tried_ever_less_often_and_not_given_up);
    tcase_add_test(tcase, each_new_file_is_one_more_try_and_no_more);
    tcase_add_test(tcase, after_a_day_of_peace_a_new_file_begins_to_count_anew);
    tcase_add_test(tcase, whoever_asks_for_it_has_the_guest_tried_at_once);
    tcase_add_test(tcase, a_restarted_controller_waits_as_long_as_its_forerunner_would_have);
    tcase_add_test(tcase, limit_and_wait_are_what_the_policy_says);
    tcase_add_test(tcase, a_guest_that_is_off_by_now_is_not_kept_waiting);
    tcase_add_test(tcase, a_guest_that_is_left_down_is_started_again_and_then_left_alone);
    tcase_set_timeout(tcase, 120);
    suite_add_tcase(suite, tcase);
    world_set_up();
    status = runner_run(suite);
    world_tear_down();
    return status;
}
