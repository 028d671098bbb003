/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/sim_refusal.h"

#include <inttypes.h>
#include <string.h>

#include "actuators/sim_fleet.h"
#include "model/op.h"

static int no_guest(const struct op *op, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "cannot %s '%s' on '%s': no such guest there",
                   op_kind_name(op->kind), op->guest, op->host);
}

int sim_refusal_tell(struct err *err, enum err_code code, const struct op *op, const char *why)
{
    return err_set(err, code, "cannot %s '%s' on '%s': %s", op_kind_name(op->kind), op->guest,
                   op->host, why);
}

int sim_refusal_seek(const struct sim_host *host, const struct op *op, struct sim_guest **guest,
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

int sim_refusal_need(const struct sim_host *host, const struct op *op, struct sim_guest **guest,
                     struct err *err)
{
    if (sim_refusal_seek(host, op, guest, err) != 0) {
        return -1;
    }
    return *guest != NULL ? 0 : no_guest(op, err);
}

int sim_refusal_of_room(const struct sim_host *host, const struct sim_guest *guest,
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

int sim_refusal_no_such(struct err *err, const struct op *op, const struct sim_host *host,
                        const char *what, const char *name)
{
    return err_set(err, ERR_FAILED, "cannot %s '%s': '%s' has no %s '%s'", op_kind_name(op->kind),
                   op->guest, host->name, what, name);
}

/* That something else is behind the path QEMU cannot see. */
int sim_refusal_of_paths(const struct sim_host *host, const struct sim_guest *guest,
                         const struct op *op, struct err *err)
{
    for (size_t i = 0; i < guest->disk_count; i++) {
        if (sim_fleet_find_identity(host, guest->disks[i].path) == NULL) {
            return sim_refusal_no_such(err, op, host, "disk", guest->disks[i].path);
        }
    }
    for (size_t i = 0; i < guest->files.count; i++) {
        if (sim_fleet_find_identity(host, guest->files.items[i]) == NULL) {
            return sim_refusal_no_such(err, op, host, "file", guest->files.items[i]);
        }
    }
    for (size_t i = 0; i < guest->bridges.count; i++) {
        if (!sim_fleet_has_name(&host->bridges, guest->bridges.items[i])) {
            return sim_refusal_no_such(err, op, host, "bridge", guest->bridges.items[i]);
        }
    }
    return 0;
}

int sim_refusal_of_job(const struct sim_fleet *fleet, const struct sim_guest *guest,
                       const struct op *op, struct err *err)
{
    if (guest->job != GUEST_JOB_NONE ||
        sim_fleet_find_migration(fleet, op->uuid, op->host, NULL) != NULL) {
        return sim_refusal_tell(err, ERR_BUSY, op, "another job runs on it");
    }
    return 0;
}
