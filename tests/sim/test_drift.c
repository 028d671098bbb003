/* SPDX-License-Identifier: Apache-2.0 */

/* Drift that is answered by the whole controller, on a clock that only the test moves. */

#include <check.h>

#include "actuators/sim_fleet.h"
#include "life.h"
#include "model/observed.h"
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

int main(void)
{
    Suite *suite = suite_create("drift");
    TCase *tcase = tcase_create("drift");
    int status;

    world_set_up();
    tcase_add_test(tcase, guest_that_went_down_with_its_host_is_started_as_soon_as_that_is_noticed);
    suite_add_tcase(suite, tcase);
    status = runner_run(suite);
    world_tear_down();
    return status;
}
