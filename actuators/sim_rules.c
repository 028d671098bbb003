/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/sim_rules.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "actuators/sim_copy.h"
#include "actuators/sim_fleet.h"
#include "actuators/sim_preflight.h"
#include "actuators/sim_supply.h"
#include "actuators/sim_xml.h"
#include "base/err.h"
#include "base/text.h"
#include "model/check.h"
#include "model/op.h"

#define BYTES_PER_MIB        (UINT64_C(1024) * 1024)
#define MEASURED_MS          1000 /* What a guest writes is known after so long. */
#define KIB_PER_GIB          (UINT64_C(1024) * 1024)
#define MIGRATION_ITERATIONS 2
#define LATE_FENCE_MS        3000

static int no_guest(const struct op *op, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "cannot %s '%s' on '%s': no such guest there",
                   op_kind_name(op->kind), op->guest, op->host);
}

static int refuse(struct err *err, enum err_code code, const struct op *op, const char *why)
{
    return err_set(err, code, "cannot %s '%s' on '%s': %s", op_kind_name(op->kind), op->guest,
                   op->host, why);
}

/* The guest of 'op' on 'host' by UUID, NULL in '*guest' if there is none; its name must agree. */
static int seek(const struct sim_host *host, const struct op *op, struct sim_guest **guest,
                struct err *err)
{
    struct sim_guest *found = sim_fleet_find_guest(host, op->uuid);

    if (found != NULL && strcmp(found->name, op->guest) != 0) {
        return err_set(err, ERR_CONFLICT, "cannot %s '%s' on '%s': its UUID belongs to '%s' there",
                       op_kind_name(op->kind), op->guest, op->host, found->name);
    }
    *guest = found;
    return 0;
}

/* As seek(), but a guest that is not there is an error. */
static int need(const struct sim_host *host, const struct op *op, struct sim_guest **guest,
                struct err *err)
{
    if (seek(host, op, guest, err) != 0) {
        return -1;
    }
    return *guest != NULL ? 0 : no_guest(op, err);
}

static int check_room(const struct sim_host *host, const struct sim_guest *guest,
                      const struct op *op, struct err *err)
{
    uint64_t free = sim_fleet_free_kib(host, guest->hugepage_kib);

    if (guest->memory_kib > free) {
        return err_set(err, ERR_FAILED,
                       "cannot %s '%s': '%s' cannot allocate %" PRIu64 " MiB of %s, %" PRIu64
                       " MiB are free",
                       op_kind_name(op->kind), op->guest, host->name, guest->memory_kib / 1024,
                       guest->hugepage_kib == 0 ? "memory" : "huge pages", free / 1024);
    }
    if (guest->numa_nodes > host->numa_nodes) {
        return err_set(err, ERR_INCOMPATIBLE,
                       "cannot %s '%s': it is bound to NUMA nodes that '%s' does not have",
                       op_kind_name(op->kind), op->guest, host->name);
    }
    return 0;
}

static int no_such(struct err *err, const struct op *op, const struct sim_host *host,
                   const char *what, const char *name)
{
    return err_set(err, ERR_FAILED, "cannot %s '%s': '%s' has no %s '%s'", op_kind_name(op->kind),
                   op->guest, host->name, what, name);
}

/* QEMU opens its disks by path: that something else is behind the path it cannot see. */
static int check_paths(const struct sim_host *host, const struct sim_guest *guest,
                       const struct op *op, struct err *err)
{
    for (size_t i = 0; i < guest->disk_count; i++) {
        if (sim_fleet_find_identity(host, guest->disks[i].path) == NULL) {
            return no_such(err, op, host, "disk", guest->disks[i].path);
        }
    }
    for (size_t i = 0; i < guest->files.count; i++) {
        if (sim_fleet_find_identity(host, guest->files.items[i]) == NULL) {
            return no_such(err, op, host, "file", guest->files.items[i]);
        }
    }
    for (size_t i = 0; i < guest->bridges.count; i++) {
        if (!sim_fleet_has_name(&host->bridges, guest->bridges.items[i])) {
            return no_such(err, op, host, "bridge", guest->bridges.items[i]);
        }
    }
    return 0;
}

static int check_free_name(const struct sim_host *host, const struct op *op, struct err *err)
{
    const struct sim_guest *same_uuid = sim_fleet_find_guest(host, op->uuid);
    const struct sim_guest *same_name = sim_fleet_find_guest_named(host, op->guest);

    if (same_uuid != NULL || same_name != NULL) {
        return err_set(err, ERR_EXISTS, "cannot %s '%s': '%s' already has a guest of that %s",
                       op_kind_name(op->kind), op->guest, host->name,
                       same_uuid != NULL ? "UUID" : "name");
    }
    return 0;
}

/* Can the target's hardware and software run it? */
static int check_platform(const struct sim_host *source, const struct sim_host *target,
                          const struct sim_guest *guest, const struct op *op, struct err *err)
{
    if (!sim_fleet_knows_machine(target, guest->machine)) {
        return err_set(err, ERR_INCOMPATIBLE, "cannot %s '%s': '%s' has no machine type '%s'",
                       op_kind_name(op->kind), op->guest, target->name, guest->machine);
    }
    if (strcmp(source->arch, target->arch) != 0) {
        return err_set(err, ERR_INCOMPATIBLE, "cannot %s '%s': '%s' is %s, not %s",
                       op_kind_name(op->kind), op->guest, target->name, target->arch, source->arch);
    }
    if (op->mode == MOVE_LIVE && strcmp(guest->cpu_mode, "host-passthrough") == 0 &&
        strcmp(source->cpu_fingerprint, target->cpu_fingerprint) != 0) {
        return err_set(err, ERR_INCOMPATIBLE,
                       "cannot %s '%s': it sees the CPU of '%s', and that of '%s' is another",
                       op_kind_name(op->kind), op->guest, source->name, target->name);
    }
    return 0;
}

/* Only a guest that runs, or that its user paused, can be moved live. */
static int check_state_live(const struct sim_guest *guest, const struct op *op, struct err *err)
{
    if (!sim_fleet_is_active(guest)) {
        return refuse(err, ERR_CONFLICT, op, "it is shut off");
    }
    if (guest->state == GUEST_PAUSED && guest->reason != GUEST_REASON_USER) {
        return refuse(err, ERR_UNSAFE, op, "it is paused, and not by its user");
    }
    if (guest->state != GUEST_RUNNING && guest->state != GUEST_PAUSED) {
        return refuse(err, ERR_CONFLICT, op, "it is neither running nor paused");
    }
    if (guest->hostdevs > 0) {
        return refuse(err, ERR_UNSAFE, op, "it has a device of its host");
    }
    return 0;
}

static int check_idle(const struct sim_fleet *fleet, const struct sim_guest *guest,
                      const struct op *op, struct err *err)
{
    if (guest->job != GUEST_JOB_NONE ||
        sim_fleet_find_migration(fleet, op->uuid, op->host, NULL) != NULL) {
        return refuse(err, ERR_BUSY, op, "another job runs on it");
    }
    return 0;
}

/* True if the guest runs (or is paused) on 'target' and the source has no process of it. */
static bool has_arrived(const struct sim_host *source, const struct sim_host *target,
                        const struct op *op)
{
    const struct sim_guest *left = sim_fleet_find_guest(source, op->uuid);
    const struct sim_guest *copy = sim_fleet_find_guest(target, op->uuid);

    return copy != NULL && sim_fleet_is_active(copy) && !sim_fleet_is_incoming(copy) &&
           (left == NULL || !sim_fleet_is_active(left));
}

static int64_t migration_ms(const struct sim_fleet *fleet, const struct sim_guest *guest,
                            const struct op *op)
{
    int64_t ms =
        fleet->durations.migrate_ms + (int64_t)((double)fleet->durations.migrate_ms_per_gib *
                                                (double)guest->memory_kib / (double)KIB_PER_GIB);

    if (op->live.bandwidth_mib_s > 0) {
        int64_t least = (int64_t)(guest->memory_kib / 1024 * 1000 / op->live.bandwidth_mib_s);

        ms = ms < least ? least : ms;
    }
    return ms;
}

/* What libvirt itself finds on the way; of a disk's cache it warns as Berth does. */
static int check_way(const struct sim_host *target, const struct sim_guest *guest,
                     const struct op *op, struct err *err)
{
    if (target->hidden || target->walled) {
        return refuse(err, ERR_FAILED, op, "the source does not get through to the target");
    }
    if (guest->block_job) {
        return refuse(err, ERR_BUSY, op, "a block job runs on a disk of it");
    }
    for (size_t i = 0; i < guest->disk_count; i++) {
        if (sim_fleet_is_cached(&guest->disks[i])) {
            return refuse(err, ERR_UNSAFE, op, "a disk goes through a cache of its host");
        }
    }
    return 0;
}

/* The memory of 'kib' as 'migration' copies it. */
static struct sim_copy copy_of(const struct sim_migration *migration, uint64_t kib)
{
    return (struct sim_copy){
        .bytes = kib * 1024,
        .first_ms = migration->pass_ms,
        .written_s = migration->written_mib_s * BYTES_PER_MIB,
        .live = { .max_downtime_ms = (uint32_t)migration->max_downtime_ms,
                  .auto_converge = migration->auto_converge,
                  .postcopy = migration->postcopy,
                  .postcopy_first = migration->postcopy_first },
    };
}

/* A guest that runs and writes is copied in as many passes as the ladder lets it take. */
static void plan_copy(const struct sim_guest *guest, const struct op *op,
                      struct sim_migration *migration)
{
    struct sim_copy copy;
    struct sim_copy_state state;

    if (guest->dirty_mib_s == 0 || guest->state != GUEST_RUNNING || migration->duration_ms == 0) {
        return;
    }
    migration->pass_ms = migration->duration_ms;
    migration->written_mib_s = guest->dirty_mib_s;
    migration->max_downtime_ms = op->live.max_downtime_ms;
    migration->auto_converge = op->live.auto_converge;
    migration->postcopy = op->live.postcopy;
    migration->postcopy_first = op->live.postcopy_first;
    copy = copy_of(migration, guest->memory_kib);
    state = sim_copy_at(&copy, 0);
    migration->endless = state.endless;
    migration->duration_ms = state.endless ? 0 : state.over_ms;
}

/* An interface of its host that it has for itself must be there, as where it starts. */
static int check_interfaces(const struct sim_host *target, const struct sim_guest *guest,
                            const struct op *op, struct err *err)
{
    const char *missing = sim_supply_missing_interface(target, guest);

    return missing == NULL ? 0 : no_such(err, op, target, "interface", missing);
}

/* What libvirt itself checks, and no more: that the disks are the same it does not. */
static enum sim_answer migrate(struct sim_fleet *fleet, const struct op *op,
                               struct sim_host *source, struct sim_host *target, int64_t wall_ms,
                               const struct sim_fault *fault, struct err *err)
{
    struct sim_guest *guest = NULL;
    struct sim_migration migration = {
        .begun_ms = wall_ms,
        .persistent = op->live.persistent,
        .stalled = fault != NULL && fault->when == SIM_WHEN_HANG,
    };

    if (has_arrived(source, target, op)) {
        return SIM_ANSWER_DONE;
    }
    if (need(source, op, &guest, err) != 0 || check_state_live(guest, op, err) != 0 ||
        check_idle(fleet, guest, op, err) != 0 || check_free_name(target, op, err) != 0 ||
        check_platform(source, target, guest, op, err) != 0 ||
        check_way(target, guest, op, err) != 0 || check_paths(target, guest, op, err) != 0 ||
        check_interfaces(target, guest, op, err) != 0 || check_room(target, guest, op, err) != 0) {
        return SIM_ANSWER_FAILED;
    }
    if (guest->snapshots > 0) {
        (void)refuse(err, ERR_UNSAFE, op, "it has snapshots");
        return SIM_ANSWER_FAILED;
    }
    migration.uuid = guest->uuid;
    migration.from = source->name;
    migration.to = target->name;
    migration.duration_ms = migration_ms(fleet, guest, op);
    plan_copy(guest, op, &migration);
    migration.duration_ms += fault != NULL ? fault->delay_ms : 0;
    sim_fleet_add_migration(fleet, &migration, target, guest);
    return SIM_ANSWER_UNDERWAY;
}

static int check_stoppable(const struct sim_fleet *fleet, const struct sim_guest *guest,
                           const struct op *op, struct err *err)
{
    if (!guest->persistent) {
        return refuse(err, ERR_UNSAFE, op, "it is transient: stopping it would lose it");
    }
    if (guest->managed_save) {
        return refuse(err, ERR_UNSAFE, op, "it has a managed save image");
    }
    if (guest->state == GUEST_PAUSED) {
        return refuse(err, ERR_UNSAFE, op, "it is paused: it cannot shut down");
    }
    return check_idle(fleet, guest, op, err);
}

static enum sim_answer stop(struct sim_fleet *fleet, const struct op *op, struct sim_host *host,
                            int64_t wall_ms, const struct sim_fault *fault, struct err *err)
{
    struct sim_guest *guest = NULL;

    if (need(host, op, &guest, err) != 0 || check_stoppable(fleet, guest, op, err) != 0) {
        return SIM_ANSWER_FAILED;
    }
    if (guest->autostart) {
        guest->autostart = false;
        fleet->changed = true;
    }
    if (!sim_fleet_is_active(guest)) {
        return SIM_ANSWER_DONE;
    }
    if (guest->stops_ms == 0 && !guest->deaf && (fault == NULL || fault->when != SIM_WHEN_HANG)) {
        sim_fleet_stop_at(fleet, guest,
                          wall_ms + fleet->durations.stop_ms + (fault ? fault->delay_ms : 0));
    }
    return SIM_ANSWER_UNDERWAY;
}

static int define(struct sim_fleet *fleet, const struct op *op, struct sim_host *host,
                  struct err *err)
{
    struct sim_guest definition;
    struct sim_guest *guest = NULL;
    const struct sim_guest *namesake = sim_fleet_find_guest_named(host, op->guest);

    if (op->xml == NULL) {
        return refuse(err, ERR_INVALID, op, "there is no definition");
    }
    if (sim_xml_read(fleet->arena, op->xml, &definition, err) != 0) {
        return -1;
    }
    if (strcmp(definition.name, op->guest) != 0 || strcmp(definition.uuid, op->uuid) != 0) {
        return refuse(err, ERR_INVALID, op, "the definition is of another guest");
    }
    guest = sim_fleet_find_guest(host, op->uuid);
    if ((namesake != NULL && namesake != guest) || (guest != NULL && namesake == NULL)) {
        return refuse(err, ERR_EXISTS, op, "its name or UUID belongs to another guest there");
    }
    if (guest == NULL) {
        (void)sim_fleet_add_guest(fleet, host, &definition);
        return 0;
    }
    if (sim_fleet_is_active(guest)) {
        return refuse(err, ERR_CONFLICT, op, "it is active there");
    }
    definition.held = guest->held;
    definition.exempt = guest->exempt;
    definition.managed_save = guest->managed_save;
    definition.snapshots = guest->snapshots;
    *guest = definition;
    fleet->changed = true;
    return 0;
}

static int undefine(struct sim_fleet *fleet, const struct op *op, struct sim_host *host,
                    struct err *err)
{
    struct sim_guest *guest = NULL;

    if (seek(host, op, &guest, err) != 0) {
        return -1;
    }
    if (guest == NULL) {
        return 0;
    }
    if (sim_fleet_is_active(guest)) {
        return refuse(err, ERR_CONFLICT, op, "it is not shut off");
    }
    if (guest->managed_save) {
        return refuse(err, ERR_UNSAFE, op, "it has a managed save image");
    }
    if (guest->snapshots > 0) {
        return refuse(err, ERR_UNSAFE, op, "it has snapshots");
    }
    sim_fleet_remove_guest(fleet, host, guest);
    return 0;
}

static int autostart(struct sim_fleet *fleet, const struct op *op, struct sim_host *host,
                     struct err *err)
{
    struct sim_guest *guest = NULL;

    if (need(host, op, &guest, err) != 0) {
        return -1;
    }
    if (guest->autostart == op->enable) {
        return 0;
    }
    if (!guest->persistent) {
        return refuse(err, ERR_REFUSED, op, "it is transient");
    }
    guest->autostart = op->enable;
    fleet->changed = true;
    return 0;
}

static int start(struct sim_fleet *fleet, const struct op *op, struct sim_host *host,
                 struct err *err)
{
    struct sim_guest *guest = NULL;
    const char *missing;
    const char *what;

    if (need(host, op, &guest, err) != 0) {
        return -1;
    }
    if (guest->state == GUEST_RUNNING) {
        return 0;
    }
    if (sim_fleet_is_active(guest)) {
        return refuse(err, ERR_CONFLICT, op, "it is neither shut off nor running");
    }
    if (guest->managed_save) {
        return refuse(err, ERR_UNSAFE, op,
                      "its managed save image would put old memory over newer disks");
    }
    if (check_paths(host, guest, op, err) != 0 || check_room(host, guest, op, err) != 0) {
        return -1;
    }
    missing = sim_supply_missing(host, guest, &what);
    if (missing != NULL) {
        return no_such(err, op, host, what, missing);
    }
    if (sim_supply_check_owners(fleet, op, host, err) != 0) {
        return -1;
    }
    sim_fleet_set_state(fleet, guest, GUEST_RUNNING, GUEST_REASON_BOOTED);
    /* It runs, however slowly; only the reply is late. */
    return fleet->durations.start_ms <= op->timeout_ms
               ? 0
               : refuse(err, ERR_TIMEOUT, op, "it was not seen running in time");
}

/* What a migration left half done may be ended or let go on; nothing else. */
static bool is_leftover(const struct sim_guest *guest)
{
    return guest->state == GUEST_PAUSED &&
           (guest->reason == GUEST_REASON_MIGRATION || guest->reason == GUEST_REASON_STARTING_UP);
}

static int resume(struct sim_fleet *fleet, const struct op *op, struct sim_host *host,
                  struct err *err)
{
    struct sim_guest *guest = NULL;

    if (need(host, op, &guest, err) != 0) {
        return -1;
    }
    if (guest->state == GUEST_RUNNING) {
        return 0;
    }
    if (!is_leftover(guest)) {
        return refuse(err, ERR_REFUSED, op, "no migration paused it");
    }
    sim_fleet_set_state(fleet, guest, GUEST_RUNNING, GUEST_REASON_UNPAUSED);
    return 0;
}

static int destroy(struct sim_fleet *fleet, const struct op *op, struct sim_host *host,
                   struct err *err)
{
    struct sim_guest *guest = NULL;
    struct sim_migration *migration;

    if (seek(host, op, &guest, err) != 0) {
        return -1;
    }
    if (guest == NULL || !sim_fleet_is_active(guest)) {
        return 0;
    }
    if (!is_leftover(guest)) {
        return refuse(err, ERR_REFUSED, op, "it is not the paused rest of a migration");
    }
    migration = sim_fleet_find_migration(fleet, op->uuid, NULL, op->host);
    if (migration != NULL) {
        sim_fleet_abort_migration(fleet, migration);
    } else {
        sim_fleet_end_process(fleet, host, guest, GUEST_REASON_DESTROYED);
    }
    return 0;
}

static bool has_guard(const struct sim_host *host)
{
    bool has = host->guard == OBSERVED_GUARD_HOLDING || host->guard == OBSERVED_GUARD_RELEASED;

    for (size_t i = 0; !has && i < host->guest_count; i++) {
        has = host->guests[i].held;
    }
    return has;
}

/* As berth-guard does it: what cannot be started stays held back, and so does the host. */
static int release(struct sim_fleet *fleet, const struct op *op, struct sim_host *host,
                   struct err *err)
{
    bool all = true;

    if (!has_guard(host)) {
        return err_set(err, ERR_NOT_FOUND, "cannot release guests on '%s': there is no berth-guard",
                       host->name);
    }

    for (size_t i = 0; i < host->guest_count; i++) {
        struct sim_guest *guest = &host->guests[i];

        if (!guest->held || (op->guest != NULL && strcmp(guest->name, op->guest) != 0)) {
            continue;
        }
        if (!sim_fleet_is_active(guest) &&
            guest->memory_kib > sim_fleet_free_kib(host, guest->hugepage_kib)) {
            (void)err_set(err, ERR_FAILED, "cannot start guest '%s' on '%s': not enough memory",
                          guest->name, host->name);
            all = false;
            continue;
        }
        if (!sim_fleet_is_active(guest)) {
            sim_fleet_set_state(fleet, guest, GUEST_RUNNING,
                                guest->managed_save ? GUEST_REASON_RESTORED : GUEST_REASON_BOOTED);
            guest->managed_save = false;
        }
        guest->autostart = true;
        guest->held = false;
        fleet->changed = true;
    }
    if (all && op->guest == NULL && host->guard == OBSERVED_GUARD_HOLDING) {
        host->guard = OBSERVED_GUARD_RELEASED;
        fleet->changed = true;
    }
    return all ? 0 : -1;
}

static bool needs_peer(const struct op *op)
{
    return (op->kind == OP_PREFLIGHT && op->mode != MOVE_FORCED && op->supply == SUPPLY_NONE) ||
           op->kind == OP_MIGRATE;
}

static const char *subject(const struct op *op)
{
    return op->guest != NULL ? op->guest : op->host;
}

/* The host called 'name' if it answers. */
static enum sim_answer reach(const struct sim_fleet *fleet, const struct op *op, const char *name,
                             struct sim_host **host, struct err *err)
{
    struct sim_host *found = name == NULL ? NULL : sim_fleet_find_host(fleet, name);

    if (found == NULL) {
        (void)err_set(err, ERR_NOT_FOUND, "cannot %s '%s': no host '%s'", op_kind_name(op->kind),
                      subject(op), name == NULL ? "" : name);
        return SIM_ANSWER_FAILED;
    }
    if (found->power == SIM_POWER_OFF) {
        (void)err_set(err, ERR_UNREACHABLE, "cannot %s '%s': no route to host '%s'",
                      op_kind_name(op->kind), subject(op), name);
        return SIM_ANSWER_FAILED;
    }
    *host = found;
    return found->power == SIM_POWER_FROZEN ? SIM_ANSWER_SILENT : SIM_ANSWER_DONE;
}

static enum sim_answer answer_of(int status)
{
    return status == 0 ? SIM_ANSWER_DONE : SIM_ANSWER_FAILED;
}

/* A forced move is looked at on the host where it ends alone. */
static int preflight(struct sim_fleet *fleet, const struct op *op, const struct sim_host *host,
                     const struct sim_host *peer, struct check_list *checks,
                     struct sim_findings *findings, struct err *err)
{
    bool forced = op->mode == MOVE_FORCED;
    const struct sim_host *source = forced ? NULL : host;
    const struct sim_host *target = forced ? host : peer;

    if (op->supply != SUPPLY_NONE) {
        sim_supply_prove(op, host, checks);
        return check_judge(checks, op->guest, NULL, host->name, err);
    }
    if (!forced) {
        findings->supplies = sim_supply_identify(fleet, op, source);
    }
    findings->known[0] = forced ? 0 : supply_list_kinds(&op->supplies);
    findings->known[1] = supply_list_kinds(&op->supplies);
    findings->present[0] = forced ? 0 : sim_supply_present(fleet, op, source);
    findings->present[1] = sim_supply_present(fleet, op, target);
    sim_preflight_run(fleet, op, source, target, checks);
    return check_judge(checks, op->guest, forced ? NULL : op->host, target->name, err);
}

static enum sim_answer perform(struct sim_fleet *fleet, const struct op *op, struct sim_host *host,
                               struct sim_host *peer, int64_t wall_ms,
                               const struct sim_fault *fault, struct check_list *checks,
                               struct sim_findings *findings, struct err *err)
{
    switch (op->kind) {
    case OP_PREFLIGHT:
        return answer_of(preflight(fleet, op, host, peer, checks, findings, err));
    case OP_MIGRATE:
        return migrate(fleet, op, host, peer, wall_ms, fault, err);
    case OP_ADOPT:
        return sim_fleet_find_migration(fleet, op->uuid, op->host, NULL) != NULL
                   ? SIM_ANSWER_UNDERWAY
                   : SIM_ANSWER_DONE;
    case OP_STOP:
        return stop(fleet, op, host, wall_ms, fault, err);
    case OP_DEFINE:
        return answer_of(define(fleet, op, host, err));
    case OP_UNDEFINE:
        return answer_of(undefine(fleet, op, host, err));
    case OP_AUTOSTART:
        return answer_of(autostart(fleet, op, host, err));
    case OP_START:
        return answer_of(start(fleet, op, host, err));
    case OP_RESUME:
        return answer_of(resume(fleet, op, host, err));
    case OP_DESTROY:
        return answer_of(destroy(fleet, op, host, err));
    case OP_RELEASE:
        return answer_of(release(fleet, op, host, err));
    case OP_PROVIDE:
        return answer_of(sim_supply_provide(fleet, op, host, &findings->note, err));
    case OP_WITHDRAW:
        return answer_of(sim_supply_withdraw(fleet, op, host, &findings->note, err));
    case OP_FENCE: /* Whether or not its host answers: cut_power(). */
    case OP_KIND_COUNT:
        break;
    }
    assert(false);
    return SIM_ANSWER_FAILED;
}

/* Cuts the power of a host, whether or not it answers, and asks whether it is off. */
static enum sim_answer cut_power(struct sim_fleet *fleet, const struct op *op, int64_t wall_ms,
                                 struct err *err)
{
    struct sim_host *host = sim_fleet_find_host(fleet, op->host);

    if (host == NULL) {
        (void)err_set(err, ERR_NOT_FOUND, "cannot fence '%s': no such host", op->host);
        return SIM_ANSWER_FAILED;
    }
    fleet->changed = true;
    if (host->fence == SIM_FENCE_WORKS || host->fenced) {
        host->fenced = true;
        sim_fleet_advance(fleet, wall_ms);
        return SIM_ANSWER_DONE;
    }
    if (host->fence == SIM_FENCE_LIES) {
        host->fence = SIM_FENCE_FAILS;
        return SIM_ANSWER_DONE;
    }
    if (host->fence == SIM_FENCE_LATE && host->fence_ms == 0) {
        host->fence_ms = wall_ms + LATE_FENCE_MS;
    }
    (void)err_set(err, ERR_FAILED, "cannot fence '%s': its device says that it is still on",
                  op->host);
    return SIM_ANSWER_FAILED;
}

enum sim_answer sim_rules_apply(struct sim_fleet *fleet, const struct op *op, int64_t wall_ms,
                                const struct sim_fault *fault, struct check_list *checks,
                                struct sim_findings *findings, struct err *err)
{
    struct sim_host *host = NULL;
    struct sim_host *peer = NULL;
    enum sim_answer answer;

    if (op->kind == OP_FENCE) {
        return cut_power(fleet, op, wall_ms, err);
    }
    answer = reach(fleet, op, op->host, &host, err);

    if (answer == SIM_ANSWER_DONE && needs_peer(op)) {
        answer = reach(fleet, op, op->peer, &peer, err);
    }
    if (answer != SIM_ANSWER_DONE) {
        return answer;
    }
    if (host == peer) {
        (void)refuse(err, ERR_INVALID, op, "source and target are the same host");
        return SIM_ANSWER_FAILED;
    }
    return perform(fleet, op, host, peer, wall_ms, fault, checks, findings, err);
}

static void describe_migration(const struct sim_migration *migration, uint64_t memory_kib,
                               int64_t wall_ms, struct sim_course *course)
{
    struct actuator_progress *progress = &course->progress;
    int64_t elapsed_ms = wall_ms - migration->begun_ms;
    int64_t total_ms = migration->duration_ms > 0 ? migration->duration_ms : 1;
    double share = migration->stalled ? 0.5 : (double)elapsed_ms / (double)total_ms;

    share = share > 1 ? 1 : share;
    course->left_ms = migration->stalled ? INT64_MAX : migration->duration_ms - elapsed_ms;
    progress->phase = share < 0.05   ? ACTUATOR_PHASE_SETUP
                      : share < 0.95 ? ACTUATOR_PHASE_MEMORY
                                     : ACTUATOR_PHASE_SWITCHOVER;
    progress->elapsed_ms = elapsed_ms;
    progress->total_bytes = memory_kib * 1024;
    progress->processed_bytes = (uint64_t)((double)progress->total_bytes * share);
    progress->remaining_bytes = progress->total_bytes - progress->processed_bytes;
    progress->rate_bytes_s =
        migration->stalled ? 0
                           : (uint64_t)((double)progress->total_bytes * 1000 / (double)total_ms);
    progress->iteration = share < 0.95 ? 1 : MIGRATION_ITERATIONS;
}

/* The same of a copy in many passes. */
static void describe_copy(const struct sim_migration *migration, uint64_t memory_kib,
                          int64_t wall_ms, struct sim_course *course)
{
    const struct sim_copy copy = copy_of(migration, memory_kib);
    int64_t elapsed_ms = wall_ms - migration->begun_ms;
    const struct sim_copy_state state = sim_copy_at(&copy, elapsed_ms);

    course->left_ms = migration->endless ? INT64_MAX : migration->duration_ms - elapsed_ms;
    course->progress = (struct actuator_progress){
        .phase = state.postcopy ? ACTUATOR_PHASE_POSTCOPY
                 : state.over   ? ACTUATOR_PHASE_SWITCHOVER
                                : ACTUATOR_PHASE_MEMORY,
        .elapsed_ms = elapsed_ms,
        .total_bytes = copy.bytes,
        .remaining_bytes = state.left,
        .processed_bytes = state.sent,
        .rate_bytes_s = copy.bytes * 1000 / (uint64_t)copy.first_ms,
        .dirty_bytes_s = state.dirty_s,
        .iteration = state.pass,
        .throttle_percent = state.throttle_percent,
        .has_written = elapsed_ms >= MEASURED_MS,
        .written_bytes_s = copy.written_s,
    };
    course->stats = (struct actuator_stats){
        .total_ms = elapsed_ms,
        .bytes = state.sent,
        .iterations = state.pass,
        .throttle_percent = state.throttle_percent,
        .postcopy = state.postcopy,
    };
}

static enum sim_answer follow_migration(const struct sim_fleet *fleet, const struct op *op,
                                        const struct sim_host *source, int64_t wall_ms,
                                        struct sim_course *course, struct err *err)
{
    const struct sim_migration *migration =
        sim_fleet_find_migration(fleet, op->uuid, op->host, NULL);
    const struct sim_guest *guest = sim_fleet_find_guest(source, op->uuid);
    const struct sim_host *target;

    if (migration != NULL) {
        if (migration->pass_ms > 0 && guest != NULL) {
            describe_copy(migration, guest->memory_kib, wall_ms, course);
        } else {
            describe_migration(migration, guest == NULL ? 0 : guest->memory_kib, wall_ms, course);
        }
        return SIM_ANSWER_UNDERWAY;
    }
    target = op->peer == NULL ? NULL : sim_fleet_find_host(fleet, op->peer);
    if (op->kind == OP_ADOPT && (target == NULL || !has_arrived(source, target, op))) {
        return SIM_ANSWER_DONE; /* It is over; whoever asked looks at both hosts. */
    }
    if (target == NULL || !has_arrived(source, target, op)) {
        (void)refuse(err, ERR_FAILED, op, "the migration broke off");
        return SIM_ANSWER_FAILED;
    }
    course->stats.downtime_ms = fleet->durations.downtime_ms;
    course->stats.bytes = sim_fleet_find_guest(target, op->uuid)->memory_kib * 1024;
    course->stats.iterations = MIGRATION_ITERATIONS;
    return SIM_ANSWER_DONE;
}

static enum sim_answer follow_stop(const struct op *op, const struct sim_host *host,
                                   int64_t wall_ms, struct sim_course *course)
{
    const struct sim_guest *guest = sim_fleet_find_guest(host, op->uuid);

    if (guest == NULL || !sim_fleet_is_active(guest)) {
        return SIM_ANSWER_DONE;
    }
    course->left_ms = guest->stops_ms == 0 ? INT64_MAX : guest->stops_ms - wall_ms;
    course->progress.phase = ACTUATOR_PHASE_WAIT;
    return SIM_ANSWER_UNDERWAY;
}

enum sim_answer sim_rules_follow(const struct sim_fleet *fleet, const struct op *op,
                                 int64_t wall_ms, struct sim_course *course, struct err *err)
{
    struct sim_host *host = NULL;
    enum sim_answer answer = reach(fleet, op, op->host, &host, err);

    *course = (struct sim_course){ .left_ms = INT64_MAX };
    if (answer != SIM_ANSWER_DONE) {
        return answer;
    }
    return op->kind == OP_STOP ? follow_stop(op, host, wall_ms, course)
                               : follow_migration(fleet, op, host, wall_ms, course, err);
}

/* Nothing ends a migration whose guest runs at the target already. */
static bool is_postcopy(const struct sim_fleet *fleet, const struct sim_migration *migration,
                        int64_t wall_ms)
{
    const struct sim_guest *guest =
        sim_fleet_find_guest(sim_fleet_find_host(fleet, migration->from), migration->uuid);
    struct sim_copy copy;

    if (migration->pass_ms == 0 || guest == NULL) {
        return false;
    }
    copy = copy_of(migration, guest->memory_kib);
    return sim_copy_at(&copy, wall_ms - migration->begun_ms).postcopy;
}

bool sim_rules_cancel(struct sim_fleet *fleet, const struct op *op, int64_t wall_ms)
{
    struct sim_migration *migration = sim_fleet_find_migration(fleet, op->uuid, op->host, NULL);

    if (migration == NULL || is_postcopy(fleet, migration, wall_ms)) {
        return false;
    }
    if (sim_fleet_is_frozen(fleet, migration)) {
        fleet->changed = fleet->changed || !migration->cancelled;
        migration->cancelled = true;
        return false;
    }
    sim_fleet_abort_migration(fleet, migration);
    return true;
}

uint64_t sim_rules_pass(const struct sim_fleet *fleet, const struct sim_host *host,
                        const struct sim_guest *guest, int64_t wall_ms)
{
    const struct sim_migration *migration =
        sim_fleet_find_migration(fleet, guest->uuid, host->name, NULL);
    struct sim_copy copy;

    if (migration == NULL || migration->pass_ms == 0) {
        return 0;
    }
    copy = copy_of(migration, guest->memory_kib);
    return sim_copy_at(&copy, wall_ms - migration->begun_ms).pass;
}

int64_t sim_rules_reply_ms(const struct sim_fleet *fleet, const struct op *op)
{
    if (op->kind == OP_START) {
        return fleet->durations.start_ms < op->timeout_ms ? fleet->durations.start_ms
                                                          : op->timeout_ms;
    }
    return fleet->durations.define_ms;
}
