/* SPDX-License-Identifier: Apache-2.0 */

/* Somebody meddles with the fleet behind the back of a controller that follows the file: it is noticed when it
 * happens, told once, and answered as berth.conf says. */

#include <check.h>
#include <string.h>

#include "actuators/sim_fleet.h"
#include "base/base.h"
#include "base/text.h"
#include "life.h"
#include "model/observed.h"
#include "reconciler/drift.h"
#include "reconciler/event.h"
#include "reconciler/order.h"
#include "tests/runner.h"
#include "world.h"

/* Somebody meddles with a controller that rests, and the poll is still to come when it is told to end. */
#define MEDDLE_MS INT64_C(10000)
#define END_MS    INT64_C(40000)
#define LONG_MS   INT64_C(400000)

static const struct world_guest home[] = {
    { .name = "vm1", .host = "kvm1", .wanted = "kvm1", .state = "running", .memory_mib = 64 },
};

static struct world world;
static struct life *living;
static struct loop_timer meddling;
static sim_edit_fn *meddler;
static int64_t again_ms; /* Meddles again and again; 0 = once. */
static size_t begun[CONFIG_DRIFT_CLASSES];
static size_t ended[CONFIG_DRIFT_CLASSES];
static size_t looks;

/* What people and bad luck do to vm1. */

static struct sim_guest *vm1_on(struct sim_fleet *fleet, size_t host)
{
    return sim_fleet_find_guest(&fleet->hosts[host], "00000000-0000-4000-8000-000000000001");
}

/* What libvirt says of a guest after its host has come up again. */
static void go_down_with_host(void *context, struct sim_fleet *fleet)
{
    (void)context;
    sim_fleet_set_state(fleet, vm1_on(fleet, 0), GUEST_SHUTOFF, GUEST_REASON_UNKNOWN);
}

static void carry(struct sim_fleet *fleet, size_t from, size_t to)
{
    struct sim_guest guest = *vm1_on(fleet, from);

    (void)sim_fleet_add_guest(fleet, &fleet->hosts[to], &guest);
    sim_fleet_remove_guest(fleet, &fleet->hosts[from], vm1_on(fleet, from));
}

static void carry_away(void *context, struct sim_fleet *fleet)
{
    (void)context;
    carry(fleet, 0, 1);
}

static void carry_there_and_back(void *context, struct sim_fleet *fleet)
{
    (void)context;
    if (vm1_on(fleet, 0) != NULL) {
        carry(fleet, 0, 1);
    } else {
        carry(fleet, 1, 0);
    }
}

static void delete (void *context, struct sim_fleet *fleet)
{
    (void)context;
    sim_fleet_remove_guest(fleet, &fleet->hosts[0], vm1_on(fleet, 0));
}

static void copy_off(void *context, struct sim_fleet *fleet)
{
    struct sim_guest guest = *vm1_on(fleet, 0);

    (void)context;
    guest.state = GUEST_SHUTOFF;
    (void)sim_fleet_add_guest(fleet, &fleet->hosts[2], &guest);
}

static void resize(void *context, struct sim_fleet *fleet)
{
    struct sim_guest *guest = vm1_on(fleet, 0);

    (void)context;
    guest->memory_kib = guest->memory_kib == 65536 ? 131072 : 65536;
    fleet->changed = true;
}

/* Looking on. */

static void meddle(void *context)
{
    (void)context;
    if (living->over) {
        return;
    }
    life_edit(living, meddler, NULL);
    if (again_ms > 0) {
        loop_timer_start(living->loop, &meddling, again_ms, meddle, NULL);
    }
}

static void on_began(void *context, struct life *life)
{
    (void)context;
    living = life;
    meddling = (struct loop_timer){ 0 };
    if (meddler != NULL) {
        loop_timer_start(life->loop, &meddling, MEDDLE_MS, meddle, NULL);
    }
}

static void on_looks(void *context, const char *host)
{
    (void)context;
    looks += strcmp(host, "kvm1") == 0;
}

static void on_told(void *context, const struct event *event)
{
    (void)context;
    if (event->kind == EVENT_DRIFT) {
        begun[event->drift->class]++;
    } else if (event->kind == EVENT_DRIFT_OVER) {
        ended[event->drift->class]++;
    }
}

static void start(enum config_drift_class class, enum config_drift_answer answer)
{
    static const struct life_hooks hooks = {
        .began = on_began,
        .looks = on_looks,
        .told = on_told,
    };

    world_init(&world, 1024, home, 1, "");
    world.config.drift[class] = answer;
    world.hooks = &hooks;
    memset(begun, 0, sizeof(begun));
    memset(ended, 0, sizeof(ended));
    looks = 0;
    again_ms = 0;
}

static void follow(sim_edit_fn *edit, int64_t follow_ms)
{
    meddler = edit;
    world.follow_ms = follow_ms;
    world_live(&world, WORLD_KILL_NEVER, 0);
}

static void assert_is(const char *guest, const char *host, const char *state)
{
    world_assert_is(&world, guest, host, state);
}

START_TEST(guest_that_went_down_with_its_host_stays_down_where_that_is_only_reported)
{
    start(CONFIG_DRIFT_HOST_RESTART, CONFIG_DRIFT_REPORT);
    follow(go_down_with_host, LONG_MS);
    assert_is("vm1", "kvm1", "shutoff");
    ck_assert_uint_eq(world.calls, 0);
    ck_assert_uint_eq(begun[CONFIG_DRIFT_HOST_RESTART], 1);
    follow(NULL, LONG_MS);
    ck_assert_uint_eq(begun[CONFIG_DRIFT_HOST_RESTART], 1); /* No news to the next controller. */
    world_deinit(&world);
}
END_TEST

/* Its room is not charged while it is off, and 'vm2' wants it: whoever went down comes first. */
START_TEST(guest_that_went_down_with_its_host_gets_its_room_before_others)
{
    const struct world_guest guests[] = {
        { "vm1", "kvm1", "kvm1", "running", 600, false, false, NULL },
        { "vm2", "kvm2", "kvm1", "running", 600, false, false, NULL },
    };

    start(CONFIG_DRIFT_HOST_RESTART, CONFIG_DRIFT_CORRECT);
    world_deinit(&world);
    world_init(&world, 1024, guests, ARRAY_LEN(guests), "");
    world.config.drift[CONFIG_DRIFT_HOST_RESTART] = CONFIG_DRIFT_CORRECT;
    world.config.policy.charge_off = false;
    world.hooks = &(const struct life_hooks){ .began = on_began };
    follow(go_down_with_host, LONG_MS);
    assert_is("vm1", "kvm1", "running");
    assert_is("vm2", "kvm2", "running");
    world_deinit(&world);
}
END_TEST

/* Somebody takes the room of a guest whose host went down. */
static void crowd_out(void *context, struct sim_fleet *fleet)
{
    struct sim_guest stranger = *vm1_on(fleet, 0);

    go_down_with_host(context, fleet);
    stranger.name = "vm9";
    stranger.uuid = "00000000-0000-4000-8000-000000000009";
    stranger.memory_kib = 1024 * 1024;
    (void)sim_fleet_add_guest(fleet, &fleet->hosts[0], &stranger);
}

START_TEST(guest_that_is_down_for_want_of_room_is_told_of_once)
{
    start(CONFIG_DRIFT_HOST_RESTART, CONFIG_DRIFT_CORRECT);
    follow(crowd_out, LONG_MS);
    assert_is("vm1", "kvm1", "shutoff");
    ck_assert_uint_eq(world.alarms, 1);
    ck_assert_ptr_nonnull(strstr(world.last_alarm, "DOWN"));
    ck_assert_uint_eq(world_owed(&world), 1);
    world_deinit(&world);
}
END_TEST

/* A start that fails is no storm: it is tried with growing pauses, and told when it is tried. */
START_TEST(start_that_keeps_failing_is_tried_with_growing_pauses)
{
    start(CONFIG_DRIFT_HOST_RESTART, CONFIG_DRIFT_CORRECT);
    world_deinit(&world);
    world_init(&world, 1024, home, 1,
               _i == 0 ? "{\"op\":\"start\",\"error\":\"failed\",\"times\":1000}"
                       : "{\"op\":\"start\",\"error\":\"incompatible\",\"times\":1000}");
    world.config.drift[CONFIG_DRIFT_HOST_RESTART] = CONFIG_DRIFT_CORRECT;
    world.hooks = &(const struct life_hooks){ .began = on_began };
    follow(go_down_with_host, INT64_C(6) * 3600 * 1000);
    ck_assert_uint_ge(world.starts, 10);
    ck_assert_uint_le(world.starts, 80); /* Not two a minute. */
    ck_assert_uint_eq(world_owed(&world), 1);
    world_deinit(&world);
}
END_TEST

START_TEST(guest_that_somebody_moved_is_back_before_the_next_poll)
{
    start(CONFIG_DRIFT_OPERATOR_MOVE, CONFIG_DRIFT_CORRECT);
    follow(carry_away, MEDDLE_MS + 5000);
    assert_is("vm1", "kvm1", "running");
    assert_is("vm1", "kvm2", "absent");
    ck_assert_int_le(world.first_move_ms, MEDDLE_MS + 1000);
    ck_assert_uint_eq(begun[CONFIG_DRIFT_OPERATOR_MOVE], 1);
    ck_assert_uint_eq(ended[CONFIG_DRIFT_OPERATOR_MOVE], 1);
    world_deinit(&world);
}
END_TEST

START_TEST(guest_that_somebody_moved_stays_where_that_is_only_reported)
{
    start(CONFIG_DRIFT_OPERATOR_MOVE, CONFIG_DRIFT_REPORT);
    follow(carry_away, LONG_MS);
    follow(NULL, LONG_MS);
    assert_is("vm1", "kvm2", "running");
    ck_assert_uint_eq(world.calls, 0);
    ck_assert_uint_eq(begun[CONFIG_DRIFT_OPERATOR_MOVE], 1);
    ck_assert_uint_eq(ended[CONFIG_DRIFT_OPERATOR_MOVE], 0);
    world_deinit(&world);
}
END_TEST

START_TEST(drift_that_somebody_undoes_is_over)
{
    start(CONFIG_DRIFT_OPERATOR_MOVE, CONFIG_DRIFT_REPORT);
    again_ms = 5000;
    follow(carry_there_and_back, MEDDLE_MS + 9000);
    assert_is("vm1", "kvm1", "running");
    ck_assert_uint_eq(begun[CONFIG_DRIFT_OPERATOR_MOVE], 1);
    ck_assert_uint_eq(ended[CONFIG_DRIFT_OPERATOR_MOVE], 1);
    world_deinit(&world);
}
END_TEST

static void release(void *context)
{
    life_order(context, ORDER_RELEASE, "vm1");
}

static void release_soon(void *context, struct life *life)
{
    static struct loop_timer timer;

    (void)context;
    timer = (struct loop_timer){ 0 };
    loop_timer_start(life->loop, &timer, MEDDLE_MS, release, life);
}

START_TEST(guest_that_is_held_where_somebody_moved_it_waits_for_a_person)
{
    start(CONFIG_DRIFT_OPERATOR_MOVE, CONFIG_DRIFT_HOLD);
    follow(carry_away, LONG_MS);
    follow(NULL, LONG_MS);
    assert_is("vm1", "kvm2", "running");
    ck_assert_uint_eq(world.moves_begun, 0);
    world.hooks = &(const struct life_hooks){ .began = release_soon };
    follow(NULL, LONG_MS);
    assert_is("vm1", "kvm1", "running");
    world_deinit(&world);
}
END_TEST

/* The file that follows the fleet wants it where it is. */
static void assert_file_wants(const char *host)
{
    const char *at = strstr(world.es_xml, "<machine id=\"vm1_id\"/>");
    const char *place = NULL;
    const char *name = world.es_xml;

    ck_assert_ptr_nonnull(at);
    for (name = strstr(name, "<hostName>"); name != NULL && name < at;
         name = strstr(name + 1, "<hostName>")) {
        place = name + strlen("<hostName>");
    }
    ck_assert_ptr_nonnull(place);
    ck_assert_msg(strncmp(place, host, strlen(host)) == 0, "the file wants it on %.4s", place);
}

START_TEST(file_follows_the_fleet_where_that_is_asked_for)
{
    start(CONFIG_DRIFT_OPERATOR_MOVE, CONFIG_DRIFT_ADOPT);
    follow(carry_away, LONG_MS);
    assert_is("vm1", "kvm2", "running");
    ck_assert_uint_eq(world.calls, 0);
    assert_file_wants("kvm2");
    ck_assert_uint_eq(world_revisions(&world), 2);
    ck_assert_uint_eq(ended[CONFIG_DRIFT_OPERATOR_MOVE], 1);
    world_deinit(&world);
}
END_TEST

/* A person saves between the reading of the file and its adoption. */
START_TEST(what_a_person_saved_meanwhile_is_not_overwritten_by_what_is_adopted)
{
    struct world_edit edits[1] = { { .at_ms = MEDDLE_MS + 105, .unnoticed = true } };

    start(CONFIG_DRIFT_OPERATOR_MOVE, CONFIG_DRIFT_ADOPT);
    edits[0].es_xml = text_format(&world.arena, "%s<!-- by hand -->\n", world.es_xml);
    world.edits = edits;
    world.edit_count = 1;
    follow(carry_away, LONG_MS);
    ck_assert_uint_eq(world.alarms, 1);
    ck_assert_ptr_nonnull(strstr(world.last_alarm, "changed meanwhile"));
    ck_assert_ptr_nonnull(strstr(world.es_xml, "by hand"));
    assert_file_wants("kvm2");
    ck_assert_uint_eq(world.calls, 0);
    world_deinit(&world);
}
END_TEST

static void fail_a_check(void *context, struct sim_fleet *fleet)
{
    static struct sim_fault fault;

    (void)context;
    fault = (struct sim_fault){
        .op = OP_PREFLIGHT,
        .error = ERR_TIMEOUT,
        .when = SIM_WHEN_BEFORE,
        .times = 1,
    };
    fleet->faults = &fault;
    fleet->fault_count = 1;
    fleet->changed = true;
}

/* It went to a temporary host, the controller died, and the file is as it was before.  The way home may fail once. */
START_TEST(guest_on_a_temporary_host_is_brought_home_whatever_is_done_about_other_peoples_moves)
{
    const struct world_guest before[] = {
        { "vm1", "kvm1", "kvm1", "running", 600, false, false, NULL },
        { "vm2", "kvm2", "kvm2", "running", 600, false, false, NULL },
    };
    const struct world_guest after[] = {
        { "vm1", "kvm1", "kvm2", "running", 600, false, false, NULL },
        { "vm2", "kvm2", "kvm1", "running", 600, false, false, NULL },
    };
    const char *first;
    size_t at = 1;

    start(CONFIG_DRIFT_OPERATOR_MOVE, CONFIG_DRIFT_REPORT);
    world_deinit(&world);
    do {
        world_init(&world, 1024, before, 2, "");
        world.config.drift[CONFIG_DRIFT_OPERATOR_MOVE] = CONFIG_DRIFT_REPORT;
        world.hooks = &(const struct life_hooks){ .told = on_told };
        follow(NULL, END_MS);
        first = world.es_xml;
        world_want(&world, after, 2);
        world_live(&world, WORLD_KILL_AFTER_COMMIT, at++);
        ck_assert(world.killed);
        if (world.moves_begun < 2) {
            world_deinit(&world);
        }
    } while (world.moves_begun < 2);
    ck_assert(strcmp(world_state(&world, "vm1", "kvm3"), "running") == 0 ||
              strcmp(world_state(&world, "vm2", "kvm3"), "running") == 0);
    world.es_xml = first;
    if (_i == 1) {
        world_edit(&world, fail_a_check, NULL);
    }
    follow(NULL, LONG_MS);
    assert_is("vm1", "kvm1", "running");
    assert_is("vm2", "kvm2", "running");
    ck_assert_uint_eq(begun[CONFIG_DRIFT_OPERATOR_MOVE], 0);
    world_deinit(&world);
}
END_TEST

struct only_told {
    sim_edit_fn *edit;
    enum config_drift_class class;
};

static const struct only_told only_told[] = {
    { delete, CONFIG_DRIFT_VANISHED },
    { copy_off, CONFIG_DRIFT_DUPLICATE },
    { resize, CONFIG_DRIFT_SIZE },
};

START_TEST(what_cannot_be_put_right_is_told_once_and_left_alone)
{
    const struct only_told *told = &only_told[_i];

    start(told->class, CONFIG_DRIFT_REPORT);
    world.guest_count = 0; /* It may be gone. */
    follow(told->edit, LONG_MS);
    follow(NULL, LONG_MS);
    ck_assert_uint_eq(world.calls, 0);
    ck_assert_uint_eq(begun[told->class], 1);
    ck_assert_uint_eq(ended[told->class], 0);
    world_deinit(&world);
}
END_TEST

/* A fleet that never ceases to change neither keeps its hosts busy nor the file waiting. */
START_TEST(storm_of_notices_costs_few_looks_and_delays_no_work)
{
    const struct world_guest away[] = {
        { .name = "vm1", .host = "kvm1", .wanted = "kvm1", .state = "running", .memory_mib = 64 },
        { .name = "vm2", .host = "kvm2", .wanted = "kvm2", .state = "running", .memory_mib = 64 },
    };
    const struct world_guest moved[] = {
        { .name = "vm1", .host = "kvm1", .wanted = "kvm1", .state = "running", .memory_mib = 64 },
        { .name = "vm2", .host = "kvm2", .wanted = "kvm3", .state = "running", .memory_mib = 64 },
    };
    struct world_edit edits[1] = { { .at_ms = 30000 } };

    start(CONFIG_DRIFT_SIZE, CONFIG_DRIFT_REPORT);
    world_deinit(&world);
    world_init(&world, 1024, moved, 2, "");
    edits[0].es_xml = world.es_xml;
    world_want(&world, away, 2);
    world.hooks = &(const struct life_hooks){ .began = on_began, .looks = on_looks };
    world.edits = edits;
    world.edit_count = 1;
    again_ms = 20;
    follow(resize, 70000);
    assert_is("vm2", "kvm3", "running");
    ck_assert_int_le(world.first_move_ms, 31500);
    ck_assert_uint_le(looks, 60 * 3); /* Of 3,000 notices. */
    ck_assert_uint_ge(looks, 30);
    world_deinit(&world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("meddling");
    TCase *tcase = tcase_create("meddling");
    int status;

    world_set_up();
    tcase_add_test(tcase,
                   guest_that_went_down_with_its_host_stays_down_where_that_is_only_reported);
    tcase_add_test(tcase, guest_that_went_down_with_its_host_gets_its_room_before_others);
    tcase_add_test(tcase, guest_that_is_down_for_want_of_room_is_told_of_once);
    tcase_add_loop_test(tcase, start_that_keeps_failing_is_tried_with_growing_pauses, 0, 2);
    tcase_add_test(tcase, guest_that_somebody_moved_is_back_before_the_next_poll);
    tcase_add_test(tcase, guest_that_somebody_moved_stays_where_that_is_only_reported);
    tcase_add_test(tcase, drift_that_somebody_undoes_is_over);
    tcase_add_test(tcase, guest_that_is_held_where_somebody_moved_it_waits_for_a_person);
    tcase_add_test(tcase, file_follows_the_fleet_where_that_is_asked_for);
    tcase_add_test(tcase, what_a_person_saved_meanwhile_is_not_overwritten_by_what_is_adopted);
    tcase_add_loop_test(
        tcase, guest_on_a_temporary_host_is_brought_home_whatever_is_done_about_other_peoples_moves,
        0, 2);
    tcase_add_loop_test(tcase, what_cannot_be_put_right_is_told_once_and_left_alone, 0,
                        (int)ARRAY_LEN(only_told));
    tcase_add_test(tcase, storm_of_notices_costs_few_looks_and_delays_no_work);
    tcase_set_timeout(tcase, 120);
    suite_add_tcase(suite, tcase);
    status = runner_run(suite);
    world_tear_down();
    return status;
}
