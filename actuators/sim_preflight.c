/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/sim_preflight.h"

#include <inttypes.h>
#include <string.h>

#include "actuators/sim_fleet.h"
#include "actuators/sim_state.h"
#include "actuators/sim_supply.h"
#include "actuators/sim_xml.h"
#include "base/base.h"
#include "base/clock.h"
#include "base/text.h"
#include "model/check.h"
#include "model/op.h"
#include "model/platform.h"
#include "model/profile.h"

#define CLOSE_MS 1000 /* Clocks that are no further apart are close. */

struct preflight {
    const struct sim_fleet *fleet;
    const struct op *op;
    const struct sim_host *source; /* NULL: it cannot be asked. */
    const struct sim_host *target;
    const struct sim_guest *guest; /* NULL: the source, or whoever gave it, does not know it. */
    struct check_list *list;
    bool live;
};

static void check_paused(const struct preflight *preflight)
{
    if (preflight->guest->reason == GUEST_REASON_USER && preflight->live) {
        check_pass(preflight->list, CHECK_STATE, "it is paused by its user");
    } else if (preflight->guest->reason == GUEST_REASON_USER) {
        check_fail(preflight->list, CHECK_STATE, ERR_UNSAFE, "resume it first",
                   "it is paused and cannot be shut down");
    } else {
        check_fail(preflight->list, CHECK_STATE, ERR_UNSAFE, "clear that up first",
                   "it is paused (%s)", observed_reason_name(preflight->guest->reason));
    }
}

static bool is_fitting(const struct preflight *preflight)
{
    bool running = preflight->guest->state == GUEST_RUNNING;
    bool off = preflight->guest->state == GUEST_SHUTOFF;

    return preflight->live ? running : off || (running && preflight->op->mode != MOVE_COLD);
}

static void check_state(const struct preflight *preflight)
{
    const struct sim_guest *guest = preflight->guest;
    struct check_list *list = preflight->list;

    if (guest->state == GUEST_PAUSED) {
        check_paused(preflight);
    } else if (!preflight->live && !guest->persistent) {
        check_fail(list, CHECK_STATE, ERR_UNSAFE, "define it, or move it live",
                   "it is transient: stopping it would lose its definition");
    } else if (!is_fitting(preflight)) {
        check_fail(list, CHECK_STATE, ERR_CONFLICT, "plan anew",
                   "it is %s (%s), which is no beginning of a move that is '%s'",
                   observed_state_name(guest->state), observed_reason_name(guest->reason),
                   op_mode_name(preflight->op->mode));
    } else {
        check_pass(list, CHECK_STATE, "it is %s on '%s'", observed_state_name(guest->state),
                   preflight->source->name);
    }
}

static void check_uuid(const struct preflight *preflight)
{
    if (sim_fleet_find_guest(preflight->target, preflight->op->uuid) == NULL) {
        check_pass(preflight->list, CHECK_UUID, "'%s' has no guest of this UUID",
                   preflight->target->name);
    } else {
        check_fail(preflight->list, CHECK_UUID, ERR_EXISTS, "rename or undefine it there",
                   "'%s' already has a guest of this UUID", preflight->target->name);
    }
}

static void check_name(const struct preflight *preflight)
{
    if (sim_fleet_find_guest_named(preflight->target, preflight->op->guest) == NULL) {
        check_pass(preflight->list, CHECK_NAME, "'%s' has no guest of this name",
                   preflight->target->name);
    } else {
        check_fail(preflight->list, CHECK_NAME, ERR_EXISTS, "rename or undefine it there",
                   "'%s' already has a guest of this name", preflight->target->name);
    }
}

static void check_save(const struct preflight *preflight)
{
    if (preflight->guest->managed_save) {
        check_fail(preflight->list, CHECK_SAVE, ERR_UNSAFE, "start it or remove the image",
                   "it has a managed save image");
    } else {
        check_pass(preflight->list, CHECK_SAVE, "it has no managed save image");
    }
}

static void check_snapshots(const struct preflight *preflight)
{
    if (preflight->guest->snapshots > 0) {
        check_fail(preflight->list, CHECK_SNAPSHOTS, ERR_UNSAFE, "delete them first",
                   "it has snapshots (%" PRIu64 "), which do not move",
                   preflight->guest->snapshots);
    } else {
        check_pass(preflight->list, CHECK_SNAPSHOTS, "it has no snapshots");
    }
}

static void check_hostdevs(const struct preflight *preflight)
{
    if (preflight->guest->hostdevs > 0) {
        check_fail(preflight->list, CHECK_HOSTDEVS, ERR_INCOMPATIBLE,
                   "detach them, or move it offline", "it uses devices of its host (%" PRIu64 ")",
                   preflight->guest->hostdevs);
    } else {
        check_pass(preflight->list, CHECK_HOSTDEVS, "it uses no device of its host");
    }
}

static void check_job(const struct preflight *preflight)
{
    if (sim_fleet_job(preflight->fleet, preflight->source, preflight->guest) != GUEST_JOB_NONE) {
        check_fail(preflight->list, CHECK_JOB, ERR_BUSY, "let it end first", "a job runs on it");
    } else {
        check_pass(preflight->list, CHECK_JOB, "no job runs on it");
    }
}

static void check_block_job(const struct preflight *preflight)
{
    if (preflight->guest->block_job) {
        check_fail(preflight->list, CHECK_BLOCK_JOB, ERR_BUSY, "let it end first",
                   "a block job runs on a disk of it");
    } else {
        check_pass(preflight->list, CHECK_BLOCK_JOB, "no block job runs on its disks");
    }
}

static void check_arch(const struct preflight *preflight)
{
    if (strcmp(preflight->source->arch, preflight->target->arch) == 0) {
        check_pass(preflight->list, CHECK_ARCH, "both hosts are %s", preflight->target->arch);
    } else {
        check_fail(preflight->list, CHECK_ARCH, ERR_INCOMPATIBLE,
                   "place it on a host of its own architecture", "'%s' is %s and '%s' is %s",
                   preflight->source->name, preflight->source->arch, preflight->target->name,
                   preflight->target->arch);
    }
}

static void check_version(const struct preflight *preflight)
{
    const struct sim_host *from = preflight->source;
    const struct sim_host *to = preflight->target;

    if (to->qemu_version >= from->qemu_version && to->libvirt_version >= from->libvirt_version) {
        check_pass(preflight->list, CHECK_VERSION, "'%s' has no older QEMU or libvirt", to->name);
    } else if (preflight->op->live.allow_downgrade) {
        check_warn(preflight->list, CHECK_VERSION, NULL,
                   "'%s' has an older QEMU or libvirt, and allow_downgrade = yes", to->name);
    } else {
        check_fail(preflight->list, CHECK_VERSION, ERR_INCOMPATIBLE,
                   "upgrade it, or set [migrate] allow_downgrade = yes",
                   "'%s' has an older QEMU or libvirt", to->name);
    }
}

static void check_machine(const struct preflight *preflight)
{
    const char *machine = preflight->guest->machine;

    if (sim_fleet_knows_machine(preflight->target, machine)) {
        check_pass(preflight->list, CHECK_MACHINE, "'%s' has '%s'", preflight->target->name,
                   machine);
    } else {
        check_fail(preflight->list, CHECK_MACHINE, ERR_INCOMPATIBLE,
                   "update QEMU there, or change the type", "'%s' has no machine type '%s'",
                   preflight->target->name, machine);
    }
}

static void check_cpu(const struct preflight *preflight)
{
    if (!preflight->live || strcmp(preflight->guest->cpu_mode, "host-passthrough") != 0) {
        check_pass(preflight->list, CHECK_CPU, "'%s' can be the CPU that it sees",
                   preflight->target->name);
    } else if (strcmp(preflight->source->cpu_fingerprint, preflight->target->cpu_fingerprint) ==
               0) {
        check_pass(preflight->list, CHECK_CPU, "the hosts' CPUs are equal");
    } else {
        check_fail(preflight->list, CHECK_CPU, ERR_INCOMPATIBLE,
                   "use a named CPU model, or move it offline",
                   "its CPU mode is %s, and the hosts' CPUs are not equal",
                   preflight->guest->cpu_mode);
    }
}

static void check_cpus(const struct preflight *preflight)
{
    uint64_t need = preflight->guest->vcpus;
    uint64_t have = preflight->target->cpus;

    if (need > have) {
        check_warn(preflight->list, CHECK_CPUS, "give it fewer",
                   "it has %" PRIu64 " CPUs, and '%s' has only %" PRIu64, need,
                   preflight->target->name, have);
    } else {
        check_pass(preflight->list, CHECK_CPUS, "it has %" PRIu64 ", '%s' has %" PRIu64, need,
                   preflight->target->name, have);
    }
}

/* A cold move starts nobody, and the room for a guest that is stopped early is made only then. */
static void check_room(const struct preflight *preflight, enum check_kind kind, bool taken,
                       const char *what)
{
    bool starts = preflight->op->mode != MOVE_COLD && preflight->op->mode != MOVE_STOP;
    uint64_t need = preflight->guest->memory_kib;
    uint64_t free = sim_fleet_free_kib(preflight->target, preflight->guest->hugepage_kib);

    if (!starts || !taken) {
        check_pass(preflight->list, kind, "it takes no %s there", what);
    } else if (need > free) {
        check_fail(preflight->list, kind, ERR_FAILED, "free some there",
                   "'%s' would need %" PRIu64 " MiB of %s free now, and has only %" PRIu64 " MiB",
                   preflight->target->name, need / 1024, what, free / 1024);
    } else {
        check_pass(preflight->list, kind,
                   "it needs %" PRIu64 " MiB, '%s' has %" PRIu64 " MiB available", need / 1024,
                   preflight->target->name, free / 1024);
    }
}

static void check_memory(const struct preflight *preflight)
{
    check_room(preflight, CHECK_MEMORY, preflight->guest->hugepage_kib == 0, "memory");
}

static void check_pages(const struct preflight *preflight)
{
    check_room(preflight, CHECK_PAGES, preflight->guest->hugepage_kib != 0, "huge pages");
}

static void check_nodes(const struct preflight *preflight)
{
    if (preflight->guest->numa_nodes > preflight->target->numa_nodes) {
        check_fail(preflight->list, CHECK_NODES, ERR_INCOMPATIBLE, "change or remove numatune",
                   "its memory is bound to NUMA nodes that '%s' does not have",
                   preflight->target->name);
    } else {
        check_pass(preflight->list, CHECK_NODES, "'%s' has the NUMA nodes that it is bound to",
                   preflight->target->name);
    }
}

static void check_cache(const struct preflight *preflight)
{
    size_t cached = 0;

    for (size_t i = 0; i < preflight->guest->disk_count; i++) {
        const struct sim_disk *disk = &preflight->guest->disks[i];

        if (sim_fleet_is_cached(disk)) {
            check_fail(preflight->list, CHECK_CACHE, ERR_UNSAFE, "set cache='none'",
                       "its disk '%s' has cache mode '%s'", disk->path, disk->cache);
            cached++;
        }
    }
    if (cached == 0) {
        check_pass(preflight->list, CHECK_CACHE, "no disk goes through a cache of its host");
    }
}

/* The platform brings it to the target before the guest comes. */
static bool comes_later(const struct preflight *preflight, const char *bridge, const char *device)
{
    const struct supply_list *supplies = &preflight->op->supplies;

    for (size_t i = 0; !preflight->op->prepared && i < supplies->count; i++) {
        const struct supply *item = &supplies->items[i];

        if (bridge != NULL ? supply_is_bridge(item->kind) && strcmp(item->name, bridge) == 0
                           : item->kind == SUPPLY_VOLUME && text_equal(item->device, device)) {
            return true;
        }
    }
    return false;
}

/* Is it in a pool that the target has as it must be, active or brought about before the move?  '*later' in the
 * latter case; what is wrong with it has been noted. */
static bool judge_pool(const struct preflight *preflight, const char *path, bool *later)
{
    const struct profile *profile = op_profile(preflight->op);
    const struct profile_supply *supply = &profile->supplies[SUPPLY_POOL];
    const struct sim_pool *pool = sim_fleet_find_pool(preflight->target, path);
    const char *target = preflight->target->name;
    size_t length;

    *later = false;
    if (sim_fleet_pool_name(path, &length) == NULL) {
        return true;
    }
    if (pool == NULL) {
        check_fail(preflight->list, CHECK_STORAGE, ERR_INCOMPATIBLE,
                   "define a pool of that name on the same storage there",
                   "'%s' has no storage pool that '%s' is in", target, path);
        return false;
    }
    if (!pool->inactive && !pool->stale) {
        return true;
    }
    if (pool->different) {
        check_fail(preflight->list, CHECK_STORAGE, ERR_INCOMPATIBLE, "define it as it is there",
                   "storage pool '%s' of '%s' is not defined as its source's", pool->name, target);
        return false;
    }
    if (preflight->op->prepared || !profile_takes(profile, SUPPLY_POOL, pool->name, NULL) ||
        (pool->inactive ? !supply->start : !supply->refresh)) {
        check_fail(preflight->list, CHECK_STORAGE, ERR_INCOMPATIBLE,
                   pool->inactive ? "start it there" : "refresh it there",
                   "storage pool '%s' on '%s' is not active, or does not know '%s'", pool->name,
                   target, path);
        return false;
    }
    *later = true;
    return true;
}

static void judge_disk(const struct preflight *preflight, const struct sim_disk *disk)
{
    const char *identity = sim_fleet_find_identity(preflight->target, disk->path);
    bool later;

    if (!judge_pool(preflight, disk->path, &later)) {
        return;
    }
    if (later) {
        check_skip(
            preflight->list, CHECK_STORAGE, NULL,
            "disk '%s': its pool is started or refreshed on '%s' before the guest comes, and "
            "looked at then",
            disk->path, preflight->target->name);
    } else if (identity == NULL && comes_later(preflight, NULL, disk->path)) {
        check_skip(preflight->list, CHECK_STORAGE, NULL,
                   "disk '%s' is attached before the move, and checked then", disk->path);
    } else if (identity == NULL) {
        check_fail(preflight->list, CHECK_STORAGE, ERR_INCOMPATIBLE, "attach it there",
                   "disk '%s' does not exist on '%s'", disk->path, preflight->target->name);
    } else if (strcmp(identity, disk->identity) != 0) {
        check_fail(preflight->list, CHECK_STORAGE, ERR_UNSAFE, "attach the same volume to both",
                   "disk '%s' is not the same storage on '%s' (%s) as on '%s' (%s)", disk->path,
                   preflight->target->name, identity,
                   preflight->source == NULL ? "its own host" : preflight->source->name,
                   disk->identity);
    } else {
        check_pass(preflight->list, CHECK_STORAGE, "disk '%s' is the same storage on both hosts",
                   disk->path);
    }
}

static void check_storage(const struct preflight *preflight)
{
    const struct sim_guest *guest = preflight->guest;

    if (guest->has_nvram || guest->nvram != NULL) {
        sim_state_check(preflight->op, preflight->source, preflight->target, guest,
                        preflight->list);
    }
    if (guest->has_tpm) {
        check_fail(preflight->list, CHECK_STORAGE, ERR_UNSAFE, "move it by hand, with that state",
                   "the state of its TPM is on its host's own storage");
    } else if (guest->disk_count == 0) {
        check_pass(preflight->list, CHECK_STORAGE, "it writes to no disk of its host");
    }
    for (size_t i = 0; i < guest->disk_count; i++) {
        judge_disk(preflight, &guest->disks[i]);
    }
}

static void check_files(const struct preflight *preflight)
{
    const struct sim_names *files = &preflight->guest->files;
    size_t missing = 0;

    for (size_t i = 0; i < files->count; i++) {
        if (sim_fleet_find_identity(preflight->target, files->items[i]) == NULL) {
            check_fail(preflight->list, CHECK_FILES, ERR_INCOMPATIBLE, "copy it there",
                       "'%s' has no file '%s'", preflight->target->name, files->items[i]);
            missing++;
        }
    }
    if (missing == 0) {
        check_pass(preflight->list, CHECK_FILES, "'%s' has every file that it needs",
                   preflight->target->name);
    }
}

static void check_bridges(const struct preflight *preflight)
{
    const struct sim_names *bridges = &preflight->guest->bridges;
    size_t missing = 0;

    for (size_t i = 0; i < bridges->count; i++) {
        if (sim_fleet_has_name(&preflight->target->bridges, bridges->items[i])) {
            continue;
        }
        missing++;
        if (comes_later(preflight, bridges->items[i], NULL)) {
            check_skip(preflight->list, CHECK_BRIDGES, NULL,
                       "bridge '%s' is created before the move, and checked then",
                       bridges->items[i]);
        } else {
            check_fail(preflight->list, CHECK_BRIDGES, ERR_INCOMPATIBLE, "create it there",
                       "'%s' has no bridge '%s'", preflight->target->name, bridges->items[i]);
        }
    }
    if (missing == 0) {
        check_pass(preflight->list, CHECK_BRIDGES, "'%s' has every bridge that it needs",
                   preflight->target->name);
    }
}

static void check_reach(const struct preflight *preflight)
{
    if (preflight->target->hidden) {
        check_fail(preflight->list, CHECK_REACH, ERR_FAILED,
                   "let libvirt listen there, open the firewall, or correct peer_uri",
                   "'%s' does not reach libvirt of '%s'", preflight->source->name,
                   preflight->target->name);
    } else {
        check_pass(preflight->list, CHECK_REACH, "'%s' reaches libvirt of '%s'",
                   preflight->source->name, preflight->target->name);
    }
}

static void check_port(const struct preflight *preflight)
{
    if (preflight->target->walled) {
        check_fail(preflight->list, CHECK_PORT, ERR_FAILED,
                   "open the ports for migrations there, or set [migrate] migrate_uri",
                   "'%s' does not get through to the migration ports of '%s'",
                   preflight->source->name, preflight->target->name);
    } else {
        check_pass(preflight->list, CHECK_PORT, "'%s' gets through to the migration ports of '%s'",
                   preflight->source->name, preflight->target->name);
    }
}

static void check_clocks(const struct preflight *preflight)
{
    int64_t ahead_ms = preflight->source->clock_ms - preflight->target->clock_ms;
    int64_t apart_ms = ahead_ms < 0 ? -ahead_ms : ahead_ms;
    char apart[CLOCK_TEXT_SIZE];

    (void)clock_format_duration(apart_ms, apart);
    if (apart_ms > CLOSE_MS) {
        check_warn(preflight->list, CHECK_CLOCKS, "let both follow the same time servers",
                   "the clocks of '%s' and '%s' are %s apart", preflight->source->name,
                   preflight->target->name, apart);
    } else {
        check_pass(preflight->list, CHECK_CLOCKS, "%s apart", apart);
    }
}

static void check_locks(const struct preflight *preflight)
{
    const char *from = preflight->source->lock_manager;
    const char *to = preflight->target->lock_manager;

    if (strcmp(from, to) != 0) {
        check_fail(preflight->list, CHECK_LOCKS, ERR_INCOMPATIBLE,
                   "set the same lock_manager in qemu.conf of both",
                   "lock_manager is %s on '%s' and %s on '%s'", from, preflight->source->name, to,
                   preflight->target->name);
    } else if (strcmp(from, "nop") == 0) {
        check_warn(preflight->list, CHECK_LOCKS, "set lock_manager in qemu.conf of both",
                   "no lock manager keeps others from starting a guest on disks in use");
    } else {
        check_pass(preflight->list, CHECK_LOCKS, "both hosts use %s", from);
    }
}

/* What a check must know besides the target. */
enum need {
    NEED_NOTHING,
    NEED_DEFINITION,
    NEED_SOURCE,
    NEED_LIVE, /* The source, and only of a live move. */
};

/* In the order of the libvirt actuator. */
static const struct {
    enum check_kind kind;
    enum need need;
    void (*run)(const struct preflight *preflight);
} checks[] = {
    { CHECK_STATE, NEED_SOURCE, check_state },
    { CHECK_UUID, NEED_NOTHING, check_uuid },
    { CHECK_NAME, NEED_NOTHING, check_name },
    { CHECK_SAVE, NEED_SOURCE, check_save },
    { CHECK_SNAPSHOTS, NEED_SOURCE, check_snapshots },
    { CHECK_HOSTDEVS, NEED_LIVE, check_hostdevs },
    { CHECK_JOB, NEED_SOURCE, check_job },
    { CHECK_BLOCK_JOB, NEED_SOURCE, check_block_job },
    { CHECK_ARCH, NEED_SOURCE, check_arch },
    { CHECK_VERSION, NEED_LIVE, check_version },
    { CHECK_MACHINE, NEED_DEFINITION, check_machine },
    { CHECK_CPU, NEED_DEFINITION, check_cpu },
    { CHECK_CPUS, NEED_DEFINITION, check_cpus },
    { CHECK_MEMORY, NEED_DEFINITION, check_memory },
    { CHECK_PAGES, NEED_DEFINITION, check_pages },
    { CHECK_NODES, NEED_DEFINITION, check_nodes },
    { CHECK_CACHE, NEED_LIVE, check_cache },
    { CHECK_STORAGE, NEED_DEFINITION, check_storage },
    { CHECK_FILES, NEED_DEFINITION, check_files },
    { CHECK_BRIDGES, NEED_DEFINITION, check_bridges },
    { CHECK_REACH, NEED_LIVE, check_reach },
    { CHECK_PORT, NEED_LIVE, check_port },
    { CHECK_CLOCKS, NEED_LIVE, check_clocks },
    { CHECK_LOCKS, NEED_SOURCE, check_locks },
};

/* A fact that the scenario does not give comes from where es.xml or libvirt would have it. */
static struct platform_value fact_of(const struct op *op, const struct sim_host *host,
                                     unsigned side, enum platform_fact fact, struct arena *arena)
{
    struct platform_value value = { .text = host->facts[fact], .why = "its scenario does not say" };

    if (value.text == NULL && op->profile->facts[fact].source == PROFILE_SOURCE_ES) {
        value = (struct platform_value){ op->family[side], "es.xml does not say" };
    }
    if (value.text == NULL && op->profile->facts[fact].source == PROFILE_SOURCE_LIBVIRT) {
        value.text = text_format(arena, "%" PRIu64 " CPUs %s", host->cpus, host->cpu_model);
    }
    return value;
}

static void judge_interfaces(const struct preflight *preflight)
{
    struct err err;

    if (sim_supply_check_interfaces(preflight->op, preflight->target, &err) != 0) {
        check_fail(preflight->list, CHECK_SUPPLIES, err.code,
                   "see that it is there and free, or have the definition name another", "%s",
                   err.text);
    }
}

static void judge_platform(const struct preflight *preflight)
{
    const struct op *op = preflight->op;
    const struct sim_host *ends[] = { preflight->source, preflight->target };
    struct platform_host hosts[ARRAY_LEN(ends)] = { { .name = NULL } };

    if (op->profile == NULL) {
        return;
    }
    judge_interfaces(preflight);
    for (unsigned side = preflight->source == NULL ? 1 : 0; side < ARRAY_LEN(ends); side++) {
        hosts[side].name = ends[side]->name;
        for (enum platform_fact fact = 0; fact < PLATFORM_FACT_COUNT; fact++) {
            hosts[side].facts[fact] = fact_of(op, ends[side], side, fact, preflight->list->arena);
        }
    }
    platform_judge(preflight->list, &op->profile->rules, op->mode, &hosts[0], &hosts[1]);
}

/* The guest must agree in name. */
static void find_guest(struct preflight *preflight)
{
    const struct op *op = preflight->op;
    const struct sim_guest *found = sim_fleet_find_guest(preflight->source, op->uuid);

    if (found == NULL) {
        check_fail(preflight->list, CHECK_STATE, ERR_NOT_FOUND, NULL, "'%s' does not know it",
                   op->host);
    } else if (strcmp(found->name, op->guest) != 0) {
        check_fail(preflight->list, CHECK_STATE, ERR_CONFLICT, NULL,
                   "on '%s' its UUID belongs to '%s'", op->host, found->name);
    } else {
        preflight->guest = found;
    }
}

/* The dead host's definition, as the journal has it. */
static void read_definition(struct preflight *preflight, struct sim_guest *definition)
{
    const struct op *op = preflight->op;
    struct err err;

    if (op->xml == NULL || sim_xml_read(preflight->list->arena, op->xml, definition, &err) != 0) {
        check_fail(preflight->list, CHECK_STATE, ERR_NOT_FOUND, NULL,
                   "its definition is not known");
    } else {
        preflight->guest = definition;
    }
}

static bool is_asked(const struct preflight *preflight, enum need need)
{
    switch (need) {
    case NEED_NOTHING:
    case NEED_DEFINITION:
        return true;
    case NEED_SOURCE:
        return preflight->source != NULL;
    case NEED_LIVE:
        break;
    }
    return preflight->live;
}

void sim_preflight_run(const struct sim_fleet *fleet, const struct op *op,
                       const struct sim_host *source, const struct sim_host *target,
                       struct check_list *list)
{
    struct sim_guest definition;
    struct preflight preflight = {
        .fleet = fleet,
        .op = op,
        .source = source,
        .target = target,
        .list = list,
        .live = op->mode == MOVE_LIVE,
    };

    if (source == NULL) {
        check_pass(list, CHECK_HOSTS, "'%s' answers", target->name);
        read_definition(&preflight, &definition);
    } else {
        check_pass(list, CHECK_HOSTS, "'%s' and '%s' answer", source->name, target->name);
        find_guest(&preflight);
    }
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        if (!is_asked(&preflight, checks[i].need)) {
            continue;
        }
        if (preflight.guest != NULL || checks[i].need == NEED_NOTHING) {
            checks[i].run(&preflight);
        } else if (checks[i].kind != CHECK_STATE) {
            check_skip(list, checks[i].kind, NULL, "its definition is not known");
        }
    }
    judge_platform(&preflight);
}
