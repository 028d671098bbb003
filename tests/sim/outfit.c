/* SPDX-License-Identifier: Apache-2.0 */
#include "outfit.h"

#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/text.h"
#include "rescue.h"
#include "witness.h"
#include "world.h"

/* The simulated platform runs no commands: that there is one is enough. */
static const char *const words[] = { "true", NULL };
static const struct profile_command command = { .words = words, .line = 1 };

static void draw_platform(struct outfit *outfit, struct dice *dice)
{
    struct profile_supply *volume = &outfit->profile.supplies[SUPPLY_VOLUME];

    outfit->profile.name = "play";
    outfit->lone = dice_one_in(dice, 2);
    outfit->profile.supplies[SUPPLY_BRIDGE].given = true;
    outfit->profile.supplies[SUPPLY_CONFIG].given = true;
    volume->given = true;
    volume->shared = !outfit->lone;
    if (outfit->lone && dice_one_in(dice, 2)) { /* And says of each volume who has it. */
        volume->verbs[PROFILE_OWNERS] = (struct profile_commands){ &command, 1 };
        volume->verbs[PROFILE_REVOKE] = (struct profile_commands){ &command, 1 };
    }
}

static void draw_needs(struct outfit *outfit, const struct cast *cast, struct dice *dice)
{
    static const char *const bridges[] = { "br0", "br1", "br2" };

    for (size_t i = 0; i < cast->guest_count; i++) {
        struct outfit_guest *needs = &outfit->guests[i];

        if (dice_one_in(dice, 2)) {
            needs->bridge = bridges[dice_roll(dice, ARRAY_LEN(bridges))];
        }
        if (!dice_one_in(dice, 4)) {
            needs->volume = text_format(cast->arena, "%s_sys", cast->guests[i].name);
            needs->device = text_format(cast->arena, "/dev/exc/%s", needs->volume);
        }
        if (dice_one_in(dice, 4)) {
            needs->config = text_format(cast->arena, "%s_cfg", cast->guests[i].name);
        }
    }
}

static void draw_hosts(struct outfit *outfit, struct cast *cast, struct dice *dice)
{
    static const enum sim_fence fences[] = { SIM_FENCE_WORKS, SIM_FENCE_WORKS, SIM_FENCE_WORKS,
                                             SIM_FENCE_FAILS, SIM_FENCE_LIES,  SIM_FENCE_LATE };

    outfit->guarded = dice_one_in(dice, 2);
    for (size_t h = 0; h < cast->host_count; h++) {
        outfit->guards[h] = outfit->guarded && !dice_one_in(dice, 4);
        outfit->fences[h] = fences[dice_roll(dice, ARRAY_LEN(fences))];
        cast->own_hosts[h].fenced = !dice_one_in(dice, 3);
    }
}

void outfit_draw(struct outfit *outfit, struct cast *cast, struct dice *dice)
{
    *outfit = (struct outfit){ .given = dice_one_in(dice, 2) };
    if (!outfit->given) {
        return;
    }
    outfit->supplied = !dice_one_in(dice, 4);
    if (outfit->supplied) {
        draw_platform(outfit, dice);
        draw_needs(outfit, cast, dice);
    }
    draw_hosts(outfit, cast, dice);
    for (size_t i = 0; i < cast->guest_count; i++) {
        cast->own_guests[i].has_mode &= !outfit->lone;
    }
}

/* The fleet. */

static void insert(struct sim_fleet *fleet, struct sim_names *names, const char *name)
{
    const char **items = ARENA_ARRAY(fleet->arena, const char *, names->count + 1);
    size_t at = 0;

    if (name == NULL || sim_fleet_has_name(names, name)) {
        return;
    }
    for (; at < names->count && strcmp(names->items[at], name) < 0; at++) {
        items[at] = names->items[at];
    }
    items[at] = name;
    for (; at < names->count; at++) {
        items[at + 1] = names->items[at];
    }
    *names = (struct sim_names){ items, names->count + 1 };
    fleet->changed = true;
}

static void drop(struct sim_fleet *fleet, struct sim_names *names, const char *name)
{
    const char **items = ARENA_ARRAY(fleet->arena, const char *, names->count);
    size_t count = 0;

    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i], name) != 0) {
            items[count++] = names->items[i];
        }
    }
    *names = (struct sim_names){ items, count };
    fleet->changed = true;
}

static void attach(struct sim_fleet *fleet, struct sim_host *host, const struct outfit_guest *needs)
{
    struct sim_disk *storage = ARENA_ARRAY(fleet->arena, struct sim_disk, host->storage_count + 1);
    size_t at = 0;

    if (sim_fleet_find_identity(host, needs->device) != NULL) {
        return;
    }
    for (; at < host->storage_count && strcmp(host->storage[at].path, needs->device) < 0; at++) {
        storage[at] = host->storage[at];
    }
    storage[at] = (struct sim_disk){ .path = needs->device, .identity = needs->volume };
    for (; at < host->storage_count; at++) {
        storage[at + 1] = host->storage[at];
    }
    host->storage = storage;
    host->storage_count++;
    fleet->changed = true;
}

static void detach(struct sim_fleet *fleet, struct sim_host *host, const char *device)
{
    struct sim_disk *storage = ARENA_ARRAY(fleet->arena, struct sim_disk, host->storage_count);
    size_t count = 0;

    for (size_t i = 0; i < host->storage_count; i++) {
        if (strcmp(host->storage[i].path, device) != 0) {
            storage[count++] = host->storage[i];
        }
    }
    host->storage = storage;
    host->storage_count = count;
    fleet->changed = true;
}

void outfit_bring(const struct outfit *outfit, struct sim_fleet *fleet, uint32_t guest,
                  struct sim_host *host)
{
    const struct outfit_guest *needs = &outfit->guests[guest];

    for (size_t h = 0; h < fleet->host_count; h++) {
        struct sim_host *other = &fleet->hosts[h];

        if (other != host && needs->config != NULL) {
            drop(fleet, &other->configs, needs->config);
        }
        if (other != host && needs->device != NULL && outfit->lone) {
            detach(fleet, other, needs->device);
        }
    }
    insert(fleet, &host->bridges, needs->bridge);
    insert(fleet, &host->configs, needs->config);
    if (needs->device != NULL) {
        attach(fleet, host, needs);
    }
}

struct entry {
    const struct outfit *outfit;
    const struct cast *cast;
};

static void equip_guest(const struct outfit_guest *needs, struct sim_fleet *fleet,
                        struct sim_guest *guest)
{
    struct sim_disk *disk = ARENA_NEW(fleet->arena, struct sim_disk);

    insert(fleet, &guest->bridges, needs->bridge);
    insert(fleet, &guest->configs, needs->config);
    if (needs->device != NULL) {
        *disk = (struct sim_disk){ .path = needs->device, .identity = needs->volume };
        guest->disks = disk;
        guest->disk_count = 1;
    }
}

static void equip(void *context, struct sim_fleet *fleet)
{
    const struct entry *entry = context;
    const struct outfit *outfit = entry->outfit;
    const struct cast *cast = entry->cast;
    struct sim_volume *volumes = ARENA_ARRAY(fleet->arena, struct sim_volume, CAST_GUESTS);

    for (uint32_t i = 0; i < cast->guest_count; i++) {
        struct sim_host *host = sim_fleet_find_host(fleet, cast->hosts[cast->guests[i].host]);

        equip_guest(&outfit->guests[i], fleet, sim_fleet_find_guest(host, cast->guests[i].uuid));
        outfit_bring(outfit, fleet, i, host);
        if (outfit->guests[i].volume != NULL) {
            volumes[fleet->volume_count++] =
                (struct sim_volume){ outfit->guests[i].volume, NULL, !outfit->lone };
        }
    }
    fleet->volumes = volumes;
    for (size_t h = 0; h < cast->host_count; h++) {
        struct sim_host *host = sim_fleet_find_host(fleet, cast->hosts[h]);

        host->guard = outfit->guards[h] ? OBSERVED_GUARD_RELEASED : OBSERVED_GUARD_NONE;
        host->fence = outfit->fences[h];
    }
    fleet->changed = true;
}

void outfit_enter(const struct outfit *outfit, const struct cast *cast, struct world *world)
{
    struct entry entry = { outfit, cast };

    if (!outfit->given) {
        return;
    }
    if (outfit->supplied) {
        world->config.policy.profile = &outfit->profile;
    }
    if (outfit->lone) {
        world->config.policy.mode = POLICY_MODE_OFFLINE;
    }
    world->config.guard = outfit->guarded;
    world_edit(world, equip, &entry);
}

/* Looking on. */

static bool has_volume(const struct sim_host *host, const struct outfit_guest *needs)
{
    return needs->device != NULL && sim_fleet_find_identity(host, needs->device) != NULL;
}

static bool has_config(const struct sim_host *host, const struct outfit_guest *needs)
{
    return needs->config != NULL && sim_fleet_has_name(&host->configs, needs->config);
}

/* What it needs and has not got there, or NULL. */
static const char *find_missing(const struct sim_host *host, const struct outfit_guest *needs)
{
    if (needs->bridge != NULL && !sim_fleet_has_name(&host->bridges, needs->bridge)) {
        return needs->bridge;
    }
    return needs->device != NULL && !has_volume(host, needs) ? needs->volume : NULL;
}

void outfit_check(const struct outfit *outfit, struct witness *witness,
                  const struct sim_fleet *fleet)
{
    for (uint32_t i = 0; outfit->supplied && i < witness->cast->guest_count; i++) {
        const struct outfit_guest *needs = &outfit->guests[i];
        unsigned attached = 0;

        for (size_t h = 0; h < fleet->host_count; h++) {
            const struct sim_host *host = &fleet->hosts[h];
            const struct sim_guest *found =
                sim_fleet_find_guest(host, witness->cast->guests[i].uuid);
            const char *missing = find_missing(host, needs);

            attached += has_volume(host, needs);
            if (found != NULL && found->state == GUEST_RUNNING && missing != NULL) {
                witness_blame(witness, "%s runs on %s, which has no %s", found->name, host->name,
                              missing);
            }
        }
        if (attached > 1 && outfit->lone) {
            witness_blame(witness, "%s is attached to %u hosts", needs->volume, attached);
        }
    }
}

/* Some guest that is defined there joins it. */
static bool is_joined(const struct outfit *outfit, const struct cast *cast,
                      const struct sim_host *host, const char *bridge)
{
    for (uint32_t i = 0; i < cast->guest_count; i++) {
        if (text_equal(outfit->guests[i].bridge, bridge) &&
            sim_fleet_find_guest(host, cast->guests[i].uuid) != NULL) {
            return true;
        }
    }
    return false;
}

static void judge_guest(const struct outfit *outfit, struct witness *witness,
                        const struct sim_host *host, uint32_t guest)
{
    const struct outfit_guest *needs = &outfit->guests[guest];
    const char *name = witness->cast->guests[guest].name;
    bool here = sim_fleet_find_guest(host, witness->cast->guests[guest].uuid) != NULL;
    const char *missing = find_missing(host, needs);

    if (here && (missing != NULL || (needs->config != NULL && !has_config(host, needs)))) {
        witness_blame(witness, "in the end %s is on %s, which has no %s", name, host->name,
                      missing != NULL ? missing : needs->config);
    }
    if (!here && (has_volume(host, needs) || has_config(host, needs))) {
        witness_blame(witness, "in the end a volume of %s is left on %s", name, host->name);
    }
}

/* Whether anybody else has had a hand in where those who join it are, or one of them came and went while another, whose
 * it was, left. */
static bool is_meddled(const struct outfit *outfit, const struct witness *witness,
                       const char *bridge)
{
    for (uint32_t i = 0; i < witness->cast->guest_count; i++) {
        if (text_equal(outfit->guests[i].bridge, bridge) &&
            (witness->meddled[i] || witness->turned[i])) {
            return true;
        }
    }
    return false;
}

static void judge_bridges(const struct outfit *outfit, struct witness *witness,
                          const struct sim_host *host)
{
    for (size_t i = 0; i < host->bridges.count; i++) {
        const char *bridge = host->bridges.items[i];

        if (!is_joined(outfit, witness->cast, host, bridge) &&
            !is_meddled(outfit, witness, bridge)) {
            witness_blame(witness, "in the end bridge %s is left on %s", bridge, host->name);
        }
    }
}

/* A person holds it, its host or the fleet, or has made another definition of it. */
static bool stays_held(const struct witness *witness, uint32_t guest, uint32_t host)
{
    return witness->meddled[guest] || witness_is_held(witness, guest, host, CAST_NOBODY);
}

static void judge_guard(struct witness *witness, const struct sim_host *host)
{
    uint32_t index = cast_host(witness->cast, host->name);
    bool excused =
        host->guest_count == 0 ? witness_is_held(witness, CAST_NOBODY, index, CAST_NOBODY) : false;

    for (uint32_t i = 0; i < witness->cast->guest_count; i++) {
        const struct sim_guest *found = sim_fleet_find_guest(host, witness->cast->guests[i].uuid);

        if (found == NULL) {
            continue;
        }
        excused |= stays_held(witness, i, index);
        if (found->held && !stays_held(witness, i, index)) {
            witness_blame(witness, "in the end the guard of %s holds %s back for no reason",
                          host->name, found->name);
        }
    }
    if (host->guard == OBSERVED_GUARD_HOLDING && !excused) {
        witness_blame(witness, "in the end %s is held back for no reason", host->name);
    }
}

void outfit_judge(const struct outfit *outfit, struct witness *witness,
                  const struct sim_fleet *fleet)
{
    for (size_t h = 0; h < fleet->host_count; h++) {
        const struct sim_host *host = &fleet->hosts[h];

        for (uint32_t i = 0; outfit->supplied && i < witness->cast->guest_count; i++) {
            if (!witness->meddled[i]) {
                judge_guest(outfit, witness, host, i);
            }
        }
        judge_bridges(outfit, witness, host);
        judge_guard(witness, host);
    }
}
