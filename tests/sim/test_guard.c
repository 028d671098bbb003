/* SPDX-License-Identifier: Apache-2.0 */

/* Hosts that boot with berth-guard: nobody runs there before the controller has let them, nobody runs twice, and
 * everybody runs in the end, whichever of controller and host was there first and wherever a controller dies. */

#include <check.h>
#include <string.h>

#include "actuators/sim_fleet.h"
#include "base/base.h"
#include "life.h"
#include "model/op.h"
#include "reconciler/event.h"
#include "tests/runner.h"
#include "world.h"

#define MINUTE_MS INT64_C(60000)
#define GUESTS    3

static struct world world;
static size_t releases;
static size_t failed_releases;

static const struct world_guest at_home[GUESTS] = {
    { "vm1", "kvm1", "kvm1", "running", 100, true, false, NULL },
    { "vm2", "kvm1", "kvm1", "running", 100, true, false, NULL },
    { "vm3", "kvm2", "kvm2", "running", 100, true, false, NULL },
};

/* vm2 belongs elsewhere by now. */
static const struct world_guest away[GUESTS] = {
    { "vm1", "kvm1", "kvm1", "running", 100, true, false, NULL },
    { "vm2", "kvm1", "kvm2", "running", 100, true, false, NULL },
    { "vm3", "kvm2", "kvm2", "running", 100, true, false, NULL },
};

static void on_event(void *context, const struct event *event)
{
    (void)context;
    releases += event->kind == EVENT_RELEASE && event->err == NULL ? 1 : 0;
    failed_releases += event->kind == EVENT_RELEASE && event->err != NULL ? 1 : 0;
}

static const struct life_hooks listening = { .told = on_event };

static void put_guards(void *context, struct sim_fleet *fleet)
{
    (void)context;
    for (size_t i = 0; i < fleet->host_count; i++) {
        fleet->hosts[i].guard = OBSERVED_GUARD_RELEASED;
    }
    fleet->changed = true;
}

static void begin(const struct world_guest *guests, const char *faults)
{
    world_init(&world, 1024, guests, GUESTS, faults);
    world.config.guard = true;
    world.hooks = &listening;
    releases = 0;
    failed_releases = 0;
    world_edit(&world, put_guards, NULL);
}

static void cut(void *context, struct sim_fleet *fleet)
{
    sim_fleet_find_host(fleet, context)->power = SIM_POWER_OFF;
    fleet->changed = true;
}

static void boot(void *context, struct sim_fleet *fleet)
{
    sim_fleet_find_host(fleet, context)->power = SIM_POWER_ON;
    fleet->changed = true;
}

static char kvm1[] = "kvm1";
static char kvm2[] = "kvm2";

static void reboot(char *host)
{
    world_edit(&world, cut, host);
    world_edit(&world, boot, host);
}

static void follow(int64_t ms)
{
    world.follow_ms = ms;
    world_live(&world, WORLD_KILL_NEVER, 0);
}

static bool is_held(const char *guest)
{
    return strcmp(world_state(&world, guest, "kvm1"), "shutoff") == 0 &&
           !world_has_autostart(&world, guest, "kvm1");
}

static void assert_runs(const char *guest, const char *host)
{
    const char *found = world_runs_on(&world, guest);

    ck_assert_msg(found != NULL && strcmp(found, host) == 0, "%s runs on %s, not on %s (%s)", guest,
                  found == NULL ? "no host" : found, host, world.last_alarm);
    ck_assert(world_has_autostart(&world, guest, host));
}

static void assert_all_at_home(void)
{
    assert_runs("vm1", "kvm1");
    assert_runs("vm2", "kvm1");
    assert_runs("vm3", "kvm2");
}

START_TEST(a_host_that_boots_before_there_is_a_controller_starts_nobody_until_there_is)
{
    begin(at_home, "");
    follow(MINUTE_MS);
    reboot(kvm1);
    world_wait(&world, 10 * MINUTE_MS);
    ck_assert(is_held("vm1") && is_held("vm2"));
    follow(MINUTE_MS);
    assert_all_at_home();
    ck_assert_uint_eq(releases, 1);
    ck_assert_uint_eq(world.alarms, 0);
    world_deinit(&world);
}
END_TEST

/* The power of kvm1 while a controller lives. */
struct outage {
    struct life *life;
    struct loop_timer timer;
    unsigned changes;
};

static void on_power(void *context)
{
    struct outage *outage = context;

    life_edit(outage->life, outage->changes++ % 2 == 0 ? cut : boot, kvm1);
    if (outage->changes < 4) { /* It comes back, and does so once more. */
        loop_timer_start(outage->life->loop, &outage->timer, 3 * MINUTE_MS, on_power, outage);
    }
}

static void on_began(void *context, struct life *life)
{
    struct outage *outage = context;

    outage->life = life;
    loop_timer_start(life->loop, &outage->timer, MINUTE_MS, on_power, outage);
}

START_TEST(a_controller_that_is_there_releases_a_host_each_time_it_boots)
{
    struct outage outage = { .changes = 0 };
    const struct life_hooks hooks = { .context = &outage, .began = on_began, .told = on_event };

    begin(at_home, "");
    world.hooks = &hooks;
    follow(20 * MINUTE_MS);
    ck_assert_uint_eq(outage.changes, 4);
    assert_all_at_home();
    ck_assert_uint_eq(releases, 2);
    world_deinit(&world);
}
END_TEST

START_TEST(a_host_that_boots_twice_unseen_is_released_once)
{
    begin(at_home, "");
    reboot(kvm1);
    reboot(kvm1);
    ck_assert(is_held("vm1") && is_held("vm2"));
    follow(MINUTE_MS);
    assert_all_at_home();
    ck_assert_uint_eq(releases, 1);
    world_deinit(&world);
}
END_TEST

START_TEST(a_released_host_that_boots_again_is_held_again)
{
    begin(at_home, "");
    reboot(kvm1);
    follow(MINUTE_MS);
    reboot(kvm1);
    ck_assert(is_held("vm1") && is_held("vm2"));
    follow(MINUTE_MS);
    assert_all_at_home();
    ck_assert_uint_eq(releases, 2);
    world_deinit(&world);
}
END_TEST

START_TEST(apply_releases_too)
{
    begin(at_home, "");
    reboot(kvm1);
    world_live(&world, WORLD_KILL_NEVER, 0);
    assert_all_at_home();
    ck_assert_int_eq(world.result.status, RECONCILER_DONE);
    world_deinit(&world);
}
END_TEST

START_TEST(everybody_runs_once_wherever_the_controller_dies)
{
    static const enum world_kill kills[] = { WORLD_KILL_BEFORE_COMMIT, WORLD_KILL_AFTER_COMMIT,
                                             WORLD_KILL_BEFORE_CALL, WORLD_KILL_AFTER_CALL };
    bool killed = true;

    for (size_t at = 1; killed; at++) {
        begin(away, "");
        reboot(kvm1);
        world.follow_ms = MINUTE_MS;
        world_live(&world, kills[_i], at);
        killed = world.killed;
        follow(2 * MINUTE_MS);
        assert_runs("vm1", "kvm1");
        assert_runs("vm2", "kvm2");
        ck_assert_uint_eq(world_open_moves(&world), 0);
        world_deinit(&world);
    }
}
END_TEST

START_TEST(a_guest_that_belongs_elsewhere_starts_where_it_was_and_moves_running)
{
    struct journal_move *moves;

    begin(away, "");
    reboot(kvm1);
    follow(2 * MINUTE_MS);
    assert_runs("vm2", "kvm2");
    ck_assert_uint_eq(world_moves(&world, &moves), 1);
    ck_assert_int_eq(moves[0].mode, MOVE_LIVE);
    world_deinit(&world);
}
END_TEST

START_TEST(where_berth_conf_knows_of_no_guards_nobody_is_released)
{
    begin(at_home, "");
    world.config.guard = false;
    reboot(kvm1);
    follow(MINUTE_MS);
    ck_assert(is_held("vm1") && is_held("vm2"));
    ck_assert_uint_eq(releases, 0);
    world_deinit(&world);
}
END_TEST

/* A copy of vm1 runs on kvm2, say since somebody started it there while kvm1 was dead. */
static void copy_vm1(void *context, struct sim_fleet *fleet)
{
    struct sim_guest copy = *sim_fleet_find_guest_named(sim_fleet_find_host(fleet, "kvm1"), "vm1");

    (void)context;
    copy.held = false;
    sim_fleet_set_state(fleet,
                        sim_fleet_add_guest(fleet, sim_fleet_find_host(fleet, "kvm2"), &copy),
                        GUEST_RUNNING, GUEST_REASON_BOOTED);
}

START_TEST(a_guest_that_another_host_knows_stays_held_and_the_others_start)
{
    begin(at_home, "");
    world_edit(&world, cut, kvm1);
    world_edit(&world, copy_vm1, NULL);
    world_edit(&world, boot, kvm1);
    follow(5 * MINUTE_MS);
    assert_runs("vm2", "kvm1");
    ck_assert_str_eq(world_state(&world, "vm1", "kvm1"), "shutoff");
    ck_assert_str_eq(world_state(&world, "vm1", "kvm2"), "running");
    ck_assert_uint_eq(world.alarms, 1);
    ck_assert_ptr_nonnull(strstr(world.last_alarm, "held back on 'kvm1', because 'kvm2' knows it"));
    world_deinit(&world);
}
END_TEST

/* The same, and kvm2 has fallen silent since: a fresh controller has only the journal to tell it. */
START_TEST(a_guest_that_was_last_seen_on_a_silent_host_stays_held)
{
    static const struct world_guest moved[GUESTS] = {
        { "vm1", "kvm1", "kvm2", "running", 100, true, false, NULL },
        { "vm2", "kvm1", "kvm1", "running", 100, true, false, NULL },
        { "vm3", "kvm2", "kvm2", "running", 100, true, false, NULL },
    };

    begin(at_home, "");
    world_edit(&world, cut, kvm1);
    world_edit(&world, copy_vm1, NULL);
    world_want(&world, moved, GUESTS);
    follow(MINUTE_MS);
    world_freeze(&world, kvm2, true);
    world_edit(&world, boot, kvm1);
    follow(5 * MINUTE_MS);
    assert_runs("vm2", "kvm1");
    ck_assert_str_eq(world_state(&world, "vm1", "kvm1"), "shutoff");
    ck_assert_ptr_nonnull(strstr(world.last_alarm, "last seen on 'kvm2', which does not answer"));
    world_deinit(&world);
}
END_TEST

/* It was on its way home when it was last seen, and its host has not answered to any controller since. */
START_TEST(a_guest_that_was_last_seen_away_from_home_on_a_silent_host_stays_held)
{
    begin(at_home, "");
    world_edit(&world, cut, kvm1);
    world_edit(&world, copy_vm1, NULL);
    follow(MINUTE_MS); /* The file wants it on kvm1, which is silent. */
    world_freeze(&world, kvm2, true);
    world_edit(&world, boot, kvm1);
    follow(5 * MINUTE_MS);
    follow(5 * MINUTE_MS);
    assert_runs("vm2", "kvm1");
    ck_assert_str_eq(world_state(&world, "vm1", "kvm1"), "shutoff");
    ck_assert_ptr_nonnull(strstr(world.last_alarm, "last seen on 'kvm2', which does not answer"));
    world_deinit(&world);
}
END_TEST

START_TEST(a_release_that_fails_is_tried_again_and_told_once)
{
    begin(at_home, "{\"op\":\"release\",\"host\":\"kvm1\",\"error\":\"unreachable\",\"times\":3}");
    reboot(kvm1);
    follow(10 * MINUTE_MS);
    assert_all_at_home();
    ck_assert_uint_eq(failed_releases, 1);
    ck_assert_uint_eq(releases, 1);
    world_deinit(&world);
}
END_TEST

START_TEST(a_release_whose_answer_is_lost_is_found_done)
{
    begin(at_home,
          "{\"op\":\"release\",\"host\":\"kvm1\",\"error\":\"timeout\",\"when\":\"after\"}");
    reboot(kvm1);
    follow(10 * MINUTE_MS);
    assert_all_at_home();
    ck_assert_uint_eq(failed_releases, 1);
    ck_assert_uint_eq(releases, 0);
    world_deinit(&world);
}
END_TEST

static void set_guard_of_kvm1(void *context, struct sim_fleet *fleet)
{
    sim_fleet_find_host(fleet, "kvm1")->guard = *(enum observed_guard *)context;
    fleet->changed = true;
}

static void exempt_vm2(void *context, struct sim_fleet *fleet)
{
    struct sim_host *host = sim_fleet_find_host(fleet, "kvm1");

    (void)context;
    for (size_t i = 0; i < host->guest_count; i++) {
        host->guests[i].exempt = strcmp(host->guests[i].name, "vm2") == 0;
    }
    fleet->changed = true;
}

/* A controller sees that; what the journal says then of the guards of vm1 and vm2. */
static void assert_noted(enum observed_guard guard, bool vm1, bool vm2)
{
    struct journal *journal;
    struct journal_place *places;
    struct err err;
    size_t count;

    world_edit(&world, set_guard_of_kvm1, &guard);
    follow(MINUTE_MS);
    journal = journal_open_readonly(world.state_dir, &err);
    ck_assert_ptr_nonnull(journal);
    ck_assert_int_eq(journal->ops->places(journal, &world.arena, &places, &count, &err), 0);
    ck_assert_uint_eq(count, GUESTS);
    ck_assert_msg(places[0].guarded == vm1 && places[1].guarded == vm2, "%s", places[0].guest);
    journal_close(journal);
}

START_TEST(what_was_known_of_a_guard_stands_until_it_is_known_otherwise)
{
    begin(at_home, "");
    assert_noted(OBSERVED_GUARD_UNKNOWN, false, false);
    assert_noted(OBSERVED_GUARD_RELEASED, true, true);
    assert_noted(OBSERVED_GUARD_UNKNOWN, true, true);
    assert_noted(OBSERVED_GUARD_NONE, false, false);
    world_edit(&world, exempt_vm2, NULL);
    assert_noted(OBSERVED_GUARD_RELEASED, true, false);
    world_deinit(&world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("guard");
    TCase *tcase = tcase_create("guard");
    int status;

    tcase_add_test(tcase,
                   a_host_that_boots_before_there_is_a_controller_starts_nobody_until_there_is);
    tcase_add_test(tcase, a_controller_that_is_there_releases_a_host_each_time_it_boots);
    tcase_add_test(tcase, a_host_that_boots_twice_unseen_is_released_once);
    tcase_add_test(tcase, a_released_host_that_boots_again_is_held_again);
    tcase_add_test(tcase, apply_releases_too);
    tcase_add_loop_test(tcase, everybody_runs_once_wherever_the_controller_dies, 0, 4);
    tcase_add_test(tcase, a_guest_that_belongs_elsewhere_starts_where_it_was_and_moves_running);
    tcase_add_test(tcase, where_berth_conf_knows_of_no_guards_nobody_is_released);
    tcase_add_test(tcase, a_guest_that_another_host_knows_stays_held_and_the_others_start);
    tcase_add_test(tcase, a_guest_that_was_last_seen_on_a_silent_host_stays_held);
    tcase_add_test(tcase, a_guest_that_was_last_seen_away_from_home_on_a_silent_host_stays_held);
    tcase_add_test(tcase, a_release_that_fails_is_tried_again_and_told_once);
    tcase_add_test(tcase, a_release_whose_answer_is_lost_is_found_done);
    tcase_add_test(tcase, what_was_known_of_a_guard_stands_until_it_is_known_otherwise);
    tcase_set_timeout(tcase, 120);
    suite_add_tcase(suite, tcase);
    world_set_up();
    status = runner_run(suite);
    world_tear_down();
    return status;
}
