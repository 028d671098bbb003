/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_move.h"

#include <libvirt/virterror.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuators/libvirt_announce.h"
#include "actuators/libvirt_connection.h"
#include "actuators/libvirt_error.h"
#include "actuators/libvirt_guard.h"
#include "actuators/libvirt_migrate.h"
#include "actuators/libvirt_observe.h"
#include "actuators/libvirt_pool.h"
#include "actuators/libvirt_preflight.h"
#include "actuators/libvirt_state.h"
#include "actuators/libvirt_supply.h"
#include "actuators/libvirt_xml.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/text.h"

#define POLL_MS INT64_C(250)

/* A guest that has not booted far enough does not hear the first request to shut down; the pauses
 * between requests double from here. */
#define FIRST_PRESS_PAUSE_MS INT64_C(5000)
#define MAX_PRESSES          5

/* The first libvirt whose undefine can be told to keep a TPM's state, and could lose it before. */
#define LIBVIRT_KEEP_TPM 8009000

static void describe(const struct libvirt_move *move, char what[ERR_TEXT_SIZE])
{
    static const char *const verbs[OP_KIND_COUNT] = {
        [OP_PREFLIGHT] = "move",
        [OP_MIGRATE] = "migrate",
        [OP_ADOPT] = "follow",
        [OP_STOP] = "stop",
        [OP_DEFINE] = "define",
        [OP_UNDEFINE] = "undefine",
        [OP_AUTOSTART] = "set autostart of",
        [OP_START] = "start",
        [OP_RESUME] = "resume",
        [OP_DESTROY] = "destroy",
        [OP_PROVIDE] = "provide supplies of",
        [OP_WITHDRAW] = "withdraw supplies of",
        [OP_FENCE] = "fence",
        [OP_RELEASE] = "release",
    };
    const struct op *op = move->op;

    if (op->peer == NULL) {
        (void)snprintf(what, ERR_TEXT_SIZE, "cannot %s guest '%s' on '%s'", verbs[op->kind],
                       op->guest, op->host);
    } else {
        (void)snprintf(what, ERR_TEXT_SIZE, "cannot %s guest '%s' from '%s' to '%s'",
                       verbs[op->kind], op->guest, op->host, op->peer);
    }
}

int libvirt_move_fail(const struct libvirt_move *move, struct err *err, enum err_code code,
                      const char *fmt, ...)
{
    char what[ERR_TEXT_SIZE];
    char why[ERR_TEXT_SIZE];
    va_list args;

    describe(move, what);
    va_start(args, fmt);
    (void)vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    return err_set(err, code, "%s: %s", what, why);
}

int libvirt_move_fail_libvirt(const struct libvirt_move *move, struct err *err)
{
    char what[ERR_TEXT_SIZE];

    describe(move, what);
    return libvirt_error_set(err, "%s", what);
}

int libvirt_move_find(const struct libvirt_move *move, const struct libvirt_move_end *end,
                      virDomainPtr *domain, struct err *err)
{
    AUTO(domain) virDomain *found = virDomainLookupByUUIDString(end->connection, move->op->uuid);

    if (found == NULL && !libvirt_error_is(VIR_ERR_NO_DOMAIN)) {
        return libvirt_move_fail_libvirt(move, err);
    }
    if (found != NULL && strcmp(virDomainGetName(found), move->op->guest) != 0) {
        return libvirt_move_fail(move, err, ERR_CONFLICT,
                                 "on '%s' its UUID %s belongs to guest '%s'", end->host.name,
                                 move->op->uuid, virDomainGetName(found));
    }
    *domain = STEAL(found);
    return 0;
}

int libvirt_move_is_active(const struct libvirt_move *move, const struct libvirt_move_end *end,
                           struct err *err)
{
    AUTO(domain) virDomain *domain = NULL;
    int active;

    if (libvirt_move_find(move, end, &domain, err) < 0) {
        return -1;
    }
    active = domain == NULL ? 0 : virDomainIsActive(domain);
    return active < 0 ? libvirt_move_fail_libvirt(move, err) : active;
}

/* An image that lies where libvirt keeps those of guests with this name, since before the guest was defined
 * (libvirt 9.0): it says that there is none, refuses to remove it, and restores it at the next start. */
static int check_leftover_save(const struct libvirt_move *move, virDomainPtr domain,
                               struct err *err)
{
    char *xml = virDomainManagedSaveGetXMLDesc(domain, 0);

    if (xml == NULL &&
        (libvirt_error_is(VIR_ERR_OPERATION_INVALID) || libvirt_error_is(VIR_ERR_NO_SUPPORT))) {
        return 0;
    }
    free(xml);
    return libvirt_move_fail(move, err, ERR_UNSAFE,
                             "an image of its memory that is older than its disks is left there: "
                             "remove " LIBVIRT_SAVE_FOLDER "%s.save",
                             move->op->guest);
}

/* Fails with ERR_UNSAFE if a managed save image exists: a start would put its old memory over newer disks,
 * and a move would leave it behind. */
static int check_save(const struct libvirt_move *move, virDomainPtr domain, struct err *err)
{
    int exists = virDomainHasManagedSaveImage(domain, 0);

    if (exists < 0) {
        return libvirt_move_fail_libvirt(move, err);
    }
    return exists == 0 ? check_leftover_save(move, domain, err)
                       : libvirt_move_fail(move, err, ERR_UNSAFE,
                                           "it has a managed save image: start it or remove the "
                                           "image with 'virsh managedsave-remove'");
}

/* The guest and its state; a guest that is not there is a failure. */
static int require(const struct libvirt_move *move, virDomainPtr *domain, enum guest_state *state,
                   enum guest_reason *reason, struct err *err)
{
    AUTO(domain) virDomain *found = NULL;

    if (libvirt_move_find(move, &move->source, &found, err) < 0) {
        return -1;
    }
    if (found == NULL) {
        return libvirt_move_fail(move, err, ERR_NOT_FOUND, "the host does not know it");
    }
    if (libvirt_observe_state(found, move->op->host, state, reason, err) < 0) {
        return -1;
    }
    *domain = STEAL(found);
    return 0;
}

static int set_autostart(const struct libvirt_move *move, virDomainPtr domain, bool enable,
                         struct err *err)
{
    int enabled = 0;

    if (virDomainGetAutostart(domain, &enabled) < 0 ||
        (enabled != (int)enable && virDomainSetAutostart(domain, enable) < 0)) {
        return libvirt_move_fail_libvirt(move, err);
    }
    return 0;
}

static int check_stoppable(const struct libvirt_move *move, virDomainPtr domain,
                           enum guest_state state, struct err *err)
{
    int persistent = virDomainIsPersistent(domain);

    if (persistent < 0) {
        return libvirt_move_fail_libvirt(move, err);
    }
    if (persistent == 0) {
        return libvirt_move_fail(move, err, ERR_UNSAFE,
                                 "it is transient: its definition would vanish with it");
    }
    if (state == GUEST_PAUSED) {
        return libvirt_move_fail(move, err, ERR_UNSAFE,
                                 "it is paused and cannot hear the request: resume it first");
    }
    if (state == GUEST_CRASHED) {
        return libvirt_move_fail(move, err, ERR_UNSAFE,
                                 "it has crashed and cannot hear the request: look at it first");
    }
    return check_save(move, domain, err);
}

/* Asks the guest to shut down, as libvirt sees fit: agent or ACPI.  That it went down by itself just
 * before is no failure; the next look tells. */
static int press(const struct libvirt_move *move, virDomainPtr domain, struct err *err)
{
    if (virDomainShutdown(domain) == 0 || libvirt_error_is(VIR_ERR_OPERATION_INVALID)) {
        return 0;
    }
    return libvirt_move_fail_libvirt(move, err);
}

static int fail_stop_timeout(const struct libvirt_move *move, struct err *err)
{
    char waited[CLOCK_TEXT_SIZE];

    return err_set(err, ERR_TIMEOUT,
                   "guest '%s' on '%s' did not shut down within %s: shut it down from inside, or "
                   "see that it has an agent or acts on its power button",
                   move->op->guest, move->op->host,
                   clock_format_duration(move->op->timeout_ms, waited));
}

/* How the wait for a guest goes on. */
struct patience {
    int64_t begin_ms;
    int64_t press_ms; /* When to press next, from the beginning. */
    unsigned presses;
};

/* One look at a guest that is to shut down, and a press if one is due; '*off' once it is off. */
static int look_stopping(const struct libvirt_move *move, virDomainPtr domain,
                         struct patience *patience, bool *off, struct err *err)
{
    struct actuator_progress progress = { .phase = ACTUATOR_PHASE_WAIT };
    enum guest_state state = GUEST_OTHER;
    enum guest_reason reason;

    if (libvirt_observe_state(domain, move->op->host, &state, &reason, err) < 0) {
        return -1;
    }
    progress.elapsed_ms = libvirt_pool_now_ms() - patience->begin_ms;
    *off = state == GUEST_SHUTOFF;
    if (*off) {
        return 0;
    }
    if (progress.elapsed_ms >= move->op->timeout_ms) {
        return fail_stop_timeout(move, err);
    }
    libvirt_pool_report(move->job, &progress);
    if (patience->presses == MAX_PRESSES || progress.elapsed_ms < patience->press_ms) {
        return 0;
    }
    patience->press_ms = progress.elapsed_ms + (FIRST_PRESS_PAUSE_MS << patience->presses++);
    return press(move, domain, err);
}

/* Presses, and waits until the guest is off. */
static int wait_stopped(const struct libvirt_move *move, virDomainPtr domain, struct err *err)
{
    struct patience patience = { .begin_ms = libvirt_pool_now_ms() };
    bool off = false;

    for (;;) {
        if (look_stopping(move, domain, &patience, &off, err) < 0) {
            return -1;
        }
        if (off) {
            return 0;
        }
        if (libvirt_pool_wait(move->job, POLL_MS) != LIBVIRT_JOB_ELAPSED) {
            return libvirt_move_fail(move, err, ERR_CANCELLED,
                                     "cancelled; the guest may still act on the request");
        }
    }
}

static int run_stop(const struct libvirt_move *move, struct err *err)
{
    AUTO(domain) virDomain *domain = NULL;
    enum guest_state state = GUEST_OTHER;
    enum guest_reason reason = GUEST_REASON_UNKNOWN;

    if (require(move, &domain, &state, &reason, err) < 0 ||
        check_stoppable(move, domain, state, err) < 0 ||
        set_autostart(move, domain, false, err) < 0) {
        return -1;
    }
    return wait_stopped(move, domain, err);
}

/* The XML defines the operation's guest and no other. */
static int check_definition(const struct libvirt_move *move, struct err *err)
{
    struct libvirt_xml_guest facts;

    if (libvirt_xml_read_guest(move->arena, move->op->xml, &facts, err) < 0) {
        return err_wrap(err, "guest '%s'", move->op->guest);
    }
    if (strcmp(facts.name, move->op->guest) != 0 || strcmp(facts.uuid, move->op->uuid) != 0) {
        return libvirt_move_fail(move, err, ERR_INVALID, "the definition is that of '%s' (%s)",
                                 facts.name, facts.uuid);
    }
    return 0;
}

static int check_name_free(const struct libvirt_move *move, struct err *err)
{
    AUTO(domain) virDomain *other = virDomainLookupByName(move->source.connection, move->op->guest);
    char uuid[VIR_UUID_STRING_BUFLEN] = "";

    if (other == NULL) {
        return libvirt_error_is(VIR_ERR_NO_DOMAIN) ? 0 : libvirt_move_fail_libvirt(move, err);
    }
    (void)virDomainGetUUIDString(other, uuid);
    return libvirt_move_fail(move, err, ERR_EXISTS, "another guest there has its name (UUID %s)",
                             uuid);
}

/* A definition of the same guest may be replaced while it is no more than that. */
static int check_replaceable(const struct libvirt_move *move, virDomainPtr domain, struct err *err)
{
    enum guest_state state;
    enum guest_reason reason;

    if (libvirt_observe_state(domain, move->op->host, &state, &reason, err) < 0) {
        return -1;
    }
    if (state != GUEST_SHUTOFF) {
        return libvirt_move_fail(move, err, ERR_CONFLICT, "it is %s there",
                                 observed_state_name(state));
    }
    return check_save(move, domain, err);
}

static int run_define(const struct libvirt_move *move, struct err *err)
{
    AUTO(domain) virDomain *present = NULL;
    AUTO(domain) virDomain *defined = NULL;

    if (check_definition(move, err) < 0) {
        return -1;
    }
    if (libvirt_move_find(move, &move->source, &present, err) < 0) {
        err->code = err->code == ERR_CONFLICT ? ERR_EXISTS : err->code;
        return -1;
    }
    if ((present == NULL ? check_name_free(move, err) : check_replaceable(move, present, err)) <
        0) {
        return -1;
    }
    defined = virDomainDefineXMLFlags(move->source.connection, move->op->xml, 0);
    if (defined == NULL) {
        return libvirt_move_fail_libvirt(move, err);
    }
    return set_autostart(move, defined, false, err);
}

static int check_undefinable(const struct libvirt_move *move, virDomainPtr domain, struct err *err)
{
    enum guest_state state;
    enum guest_reason reason;
    int snapshots;

    if (libvirt_observe_state(domain, move->op->host, &state, &reason, err) < 0) {
        return -1;
    }
    if (state != GUEST_SHUTOFF) {
        return libvirt_move_fail(move, err, ERR_CONFLICT, "it is %s, not shut off",
                                 observed_state_name(state));
    }
    snapshots = virDomainSnapshotNum(domain, 0);
    if (snapshots < 0) {
        return libvirt_move_fail_libvirt(move, err);
    }
    if (snapshots > 0) {
        return libvirt_move_fail(move, err, ERR_UNSAFE, "it has %d snapshot%s: delete %s first",
                                 snapshots, snapshots == 1 ? "" : "s",
                                 snapshots == 1 ? "it" : "them");
    }
    return check_save(move, domain, err);
}

/* Removes the definition and nothing else.  A libvirt that cannot be told to keep a TPM's state is not
 * asked to undefine a guest that has one. */
static int undefine(const struct libvirt_move *move, virDomainPtr domain, const char *xml,
                    struct err *err)
{
    bool knows_tpm = move->source.host.libvirt_version >= LIBVIRT_KEEP_TPM;
    unsigned flags =
        VIR_DOMAIN_UNDEFINE_KEEP_NVRAM | (knows_tpm ? VIR_DOMAIN_UNDEFINE_KEEP_TPM : 0);
    struct libvirt_xml_guest facts;

    if (libvirt_xml_read_guest(move->arena, xml, &facts, err) < 0) {
        return -1;
    }
    if (facts.has_tpm && !knows_tpm) {
        return libvirt_move_fail(move, err, ERR_UNSAFE,
                                 "its TPM state would be deleted: upgrade libvirt there to 8.9");
    }
    return virDomainUndefineFlags(domain, flags) == 0 ? 0 : libvirt_move_fail_libvirt(move, err);
}

/* Somebody may have started the guest between our look and our undefine; then it runs on as a transient
 * one, which loses its definition when it ends: give it back. */
static int look_again(const struct libvirt_move *move, const char *xml, struct err *err)
{
    AUTO(domain) virDomain *left = NULL;
    AUTO(domain) virDomain *defined = NULL;

    if (libvirt_move_find(move, &move->source, &left, err) < 0) {
        return -1;
    }
    if (left == NULL) {
        return 0;
    }
    defined = virDomainDefineXMLFlags(move->source.connection, xml, 0);
    if (defined == NULL) {
        (void)libvirt_move_fail_libvirt(move, err);
        return err_wrap(err, "it was started meanwhile and has lost its definition");
    }
    return libvirt_move_fail(move, err, ERR_CONFLICT,
                             "it was started meanwhile; its definition is back");
}

static int run_undefine(const struct libvirt_move *move, struct err *err)
{
    AUTO(domain) virDomain *domain = NULL;
    const char *copy;
    char *xml;

    if (libvirt_move_find(move, &move->source, &domain, err) < 0) {
        return -1;
    }
    if (domain == NULL) {
        return 0;
    }
    if (check_undefinable(move, domain, err) < 0) {
        return -1;
    }
    xml = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE);
    if (xml == NULL) {
        return libvirt_move_fail_libvirt(move, err);
    }
    copy = arena_strdup(move->arena, xml);
    free(xml);
    if (undefine(move, domain, copy, err) < 0) {
        return -1;
    }
    return look_again(move, move->op->xml == NULL ? copy : move->op->xml, err);
}

static int run_autostart(const struct libvirt_move *move, struct err *err)
{
    AUTO(domain) virDomain *domain = NULL;
    enum guest_state state = GUEST_OTHER;
    enum guest_reason reason = GUEST_REASON_UNKNOWN;

    if (require(move, &domain, &state, &reason, err) < 0) {
        return -1;
    }
    return set_autostart(move, domain, move->op->enable, err);
}

/* Starts a guest that is off.  If libvirt refuses, the reason may be that it was started already; the
 * look that follows tells. */
static int create(const struct libvirt_move *move, virDomainPtr domain, struct err *err)
{
    struct err refusal;

    if (check_save(move, domain, err) < 0) {
        return -1;
    }
    if (virDomainCreateWithFlags(domain, 0) == 0) {
        return 0;
    }
    (void)libvirt_move_fail_libvirt(move, &refusal); /* Before the next call loses the reason. */
    if (virDomainIsActive(domain) == 1) {
        return 0;
    }
    *err = refusal;
    return -1;
}

static int wait_running(const struct libvirt_move *move, virDomainPtr domain, struct err *err)
{
    int64_t end_ms = libvirt_pool_now_ms() + move->op->timeout_ms;

    for (;;) {
        char waited[CLOCK_TEXT_SIZE];
        enum guest_state state;
        enum guest_reason reason;

        if (libvirt_observe_state(domain, move->op->host, &state, &reason, err) < 0) {
            return -1;
        }
        if (state == GUEST_RUNNING) {
            return 0;
        }
        if (state == GUEST_SHUTOFF) {
            return libvirt_move_fail(move, err, ERR_FAILED, "it ended at once (%s)",
                                     observed_reason_name(reason));
        }
        if (libvirt_pool_now_ms() >= end_ms) {
            return libvirt_move_fail(move, err, ERR_TIMEOUT, "it is still %s (%s) after %s",
                                     observed_state_name(state), observed_reason_name(reason),
                                     clock_format_duration(move->op->timeout_ms, waited));
        }
        (void)libvirt_pool_wait(move->job, POLL_MS);
    }
}

static int run_start(const struct libvirt_move *move, struct err *err)
{
    AUTO(domain) virDomain *domain = NULL;
    enum guest_state state = GUEST_OTHER;
    enum guest_reason reason = GUEST_REASON_UNKNOWN;

    if (require(move, &domain, &state, &reason, err) < 0) {
        return -1;
    }
    if (state == GUEST_RUNNING) {
        return 0;
    }
    if (state != GUEST_SHUTOFF) {
        return libvirt_move_fail(move, err, ERR_CONFLICT, "it is %s (%s)",
                                 observed_state_name(state), observed_reason_name(reason));
    }
    return libvirt_supply_check_owners(move, err) < 0 || libvirt_state_check_start(move, err) < 0 ||
                   create(move, domain, err) < 0
               ? -1
               : wait_running(move, domain, err);
}

/* A half state that a migration left: paused by it, or an incoming guest that never ran. */
static bool is_leftover(enum guest_state state, enum guest_reason reason)
{
    return state == GUEST_PAUSED &&
           (reason == GUEST_REASON_MIGRATION || reason == GUEST_REASON_STARTING_UP);
}

static int refuse_state(const struct libvirt_move *move, enum guest_state state,
                        enum guest_reason reason, struct err *err)
{
    return libvirt_move_fail(move, err, ERR_REFUSED,
                             "it is %s (%s), not the paused leftover of a migration",
                             observed_state_name(state), observed_reason_name(reason));
}

static int check_no_job(const struct libvirt_move *move, virDomainPtr domain, bool incoming_too,
                        struct err *err)
{
    enum guest_job job;

    if (libvirt_observe_job(domain, move->op->host, &job, err) < 0) {
        return -1;
    }
    if (job == GUEST_JOB_OUTGOING || (incoming_too && job != GUEST_JOB_NONE)) {
        return libvirt_move_fail(move, err, ERR_BUSY, "a migration of it is still under way");
    }
    return 0;
}

static int run_resume(const struct libvirt_move *move, struct err *err)
{
    AUTO(domain) virDomain *domain = NULL;
    enum guest_state state = GUEST_OTHER;
    enum guest_reason reason = GUEST_REASON_UNKNOWN;

    if (require(move, &domain, &state, &reason, err) < 0) {
        return -1;
    }
    if (state == GUEST_RUNNING) {
        return 0;
    }
    if (!is_leftover(state, reason)) {
        return refuse_state(move, state, reason, err);
    }
    if (check_no_job(move, domain, true, err) < 0) {
        return -1;
    }
    return virDomainResume(domain) == 0 ? 0 : libvirt_move_fail_libvirt(move, err);
}

/* An incoming migration is what this is for, an outgoing one must be aborted and not torn off.  The state
 * is read last: what is destroyed was a leftover a moment ago. */
static int check_destroyable(const struct libvirt_move *move, virDomainPtr domain,
                             enum guest_state *state, struct err *err)
{
    enum guest_reason reason;

    if (libvirt_observe_state(domain, move->op->host, state, &reason, err) < 0) {
        return -1;
    }
    if (*state == GUEST_SHUTOFF) {
        return 0;
    }
    if (check_no_job(move, domain, false, err) < 0 ||
        libvirt_observe_state(domain, move->op->host, state, &reason, err) < 0) {
        return -1;
    }
    return is_leftover(*state, reason) ? 0 : refuse_state(move, *state, reason, err);
}

static int run_destroy(const struct libvirt_move *move, struct err *err)
{
    AUTO(domain) virDomain *domain = NULL;
    enum guest_state state = GUEST_OTHER;

    if (libvirt_move_find(move, &move->source, &domain, err) < 0) {
        return -1;
    }
    if (domain == NULL) {
        return 0;
    }
    if (check_destroyable(move, domain, &state, err) < 0) {
        return -1;
    }
    if (state == GUEST_SHUTOFF) {
        return 0;
    }
    return virDomainDestroyFlags(domain, VIR_DOMAIN_DESTROY_DEFAULT) == 0
               ? 0
               : libvirt_move_fail_libvirt(move, err);
}

static int announced(struct libvirt_move *move, int status)
{
    if (status == 0) {
        libvirt_announce_run(move);
    }
    return status;
}

int libvirt_move_run(struct libvirt_move *move, struct err *err)
{
    switch (move->op->kind) {
    case OP_PREFLIGHT:
        return libvirt_preflight_run(move, &move->checks, err);
    case OP_MIGRATE:
        return announced(move, libvirt_migrate_run(move, err));
    case OP_ADOPT:
        return announced(move, libvirt_migrate_adopt(move, err));
    case OP_STOP:
        return run_stop(move, err);
    case OP_DEFINE:
        return run_define(move, err);
    case OP_UNDEFINE:
        return run_undefine(move, err);
    case OP_AUTOSTART:
        return run_autostart(move, err);
    case OP_START:
        return run_start(move, err);
    case OP_RESUME:
        return run_resume(move, err);
    case OP_DESTROY:
        return run_destroy(move, err);
    case OP_RELEASE:
        return libvirt_guard_release(move, err);
    case OP_PROVIDE:
    case OP_WITHDRAW:
        return libvirt_supply_run(move, err);
    case OP_FENCE: /* Of a host that libvirt does not reach: actuators/fence.h. */
    case OP_KIND_COUNT:
        break;
    }
    return err_set(err, ERR_INTERNAL, "no such operation");
}
