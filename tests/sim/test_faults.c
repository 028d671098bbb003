/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Random fleets, random faults, frozen hosts, controllers killed at random: whatever happens, no guest is lost or runs
 * twice, no host is over-committed (world.c looks after every event), and once the faults are over every
 * guest is in its place or its reason is told, in the state it had before.
 *
 * BERTH_SEED=N runs one seed alone.
 */

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuators/sim_fleet.h"
#include "base/base.h"
#include "base/text.h"
#include "model/profile.h"
#include "tests/runner.h"
#include "tests/unit/dice.h"
#include "world.h"

/* Debug builds, sanitizers among them, take their time: fewer seeds there. */
#ifdef MANY_FLEETS
#define SEEDS 2500
#else
#define SEEDS 250
#endif
#define SEEDS_A_TEST 50 /* One process each. */
#define GUESTS_MAX   5
#define HOST_MIB     1024
#define LIVES_MAX    24

#define PICK(dice, list) ((list)[dice_roll((dice), ARRAY_LEN(list))])

static const char *const hosts[] = { "kvm1", "kvm2", "kvm3" };

/* Each guest's own, where the platform provides such things: "v1" and "br1" of vm1. */
static const char *const volumes[GUESTS_MAX] = { "v1", "v2", "v3", "v4", "v5" };
static const char *const devices[GUESTS_MAX] = { "/dev/v1", "/dev/v2", "/dev/v3", "/dev/v4",
                                                 "/dev/v5" };
static const char *const bridges[GUESTS_MAX] = { "br1", "br2", "br3", "br4", "br5" };

static const struct profile platform = {
    .name = "test",
    .supplies = { [SUPPLY_BRIDGE] = { .given = true }, [SUPPLY_VOLUME] = { .given = true } },
};

static size_t make_guests(struct dice *dice, struct world_guest guests[GUESTS_MAX])
{
    static const char *const names[GUESTS_MAX] = { "vm1", "vm2", "vm3", "vm4", "vm5" };
    static const char *const states[] = { "running", "running", "running", "shutoff", "paused" };
    static const unsigned sizes_mib[] = { 96, 128, 160 };
    size_t count = 1 + dice_roll(dice, GUESTS_MAX);

    for (size_t i = 0; i < count; i++) {
        guests[i] = (struct world_guest){
            .name = names[i],
            .host = PICK(dice, hosts),
            .wanted = PICK(dice, hosts),
            .state = PICK(dice, states),
            .memory_mib = PICK(dice, sizes_mib),
            .autostart = dice_roll(dice, 2) == 0,
        };
    }
    return count;
}

/* Roomy hosts, or such as hold no more than they have and what they shall have: then nothing goes without
 * detours and early stops. */
static void make_hosts(struct dice *dice, const struct world_guest *guests, size_t count,
                       unsigned memory_mib[ARRAY_LEN(hosts)])
{
    bool tight = dice_roll(dice, 2) == 0;

    for (size_t h = 0; h < ARRAY_LEN(hosts); h++) {
        unsigned now = 0;
        unsigned then = 0;

        for (size_t i = 0; i < count; i++) {
            now += strcmp(guests[i].host, hosts[h]) == 0 ? guests[i].memory_mib : 0;
            then += strcmp(guests[i].wanted, hosts[h]) == 0 ? guests[i].memory_mib : 0;
        }
        memory_mib[h] = now > then ? now : then;
        memory_mib[h] = !tight ? HOST_MIB : memory_mib[h] > 0 ? memory_mib[h] : 1;
    }
}

static size_t make_park(struct dice *dice, const struct world_guest *guests, size_t count,
                        struct policy_guest park[GUESTS_MAX])
{
    size_t parked = 0;

    for (size_t i = 0; i < count; i++) {
        if (dice_roll(dice, 2) == 0) {
            park[parked++] = (struct policy_guest){ .name = guests[i].name, .park = true };
        }
    }
    return parked;
}

static const char *make_faults(struct dice *dice, struct arena *arena)
{
    static const char *const ops[] = { "preflight", "migrate",  "migrate", "adopt",   "stop",
                                       "define",    "undefine", "start",   "observe", "autostart" };
    static const char *const whens[] = { "before", "middle", "lost", "after", "hang" };
    static const char *const errors[] = { "timeout",     "busy",         "failed",
                                          "unreachable", "incompatible", "unsafe" };
    struct text text = text_new(arena);
    size_t count = dice_roll(dice, 6);

    for (size_t i = 0; i < count; i++) {
        text_printf(&text, "%s{\"op\":\"%s\",\"when\":\"%s\",\"error\":\"%s\",\"times\":%u",
                    i == 0 ? "" : ",", PICK(dice, ops), PICK(dice, whens), PICK(dice, errors),
                    (unsigned)(1 + dice_roll(dice, 3)));
        if (dice_roll(dice, 2) == 0) {
            text_printf(&text, ",\"host\":\"%s\"", PICK(dice, hosts));
        }
        text_append(&text, "}");
    }
    return text.data;
}

/* Gives every guest a volume and a bridge of its own. */
static void make_needs(struct arena *arena, struct world_guest *guests, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        guests[i].more = text_format(arena,
                                     ",\"bridges\":[\"%s\"],\"disks\":[{\"path\":\"%s\","
                                     "\"identity\":\"%s\"}]",
                                     bridges[i], devices[i], volumes[i]);
    }
}

struct cast {
    const struct world_guest *guests;
    size_t count;
    uint64_t seed;
};

/* Puts that where each guest is. */
static void furnish(void *context, struct sim_fleet *fleet)
{
    const struct cast *cast = context;
    struct sim_volume *shared = ARENA_ARRAY(fleet->arena, struct sim_volume, cast->count);

    for (size_t h = 0; h < fleet->host_count; h++) {
        struct sim_host *host = &fleet->hosts[h];
        struct sim_disk *storage = ARENA_ARRAY(fleet->arena, struct sim_disk, cast->count);
        const char **names = ARENA_ARRAY(fleet->arena, const char *, cast->count);

        for (size_t i = 0; i < cast->count; i++) {
            shared[i] = (struct sim_volume){ volumes[i], NULL, true };
            if (strcmp(cast->guests[i].host, host->name) == 0) {
                storage[host->storage_count++] = (struct sim_disk){ devices[i], volumes[i], NULL };
                names[host->bridges.count++] = bridges[i];
            }
        }
        host->storage = storage;
        host->bridges.items = names;
    }
    fleet->volumes = shared;
    fleet->volume_count = cast->count;
    fleet->changed = true;
}

static const char *make_supply_faults(struct dice *dice, struct arena *arena)
{
    static const char *const whens[] = { "before", "after", "hang" };
    static const char *const errors[] = { "timeout", "busy", "denied" };
    struct text text = text_new(arena);

    for (uint64_t left = dice_roll(dice, 4); left > 0; left--) {
        text_printf(&text, "%s{\"op\":\"%s\",\"when\":\"%s\",\"error\":\"%s\",\"times\":%u}",
                    text.length == 0 ? "" : ",", dice_roll(dice, 2) == 0 ? "provide" : "withdraw",
                    PICK(dice, whens), PICK(dice, errors), (unsigned)(1 + dice_roll(dice, 4)));
    }
    return text.data;
}

/* What a guest needs is where it is, and nowhere else. */
static void inspect(void *context, struct sim_fleet *fleet)
{
    const struct cast *cast = context;

    for (size_t h = 0; h < fleet->host_count; h++) {
        const struct sim_host *host = &fleet->hosts[h];

        for (size_t i = 0; i < cast->count; i++) {
            bool here = sim_fleet_find_guest_named(host, cast->guests[i].name) != NULL;

            ck_assert_msg((sim_fleet_find_identity(host, devices[i]) != NULL) == here &&
                              sim_fleet_has_name(&host->bridges, bridges[i]) == here,
                          "seed %" PRIu64 ": what %s needs is not where it is alone, see %s",
                          cast->seed, cast->guests[i].name, host->name);
        }
    }
}

/* Where the guest is now, and that it is nowhere else. */
static const char *only_host(struct world *world, const char *guest, uint64_t seed)
{
    const char *found = NULL;

    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        if (strcmp(world_state(world, guest, hosts[i]), "absent") != 0) {
            ck_assert_msg(found == NULL, "seed %" PRIu64 ": %s is on %s and %s", seed, guest, found,
                          hosts[i]);
            found = hosts[i];
        }
    }
    ck_assert_msg(found != NULL, "seed %" PRIu64 ": %s is lost", seed, guest);
    return found;
}

static void assert_settled(struct world *world, const struct world_guest *guests, size_t count,
                           uint64_t seed)
{
    ck_assert_msg(world_open_moves(world) == 0, "seed %" PRIu64 ": a move stays open: %s", seed,
                  world->last_text);
    ck_assert_msg(world_owed(world) == 0, "seed %" PRIu64 ": a start stays owed", seed);
    for (size_t i = 0; i < count; i++) {
        const char *host = only_host(world, guests[i].name, seed);
        const char *state = world_state(world, guests[i].name, host);

        ck_assert_msg(strcmp(state, guests[i].state) == 0, "seed %" PRIu64 ": %s was %s, is %s",
                      seed, guests[i].name, guests[i].state, state);
        ck_assert_msg(strcmp(host, guests[i].wanted) == 0 || world->result.blocked > 0,
                      "seed %" PRIu64 ": %s is on %s for no reason", seed, guests[i].name, host);
        ck_assert_msg(world_has_autostart(world, guests[i].name, host) == guests[i].autostart,
                      "seed %" PRIu64 ": autostart of %s is not what it was", seed, guests[i].name);
    }
}

static void live_and_die(struct world *world, struct dice *dice)
{
    static const enum world_kill kills[] = { WORLD_KILL_NEVER, WORLD_KILL_BEFORE_COMMIT,
                                             WORLD_KILL_AFTER_COMMIT, WORLD_KILL_BEFORE_CALL,
                                             WORLD_KILL_AFTER_CALL };

    for (uint64_t lives = dice_roll(dice, 5); lives > 0; lives--) {
        const char *frozen = dice_roll(dice, 3) == 0 ? PICK(dice, hosts) : NULL;

        if (frozen != NULL) {
            world_freeze(world, frozen, true);
        }
        world_live(world, PICK(dice, kills), 1 + dice_roll(dice, 20));
        world_wait(world, (int64_t)dice_roll(dice, 90000));
        if (frozen != NULL) {
            world_freeze(world, frozen, false);
        }
    }
}

/* Lives without end until one finds nothing to do. */
static void live_until_quiet(struct world *world, uint64_t seed)
{
    const int64_t past_every_wait_ms = INT64_C(40) * 60 * 1000;

    for (unsigned lives = 0; lives < LIVES_MAX; lives++) {
        world_touch(world); /* A new revision: parked guests are tried again. */
        world_wait(world, past_every_wait_ms);
        world_live(world, WORLD_KILL_NEVER, 0);
        if (world->moves_begun == 0 && world_open_moves(world) == 0 && world_owed(world) == 0) {
            return;
        }
    }
    ck_abort_msg("seed %" PRIu64 ": it never comes to rest: %s", seed, world->last_text);
}

static void run_seed(uint64_t seed)
{
    struct dice dice = { seed };
    struct world_guest guests[GUESTS_MAX];
    size_t count = make_guests(&dice, guests);
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *faults = make_faults(&dice, &arena);
    struct cast cast = { guests, count, seed };
    bool supplied;
    unsigned memory_mib[ARRAY_LEN(hosts)];
    struct policy_guest park[GUESTS_MAX];
    struct world world;
    enum policy_mode mode;
    size_t parked;

    make_hosts(&dice, guests, count, memory_mib);
    parked = make_park(&dice, guests, count, park);
    mode = dice_roll(&dice, 2) == 0 ? POLICY_MODE_AUTO : POLICY_MODE_OFFLINE;
    supplied = dice_roll(&dice, 2) == 0;
    if (supplied) {
        const char *more = make_supply_faults(&dice, &arena);

        make_needs(&arena, guests, count);
        faults = text_format(&arena, "%s%s%s", faults, *faults == '\0' || *more == '\0' ? "" : ",",
                             more);
    }
    world_init_hosts(&world, memory_mib, ARRAY_LEN(hosts), guests, count, faults);
    world.config.policy.guests = park;
    world.config.policy.guest_count = parked;
    world.config.policy.mode = mode;
    if (supplied) {
        world.config.policy.profile = &platform;
        world_edit(&world, furnish, &cast);
    }
    live_and_die(&world, &dice);
    live_until_quiet(&world, seed);
    assert_settled(&world, guests, count, seed);
    if (supplied) {
        world_edit(&world, inspect, &cast);
    }
    world_deinit(&world);
}

START_TEST(whatever_happens_every_guest_ends_once_as_it_was)
{
    const char *alone = getenv("BERTH_SEED");
    uint64_t seed;

    if (alone != NULL) {
        ck_assert(text_to_u64(alone, UINT64_MAX, &seed));
        run_seed(seed);
        return;
    }
    for (seed = 0; seed < SEEDS_A_TEST; seed++) {
        run_seed((uint64_t)_i * SEEDS_A_TEST + seed);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("faults");
    TCase *tcase = tcase_create("faults");
    int status;

    tcase_add_loop_test(tcase, whatever_happens_every_guest_ends_once_as_it_was, 0,
                        getenv("BERTH_SEED") != NULL ? 1 : SEEDS / SEEDS_A_TEST);
    tcase_set_timeout(tcase, 600);
    suite_add_tcase(suite, tcase);
    world_set_up();
    status = runner_run(suite);
    world_tear_down();
    return status;
}
