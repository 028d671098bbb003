/* SPDX-License-Identifier: Apache-2.0 */

/* Guests of a dead host are started elsewhere by force: only when nothing can run them twice, whatever their host,
 * its fence and the controller do meanwhile.  life.c fails whenever a guest runs twice. */

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "actuators/sim_fleet.h"
#include "base/base.h"
#include "base/err.h"
#include "life.h"
#include "reconciler/force.h"
#include "reconciler/reconciler.h"
#include "tests/runner.h"
#include "world.h"

#define HOUR_MS   INT64_C(3600000)
#define MINUTE_MS INT64_C(60000)

/* What the dead host is like, and what is said of it. */
struct scene {
    bool autostart;
    bool guarded;
    bool fence;    /* There is one. */
    bool attested; /* A person vouches for the host's death. */
    bool off;      /* Its guest was shut off before. */
    bool holds;    /* A person wants it left alone. */
    bool frozen;   /* It is not dead: its libvirt stands still, and its guest runs. */
    enum sim_fence device;
};

static struct world world;
static struct scene scene;
static struct life *now_alive;
static struct loop_timer cue;
static int64_t
    returns_ms; /* When the dead host is switched on again, after the start of the life; 0 = never. */
static size_t returns_at; /* The same at this callback of the loop. */
static size_t callbacks;
static bool asks;
static size_t answers;
static struct err answer;

static const struct world_guest at_home[] = {
    { "vm1", "kvm1", "kvm1", "running", 600, true, false, NULL },
    { "vm2", "kvm3", "kvm3", "running", 600, false, false, NULL },
};
static const struct world_guest away[] = {
    { "vm1", "kvm1", "kvm2", "running", 600, true, false, NULL },
    { "vm2", "kvm3", "kvm3", "running", 600, false, false, NULL },
};

static void on_answer(void *context, const struct err *err, const char *text)
{
    (void)context;
    (void)text;
    answers++;
    answer = err == NULL ? (struct err){ .code = ERR_NONE } : *err;
}

static void switch_on(void *context, struct sim_fleet *fleet)
{
    (void)context;
    sim_fleet_find_host(fleet, "kvm1")->power = SIM_POWER_ON;
    fleet->changed = true;
}

static void on_returns(void *context)
{
    (void)context;
    life_edit(now_alive, switch_on, NULL);
}

static void on_held(void *context)
{
    (void)context;
    life_order(now_alive, ORDER_HOLD, "kvm1");
}

static void on_began(void *context, struct life *life)
{
    const struct force_request request = {
        .guest = "vm1",
        .to = "kvm2",
        .dead = scene.attested ? "kvm1" : NULL,
        .user = "somebody",
    };

    (void)context;
    now_alive = life;
    if (returns_ms > 0) {
        loop_timer_start(life->loop, &cue, returns_ms, on_returns, NULL);
    }
    if (scene.holds) {
        loop_timer_start(life->loop, &cue, 1, on_held, NULL);
    }
    if (asks) {
        reconciler_force(life->reconciler, &request, on_answer, NULL);
    }
}

static const struct life_hooks hooks = { .began = on_began };

static void on_ran(void *context)
{
    (void)context;
    if (++callbacks == returns_at) {
        life_edit(now_alive, switch_on, NULL);
    }
}

static const struct life_hooks stepped = { .began = on_began, .ran = on_ran };

static void prepare(void *context, struct sim_fleet *fleet)
{
    struct sim_host *host = sim_fleet_find_host(fleet, "kvm1");

    (void)context;
    host->fence = scene.device;
    host->guard = scene.guarded ? OBSERVED_GUARD_RELEASED : OBSERVED_GUARD_NONE;
    host->guests[0].autostart = scene.autostart;
    if (scene.off) {
        sim_fleet_set_state(fleet, &host->guests[0], GUEST_SHUTOFF, GUEST_REASON_SHUTDOWN);
    }
    fleet->changed = true;
}

static void die(void)
{
    world_power(&world, "kvm1", scene.frozen ? SIM_POWER_FROZEN : SIM_POWER_OFF);
}

static void set_device(void *context, struct sim_fleet *fleet)
{
    (void)context;
    sim_fleet_find_host(fleet, "kvm1")->fence = scene.device;
    fleet->changed = true;
}

static void lift_fence(void *context, struct sim_fleet *fleet)
{
    struct sim_host *host = sim_fleet_find_host(fleet, "kvm1");

    (void)context;
    host->fenced = false;
    host->fence_ms = 0;
    host->power = SIM_POWER_ON;
    fleet->changed = true;
}

/* As a person does who boots it without libvirt first. */
static void clean(void *context, struct sim_fleet *fleet)
{
    struct sim_host *host = sim_fleet_find_host(fleet, "kvm1");

    (void)context;
    for (size_t i = 0; i < host->guest_count; i++) {
        host->guests[i].autostart = false;
    }
    fleet->changed = true;
}

/* A host that was held back since it is there again has been released. */
static void assert_released(void *context, struct sim_fleet *fleet)
{
    (void)context;
    ck_assert_int_ne(sim_fleet_find_host(fleet, "kvm1")->guard, OBSERVED_GUARD_HOLDING);
}

static void live(int64_t follow_ms, bool with_request, enum world_kill kill, size_t at)
{
    cue = (struct loop_timer){ 0 };
    asks = with_request;
    answers = 0;
    callbacks = 0;
    world.follow_ms = follow_ms;
    world_live(&world, kill, at);
}

/* A controller has seen the fleet, kvm1 dies, and the file wants its guest on kvm2. */
static void begin(const struct scene *with, const char *faults)
{
    static const struct policy_host fenced[] = { { .name = "kvm1", .fenced = true } };

    scene = *with;
    returns_ms = 0;
    returns_at = 0;
    world_init(&world, 1024, at_home, ARRAY_LEN(at_home), faults);
    world.hooks = &hooks;
    if (scene.fence) {
        world.config.policy.hosts = fenced;
        world.config.policy.host_count = 1;
    }
    world.config.guard = scene.guarded;
    world_edit(&world, prepare, NULL);
    live(MINUTE_MS, false, WORLD_KILL_NEVER, 0);
    die();
    world_want(&world, away, ARRAY_LEN(away));
}

static void force(void)
{
    live(10 * MINUTE_MS, true, WORLD_KILL_NEVER, 0);
    ck_assert_uint_eq(answers, 1);
}

static size_t leftovers(void)
{
    struct err err;
    struct journal *journal = journal_open_readonly(world.state_dir, &err);
    struct journal_leftover *items;
    size_t count;

    ck_assert_msg(journal != NULL, "%s", err.text);
    ck_assert_int_eq(journal->ops->leftovers(journal, &world.arena, &items, &count, &err), 0);
    journal_close(journal);
    return count;
}

static size_t attests(void)
{
    struct err err;
    struct journal *journal = journal_open_readonly(world.state_dir, &err);
    struct journal_attest *items;
    size_t count;

    ck_assert_msg(journal != NULL, "%s", err.text);
    ck_assert_int_eq(journal->ops->attests(journal, &world.arena, &items, &count, &err), 0);
    journal_close(journal);
    return count;
}

static void assert_moved(void)
{
    ck_assert_msg(answer.code == ERR_NONE, "%s", answer.text);
    world_assert_is(&world, "vm1", "kvm2", "running");
    ck_assert_uint_eq(world_open_moves(&world), 0);
    ck_assert_uint_eq(attests(), 0);
}

static void assert_refused(enum err_code code, const char *words)
{
    ck_assert_int_eq(answer.code, code);
    ck_assert_msg(strstr(answer.text, words) != NULL, "%s", answer.text);
    world_assert_is(&world, "vm1", "kvm2", "absent");
    ck_assert_uint_eq(world.calls, 0);
    ck_assert_uint_eq(world_open_moves(&world), 0);
    ck_assert_uint_eq(leftovers(), 0);
}

static void assert_swept(void)
{
    world_assert_is(&world, "vm1", "kvm1", "absent");
    world_assert_is(&world, "vm1", "kvm2", "running");
    ck_assert_uint_eq(leftovers(), 0);
}

START_TEST(guest_of_a_fenced_host_runs_elsewhere_with_its_autostart)
{
    begin(&(struct scene){ .autostart = true, .fence = true }, "");
    force();
    assert_moved();
    ck_assert(world_has_autostart(&world, "vm1", "kvm2"));
    ck_assert_uint_eq(world.alarms, 1);
    ck_assert_ptr_nonnull(strstr(world.last_alarm, "'kvm1' must stay without power"));
    ck_assert_uint_eq(leftovers(), 1);
    world_deinit(&world);
}
END_TEST

START_TEST(host_that_is_only_silent_loses_its_power_before_the_guest_starts_elsewhere)
{
    begin(&(struct scene){ .autostart = true, .fence = true, .frozen = true }, "");
    force();
    assert_moved();
    world_assert_is(&world, "vm1", "kvm1", "shutoff");
    world_deinit(&world);
}
END_TEST

START_TEST(word_of_a_person_is_enough_where_autostart_is_off_or_the_host_is_guarded)
{
    begin(&(struct scene){ .attested = true }, "");
    force();
    assert_moved();
    world_deinit(&world);
    begin(&(struct scene){ .autostart = true, .guarded = true, .attested = true }, "");
    force();
    assert_moved();
    world_deinit(&world);
}
END_TEST

START_TEST(host_without_a_fence_and_without_a_word_of_its_death_keeps_its_guests)
{
    begin(&(struct scene){ .autostart = false }, "");
    force();
    assert_refused(ERR_REFUSED, "--source-is-dead=kvm1");
    world_deinit(&world);
}
END_TEST

START_TEST(guest_that_would_start_again_as_its_host_boots_is_not_started_elsewhere)
{
    begin(&(struct scene){ .autostart = true, .attested = true }, "");
    force();
    assert_refused(ERR_REFUSED, "berth-guard");
    world_deinit(&world);
}
END_TEST

START_TEST(guest_of_a_host_that_answers_is_not_moved_by_force)
{
    begin(&(struct scene){ .attested = true }, "");
    world_edit(&world, switch_on, NULL);
    live(0, true, WORLD_KILL_NEVER, 0);
    ck_assert_int_eq(answer.code, ERR_CONFLICT);
    world_deinit(&world);
}
END_TEST

START_TEST(fence_that_fails_leaves_the_guest_down_and_says_why)
{
    begin(&(struct scene){ .fence = true, .device = SIM_FENCE_FAILS }, "");
    force();
    world_assert_is(&world, "vm1", "kvm2", "absent");
    ck_assert_ptr_nonnull(strstr(world.last_text, "still on"));
    ck_assert_uint_eq(world_open_moves(&world), 0);
    ck_assert_uint_eq(leftovers(), 0);
    world_deinit(&world);
}
END_TEST

/* The guest runs on behind a silent libvirt, and the device says 'off' once: what is asked again right before the start
 * finds it out. */
START_TEST(fence_that_lies_is_found_out_before_the_guest_starts)
{
    begin(&(struct scene){ .fence = true, .frozen = true, .device = SIM_FENCE_LIES }, "");
    force();
    world_assert_is(&world, "vm1", "kvm1", "running");
    world_assert_is(&world, "vm1", "kvm2", "absent");
    ck_assert_ptr_nonnull(strstr(world.last_text, "still on"));
    ck_assert_uint_eq(leftovers(), 0);
    world_deinit(&world);
}
END_TEST

START_TEST(fence_that_is_late_lets_the_guest_start_when_asked_again)
{
    begin(&(struct scene){ .fence = true, .frozen = true, .device = SIM_FENCE_LATE }, "");
    force();
    world_assert_is(&world, "vm1", "kvm2", "absent");
    force();
    assert_moved();
    world_deinit(&world);
}
END_TEST

START_TEST(target_without_room_is_found_before_anything_is_done)
{
    begin(&(struct scene){ .fence = true, .autostart = true, .frozen = true }, "");
    world_add(&world,
              &(struct world_guest){ "vm9", "kvm2", "kvm2", "running", 600, false, false, NULL },
              9);
    force();
    world_assert_is(&world, "vm1", "kvm1", "running"); /* Its power was not cut. */
    assert_refused(ERR_REFUSED, "memory");
    world_deinit(&world);
}
END_TEST

/* It may start there at any moment. */
START_TEST(guest_that_is_off_on_the_target_takes_its_room_as_in_a_plan)
{
    begin(&(struct scene){ .attested = true }, "");
    world_add(&world,
              &(struct world_guest){ "vm9", "kvm2", "kvm2", "shutoff", 600, false, false, NULL },
              9);
    force();
    assert_refused(ERR_REFUSED, "memory");
    world.config.policy.charge_off = false;
    force();
    assert_moved();
    world_deinit(&world);
}
END_TEST

START_TEST(start_whose_answer_is_lost_is_seen_to_have_worked)
{
    begin(
        &(struct scene){ .fence = true },
        "{\"op\":\"start\",\"host\":\"kvm2\",\"error\":\"timeout\",\"when\":\"after\",\"times\":1}");
    force();
    assert_moved();
    ck_assert_uint_eq(world.starts, 1);
    world_deinit(&world);
}
END_TEST

START_TEST(guest_that_cannot_start_leaves_nothing_behind_on_the_target)
{
    begin(&(struct scene){ .fence = true },
          "{\"op\":\"start\",\"host\":\"kvm2\",\"error\":\"failed\",\"times\":9}");
    force();
    world_assert_is(&world, "vm1", "kvm2", "absent");
    ck_assert_uint_eq(world_open_moves(&world), 0);
    ck_assert_uint_eq(leftovers(), 0);
    world_deinit(&world);
}
END_TEST

START_TEST(guest_that_was_off_is_defined_elsewhere_and_stays_off)
{
    begin(&(struct scene){ .fence = true, .off = true }, "");
    force();
    ck_assert_msg(answer.code == ERR_NONE, "%s", answer.text);
    world_assert_is(&world, "vm1", "kvm2", "shutoff");
    ck_assert_uint_eq(world.starts, 0);
    world_edit(&world, lift_fence, NULL);
    live(10 * MINUTE_MS, false, WORLD_KILL_NEVER, 0);
    world_assert_is(&world, "vm1", "kvm1", "absent");
    world_assert_is(&world, "vm1", "kvm2", "shutoff");
    world_deinit(&world);
}
END_TEST

/* An offline move has taken it from kvm1, which dies before it runs on kvm2: no other host has it. */
START_TEST(only_definition_of_a_guest_stays_when_it_cannot_be_started_by_force)
{
    bool moved = false;

    for (size_t at = 1; !moved; at++) {
        if (at > 1) {
            world_deinit(&world);
        }
        begin(&(struct scene){ .attested = true, .frozen = true },
              "{\"op\":\"start\",\"host\":\"kvm2\",\"error\":\"failed\",\"times\":9}");
        world_edit(&world, switch_on, NULL);
        world.config.policy.mode = POLICY_MODE_OFFLINE;
        live(MINUTE_MS, false, WORLD_KILL_AFTER_CALL, at);
        ck_assert(world.killed);
        moved = strcmp(world_state(&world, "vm1", "kvm1"), "absent") == 0;
    }
    world_assert_is(&world, "vm1", "kvm2", "shutoff");
    ck_assert_uint_eq(world_owed(&world), 1);
    scene.frozen = false;
    die();
    force();
    ck_assert_msg(answer.code == ERR_NONE, "%s", answer.text);
    world_assert_is(&world, "vm1", "kvm2", "running"); /* In the end: it is owed a start. */
    ck_assert_uint_eq(world_open_moves(&world), 0);
    ck_assert_uint_eq(leftovers(), 1); /* kvm1 may not have obeyed. */
    world_edit(&world, switch_on, NULL);
    live(MINUTE_MS, false, WORLD_KILL_NEVER, 0);
    assert_swept();
    world_deinit(&world);
}
END_TEST

static void deafen(void *context, struct sim_fleet *fleet)
{
    (void)context;
    sim_fleet_find_host(fleet, "kvm1")->guests[0].deaf = true;
    fleet->changed = true;
}

/* An offline move was stopping it, and took its autostart away for that. */
START_TEST(guest_that_could_not_be_moved_by_force_gets_back_what_the_move_before_had_taken)
{
    begin(
        &(struct scene){
            .autostart = true, .fence = true, .frozen = true, .device = SIM_FENCE_FAILS },
        "");
    world_edit(&world, switch_on, NULL);
    world_edit(&world, deafen, NULL);
    world.config.policy.mode = POLICY_MODE_OFFLINE;
    live(MINUTE_MS, false, WORLD_KILL_AFTER_CALL, 2);
    ck_assert(!world_has_autostart(&world, "vm1", "kvm1"));
    die();
    force();
    world_assert_is(&world, "vm1", "kvm2", "absent");
    world_edit(&world, switch_on, NULL);
    world_want(&world, at_home, ARRAY_LEN(at_home));
    live(HOUR_MS, false, WORLD_KILL_NEVER, 0);
    world_assert_is(&world, "vm1", "kvm1", "running");
    ck_assert(world_has_autostart(&world, "vm1", "kvm1"));
    ck_assert_uint_eq(world_owed(&world), 0);
    world_deinit(&world);
}
END_TEST

START_TEST(definition_is_swept_when_the_host_returns_by_each_way_of_protection)
{
    static const struct scene ways[] = {
        { .attested = true },
        { .autostart = true, .guarded = true, .attested = true },
        { .fence = true },
        { .autostart = true, .fence = true },
    };

    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        begin(&ways[i], "");
        force();
        assert_moved();
        if (ways[i].fence && ways[i].autostart) {
            world_edit(&world, clean, NULL);
        }
        world_edit(&world, lift_fence, NULL);
        live(10 * MINUTE_MS, false, WORLD_KILL_NEVER, 0);
        assert_swept();
        world_edit(&world, assert_released, NULL);
        ck_assert_uint_eq(world.alarms, 0);
        world_deinit(&world);
    }
}
END_TEST

START_TEST(what_may_be_the_last_definition_of_a_guest_stays_and_a_person_is_told)
{
    begin(&(struct scene){ .attested = true }, "");
    force();
    assert_moved();
    world_power(&world, "kvm2", SIM_POWER_OFF);
    world_edit(&world, lift_fence, NULL);
    live(10 * MINUTE_MS, false, WORLD_KILL_NEVER, 0);
    world_assert_is(&world, "vm1", "kvm1", "shutoff");
    ck_assert_uint_eq(leftovers(), 1);
    ck_assert_uint_eq(world.alarms, 1);
    ck_assert_msg(strstr(world.last_alarm, "if it is certain to run nowhere, start it on 'kvm1'") !=
                      NULL,
                  "%s", world.last_alarm);
    world_deinit(&world);
}
END_TEST

static void on_ran_twice(void *context)
{
    (void)context; /* Whoever looks here is not looked after: the guest runs twice for a while. */
}

static const struct life_hooks careless = { .began = on_began, .ran = on_ran_twice };

/* Somebody gives kvm1 its power back, and does not keep libvirt from starting what runs on kvm2. */
static void return_carelessly(enum sim_fence device, bool held)
{
    begin(&(struct scene){ .autostart = true, .fence = true }, "");
    force();
    assert_moved();
    scene.device = device;
    scene.holds = held;
    live(MINUTE_MS, false, WORLD_KILL_NEVER, 0);
    ck_assert_uint_eq(world_holds(&world), held ? 1 : 0);
    world_edit(&world, set_device, NULL);
    world_edit(&world, lift_fence, NULL);
    world.hooks = &careless;
    live(10 * MINUTE_MS, false, WORLD_KILL_NEVER, 0);
    world_assert_is(&world, "vm1", "kvm2", "running");
    ck_assert_uint_eq(leftovers(), 1);
}

START_TEST(host_that_was_to_stay_fenced_and_runs_the_guest_again_loses_its_power_again)
{
    return_carelessly(SIM_FENCE_WORKS, false);
    world_assert_is(&world, "vm1", "kvm1", "shutoff");
    ck_assert_msg(strstr(world.last_alarm, "must stay without power") != NULL, "%s",
                  world.last_alarm);
    world_edit(&world, clean, NULL);
    world_edit(&world, lift_fence, NULL);
    world.hooks = &hooks;
    live(10 * MINUTE_MS, false, WORLD_KILL_NEVER, 0);
    assert_swept();
    world_deinit(&world);
}
END_TEST

START_TEST(guest_that_runs_twice_is_told_where_the_fence_fails_or_a_person_holds_the_host)
{
    return_carelessly(SIM_FENCE_FAILS, false);
    world_assert_is(&world, "vm1", "kvm1", "running");
    ck_assert_msg(strstr(world.last_alarm, "still RUNS TWICE") != NULL, "%s", world.last_alarm);
    world_deinit(&world);
    return_carelessly(SIM_FENCE_WORKS, true);
    world_assert_is(&world, "vm1", "kvm1", "running");
    ck_assert_msg(strstr(world.last_alarm, "end the one on 'kvm1' at once") != NULL, "%s",
                  world.last_alarm);
    world_deinit(&world);
}
END_TEST

/* With every way that protects, at every callback of the controller. */
START_TEST(host_that_returns_at_any_instant_does_not_run_the_guest_a_second_time)
{
    static const struct scene ways[] = {
        { .attested = true },
        { .autostart = true, .guarded = true, .attested = true },
        { .autostart = true, .fence = true },
        { .fence = true },
    };
    const struct scene *way = &ways[_i];
    char told[sizeof(world.last_text) + ERR_TEXT_SIZE];
    bool goes_on = true;

    for (size_t at = 1; goes_on; at += 3) {
        begin(way, "");
        world.hooks = &stepped;
        returns_at = at;
        live(5 * MINUTE_MS, true, WORLD_KILL_NEVER, 0);
        goes_on = callbacks >= at;
        returns_at = 0;
        ck_assert_uint_eq(answers, 1);
        (void)snprintf(told, sizeof(told), "%s%s", answer.text, world.last_text);
        world_edit(&world, clean, NULL);
        world_edit(&world, lift_fence, NULL);
        world.hooks = &hooks;
        live(HOUR_MS, false, WORLD_KILL_NEVER, 0);
        ck_assert_msg(world_runs_on(&world, "vm1") != NULL || told[0] != '\0',
                      "back at %zu: it is down, and nobody said why", at);
        ck_assert_uint_eq(world_open_moves(&world), 0);
        ck_assert_uint_eq(leftovers(), 0);
        world_deinit(&world);
    }
}
END_TEST

START_TEST(controller_that_dies_anywhere_neither_starts_the_guest_twice_nor_forgets_it)
{
    static const enum world_kill kills[] = { WORLD_KILL_BEFORE_COMMIT, WORLD_KILL_AFTER_COMMIT,
                                             WORLD_KILL_BEFORE_CALL, WORLD_KILL_AFTER_CALL };
    static const struct scene scenes[] = {
        { .fence = true, .autostart = true, .frozen = true },
        { .attested = true },
    };
    bool killed = true;

    for (size_t at = 1; killed; at++) {
        begin(&scenes[_i / 4], "");
        live(5 * MINUTE_MS, true, kills[_i % 4], at);
        killed = world.killed;
        live(5 * MINUTE_MS, false, WORLD_KILL_NEVER, 0);
        ck_assert_uint_eq(world_open_moves(&world), 0);
        ck_assert_uint_eq(attests(), 0);
        if (strcmp(world_state(&world, "vm1", "kvm2"), "running") != 0) {
            force();
        }
        world_assert_is(&world, "vm1", "kvm2", "running");
        world_edit(&world, clean, NULL);
        world_edit(&world, lift_fence, NULL);
        live(10 * MINUTE_MS, false, WORLD_KILL_NEVER, 0);
        assert_swept();
        world_deinit(&world);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("force");
    TCase *tcase = tcase_create("force");
    int status;

    world_set_up();
    tcase_set_timeout(tcase, 300);
    tcase_add_test(tcase, guest_of_a_fenced_host_runs_elsewhere_with_its_autostart);
    tcase_add_test(tcase,
                   host_that_is_only_silent_loses_its_power_before_the_guest_starts_elsewhere);
    tcase_add_test(tcase, word_of_a_person_is_enough_where_autostart_is_off_or_the_host_is_guarded);
    tcase_add_test(tcase, host_without_a_fence_and_without_a_word_of_its_death_keeps_its_guests);
    tcase_add_test(tcase, guest_that_would_start_again_as_its_host_boots_is_not_started_elsewhere);
    tcase_add_test(tcase, guest_of_a_host_that_answers_is_not_moved_by_force);
    tcase_add_test(tcase, fence_that_fails_leaves_the_guest_down_and_says_why);
    tcase_add_test(tcase, fence_that_lies_is_found_out_before_the_guest_starts);
    tcase_add_test(tcase, fence_that_is_late_lets_the_guest_start_when_asked_again);
    tcase_add_test(tcase, target_without_room_is_found_before_anything_is_done);
    tcase_add_test(tcase, guest_that_is_off_on_the_target_takes_its_room_as_in_a_plan);
    tcase_add_test(tcase, start_whose_answer_is_lost_is_seen_to_have_worked);
    tcase_add_test(tcase, guest_that_cannot_start_leaves_nothing_behind_on_the_target);
    tcase_add_test(tcase, guest_that_was_off_is_defined_elsewhere_and_stays_off);
    tcase_add_test(tcase, only_definition_of_a_guest_stays_when_it_cannot_be_started_by_force);
    tcase_add_test(tcase,
                   guest_that_could_not_be_moved_by_force_gets_back_what_the_move_before_had_taken);
    tcase_add_test(tcase, what_may_be_the_last_definition_of_a_guest_stays_and_a_person_is_told);
    tcase_add_test(tcase, definition_is_swept_when_the_host_returns_by_each_way_of_protection);
    tcase_add_test(tcase,
                   host_that_was_to_stay_fenced_and_runs_the_guest_again_loses_its_power_again);
    tcase_add_test(tcase,
                   guest_that_runs_twice_is_told_where_the_fence_fails_or_a_person_holds_the_host);
    tcase_add_loop_test(
        tcase, host_that_returns_at_any_instant_does_not_run_the_guest_a_second_time, 0, 4);
    tcase_add_loop_test(
        tcase, controller_that_dies_anywhere_neither_starts_the_guest_twice_nor_forgets_it, 0, 8);
    suite_add_tcase(suite, tcase);
    status = runner_run(suite);
    world_tear_down();
    return status;
}
