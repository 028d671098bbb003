/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/sim_rules.h"

#include <assert.h>
#include <string.h>

#include "actuators/sim_fleet.h"
#include "actuators/sim_migrate.h"
#include "actuators/sim_preflight.h"
#include "actuators/sim_refusal.h"
#include "actuators/sim_state.h"
#include "actuators/sim_supply.h"
#include "actuators/sim_xml.h"
#include "base/err.h"
#include "base/text.h"
#include "model/check.h"
#include "model/op.h"

#define LATE_FENCE_MS 3000

static int check_stoppable(const struct sim_fleet *fleet, const struct sim_guest *guest,
                           const struct op *op, struct err *err)
{
    if (!guest->persistent) {
        return sim_refusal_tell(err, ERR_UNSAFE, op, "it is transient: stopping it would lose it");
    }
    if (guest->managed_save) {
        return sim_refusal_tell(err, ERR_UNSAFE, op, "it has a managed save image");
    }
    if (guest->state == GUEST_PAUSED) {
        return sim_refusal_tell(err, ERR_UNSAFE, op, "it is paused: it cannot shut down");
    }
    return sim_refusal_of_job(fleet, guest, op, err);
}

static enum sim_answer stop(struct sim_fleet *fleet, const struct op *op, struct sim_host *host,
                            int64_t wall_ms, const struct sim_fault *fault, struct err *err)
{
    struct sim_guest *guest = NULL;

    if (sim_refusal_need(host, op, &guest, err) != 0 ||
        check_stoppable(fleet, guest, op, err) != 0) {
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
        return sim_refusal_tell(err, ERR_INVALID, op, "there is no definition");
    }
    if (sim_xml_read(fleet->arena, op->xml, &definition, err) != 0) {
        return -1;
    }
    if (strcmp(definition.name, op->guest) != 0 || strcmp(definition.uuid, op->uuid) != 0) {
        return sim_refusal_tell(err, ERR_INVALID, op, "the definition is of another guest");
    }
    guest = sim_fleet_find_guest(host, op->uuid);
    if ((namesake != NULL && namesake != guest) || (guest != NULL && namesake == NULL)) {
        return sim_refusal_tell(err, ERR_EXISTS, op,
                                "its name or UUID belongs to another guest there");
    }
    if (guest == NULL) {
        (void)sim_fleet_add_guest(fleet, host, &definition);
        return 0;
    }
    if (sim_fleet_is_active(guest)) {
        return sim_refusal_tell(err, ERR_CONFLICT, op, "it is active there");
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

    if (sim_refusal_seek(host, op, &guest, err) != 0) {
        return -1;
    }
    if (guest == NULL) {
        return 0;
    }
    if (sim_fleet_is_active(guest)) {
        return sim_refusal_tell(err, ERR_CONFLICT, op, "it is not shut off");
    }
    if (guest->managed_save) {
        return sim_refusal_tell(err, ERR_UNSAFE, op, "it has a managed save image");
    }
    if (guest->snapshots > 0) {
        return sim_refusal_tell(err, ERR_UNSAFE, op, "it has snapshots");
    }
    sim_fleet_remove_guest(fleet, host, guest);
    return 0;
}

static int autostart(struct sim_fleet *fleet, const struct op *op, struct sim_host *host,
                     struct err *err)
{
    struct sim_guest *guest = NULL;

    if (sim_refusal_need(host, op, &guest, err) != 0) {
        return -1;
    }
    if (guest->autostart == op->enable) {
        return 0;
    }
    if (!guest->persistent) {
        return sim_refusal_tell(err, ERR_REFUSED, op, "it is transient");
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

    if (sim_refusal_need(host, op, &guest, err) != 0) {
        return -1;
    }
    if (guest->state == GUEST_RUNNING) {
        return 0;
    }
    if (sim_fleet_is_active(guest)) {
        return sim_refusal_tell(err, ERR_CONFLICT, op, "it is neither shut off nor running");
    }
    if (guest->managed_save) {
        return sim_refusal_tell(err, ERR_UNSAFE, op,
                                "its managed save image would put old memory over newer disks");
    }
    if (sim_refusal_of_paths(host, guest, op, err) != 0 ||
        sim_refusal_of_room(host, guest, op, err) != 0) {
        return -1;
    }
    missing = sim_supply_missing(host, guest, &what);
    if (missing != NULL) {
        return sim_refusal_no_such(err, op, host, what, missing);
    }
    if (sim_supply_check_owners(fleet, op, host, err) != 0 ||
        sim_state_check_start(op, host, err) != 0) {
        return -1;
    }
    sim_state_start(fleet, host, guest);
    sim_fleet_set_state(fleet, guest, GUEST_RUNNING, GUEST_REASON_BOOTED);
    /* It runs, however slowly; only the reply is late. */
    return fleet->durations.start_ms <= op->timeout_ms
               ? 0
               : sim_refusal_tell(err, ERR_TIMEOUT, op, "it was not seen running in time");
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

    if (sim_refusal_need(host, op, &guest, err) != 0) {
        return -1;
    }
    if (guest->state == GUEST_RUNNING) {
        return 0;
    }
    if (!is_leftover(guest)) {
        return sim_refusal_tell(err, ERR_REFUSED, op, "no migration paused it");
    }
    sim_fleet_set_state(fleet, guest, GUEST_RUNNING, GUEST_REASON_UNPAUSED);
    return 0;
}

static int destroy(struct sim_fleet *fleet, const struct op *op, struct sim_host *host,
                   struct err *err)
{
    struct sim_guest *guest = NULL;
    struct sim_migration *migration;

    if (sim_refusal_seek(host, op, &guest, err) != 0) {
        return -1;
    }
    if (guest == NULL || !sim_fleet_is_active(guest)) {
        return 0;
    }
    if (!is_leftover(guest)) {
        return sim_refusal_tell(err, ERR_REFUSED, op, "it is not the paused rest of a migration");
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
           op->kind == OP_MIGRATE || op->supply == SUPPLY_STATE;
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
        return sim_migrate_begin(fleet, op, host, peer, wall_ms, fault, err);
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
        return answer_of(op->supply == SUPPLY_STATE
                             ? sim_state_provide(fleet, op, host, peer, &findings->note, err)
                             : sim_supply_provide(fleet, op, host, findings, err));
    case OP_WITHDRAW:
        return answer_of(op->supply == SUPPLY_STATE
                             ? sim_state_withdraw(fleet, op, host, peer, &findings->note, err)
                             : sim_supply_withdraw(fleet, op, host, &findings->note, err));
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
        (void)sim_refusal_tell(err, ERR_INVALID, op, "source and target are the same host");
        return SIM_ANSWER_FAILED;
    }
    return perform(fleet, op, host, peer, wall_ms, fault, checks, findings, err);
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
                               : sim_migrate_follow(fleet, op, host, wall_ms, course, err);
}

int64_t sim_rules_reply_ms(const struct sim_fleet *fleet, const struct op *op)
{
    if (op->kind == OP_START) {
        return fleet->durations.start_ms < op->timeout_ms ? fleet->durations.start_ms
                                                          : op->timeout_ms;
    }
    return fleet->durations.define_ms;
}
