/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/conformance/world.h"

#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actuators/actuator.h"
#include "actuators/sim.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"
#include "base/loop_manual.h"
#include "base/text.h"
#include "model/profile.h"

#define WALL_MS INT64_C(1795435200000) /* 2026-11-23T12:00:00Z */
#define SLOW_MS 8000
#define FAST_MS 900

#define BUSY_MIB_S 100000 /* All of its memory in every pass. */

#define LINK_LOST_MS 60000 /* More than a frozen host's link lasts. */

#define OFFERS                                                             \
    "\"offers\":[\"vf0\",\"vf1\",\"vf2\",\"vf3\",\"vf4\",\"vf5\",\"vf6\"," \
    "\"vf7\",\"vf8\",\"vf9\"]"

#define FLEET                                                                    \
    "{\"format\":\"berth.sim/1\",\"durations\":{\"migrate_ms\":900},\"hosts\":[" \
    "{\"name\":\"kvm1\",\"memory_kib\":8388608,\"cpus\":8," OFFERS "},"          \
    "{\"name\":\"kvm2\",\"memory_kib\":8388608,\"cpus\":8," OFFERS "}]}"

struct world {
    char folder[32];
    char fleet[64];
    char lock[72];
    struct loop *loop;
    struct actuator *hands; /* Through which this file reaches into the fleet. */
    unsigned guests;
};

struct world *world_open(void)
{
    struct world *world = calloc(1, sizeof(*world));
    struct err err = { 0 };

    ck_assert_ptr_nonnull(world);
    (void)snprintf(world->folder, sizeof(world->folder), "/tmp/berth-world-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(world->folder));
    (void)snprintf(world->fleet, sizeof(world->fleet), "%s/fleet.json", world->folder);
    (void)snprintf(world->lock, sizeof(world->lock), "%s.lock", world->fleet);
    ck_assert_int_eq(file_replace(world->fleet, FLEET, strlen(FLEET), 0600, &err), 0);
    world->loop = loop_manual_new(WALL_MS);
    world->hands = world_actuator(world);
    return world;
}

void world_close(struct world *world)
{
    actuator_close(world->hands);
    loop_manual_free(world->loop);
    (void)unlink(world->fleet);
    (void)unlink(world->lock);
    (void)rmdir(world->folder);
    free(world);
}

struct loop *world_loop(struct world *world)
{
    return world->loop;
}

struct actuator *world_actuator(struct world *world)
{
    struct err err = { 0 };
    struct actuator *actuator = sim_open(world->loop, world->fleet, &err);

    ck_assert_msg(actuator != NULL, "%s", err.text);
    return actuator;
}

static json_t *take(struct world *world)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct text text = text_new(&arena);
    struct err err = { 0 };
    json_t *fleet;

    ck_assert_msg(sim_dump(world->hands, &text, &err) == 0, "%s", err.text);
    fleet = json_loadb(text.data, text.length, 0, NULL);
    ck_assert_ptr_nonnull(fleet);
    return fleet;
}

static void put(struct world *world, json_t *fleet)
{
    char *bytes = json_dumps(fleet, JSON_COMPACT);
    struct err err = { 0 };

    ck_assert_ptr_nonnull(bytes);
    ck_assert_msg(sim_load(world->hands, bytes, strlen(bytes), &err) == 0, "%s", err.text);
    free(bytes);
    json_decref(fleet);
}

static json_t *host_of(json_t *fleet, const char *name)
{
    json_t *host;
    size_t i;

    json_array_foreach(json_object_get(fleet, "hosts"), i, host)
    {
        if (strcmp(json_string_value(json_object_get(host, "name")), name) == 0) {
            return host;
        }
    }
    ck_abort_msg("no host '%s'", name);
}

static void set_volume(struct world *world, const char *host, const char *volume,
                       const char *identity)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    json_t *fleet = take(world);
    json_t *storage = json_object_get(host_of(fleet, host), "storage");

    if (storage == NULL) {
        storage = json_object();
        (void)json_object_set_new(host_of(fleet, host), "storage", storage);
    }
    (void)json_object_set_new(storage, text_format(&arena, "/dev/exc/%s", volume),
                              json_string(identity));
    put(world, fleet);
}

static void set_kind(json_t *guest, enum world_kind kind)
{
    bool off = kind == WORLD_OFF || kind == WORLD_SAVED;

    (void)json_object_set_new(guest, "state",
                              json_string(off                    ? "shutoff"
                                          : kind == WORLD_PAUSED ? "paused"
                                                                 : "running"));
    (void)json_object_set_new(guest, "reason",
                              json_string(kind == WORLD_SAVED    ? "saved"
                                          : kind == WORLD_PAUSED ? "user"
                                          : off                  ? "unknown"
                                                                 : "booted"));
    (void)json_object_set_new(guest, "persistent", json_boolean(kind != WORLD_TRANSIENT));
    (void)json_object_set_new(guest, "deaf", json_boolean(kind == WORLD_DEAF));
    (void)json_object_set_new(guest, "dirty_mib_s",
                              json_integer(kind == WORLD_BUSY ? BUSY_MIB_S : 0));
    (void)json_object_set_new(guest, "managed_save", json_boolean(kind == WORLD_SAVED));
}

void world_make_guest(struct world *world, const char *name, const char *host, enum world_kind kind,
                      const char *volume)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    char *uuid = text_format(&arena, "00000000-0000-4000-8000-%012u", ++world->guests);
    json_t *guest = json_pack("{s:s,s:s,s:i,s:i}", "name", name, "uuid", uuid, "memory_kib",
                              96 * 1024, "vcpus", 1);
    json_t *fleet;

    ck_assert_ptr_nonnull(guest);
    set_kind(guest, kind);
    if (volume != NULL) {
        set_volume(world, host, volume, volume);
        (void)json_object_set_new(guest, "disks",
                                  json_pack("[{s:s,s:s}]", "path",
                                            text_format(&arena, "/dev/exc/%s", volume), "identity",
                                            volume));
    }
    fleet = take(world);
    (void)json_array_append_new(json_object_get(host_of(fleet, host), "guests"), guest);
    put(world, fleet);
}

/* The fleet goes with the world. */
void world_remove_guest(struct world *world, const char *name)
{
    (void)world;
    (void)name;
}

void world_attach(struct world *world, const char *host, const char *volume)
{
    set_volume(world, host, volume, volume);
}

void world_attach_wrong(struct world *world, const char *host, const char *volume)
{
    set_volume(world, host, volume, "another");
}

const struct profile *world_profile(struct world *world)
{
    static const char *const words[] = { "told", NULL };
    static const struct profile_command told = { .words = words };
    static const char *const nat_bridges[] = { "vmnat*", NULL };
    static const char *const interfaces[] = { "vf*", NULL };
    static const struct profile profile = {
        .name = "simulated",
        .supplies = {
            [SUPPLY_BRIDGE] = { .given = true },
            [SUPPLY_NAT_BRIDGE] = { .given = true, .names = nat_bridges },
            [SUPPLY_INTERFACE] = { .given = true,
                                   .names = interfaces,
                                   .verbs[PROFILE_OFFERS] = { .items = &told, .count = 1 } },
            [SUPPLY_VOLUME] = { .given = true,
                                .shared = true,
                                .verbs[PROFILE_OWNERS] = { .items = &told, .count = 1 } },
            [SUPPLY_STATE] = { .given = true },
        },
    };

    (void)world;
    return &profile;
}

const char *world_volume_name(struct world *world, struct arena *arena, const char *volume)
{
    json_t *fleet = take(world);
    json_t *item = json_pack("{s:s,s:b}", "name", volume, "shared", 1);
    json_t *volumes = json_object_get(fleet, "volumes");

    ck_assert_ptr_nonnull(item);
    if (volumes == NULL) {
        volumes = json_array();
        (void)json_object_set_new(fleet, "volumes", volumes);
    }
    (void)json_array_append_new(volumes, item);
    put(world, fleet);
    return arena_strdup(arena, volume);
}

void world_make_pool(struct world *world, const char *host, const char *pool)
{
    json_t *fleet = take(world);

    (void)json_object_set_new(host_of(fleet, host), "pools",
                              json_pack("[{s:s,s:b}]", "name", pool, "inactive", 1));
    put(world, fleet);
}

/* One that starts finds everything, one that is active has to be told. */
void world_fill_pool(struct world *world, const char *host, const char *pool, const char *volume)
{
    json_t *fleet = take(world);
    json_t *only = json_array_get(json_object_get(host_of(fleet, host), "pools"), 0);

    (void)volume;
    ck_assert_str_eq(json_string_value(json_object_get(only, "name")), pool);
    (void)json_object_set_new(only, "stale",
                              json_boolean(!json_is_true(json_object_get(only, "inactive"))));
    put(world, fleet);
}

void world_remove_pool(struct world *world, const char *host, const char *pool)
{
    (void)world;
    (void)host;
    (void)pool;
}

void world_make_state(struct world *world, const char *host, const char *path)
{
    json_t *fleet = take(world);
    json_int_t version = host[strlen(host) - 1]; /* Each host's own. */

    (void)json_object_set_new(host_of(fleet, host), "states",
                              json_pack("[{s:s,s:I}]", "path", path, "version", version));
    put(world, fleet);
}

void world_remove_state(struct world *world, const char *host, const char *path)
{
    json_t *fleet = take(world);

    (void)path;
    (void)json_object_del(host_of(fleet, host), "states");
    put(world, fleet);
}

static json_t *guest_of(json_t *fleet, const char *name, const char *host)
{
    json_t *guest;
    size_t i;

    json_array_foreach(json_object_get(host_of(fleet, host), "guests"), i, guest)
    {
        if (strcmp(json_string_value(json_object_get(guest, "name")), name) == 0) {
            return guest;
        }
    }
    ck_abort_msg("no guest '%s' on '%s'", name, host);
}

void world_make_neighbour(struct world *world, const char *name, const char *host,
                          enum supply_kind kind, const char *what)
{
    const char *key = kind == SUPPLY_INTERFACE ? "interfaces" : "bridges";
    json_t *fleet;

    world_make_guest(world, name, host, WORLD_OFF, NULL);
    fleet = take(world);
    (void)json_object_set_new(guest_of(fleet, name, host), key, json_pack("[s]", what));
    (void)json_object_set_new(host_of(fleet, host), key, json_pack("[s]", what));
    put(world, fleet);
}

static void set_state(struct world *world, const char *name, const char *host, enum world_kind kind)
{
    json_t *fleet = take(world);

    set_kind(guest_of(fleet, name, host), kind);
    put(world, fleet);
}

void world_start(struct world *world, const char *name, const char *host)
{
    set_state(world, name, host, WORLD_IDLE);
}

void world_stop(struct world *world, const char *name, const char *host)
{
    set_state(world, name, host, WORLD_OFF);
}

void world_migrate(struct world *world, const char *name, const char *from, const char *to)
{
    json_t *fleet = take(world);
    json_t *uuid = json_object_get(guest_of(fleet, name, from), "uuid");
    json_t *migration = json_pack("{s:O,s:s,s:s,s:i}", "guest", uuid, "from", from, "to", to,
                                  "duration_ms", FAST_MS);
    json_t *migrations = json_pack("[o]", migration);

    ck_assert_ptr_nonnull(migrations);
    (void)json_object_set_new(fleet, "migrations", migrations);
    put(world, fleet);
}

static void set_power(struct world *world, const char *host, enum sim_power power)
{
    struct err err = { 0 };

    ck_assert_msg(sim_set_power(world->hands, host, power, &err) == 0, "%s", err.text);
}

void world_freeze(struct world *world, const char *host)
{
    set_power(world, host, SIM_POWER_FROZEN);
}

void world_thaw(struct world *world, const char *host)
{
    set_power(world, host, SIM_POWER_ON);
}

void world_crash(struct world *world, const char *host)
{
    set_power(world, host, SIM_POWER_OFF);
}

/* Its outlet gives power again, if a fence had switched it off. */
void world_boot(struct world *world, const char *host)
{
    json_t *fleet = take(world);

    (void)json_object_del(host_of(fleet, host), "fenced");
    put(world, fleet);
    set_power(world, host, SIM_POWER_ON);
}

void world_set_fence(struct world *world, enum world_fence fence)
{
    static const char *const devices[] = {
        [WORLD_FENCE_WORKS] = "works", [WORLD_FENCE_SLOW] = "works", [WORLD_FENCE_FAILS] = "fails",
        [WORLD_FENCE_IDLE] = "fails",  [WORLD_FENCE_LIES] = "lies",  [WORLD_FENCE_LATE] = "late",
        [WORLD_FENCE_MUTE] = "fails",
    };
    json_t *fleet = take(world);

    (void)json_object_set_new(host_of(fleet, "kvm1"), "fence", json_string(devices[fence]));
    if (fence == WORLD_FENCE_SLOW) {
        (void)json_object_set_new(fleet, "faults",
                                  json_pack("[{s:s,s:i}]", "op", "fence", "delay_ms", SLOW_MS));
    }
    put(world, fleet);
}

/* A link that was lost and is back says nothing else. */
void world_restart(struct world *world, const char *host)
{
    world_freeze(world, host);
    loop_manual_advance(world->loop, LINK_LOST_MS);
    world_thaw(world, host);
}

void world_slow(struct world *world, const char *host, bool slow)
{
    json_t *fleet = take(world);

    (void)host;
    (void)json_object_set_new(json_object_get(fleet, "durations"), "migrate_ms",
                              json_integer(slow ? SLOW_MS : FAST_MS));
    put(world, fleet);
}

/* A pass takes as long as an idle guest's migration, and everything is written again meanwhile. */
void world_narrow(struct world *world, const char *host)
{
    world_slow(world, host, false);
}
