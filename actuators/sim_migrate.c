/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/sim_migrate.h"

#include <string.h>

#include "actuators/sim_copy.h"
#include "actuators/sim_fleet.h"
#include "actuators/sim_refusal.h"
#include "actuators/sim_supply.h"
#include "base/err.h"
#include "model/op.h"

#define BYTES_PER_MIB        (UINT64_C(1024) * 1024)
#define KIB_PER_GIB          (UINT64_C(1024) * 1024)
#define MEASURED_MS          1000 /* What a guest writes is known after so long. */
#define MIGRATION_ITERATIONS 2

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
        return sim_refusal_tell(err, ERR_CONFLICT, op, "it is shut off");
    }
    if (guest->state == GUEST_PAUSED && guest->reason != GUEST_REASON_USER) {
        return sim_refusal_tell(err, ERR_UNSAFE, op, "it is paused, and not by its user");
    }
    if (guest->state != GUEST_RUNNING && guest->state != GUEST_PAUSED) {
        return sim_refusal_tell(err, ERR_CONFLICT, op, "it is neither running nor paused");
    }
    if (guest->hostdevs > 0) {
        return sim_refusal_tell(err, ERR_UNSAFE, op, "it has a device of its host");
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
        return sim_refusal_tell(err, ERR_FAILED, op,
                                "the source does not get through to the target");
    }
    if (guest->block_job) {
        return sim_refusal_tell(err, ERR_BUSY, op, "a block job runs on a disk of it");
    }
    for (size_t i = 0; i < guest->disk_count; i++) {
        if (sim_fleet_is_cached(&guest->disks[i])) {
            return sim_refusal_tell(err, ERR_UNSAFE, op, "a disk goes through a cache of its host");
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

    return missing == NULL ? 0 : sim_refusal_no_such(err, op, target, "interface", missing);
}

enum sim_answer sim_migrate_begin(struct sim_fleet *fleet, const struct op *op,
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
    if (sim_refusal_need(source, op, &guest, err) != 0 || check_state_live(guest, op, err) != 0 ||
        sim_refusal_of_job(fleet, guest, op, err) != 0 || check_free_name(target, op, err) != 0 ||
        check_platform(source, target, guest, op, err) != 0 ||
        check_way(target, guest, op, err) != 0 ||
        sim_refusal_of_paths(target, guest, op, err) != 0 ||
        check_interfaces(target, guest, op, err) != 0 ||
        sim_refusal_of_room(target, guest, op, err) != 0) {
        return SIM_ANSWER_FAILED;
    }
    if (guest->snapshots > 0) {
        (void)sim_refusal_tell(err, ERR_UNSAFE, op, "it has snapshots");
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

enum sim_answer sim_migrate_follow(const struct sim_fleet *fleet, const struct op *op,
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
        (void)sim_refusal_tell(err, ERR_FAILED, op, "the migration broke off");
        return SIM_ANSWER_FAILED;
    }
    course->stats.downtime_ms = fleet->durations.downtime_ms;
    course->stats.bytes = sim_fleet_find_guest(target, op->uuid)->memory_kib * 1024;
    course->stats.iterations = MIGRATION_ITERATIONS;
    return SIM_ANSWER_DONE;
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

bool sim_migrate_cancel(struct sim_fleet *fleet, const struct op *op, int64_t wall_ms)
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

uint64_t sim_migrate_pass(const struct sim_fleet *fleet, const struct sim_host *host,
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
