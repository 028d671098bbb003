/* SPDX-License-Identifier: Apache-2.0 */

/* Drift that is answered by the whole controller, on a clock that only the test moves. */

#include <check.h>
#include <string.h>

#include "actuators/sim_fleet.h"
#include "life.h"
#include "model/observed.h"
#include "reconciler/event.h"
#include "reconciler/order.h"
#include "tests/runner.h"
#include "world.h"

/* Somebody meddles with a controller that rests, and the poll is still to come when it is told to end. */
#define MEDDLE_MS 10000
#define END_MS    40000

static const struct world_guest guests[] = {
    { .name = "vm1", .host = "kvm1", .wanted = "kvm1", .state = "running", .memory_mib = 64 },
};

static struct world world;
static struct life *living;
static struct loop_timer meddling;

/* What libvirt says of a guest after its host has come up again. */
static void go_down_with_host(void *context, struct sim_fleet *fleet)
{
    struct sim_guest *guest = &fleet->hosts[0].guests[0];

    (void)context;
    guest->state = GUEST_SHUTOFF;
    guest->reason = GUEST_REASON_UNKNOWN;
    fleet->changed = true;
}

static void meddle(void *context)
{
    (void)context;
    life_edit(living, go_down_with_host, NULL);
}

static void begin_meddling(void *context, struct life *life)
{
    (void)context;
    living = life;
    loop_timer_start(life->loop, &meddling, MEDDLE_MS, meddle, NULL);
}

START_TEST(guest_that_went_down_with_its_host_is_started_as_soon_as_that_is_noticed)
{
    static const struct life_hooks hooks = { .began = begin_meddling };

    world_init(&world, 1024, guests, 1, "");
    world.config.drift[CONFIG_DRIFT_HOST_RESTART] = CONFIG_DRIFT_CORRECT;
    world.hooks = &hooks;
    world.follow_ms = END_MS;
    world_live(&world, WORLD_KILL_NEVER, 0);
    ck_assert_str_eq(world_state(&world, "vm1", "kvm1"), "running");
    ck_assert_uint_eq(world.starts, 1);
    ck_assert_uint_eq(world_owed(&world), 0);
    world_deinit(&world);
}
END_TEST

static void live(const struct life_hooks *hooks, int64_t ms)
{
    world.hooks = hooks;
    world.follow_ms = ms;
    world_live(&world, WORLD_KILL_NEVER, 0);
    meddling = (struct loop_timer){ 0 };
}

/* A world in which vm1 was seen in its place, and whoever went down with a host is started again. */
static void init_restarting(void)
{
    world_init(&world, 1024, guests, 1, "");
    world.config.drift[CONFIG_DRIFT_HOST_RESTART] = CONFIG_DRIFT_CORRECT;
    live(NULL, END_MS);
}

/* Somebody brought it elsewhere and left its old definition behind.  Then that host fell silent, and the old
 * one came up again, while nobody looked. */
START_TEST(guest_that_may_run_on_a_host_that_is_silent_is_not_started_where_it_ran_before)
{
    const struct world_guest elsewhere = {
        .name = "vm1", .host = "kvm3", .wanted = "kvm3", .state = "running", .memory_mib = 64
    };

    init_restarting();
    world_edit(&world, go_down_with_host, NULL);
    world_add(&world, &elsewhere, 0);
    world_freeze(&world, "kvm3", true);
    live(NULL, END_MS);
    ck_assert_str_eq(world_state(&world, "vm1", "kvm1"), "shutoff");
    ck_assert_uint_eq(world.starts, 0);
    world_freeze(&world, "kvm3", false);
    live(NULL, END_MS);
    ck_assert_str_eq(world_state(&world, "vm1", "kvm1"), "shutoff");
    ck_assert_str_eq(world_state(&world, "vm1", "kvm3"), "running");
    world_deinit(&world);
}
END_TEST

START_TEST(guest_that_waited_for_a_silent_host_is_started_once_that_answers)
{
    init_restarting();
    world_edit(&world, go_down_with_host, NULL);
    world_freeze(&world, "kvm3", true);
    live(NULL, END_MS);
    ck_assert_uint_eq(world.starts, 0);
    world_freeze(&world, "kvm3", false);
    live(NULL, END_MS);
    ck_assert_str_eq(world_state(&world, "vm1", "kvm1"), "running");
    world_deinit(&world);
}
END_TEST

static void define_anew(void *context, struct sim_fleet *fleet)
{
    struct sim_guest *guest = &fleet->hosts[0].guests[0];

    go_down_with_host(context, fleet);
    guest->uuid = "00000000-0000-4000-8000-0000000000ff";
}

START_TEST(another_guest_of_the_same_name_is_not_started_for_the_one_that_ran)
{
    init_restarting();
    world_edit(&world, define_anew, NULL);
    live(NULL, END_MS);
    ck_assert_uint_eq(world.starts, 0);
    ck_assert_uint_eq(world_owed(&world), 0);
    world_deinit(&world);
}
END_TEST

static void hold(void *context)
{
    const char *const *name = context;

    life_order(living, ORDER_HOLD, *name);
}

static void begin_holding(void *context, struct life *life)
{
    living = life;
    loop_timer_start(life->loop, &meddling, MEDDLE_MS, hold, context);
}

START_TEST(guest_that_went_down_with_its_host_stays_off_while_a_person_holds_it)
{
    const char *names[] = { "", "kvm1", "vm1" };
    const struct life_hooks hooks = { .began = begin_holding, .context = &names[_i] };

    init_restarting();
    live(&hooks, END_MS);
    world_edit(&world, go_down_with_host, NULL);
    live(NULL, END_MS);
    ck_assert_uint_eq(world.starts, 0);
    ck_assert_uint_eq(world_owed(&world), 0);
    world_deinit(&world);
}
END_TEST

static void vanish(void *context, struct sim_fleet *fleet)
{
    (void)context;
    sim_fleet_remove_guest(fleet, &fleet->hosts[0], &fleet->hosts[0].guests[0]);
}

static void freeze(void *context, struct sim_fleet *fleet)
{
    const bool *frozen = context;

    fleet->hosts[2].power = *frozen ? SIM_POWER_FROZEN : SIM_POWER_ON;
    fleet->changed = true;
}

/* The guest vanishes, a person lets it go, and then another host falls silent for a while, more than once. */
static void go_on(void *context)
{
    size_t *scene = context;
    bool frozen = *scene % 2 == 0;

    if (*scene == 0) {
        life_edit(living, vanish, NULL);
    } else if (*scene == 1) {
        life_order(living, ORDER_RELEASE, "vm1");
    } else {
        life_edit(living, freeze, &frozen);
    }
    ++*scene;
    loop_timer_start(living->loop, &meddling, 100000, go_on, context);
}

static size_t drifts;

static void count_drifts(void *context, const struct event *event)
{
    (void)context;
    drifts += event->kind == EVENT_DRIFT || event->kind == EVENT_DRIFT_OVER;
}

static void begin_scenes(void *context, struct life *life)
{
    living = life;
    loop_timer_start(life->loop, &meddling, MEDDLE_MS, go_on, context);
}

START_TEST(guest_that_vanished_and_was_released_is_not_held_again_when_a_host_falls_silent)
{
    size_t scene = 0;
    const struct life_hooks hooks = { .context = &scene,
                                      .began = begin_scenes,
                                      .told = count_drifts };

    world_init(&world, 1024, guests, 1, "");
    world.guest_count = 0; /* It is lost on purpose. */
    world.config.drift[CONFIG_DRIFT_VANISHED] = CONFIG_DRIFT_HOLD;
    drifts = 0;
    live(&hooks, 700000);
    ck_assert_uint_gt(scene, 5);
    ck_assert_uint_eq(drifts, 1);
    ck_assert_uint_eq(world_holds(&world), 0);
    world_deinit(&world);
}
END_TEST

static void come_up(void *context, struct sim_fleet *fleet)
{
    struct sim_guest *guest = &fleet->hosts[0].guests[0];

    (void)context;
    sim_fleet_set_state(fleet, guest, GUEST_RUNNING, GUEST_REASON_BOOTED);
}

static void obey(void *context, struct sim_fleet *fleet)
{
    struct sim_guest *guest = &fleet->hosts[0].guests[0];

    (void)context;
    sim_fleet_set_state(fleet, guest, GUEST_SHUTOFF, GUEST_REASON_SHUTDOWN);
}

static void shut_down(void *context)
{
    (void)context;
    life_edit(living, obey, NULL);
}

/* Its host starts it by itself, just as Berth has noticed; a minute later somebody shuts it down. */
static void on_noticed(void *context, const struct event *event)
{
    (void)context;
    if (event->kind == EVENT_DRIFT) {
        life_edit(living, come_up, NULL);
        loop_timer_start(living->loop, &meddling, 60000, shut_down, NULL);
    }
}

START_TEST(guest_that_its_host_started_again_by_itself_may_be_shut_down_on_purpose)
{
    static const struct life_hooks hooks = { .began = begin_meddling, .told = on_noticed };

    world_init(&world, 1024, guests, 1, "");
    world.config.drift[CONFIG_DRIFT_HOST_RESTART] = CONFIG_DRIFT_CORRECT;
    live(&hooks, 400000);
    ck_assert_uint_eq(world.starts, 0);
    ck_assert_uint_eq(world_owed(&world), 0);
    ck_assert_str_eq(world_state(&world, "vm1", "kvm1"), "shutoff");
    world_deinit(&world);
}
END_TEST

static const struct world_guest three[] = {
    { .name = "vm1", .host = "kvm1", .wanted = "kvm1", .state = "running", .memory_mib = 64 },
    { .name = "vm2", .host = "kvm2", .wanted = "kvm2", .state = "running", .memory_mib = 64 },
    { .name = "vm3", .host = "kvm1", .wanted = "kvm1", .state = "running", .memory_mib = 64 },
};

/* Somebody moves what is first on kvm1 to kvm2, then the next to kvm3. */
static void move_both(void *context, struct sim_fleet *fleet)
{
    (void)context;
    for (size_t to = 1; to <= 2; to++) {
        struct sim_guest moved = fleet->hosts[0].guests[0];

        sim_fleet_remove_guest(fleet, &fleet->hosts[0], &fleet->hosts[0].guests[0]);
        (void)sim_fleet_add_guest(fleet, &fleet->hosts[to], &moved);
    }
    fleet->changed = true;
}

START_TEST(berthd_writes_nothing_into_the_file_that_makes_it_faulty_and_adopts_the_rest)
{
    const struct policy_host small = { .name = "kvm2", .memory_kib = 100 * 1024 };

    world_init(&world, 1024, three, 3, "");
    world.config.drift[CONFIG_DRIFT_OPERATOR_MOVE] = CONFIG_DRIFT_ADOPT;
    world.config.policy.hosts = &small;
    world.config.policy.host_count = 1;
    live(NULL, END_MS);
    world_edit(&world, move_both, NULL);
    live(NULL, END_MS);
    ck_assert_uint_eq(world.faults_told, 0);
    ck_assert_uint_eq(world.alarms, 1);
    ck_assert_ptr_nonnull(strstr(world.last_alarm, "cannot adopt where 'vm1' is: "));
    ck_assert_ptr_nonnull(strstr(world.last_alarm, "host 'kvm2' cannot hold the guests"));
    ck_assert_uint_eq(world_revisions(&world), 2);
    ck_assert_uint_eq(world.moves_begun, 0);
    live(NULL, END_MS);
    ck_assert_uint_eq(world.faults_told, 0);
    ck_assert_str_eq(world_state(&world, "vm1", "kvm2"), "running");
    ck_assert_str_eq(world_state(&world, "vm3", "kvm3"), "running");
    world_deinit(&world);
}
END_TEST

/* Its old definition was left on another host; the host that it runs on falls silent while nobody looks. */
START_TEST(definition_left_behind_is_not_adopted_while_the_host_of_the_guest_is_silent)
{
    const struct world_guest left = {
        .name = "vm1", .host = "kvm2", .wanted = "kvm2", .state = "shutoff", .memory_mib = 64
    };

    world_init(&world, 1024, guests, 1, "");
    world.config.drift[CONFIG_DRIFT_OPERATOR_MOVE] = CONFIG_DRIFT_ADOPT;
    live(NULL, END_MS);
    world_add(&world, &left, 0);
    world_freeze(&world, "kvm1", true);
    live(NULL, END_MS);
    ck_assert_uint_eq(world_revisions(&world), 1);
    ck_assert_uint_eq(world.moves_begun, 0);
    ck_assert_str_eq(world_state(&world, "vm1", "kvm1"), "running");
    world_deinit(&world);
}
END_TEST

/* Somebody moves it while one of its hosts has told what it has and the other has not. */
static void slip(void *context, struct sim_fleet *fleet)
{
    struct sim_guest moved = fleet->hosts[0].guests[0];

    (void)context;
    sim_fleet_remove_guest(fleet, &fleet->hosts[0], &fleet->hosts[0].guests[0]);
    (void)sim_fleet_add_guest(fleet, &fleet->hosts[1], &moved);
    fleet->changed = true;
}

static void slip_through(void *context)
{
    (void)context;
    life_edit(living, slip, NULL);
}

static void check_and_slip(void *context)
{
    life_order(living, ORDER_CHECK, "");
    loop_timer_start(living->loop, &meddling, 500, slip_through, context);
}

static void begin_slipping(void *context, struct life *life)
{
    living = life;
    loop_timer_start(life->loop, &meddling, MEDDLE_MS, check_and_slip, context);
}

START_TEST(guest_that_is_moved_while_hosts_are_looked_at_is_neither_gone_nor_there_twice)
{
    static const char *const slow[] = {
        "{\"op\":\"observe\",\"host\":\"kvm1\",\"delay_ms\":1000,\"times\":1000000}",
        "{\"op\":\"observe\",\"host\":\"kvm2\",\"delay_ms\":1000,\"times\":1000000}",
    };
    static const struct life_hooks hooks = { .began = begin_slipping, .told = count_drifts };

    world_init(&world, 1024, guests, 1, slow[_i]);
    world.config.drift[CONFIG_DRIFT_OPERATOR_MOVE] = CONFIG_DRIFT_REPORT;
    world.config.drift[CONFIG_DRIFT_VANISHED] = CONFIG_DRIFT_HOLD;
    world.config.drift[CONFIG_DRIFT_DUPLICATE] = CONFIG_DRIFT_HOLD;
    drifts = 0;
    live(&hooks, END_MS);
    ck_assert_uint_eq(drifts, 1); /* That it was moved. */
    ck_assert_uint_eq(world_holds(&world), 0);
    world_deinit(&world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("drift");
    TCase *tcase = tcase_create("drift");
    int status;

    world_set_up();
    tcase_add_test(tcase, guest_that_went_down_with_its_host_is_started_as_soon_as_that_is_noticed);
    tcase_add_test(tcase,
                   guest_that_may_run_on_a_host_that_is_silent_is_not_started_where_it_ran_before);
    tcase_add_test(tcase, guest_that_waited_for_a_silent_host_is_started_once_that_answers);
    tcase_add_test(tcase, another_guest_of_the_same_name_is_not_started_for_the_one_that_ran);
    tcase_add_loop_test(tcase, guest_that_went_down_with_its_host_stays_off_while_a_person_holds_it,
                        0, 3);
    tcase_add_test(tcase,
                   guest_that_vanished_and_was_released_is_not_held_again_when_a_host_falls_silent);
    tcase_add_test(tcase, guest_that_its_host_started_again_by_itself_may_be_shut_down_on_purpose);
    tcase_add_test(tcase,
                   berthd_writes_nothing_into_the_file_that_makes_it_faulty_and_adopts_the_rest);
    tcase_add_test(tcase,
                   definition_left_behind_is_not_adopted_while_the_host_of_the_guest_is_silent);
    tcase_add_loop_test(
        tcase, guest_that_is_moved_while_hosts_are_looked_at_is_neither_gone_nor_there_twice, 0, 2);
    suite_add_tcase(suite, tcase);
    status = runner_run(suite);
    world_tear_down();
    return status;
}
