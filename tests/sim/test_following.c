/* SPDX-License-Identifier: Apache-2.0 */

/* A plan with detours, carried out by the whole controller: every move is made once, in spite of the look
 * and the plan between any two, and then there is nothing to do.  On fleets with hardly any room, drawn
 * from a seed; BERTH_SEED=N looks at one. */

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "tests/runner.h"
#include "tests/unit/dice.h"
#include "world.h"

/* Debug builds, sanitizers among them, take their time: fewer fleets there. */
#ifdef MANY_FLEETS
#define FLEETS 2000
#else
#define FLEETS 300
#endif
#define HOSTS  6
#define GUESTS 14
#define UNIT   64 /* MiB */

static const char *const host_names[HOSTS] = { "kvm1", "kvm2", "kvm3", "kvm4", "kvm5", "kvm6" };
static const char *const guest_names[GUESTS] = { "vm01", "vm02", "vm03", "vm04", "vm05",
                                                 "vm06", "vm07", "vm08", "vm09", "vm10",
                                                 "vm11", "vm12", "vm13", "vm14" };

struct fleet {
    unsigned memory_mib[HOSTS];
    size_t host_count;
    struct world_guest guests[GUESTS];
    size_t guest_count;
};

/* Guests change places.  Hosts can hold what they have and what they shall have, one a little more. */
static void draw(struct fleet *fleet, uint64_t seed)
{
    struct dice dice = { seed };
    unsigned now[HOSTS] = { 0 };
    unsigned then[HOSTS] = { 0 };
    size_t at[GUESTS];
    size_t goals[GUESTS];

    *fleet = (struct fleet){
        .host_count = 3 + dice_roll(&dice, HOSTS - 2),
        .guest_count = 4 + dice_roll(&dice, GUESTS - 3),
    };
    for (size_t i = 0; i < fleet->guest_count; i++) {
        goals[i] = at[i] = dice_roll(&dice, fleet->host_count);
    }
    for (size_t i = fleet->guest_count; i > 1; i--) {
        size_t other = dice_roll(&dice, i);
        size_t goal = goals[other];

        goals[other] = goals[i - 1];
        goals[i - 1] = goal;
    }
    for (size_t i = 0; i < fleet->guest_count; i++) {
        unsigned units = 1 + (unsigned)dice_roll(&dice, 2);

        now[at[i]] += units;
        then[goals[i]] += units;
        fleet->guests[i] = (struct world_guest){
            .name = guest_names[i],
            .host = host_names[at[i]],
            .wanted = host_names[goals[i]],
            .state = dice_roll(&dice, 4) == 0 ? "shutoff" : "running",
            .memory_mib = units * UNIT,
        };
    }
    for (size_t h = 0; h < fleet->host_count; h++) {
        unsigned units = now[h] > then[h] ? now[h] : then[h];

        fleet->memory_mib[h] = UNIT * (units > 0 ? units : 1);
    }
    fleet->memory_mib[0] += UNIT;
}

static void expect_done(struct world *world, uint64_t seed)
{
    struct journal_move *moves;
    size_t count = world_moves(world, &moves);

    ck_assert_msg(count == world->first_plan_moves, "seed %llu: %zu moves made, %zu planned",
                  (unsigned long long)seed, count, world->first_plan_moves);
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(moves[i].state == JOURNAL_MOVE_DONE, "seed %llu: move %zu of %s failed: %s",
                      (unsigned long long)seed, i + 1, moves[i].guest, world->last_text);
    }
    ck_assert_uint_eq(world_open_moves(world), 0);
}

/* Returns how many detours were made. */
static size_t follow(uint64_t seed)
{
    static struct world world;
    struct fleet fleet;
    size_t detours;
    enum reconciler_status status;

    draw(&fleet, seed);
    world_init_hosts(&world, fleet.memory_mib, fleet.host_count, fleet.guests, fleet.guest_count,
                     "");
    world_live(&world, WORLD_KILL_NEVER, 0);
    status = world.result.status;
    detours = world.first_plan_detours;
    ck_assert_msg(status == RECONCILER_DONE || status == RECONCILER_BLOCKED, "seed %llu: %s",
                  (unsigned long long)seed, world.last_text);
    expect_done(&world, seed);
    world_live(&world, WORLD_KILL_NEVER, 0);
    ck_assert_msg(world.moves_begun == 0, "seed %llu: moves again", (unsigned long long)seed);
    ck_assert_int_eq(world.result.status, status);
    world_deinit(&world);
    return detours;
}

START_TEST(every_move_of_a_plan_with_detours_is_made_once_and_then_it_is_quiet)
{
    const char *only = getenv("BERTH_SEED");
    size_t fleets_with_detours = 0;

    for (uint64_t seed = 0; only == NULL && seed < FLEETS; seed++) {
        fleets_with_detours += follow(seed) > 0;
    }
    if (only != NULL) {
        (void)follow(strtoull(only, NULL, 10));
    } else {
        ck_assert_uint_ge(fleets_with_detours, 50);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("following");
    TCase *tcase = tcase_create("plans");
    int status;

    world_set_up();
    tcase_set_timeout(tcase, 600);
    tcase_add_test(tcase, every_move_of_a_plan_with_detours_is_made_once_and_then_it_is_quiet);
    suite_add_tcase(suite, tcase);
    status = runner_run(suite);
    world_tear_down();
    return status;
}
