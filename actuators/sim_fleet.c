/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/sim_fleet.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "actuators/sim_supply.h"
#include "actuators/sim_xml.h"
#include "base/arena.h"
#include "base/text.h"

struct sim_host *sim_fleet_find_host(const struct sim_fleet *fleet, const char *name)
{
    return text_find(name, fleet->hosts, fleet->host_count, sizeof(*fleet->hosts));
}

struct sim_guest *sim_fleet_find_guest(const struct sim_host *host, const char *uuid)
{
    for (size_t i = 0; i < host->guest_count; i++) {
        if (strcmp(host->guests[i].uuid, uuid) == 0) {
            return &host->guests[i];
        }
    }
    return NULL;
}

const struct sim_guest *sim_fleet_find_guest_named(const struct sim_host *host, const char *name)
{
    for (size_t i = 0; i < host->guest_count; i++) {
        if (strcmp(host->guests[i].name, name) == 0) {
            return &host->guests[i];
        }
    }
    return NULL;
}

bool sim_fleet_is_active(const struct sim_guest *guest)
{
    return guest->state != GUEST_SHUTOFF;
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static uint64_t pool_kib(const struct observed_hugepages *pages)
{
    return pages->total * pages->page_kib;
}

/* All memory in pages of this size: the ordinary ones are what the pools leave. */
static uint64_t memory_of(const struct sim_host *host, uint64_t hugepage_kib)
{
    uint64_t ordinary = host->memory_kib;

    for (size_t i = 0; i < host->hugepage_count; i++) {
        if (host->hugepages[i].page_kib == hugepage_kib) {
            return pool_kib(&host->hugepages[i]);
        }
        ordinary = less(ordinary, pool_kib(&host->hugepages[i]));
    }
    return hugepage_kib == 0 ? ordinary : 0;
}

uint64_t sim_fleet_free_kib(const struct sim_host *host, uint64_t hugepage_kib)
{
    uint64_t used = 0;

    for (size_t i = 0; i < host->guest_count; i++) {
        const struct sim_guest *guest = &host->guests[i];

        used += sim_fleet_is_active(guest) && guest->hugepage_kib == hugepage_kib
                    ? guest->memory_kib
                    : 0;
    }
    return less(memory_of(host, hugepage_kib), used);
}

const char *sim_fleet_pool_name(const char *path, size_t *length)
{
    static const char folder[] = "/pool/";
    const char *name = path + strlen(folder);

    if (strncmp(path, folder, strlen(folder)) != 0) {
        return NULL;
    }
    *length = strcspn(name, "/");
    return *length > 0 && name[*length] == '/' && name[*length + 1] != '\0' ? name : NULL;
}

struct sim_pool *sim_fleet_find_pool(const struct sim_host *host, const char *path)
{
    size_t length = 0;
    const char *name = sim_fleet_pool_name(path, &length);

    for (size_t i = 0; name != NULL && i < host->pool_count; i++) {
        const char *own = host->pools[i].name;

        if (strlen(own) == length && strncmp(own, name, length) == 0) {
            return &host->pools[i];
        }
    }
    return NULL;
}

/* Does its pool give the volume, if it is in one? */
static bool is_given(const struct sim_host *host, const char *path)
{
    const struct sim_pool *pool = sim_fleet_find_pool(host, path);
    size_t length;

    return sim_fleet_pool_name(path, &length) == NULL ||
           (pool != NULL && !pool->inactive && !pool->stale);
}

const char *sim_fleet_find_identity(const struct sim_host *host, const char *path)
{
    if (!is_given(host, path)) {
        return NULL;
    }
    for (size_t i = 0; i < host->storage_count; i++) {
        if (strcmp(host->storage[i].path, path) == 0) {
            return host->storage[i].identity;
        }
    }
    return NULL;
}

bool sim_fleet_has_name(const struct sim_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i], name) == 0) {
            return true;
        }
    }
    return false;
}

bool sim_fleet_knows_machine(const struct sim_host *host, const char *machine)
{
    return host->machines.count == 0 || sim_fleet_has_name(&host->machines, machine);
}

bool sim_fleet_is_cached(const struct sim_disk *disk)
{
    return disk->cache != NULL && strcmp(disk->cache, "none") != 0;
}

struct sim_migration *sim_fleet_find_migration(const struct sim_fleet *fleet, const char *uuid,
                                               const char *from, const char *to)
{
    for (size_t i = 0; i < fleet->migration_count; i++) {
        struct sim_migration *migration = &fleet->migrations[i];

        if (strcmp(migration->uuid, uuid) == 0 &&
            (from == NULL || strcmp(migration->from, from) == 0) &&
            (to == NULL || strcmp(migration->to, to) == 0)) {
            return migration;
        }
    }
    return NULL;
}

void sim_fleet_remove_guest(struct sim_fleet *fleet, struct sim_host *host, struct sim_guest *guest)
{
    size_t index = (size_t)(guest - host->guests);

    memmove(guest, guest + 1, (host->guest_count - index - 1) * sizeof(*guest));
    host->guest_count--;
    fleet->changed = true;
}

struct sim_guest *sim_fleet_add_guest(struct sim_fleet *fleet, struct sim_host *host,
                                      const struct sim_guest *guest)
{
    struct sim_guest copy = *guest;
    size_t at = 0;

    if (host->guest_count == host->guest_room) {
        size_t room = host->guest_room * 2 + 4;
        struct sim_guest *guests = ARENA_ARRAY(fleet->arena, struct sim_guest, room);

        if (host->guest_count > 0) {
            memcpy(guests, host->guests, host->guest_count * sizeof(*guests));
        }
        host->guests = guests;
        host->guest_room = room;
    }
    while (at < host->guest_count && strcmp(host->guests[at].name, copy.name) < 0) {
        at++;
    }
    memmove(&host->guests[at + 1], &host->guests[at],
            (host->guest_count - at) * sizeof(*host->guests));
    host->guests[at] = copy;
    host->guest_count++;
    fleet->changed = true;
    return &host->guests[at];
}

void sim_fleet_set_state(struct sim_fleet *fleet, struct sim_guest *guest, enum guest_state state,
                         enum guest_reason reason)
{
    guest->state = state;
    guest->reason = reason;
    guest->stops_ms = 0;
    fleet->changed = true;
}

void sim_fleet_stop_at(struct sim_fleet *fleet, struct sim_guest *guest, int64_t wall_ms)
{
    guest->stops_ms = wall_ms > 0 ? wall_ms : 1; /* 0 would be no request at all. */
    fleet->changed = true;
}

bool sim_fleet_is_incoming(const struct sim_guest *guest)
{
    return guest->state == GUEST_PAUSED && guest->reason == GUEST_REASON_STARTING_UP;
}

/* Takes a migration off the books; what it leaves on its hosts is the caller's affair. */
static void forget_migration(struct sim_fleet *fleet, struct sim_migration *migration)
{
    *migration = fleet->migrations[--fleet->migration_count];
    fleet->changed = true;
}

void sim_fleet_abort_migration(struct sim_fleet *fleet, struct sim_migration *migration)
{
    struct sim_host *target = sim_fleet_find_host(fleet, migration->to);
    struct sim_guest *copy = sim_fleet_find_guest(target, migration->uuid);

    if (copy != NULL && sim_fleet_is_incoming(copy)) {
        sim_fleet_remove_guest(fleet, target, copy);
    }
    forget_migration(fleet, migration);
}

void sim_fleet_end_process(struct sim_fleet *fleet, struct sim_host *host, struct sim_guest *guest,
                           enum guest_reason reason)
{
    struct sim_migration *migration =
        sim_fleet_find_migration(fleet, guest->uuid, host->name, NULL);

    if (migration != NULL) {
        sim_fleet_abort_migration(fleet, migration);
    }
    guest->job = GUEST_JOB_NONE;
    if (!guest->persistent) {
        sim_fleet_remove_guest(fleet, host, guest);
        return;
    }
    if (guest->config_memory_kib != 0) {
        guest->memory_kib = guest->config_memory_kib;
    }
    sim_fleet_set_state(fleet, guest, GUEST_SHUTOFF, reason);
}

static void add_incoming(struct sim_fleet *fleet, struct sim_host *target,
                         const struct sim_guest *guest)
{
    struct sim_guest copy = *guest;

    copy.persistent = false;
    copy.autostart = false;
    copy.held = false;
    copy.exempt = false;
    copy.job = GUEST_JOB_NONE;
    copy.stops_ms = 0;
    copy.state = GUEST_PAUSED;
    copy.reason = GUEST_REASON_STARTING_UP;
    (void)sim_fleet_add_guest(fleet, target, &copy);
}

void sim_fleet_add_migration(struct sim_fleet *fleet, const struct sim_migration *migration,
                             struct sim_host *target, const struct sim_guest *guest)
{
    if (fleet->migration_count == fleet->migration_room) {
        size_t room = fleet->migration_room * 2 + 4;
        struct sim_migration *migrations = ARENA_ARRAY(fleet->arena, struct sim_migration, room);

        if (fleet->migration_count > 0) {
            memcpy(migrations, fleet->migrations, fleet->migration_count * sizeof(*migrations));
        }
        fleet->migrations = migrations;
        fleet->migration_room = room;
    }
    fleet->migrations[fleet->migration_count++] = *migration;
    add_incoming(fleet, target, guest);
}

static void power_cut(struct sim_fleet *fleet, struct sim_host *host)
{
    for (size_t i = fleet->migration_count; i-- > 0;) {
        if (strcmp(fleet->migrations[i].to, host->name) == 0) {
            sim_fleet_abort_migration(fleet, &fleet->migrations[i]);
        }
    }
    for (size_t i = host->guest_count; i-- > 0;) {
        if (sim_fleet_is_active(&host->guests[i])) {
            sim_fleet_end_process(fleet, host, &host->guests[i], GUEST_REASON_UNKNOWN);
        }
    }
    host->dark = true;
    fleet->changed = true;
}

/* Whether everything is there that a guest needs to start. */
static bool has_needs(const struct sim_host *host, const struct sim_guest *guest)
{
    const char *what;

    for (size_t i = 0; i < guest->disk_count; i++) {
        if (sim_fleet_find_identity(host, guest->disks[i].path) == NULL) {
            return false;
        }
    }
    return sim_supply_missing(host, guest, &what) == NULL;
}

/* libvirtd starts what is marked so before it answers its first client, and after the guard has run. */
static void boot(struct sim_fleet *fleet, struct sim_host *host)
{
    bool guarded = host->guard == OBSERVED_GUARD_HOLDING || host->guard == OBSERVED_GUARD_RELEASED;

    host->guard = guarded ? OBSERVED_GUARD_HOLDING : host->guard;
    for (size_t i = 0; i < host->guest_count; i++) {
        struct sim_guest *guest = &host->guests[i];

        if (guarded && !guest->exempt) {
            guest->held |= guest->autostart;
            guest->autostart = false;
        }
        if (guest->autostart && !sim_fleet_is_active(guest) && has_needs(host, guest) &&
            guest->memory_kib <= sim_fleet_free_kib(host, guest->hugepage_kib)) {
            sim_fleet_set_state(fleet, guest, GUEST_RUNNING,
                                guest->managed_save ? GUEST_REASON_RESTORED : GUEST_REASON_BOOTED);
            guest->managed_save = false;
        }
    }
    host->dark = false;
    fleet->changed = true;
}

/* Whoever turns it on meanwhile finds no power. */
static void obey_fence(struct sim_fleet *fleet, struct sim_host *host, int64_t wall_ms)
{
    if (host->fence_ms != 0 && host->fence_ms <= wall_ms) {
        host->fence_ms = 0;
        host->fenced = true;
    }
    if (host->fenced && host->power != SIM_POWER_OFF) {
        host->power = SIM_POWER_OFF;
        fleet->changed = true;
    }
}

static void advance_host(struct sim_fleet *fleet, struct sim_host *host, int64_t wall_ms)
{
    obey_fence(fleet, host, wall_ms);
    if (host->power == SIM_POWER_OFF && !host->dark) {
        power_cut(fleet, host);
    } else if (host->power != SIM_POWER_OFF && host->dark) {
        boot(fleet, host);
    }
    for (size_t i = host->guest_count; i-- > 0;) {
        struct sim_guest *guest = &host->guests[i];

        if (guest->stops_ms != 0 && guest->stops_ms <= wall_ms) {
            sim_fleet_end_process(fleet, host, guest, GUEST_REASON_SHUTDOWN);
        }
    }
}

/* Switchover: the copy runs (or stays paused, as it was), the source's definition goes, and with it
 * autostart, which libvirt does not carry over. */
static void complete_migration(struct sim_fleet *fleet, struct sim_migration *migration)
{
    struct sim_host *source = sim_fleet_find_host(fleet, migration->from);
    struct sim_host *target = sim_fleet_find_host(fleet, migration->to);
    struct sim_guest *guest = sim_fleet_find_guest(source, migration->uuid);
    struct sim_guest *copy = sim_fleet_find_guest(target, migration->uuid);

    assert(guest != NULL &&
           copy != NULL); /* A migration has both ends for as long as it is kept. */
    copy->state = guest->state;
    copy->reason = guest->state == GUEST_PAUSED ? guest->reason : GUEST_REASON_MIGRATED;
    copy->persistent = migration->persistent;
    copy->stops_ms = guest->stops_ms;
    sim_fleet_remove_guest(fleet, source, guest);
    forget_migration(fleet, migration);
}

/* A migration may come from a file by hand, or have lost a side to someone's hands since. */
static bool is_sound(struct sim_fleet *fleet, const struct sim_migration *migration)
{
    struct sim_host *source = sim_fleet_find_host(fleet, migration->from);
    struct sim_host *target = sim_fleet_find_host(fleet, migration->to);
    struct sim_guest *guest = sim_fleet_find_guest(source, migration->uuid);
    struct sim_guest *copy = sim_fleet_find_guest(target, migration->uuid);

    if (guest == NULL || !sim_fleet_is_active(guest) || target->power == SIM_POWER_OFF) {
        return false;
    }
    if (copy == NULL && sim_fleet_find_guest_named(target, guest->name) == NULL) {
        add_incoming(fleet, target, guest);
        return true;
    }
    return copy != NULL && sim_fleet_is_incoming(copy);
}

bool sim_fleet_is_frozen(const struct sim_fleet *fleet, const struct sim_migration *migration)
{
    return sim_fleet_find_host(fleet, migration->from)->power == SIM_POWER_FROZEN ||
           sim_fleet_find_host(fleet, migration->to)->power == SIM_POWER_FROZEN;
}

static bool never_ends(const struct sim_migration *migration)
{
    return migration->stalled || migration->endless;
}

static void advance_migration(struct sim_fleet *fleet, struct sim_migration *migration,
                              int64_t wall_ms)
{
    if (!is_sound(fleet, migration)) {
        sim_fleet_abort_migration(fleet, migration);
        return;
    }
    if (migration->begun_ms == 0 || migration->begun_ms > wall_ms) {
        /* A clock set back must not make the migration endless. */
        migration->begun_ms = wall_ms;
        fleet->changed = true;
    }
    if (sim_fleet_is_frozen(fleet, migration)) {
        return; /* The guest stands still at switchover until the thaw. */
    }
    if (migration->cancelled) {
        sim_fleet_abort_migration(fleet, migration);
    } else if (!never_ends(migration) && wall_ms - migration->begun_ms >= migration->duration_ms) {
        complete_migration(fleet, migration);
    }
}

void sim_fleet_advance(struct sim_fleet *fleet, int64_t wall_ms)
{
    for (size_t i = 0; i < fleet->host_count; i++) {
        advance_host(fleet, &fleet->hosts[i], wall_ms);
    }
    for (size_t i = fleet->migration_count; i-- > 0;) {
        advance_migration(fleet, &fleet->migrations[i], wall_ms);
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t sim_fleet_next_ms(const struct sim_fleet *fleet)
{
    int64_t next_ms = INT64_MAX;

    for (size_t i = 0; i < fleet->host_count; i++) {
        const struct sim_host *host = &fleet->hosts[i];

        for (size_t j = 0; j < host->guest_count; j++) {
            int64_t stops_ms = host->guests[j].stops_ms;

            next_ms = stops_ms != 0 ? earlier(next_ms, stops_ms) : next_ms;
        }
    }
    for (size_t i = 0; i < fleet->migration_count; i++) {
        const struct sim_migration *migration = &fleet->migrations[i];

        if (!never_ends(migration) && !sim_fleet_is_frozen(fleet, migration)) {
            next_ms = earlier(next_ms, migration->begun_ms + migration->duration_ms);
        }
    }
    return next_ms;
}

bool sim_fleet_take_fault(struct sim_fleet *fleet, unsigned op, const char *host, const char *guest,
                          struct sim_fault *fault)
{
    for (size_t i = 0; i < fleet->fault_count; i++) {
        struct sim_fault *candidate = &fleet->faults[i];

        if (candidate->op != op ||
            (candidate->host != NULL && strcmp(candidate->host, host) != 0) ||
            (candidate->guest != NULL && !text_equal(candidate->guest, guest))) {
            continue;
        }
        *fault = *candidate;
        if (--candidate->times == 0) {
            memmove(candidate, candidate + 1,
                    (fleet->fault_count - i - 1) * sizeof(*fleet->faults));
            fleet->fault_count--;
        }
        fleet->changed = true;
        return true;
    }
    return false;
}

enum guest_job sim_fleet_job(const struct sim_fleet *fleet, const struct sim_host *host,
                             const struct sim_guest *guest)
{
    if (sim_fleet_find_migration(fleet, guest->uuid, host->name, NULL) != NULL) {
        return GUEST_JOB_OUTGOING;
    }
    return sim_fleet_find_migration(fleet, guest->uuid, NULL, host->name) != NULL
               ? GUEST_JOB_INCOMING
               : guest->job;
}

static struct observed_guest observe_guest(const struct sim_fleet *fleet,
                                           const struct sim_host *host,
                                           const struct sim_guest *guest, struct arena *arena)
{
    return (struct observed_guest){
        .name = guest->name,
        .uuid = guest->uuid,
        .state = guest->state,
        .reason = guest->reason,
        .job = sim_fleet_job(fleet, host, guest),
        .memory_kib = guest->memory_kib,
        .config_memory_kib =
            guest->config_memory_kib != 0 ? guest->config_memory_kib : guest->memory_kib,
        .vcpus = (uint32_t)guest->vcpus,
        .persistent = guest->persistent,
        .autostart = guest->autostart || guest->held,
        .exempt = guest->exempt,
        .held = guest->held,
        .managed_save = guest->managed_save,
        .has_nvram = guest->has_nvram || guest->nvram != NULL,
        .has_tpm = guest->has_tpm,
        .snapshots = (int32_t)guest->snapshots,
        .hostdevs = (int32_t)guest->hostdevs,
        .hugepage_kib = (int32_t)guest->hugepage_kib,
        .numa_nodes = (int32_t)guest->numa_nodes,
        .machine = guest->machine,
        .cpu_mode = guest->cpu_mode,
        .supplies = sim_supply_of(arena, fleet, guest),
        .xml = sim_xml_write(arena, guest),
    };
}

static const struct observed_hugepages *observe_pools(const struct sim_host *host,
                                                      struct arena *arena)
{
    struct observed_hugepages *pools =
        ARENA_ARRAY(arena, struct observed_hugepages, host->hugepage_count);

    for (size_t i = 0; i < host->hugepage_count; i++) {
        uint64_t page_kib = host->hugepages[i].page_kib;

        pools[i] = host->hugepages[i];
        pools[i].free = sim_fleet_free_kib(host, page_kib) / page_kib;
    }
    return pools;
}

struct observed_host sim_fleet_observe(const struct sim_fleet *fleet, const struct sim_host *host,
                                       struct arena *arena, int64_t wall_ms)
{
    struct observed_guest *guests = ARENA_ARRAY(arena, struct observed_guest, host->guest_count);

    for (size_t i = 0; i < host->guest_count; i++) {
        guests[i] = observe_guest(fleet, host, &host->guests[i], arena);
    }
    return (struct observed_host){
        .name = host->name,
        .reachable = true,
        .as_of_ms = wall_ms,
        .memory_kib = host->memory_kib,
        .free_kib = sim_fleet_free_kib(host, 0),
        .cpus = (uint32_t)host->cpus,
        .numa_nodes = (uint32_t)host->numa_nodes,
        .qemu_version = host->qemu_version,
        .libvirt_version = host->libvirt_version,
        .guard = host->guard,
        .lock_manager = host->lock_manager,
        .hostname = host->hostname != NULL ? host->hostname : host->name,
        .arch = host->arch,
        .cpu_model = host->cpu_model,
        .cpu_fingerprint = host->cpu_fingerprint,
        .machines = host->machines.items,
        .machine_count = host->machines.count,
        .hugepages = observe_pools(host, arena),
        .hugepage_count = host->hugepage_count,
        .guests = guests,
        .guest_count = host->guest_count,
    };
}
