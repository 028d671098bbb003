/* SPDX-License-Identifier: Apache-2.0 */
#include "supplied.h"

#include <string.h>

#include "actuators/sim_fleet.h"
#include "base/base.h"

static const char *const nat_names[] = { "nat*", NULL };
static const char *const interface_names[] = { "vf*", NULL };

const struct profile supplied_platform = {
    .name = "test",
    .supplies = { [SUPPLY_BRIDGE] = { .given = true },
                  [SUPPLY_NAT_BRIDGE] = { .given = true, .names = nat_names },
                  [SUPPLY_INTERFACE] = { .given = true, .names = interface_names },
                  [SUPPLY_VOLUME] = { .given = true, .timeout_ms = SUPPLIED_TIMEOUT_MS },
                  [SUPPLY_CONFIG] = { .given = true },
                  [SUPPLY_STATE] = { .given = true } },
};

#define VERSION 10 /* Of the NVRAM before the move. */
#define NEEDS                                                                                     \
    ",\"bridges\":[\"br7\",\"br8\",\"nat0\"],\"interfaces\":[\"vf1\"],\"configs\":[\"vm1_cfg\"]," \
    "\"disks\":[{\"path\":\"" SUPPLIED_DEVICE "\",\"identity\":\"" SUPPLIED_VOLUME "\"}]"

const struct world_guest supplied_guests[SUPPLIED_GUESTS] = {
    { "vm1", "kvm1", "kvm2", "running", 256, true, false, NEEDS },
    { "vm2", "kvm1", "kvm1", "running", 256, false, false, ",\"bridges\":[\"br8\"]" },
};

static void furnish(void *context, struct sim_fleet *fleet)
{
    static const char *const bridges[] = { "br7", "br8", "nat0" };
    static const char *const interfaces[] = { "vf1" };
    static const char *const configs[] = { "vm1_cfg" };
    static const struct sim_disk storage[] = { { SUPPLIED_DEVICE, SUPPLIED_VOLUME, NULL } };
    static const struct sim_volume lone = { SUPPLIED_VOLUME, NULL, false };
    static const struct sim_volume shared = { SUPPLIED_VOLUME, NULL, true };
    const struct supplied_world *what = context;
    struct sim_host *host = &fleet->hosts[0];

    host->bridges = (struct sim_names){ bridges, ARRAY_LEN(bridges) };
    host->interfaces = (struct sim_names){ interfaces, 1 };
    host->configs = (struct sim_names){ configs, 1 };
    host->storage = storage;
    host->storage_count = 1;
    fleet->volumes = what->shared ? &shared : &lone;
    fleet->volume_count = 1;
    if (what->nvram) {
        host->states = ARENA_ARRAY(fleet->arena, struct sim_state, 1);
        host->states[0] = (struct sim_state){ SUPPLIED_NVRAM, VERSION, 0 };
        host->state_count = 1;
    }
    fleet->changed = true;
}

void supplied_begin(struct world *world, const char *state, struct supplied_world what)
{
    struct world_guest own[SUPPLIED_GUESTS];

    memcpy(own, supplied_guests, sizeof(own));
    own[0].state = state;
    own[0].more = what.nvram ? NEEDS ",\"nvram\":\"" SUPPLIED_NVRAM "\"" : NEEDS;
    world_init(world, 2048, own, SUPPLIED_GUESTS, "");
    world->config.policy.profile = &supplied_platform;
    world_edit(world, furnish, &what);
}

struct sight {
    const char *host; /* Of vm1. */
    bool whole;
    size_t states; /* Files that are or were its NVRAM, anywhere, ... */
    size_t placed; /* ... of which so many are in its place. */
    uint64_t version;
    uint64_t newest;
    uint64_t oldest;
};

static void inspect_states(const struct sim_host *host, struct sight *sight)
{
    for (size_t i = 0; i < host->state_count; i++) {
        const struct sim_state *state = &host->states[i];

        sight->states++;
        sight->newest = state->version > sight->newest ? state->version : sight->newest;
        sight->oldest = state->version < sight->oldest ? state->version : sight->oldest;
        if (state->aside_ms == 0) {
            sight->placed++;
            sight->version = state->version;
            sight->whole &= strcmp(host->name, sight->host) == 0;
        }
    }
}

static void inspect(void *context, struct sim_fleet *fleet)
{
    struct sight *sight = context;

    for (size_t i = 0; i < fleet->host_count; i++) {
        const struct sim_host *host = &fleet->hosts[i];
        bool here = strcmp(host->name, sight->host) == 0;
        bool with_vm2 = i == 0;

        sight->whole &= (sim_fleet_find_identity(host, SUPPLIED_DEVICE) != NULL) == here;
        sight->whole &= sim_fleet_has_name(&host->configs, "vm1_cfg") == here;
        sight->whole &= sim_fleet_has_name(&host->interfaces, "vf1") == here;
        sight->whole &= sim_fleet_has_name(&host->bridges, "br7") == here;
        sight->whole &= sim_fleet_has_name(&host->bridges, "nat0") == here;
        sight->whole &= sim_fleet_has_name(&host->bridges, "br8") == (here || with_vm2);
        inspect_states(host, sight);
    }
}

bool supplied_is_whole(struct world *world, const char *host)
{
    struct sight sight = { .host = host, .whole = true, .oldest = UINT64_MAX };

    world_edit(world, inspect, &sight);
    return sight.whole && (sight.states == 0 || (sight.placed == 1 && sight.oldest >= VERSION &&
                                                 sight.version == sight.newest));
}
