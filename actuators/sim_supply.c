/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/sim_supply.h"

#include <assert.h>
#include <string.h>

#include "actuators/sim_fleet.h"
#include "actuators/sim_state.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "model/check.h"
#include "model/op.h"
#include "model/profile.h"
#include "model/supply.h"

/* One supply on one host. */
struct place {
    struct sim_fleet *fleet;
    const struct op *op;
    struct sim_host *host;
    const struct supply *item;
};

static int fail(const struct place *place, struct err *err, enum err_code code, const char *why,
                const char *who)
{
    return err_set(err, code, "cannot %s %s '%s' of '%s' on '%s': %s%s%s%s",
                   op_kind_name(place->op->kind), supply_kind_name(place->item->kind),
                   place->item->name, place->op->guest, place->host->name, why,
                   who == NULL ? "" : " '", who == NULL ? "" : who, who == NULL ? "" : "'");
}

static void add_name(struct sim_fleet *fleet, struct sim_names *names, const char *name)
{
    const char **items;
    size_t at = 0;

    assert(names != NULL); /* Of a kind that is kept by name. */
    items = ARENA_ARRAY(fleet->arena, const char *, names->count + 1);
    while (at < names->count && strcmp(names->items[at], name) < 0) {
        items[at] = names->items[at];
        at++;
    }
    items[at] = arena_strdup(fleet->arena, name);
    for (; at < names->count; at++) {
        items[at + 1] = names->items[at];
    }
    names->items = items;
    names->count++;
    fleet->changed = true;
}

static void remove_name(struct sim_fleet *fleet, struct sim_names *names, const char *name)
{
    const char **items = ARENA_ARRAY(fleet->arena, const char *, names->count);
    size_t count = 0;

    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i], name) != 0) {
            items[count++] = names->items[i];
        }
    }
    fleet->changed |= count != names->count;
    *names = (struct sim_names){ items, count };
}

/* The list of names that a kind of supply is kept in; NULL for those that are kept otherwise. */
static struct sim_names *names_of(struct sim_host *host, enum supply_kind kind)
{
    switch (kind) {
    case SUPPLY_BRIDGE:
    case SUPPLY_NAT_BRIDGE:
        return &host->bridges;
    case SUPPLY_INTERFACE:
        return &host->interfaces;
    case SUPPLY_CONFIG:
        return &host->configs;
    case SUPPLY_VOLUME:
    case SUPPLY_POOL:
    case SUPPLY_STATE:
    case SUPPLY_NONE:
    case SUPPLY_KIND_COUNT:
        break;
    }
    return NULL;
}

static const struct sim_volume *find_volume(const struct sim_fleet *fleet, const char *name)
{
    for (size_t i = 0; i < fleet->volume_count; i++) {
        if (strcmp(fleet->volumes[i].name, name) == 0) {
            return &fleet->volumes[i];
        }
    }
    return NULL;
}

static const char *identity_of(const struct sim_volume *volume)
{
    return volume->identity != NULL ? volume->identity : volume->name;
}

/* What 'host' finds behind the volume once it has it: another one by somebody's mistake. */
static const char *identity_on(const struct sim_host *host, const struct sim_volume *volume)
{
    return sim_fleet_has_name(&host->decoys, volume->name) ? "another-volume" : identity_of(volume);
}

static bool is_attached(const struct sim_host *host, const struct sim_volume *volume)
{
    for (size_t i = 0; i < host->storage_count; i++) {
        if (strcmp(host->storage[i].identity, identity_on(host, volume)) == 0) {
            return true;
        }
    }
    return false;
}

static const char *path_of(struct arena *arena, const struct supply *item)
{
    return item->kind == SUPPLY_POOL ? text_format(arena, "/pool/%s/%s", item->name, item->volume)
                                     : item->device;
}

static bool is_there(const struct sim_fleet *fleet, struct sim_host *host,
                     const struct supply *item)
{
    if (item->kind == SUPPLY_POOL) {
        const struct sim_pool *pool = sim_fleet_find_pool(host, path_of(fleet->arena, item));

        return pool != NULL && !pool->inactive && !pool->stale;
    }
    struct sim_names *names = names_of(host, item->kind);
    const struct sim_volume *volume = names == NULL ? find_volume(fleet, item->name) : NULL;
    const char *identity =
        volume == NULL || item->device == NULL ? NULL : sim_fleet_find_identity(host, item->device);

    if (item->kind == SUPPLY_STATE) {
        return sim_state_is_there(host, item->device);
    }
    if (names != NULL) {
        return sim_fleet_has_name(names, item->name);
    }
    return identity != NULL && strcmp(identity, identity_on(host, volume)) == 0;
}

/* Another host that has it, as nobody may have it twice; NULL if none.  A mount ends with its host's power, an
 * attachment does not. */
static const char *find_owner(const struct place *place, const struct sim_volume *volume)
{
    for (size_t i = 0; i < place->fleet->host_count; i++) {
        const struct sim_host *host = &place->fleet->hosts[i];

        if (host != place->host &&
            (volume != NULL ? is_attached(host, volume)
                            : host->power != SIM_POWER_OFF &&
                                  sim_fleet_has_name(&host->configs, place->item->name))) {
            return host->name;
        }
    }
    return NULL;
}

static void attach(const struct place *place, const struct sim_volume *volume)
{
    struct sim_host *host = place->host;
    struct sim_disk *storage =
        ARENA_ARRAY(place->fleet->arena, struct sim_disk, host->storage_count + 1);
    size_t at = 0;

    while (at < host->storage_count && strcmp(host->storage[at].path, place->item->device) < 0) {
        storage[at] = host->storage[at];
        at++;
    }
    storage[at] = (struct sim_disk){
        .path = arena_strdup(place->fleet->arena, place->item->device),
        .identity = identity_on(host, volume),
    };
    for (; at < host->storage_count; at++) {
        storage[at + 1] = host->storage[at];
    }
    host->storage = storage;
    host->storage_count++;
    place->fleet->changed = true;
}

static void detach(const struct place *place)
{
    struct sim_host *host = place->host;
    struct sim_disk *storage =
        ARENA_ARRAY(place->fleet->arena, struct sim_disk, host->storage_count);
    size_t count = 0;

    for (size_t i = 0; i < host->storage_count; i++) {
        if (strcmp(host->storage[i].path, place->item->device) != 0) {
            storage[count++] = host->storage[i];
        }
    }
    host->storage = storage;
    host->storage_count = count;
    place->fleet->changed = true;
}

/* The storage takes it away from the dead host. */
static void revoke(const struct place *place, const struct sim_volume *volume)
{
    struct place there = *place;

    there.host = sim_fleet_find_host(place->fleet, place->op->other);
    if (there.host != NULL && is_attached(there.host, volume)) {
        detach(&there);
    }
}

static int provide_volume(const struct place *place, struct err *err)
{
    const struct sim_volume *volume = find_volume(place->fleet, place->item->name);
    const char *owner;

    if (volume == NULL) {
        return fail(place, err, ERR_NOT_FOUND, "the storage has no such volume", NULL);
    }
    if (place->item->device == NULL) {
        return fail(place, err, ERR_INVALID, "nobody says under what path", NULL);
    }
    if (sim_fleet_find_identity(place->host, place->item->device) != NULL) {
        return fail(place, err, ERR_EXISTS, "another volume is at", place->item->device);
    }
    if (place->op->mode == MOVE_FORCED && place->op->other != NULL &&
        op_profile(place->op)->supplies[SUPPLY_VOLUME].verbs[PROFILE_REVOKE].count > 0) {
        revoke(place, volume);
    }
    owner = volume->shared ? NULL : find_owner(place, volume);
    if (owner != NULL) {
        return fail(place, err, ERR_BUSY, "it is attached to", owner);
    }
    attach(place, volume);
    return 0;
}

static bool is_offered(const struct sim_host *host, const char *interface)
{
    return host->offers.count == 0 || sim_fleet_has_name(&host->offers, interface);
}

/* libvirt starts it, and it looks for its volumes as it starts or is told to. */
static int provide_pool(const struct place *place, struct err *err)
{
    const char *path = path_of(place->fleet->arena, place->item);
    struct sim_pool *pool = sim_fleet_find_pool(place->host, path);
    const struct profile_supply *supply = &op_profile(place->op)->supplies[SUPPLY_POOL];

    if (pool == NULL) {
        return fail(place, err, ERR_INCOMPATIBLE, "there is no such pool", NULL);
    }
    if (pool->inactive ? !supply->start : !supply->refresh) {
        return fail(place, err, ERR_REFUSED, "the profile does not let it be", NULL);
    }
    pool->inactive = false;
    pool->stale = false;
    place->fleet->changed = true;
    return 0;
}

static int provide_name(const struct place *place, struct err *err)
{
    const struct supply *item = place->item;
    const char *owner = item->kind == SUPPLY_CONFIG ? find_owner(place, NULL) : NULL;

    if (item->kind == SUPPLY_INTERFACE && !is_offered(place->host, item->name)) {
        return fail(place, err, ERR_NOT_FOUND, "the host has none of that name", NULL);
    }
    if (owner != NULL) {
        return fail(place, err, ERR_BUSY, "it is mounted on", owner);
    }
    if (item->kind == SUPPLY_CONFIG && item->device != NULL &&
        sim_fleet_find_identity(place->host, item->device) == NULL) {
        return fail(place, err, ERR_FAILED, "there is no device", item->device);
    }
    add_name(place->fleet, names_of(place->host, item->kind), item->name);
    return 0;
}

int sim_supply_provide(struct sim_fleet *fleet, const struct op *op, struct sim_host *host,
                       struct sim_findings *findings, struct err *err)
{
    const struct supply_list list = supply_list_of(&op->supplies, op->supply);
    size_t made = 0;

    for (size_t i = 0; i < list.count; i++) {
        const struct place place = { fleet, op, host, &list.items[i] };

        if (is_there(fleet, host, place.item)) {
            continue;
        }
        if ((op->supply == SUPPLY_VOLUME ? provide_volume
             : op->supply == SUPPLY_POOL ? provide_pool
                                         : provide_name)(&place, err) != 0) {
            return -1;
        }
        made++;
    }
    if (made == 0) {
        findings->note = "already there";
        findings->present[0] = SUPPLY_BIT(op->supply);
    }
    return 0;
}

static bool has_disk(const struct sim_guest *guest, const char *path)
{
    for (size_t i = 0; path != NULL && i < guest->disk_count; i++) {
        if (strcmp(guest->disks[i].path, path) == 0) {
            return true;
        }
    }
    return false;
}

static bool uses(const struct sim_guest *guest, const struct supply *item)
{
    switch (item->kind) {
    case SUPPLY_BRIDGE:
    case SUPPLY_NAT_BRIDGE:
        return sim_fleet_has_name(&guest->bridges, item->name);
    case SUPPLY_INTERFACE:
        return sim_fleet_has_name(&guest->interfaces, item->name);
    case SUPPLY_CONFIG:
        return sim_fleet_has_name(&guest->configs, item->name);
    case SUPPLY_VOLUME:
        return has_disk(guest, item->device);
    case SUPPLY_POOL:
    case SUPPLY_NONE:
    case SUPPLY_STATE: /* Its own alone: sim_state.h. */
    case SUPPLY_KIND_COUNT:
        break;
    }
    return false;
}

/* Another guest that is defined there and uses the bridge or interface, or NULL. */
static const char *find_sharer(const struct place *place)
{
    for (size_t i = 0; i < place->host->guest_count; i++) {
        const struct sim_guest *guest = &place->host->guests[i];

        if (strcmp(guest->uuid, place->op->uuid) != 0 && uses(guest, place->item)) {
            return guest->name;
        }
    }
    return NULL;
}

/* A process that works with it, or NULL. */
static const char *find_user(const struct sim_host *host, const struct supply *item)
{
    for (size_t i = 0; i < host->guest_count; i++) {
        const struct sim_guest *guest = &host->guests[i];

        if (sim_fleet_is_active(guest) && uses(guest, item)) {
            return guest->name;
        }
    }
    return NULL;
}

static bool is_mounted(const struct place *place)
{
    const struct supply_list configs = supply_list_of(&place->op->supplies, SUPPLY_CONFIG);

    for (size_t i = 0; i < configs.count; i++) {
        if (text_equal(configs.items[i].device, place->item->device) &&
            sim_fleet_has_name(&place->host->configs, configs.items[i].name)) {
            return true;
        }
    }
    return false;
}

/* 1 if it stays because others use it, who are told in '*note'. */
static int withdraw_one(const struct place *place, const char **note, struct err *err)
{
    enum supply_kind kind = place->item->kind;
    struct sim_names *names = names_of(place->host, kind);
    bool stays = supply_is_bridge(kind) || kind == SUPPLY_INTERFACE; /* With whom it is shared. */
    const char *other = stays ? find_sharer(place) : NULL;
    const char *user = other == NULL ? find_user(place->host, place->item) : NULL;

    if (other != NULL) {
        *note = text_format(place->fleet->arena, "kept: used by '%s'", other);
        return 1;
    }
    if (user != NULL) {
        return fail(place, err, ERR_BUSY, "it is in use by", user);
    }
    if (kind == SUPPLY_VOLUME && is_mounted(place)) {
        return fail(place, err, ERR_BUSY, "it is mounted", NULL);
    }
    if (kind == SUPPLY_VOLUME) {
        detach(place);
    } else if (names != NULL) {
        remove_name(place->fleet, names, place->item->name);
    }
    return 0;
}

int sim_supply_withdraw(struct sim_fleet *fleet, const struct op *op, struct sim_host *host,
                        const char **note, struct err *err)
{
    const struct supply_list list = supply_list_of(&op->supplies, op->supply);
    size_t removed = 0;

    *note = "already gone";
    if (op->supply == SUPPLY_POOL) {
        *note = "kept: it is the host's own";
        return 0;
    }
    for (size_t i = 0; i < list.count; i++) {
        const struct place place = { fleet, op, host, &list.items[i] };
        int status = is_there(fleet, host, place.item) ? withdraw_one(&place, note, err) : 1;

        if (status < 0) {
            return -1;
        }
        removed += status == 0;
    }
    if (removed == list.count) {
        *note = NULL;
    }
    return 0;
}

int sim_supply_check_owners(struct sim_fleet *fleet, const struct op *op, struct sim_host *host,
                            struct err *err)
{
    const struct supply_list list = supply_list_of(&op->supplies, SUPPLY_VOLUME);
    const struct profile *profile = op_profile(op);

    if (profile->supplies[SUPPLY_VOLUME].verbs[PROFILE_OWNERS].count == 0) {
        return 0;
    }
    for (size_t i = 0; i < list.count; i++) {
        const struct place place = { fleet, op, host, &list.items[i] };
        const struct sim_volume *volume = find_volume(fleet, list.items[i].name);
        const char *owner = volume == NULL ? NULL : find_owner(&place, volume);

        if (owner != NULL) {
            return fail(&place, err, ERR_UNSAFE, "it is attached to another host too:", owner);
        }
    }
    return 0;
}

int sim_supply_check_interfaces(const struct op *op, const struct sim_host *target, struct err *err)
{
    const struct supply_list list = supply_list_of(&op->supplies, SUPPLY_INTERFACE);

    for (size_t i = 0; i < list.count; i++) {
        const struct supply *item = &list.items[i];
        const char *user = find_user(target, item);

        if (op_profile(op)->supplies[SUPPLY_INTERFACE].verbs[PROFILE_OFFERS].count > 0 &&
            !is_offered(target, item->name)) {
            return err_set(err, ERR_INCOMPATIBLE,
                           "its definition names interface '%s', which '%s' does not have",
                           item->name, target->name);
        }
        if (user != NULL) {
            return err_set(err, ERR_CONFLICT, "interface '%s' of '%s' is in use by '%s'",
                           item->name, target->name, user);
        }
    }
    return 0;
}

uint32_t sim_supply_present(const struct sim_fleet *fleet, const struct op *op,
                            const struct sim_host *host)
{
    uint32_t present = supply_list_kinds(&op->supplies);
    struct sim_host copy = *host;

    for (size_t i = 0; i < op->supplies.count; i++) {
        if (!is_there(fleet, &copy, &op->supplies.items[i])) {
            present &= ~SUPPLY_BIT(op->supplies.items[i].kind);
        }
    }
    return present;
}

struct supply_list sim_supply_identify(const struct sim_fleet *fleet, const struct op *op,
                                       const struct sim_host *host)
{
    struct supply *items = ARENA_ARRAY(fleet->arena, struct supply, op->supplies.count);

    for (size_t i = 0; i < op->supplies.count; i++) {
        const char *path = path_of(fleet->arena, &op->supplies.items[i]);
        bool stored = op->supplies.items[i].kind == SUPPLY_VOLUME ||
                      op->supplies.items[i].kind == SUPPLY_POOL;

        items[i] = op->supplies.items[i];
        items[i].identity = stored && path != NULL ? sim_fleet_find_identity(host, path) : NULL;
    }
    return (struct supply_list){ items, op->supplies.count };
}

void sim_supply_prove(const struct op *op, const struct sim_host *host, struct check_list *checks)
{
    const struct supply_list list = supply_list_of(&op->supplies, op->supply);

    for (size_t i = 0; i < list.count; i++) {
        const struct supply *item = &list.items[i];
        const char *path = path_of(checks->arena, item);
        const char *found = item->identity == NULL ? NULL : sim_fleet_find_identity(host, path);

        if (item->identity == NULL) {
            continue;
        }
        if (text_equal(found, item->identity)) {
            check_pass(checks, CHECK_STORAGE, "%s '%s' (%s) is the same storage on '%s'",
                       supply_kind_name(item->kind), item->name, path, host->name);
        } else {
            check_fail(checks, CHECK_STORAGE, ERR_UNSAFE, "attach the same volume there",
                       "%s '%s' (%s) is not the same storage on '%s' (%s) as on '%s' (%s)",
                       supply_kind_name(item->kind), item->name, path, host->name,
                       found == NULL ? "nothing" : found,
                       op->other == NULL ? "its source" : op->other, item->identity);
        }
    }
}

const char *sim_supply_missing_interface(const struct sim_host *host, const struct sim_guest *guest)
{
    for (size_t i = 0; i < guest->interfaces.count; i++) {
        if (!sim_fleet_has_name(&host->interfaces, guest->interfaces.items[i])) {
            return guest->interfaces.items[i];
        }
    }
    return NULL;
}

const char *sim_supply_missing(const struct sim_host *host, const struct sim_guest *guest,
                               const char **what)
{
    const char *interface = sim_supply_missing_interface(host, guest);

    if (interface != NULL) {
        *what = "interface";
        return interface;
    }
    for (size_t i = 0; i < guest->configs.count; i++) {
        *what = "mounted configuration volume";
        if (!sim_fleet_has_name(&host->configs, guest->configs.items[i])) {
            return guest->configs.items[i];
        }
    }
    return NULL;
}

static void tell(enum supply_kind kind, const char *name, const char *device,
                 struct supply_list *list, struct supply *items)
{
    if (supply_is_name(name) && (device == NULL || supply_is_device(device))) {
        items[list->count++] = (struct supply){ .kind = kind, .name = name, .device = device };
    }
}

static void tell_names(enum supply_kind kind, const struct sim_names *names,
                       struct supply_list *list, struct supply *items)
{
    for (size_t i = 0; i < names->count; i++) {
        tell(kind, names->items[i], NULL, list, items);
    }
}

/* Disks are volumes of the platform if the fleet has one of their identity. */
static void tell_disks(const struct sim_fleet *fleet, const struct sim_guest *guest,
                       struct supply_list *list, struct supply *items)
{
    for (size_t i = 0; i < guest->disk_count; i++) {
        size_t length;

        if (sim_fleet_pool_name(guest->disks[i].path, &length) != NULL) {
            continue;
        }
        for (size_t j = 0; j < fleet->volume_count; j++) {
            if (strcmp(identity_of(&fleet->volumes[j]), guest->disks[i].identity) == 0) {
                tell(SUPPLY_VOLUME, fleet->volumes[j].name, guest->disks[i].path, list, items);
                break;
            }
        }
    }
}

static void tell_pools(struct arena *arena, const struct sim_guest *guest, struct supply_list *list,
                       struct supply *items)
{
    for (size_t i = 0; i < guest->disk_count; i++) {
        size_t length = 0;
        const char *name = sim_fleet_pool_name(guest->disks[i].path, &length);

        if (name != NULL) {
            items[list->count++] = (struct supply){ .kind = SUPPLY_POOL,
                                                    .name = text_copy(arena, name, length),
                                                    .volume = name + length + 1 };
        }
    }
}

struct supply_list sim_supply_of(struct arena *arena, const struct sim_fleet *fleet,
                                 const struct sim_guest *guest)
{
    size_t most = guest->bridges.count + guest->interfaces.count + guest->disk_count +
                  guest->configs.count + 1;
    struct supply *items = ARENA_ARRAY(arena, struct supply, most);
    struct supply_list list = { items, 0 };
    struct supply_list sorted;
    struct err err;

    tell_names(SUPPLY_BRIDGE, &guest->bridges, &list, items);
    tell_names(SUPPLY_INTERFACE, &guest->interfaces, &list, items);
    tell_disks(fleet, guest, &list, items);
    tell_pools(arena, guest, &list, items);
    tell_names(SUPPLY_CONFIG, &guest->configs, &list, items);
    if (guest->nvram != NULL) {
        tell(SUPPLY_STATE, SUPPLY_NVRAM, guest->nvram, &list, items);
    }
    return supply_list_make(arena, items, list.count, &sorted, &err) == 0
               ? sorted
               : (struct supply_list){ .count = 0 };
}
