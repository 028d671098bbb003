/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_migrate.h"

#include <libvirt/virterror.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "actuators/libvirt_connection.h"
#include "actuators/libvirt_dirty.h"
#include "actuators/libvirt_error.h"
#include "actuators/libvirt_move.h"
#include "actuators/libvirt_observe.h"
#include "actuators/libvirt_pool.h"
#include "model/ladder.h"

#define POLL_MS INT64_C(200)

/* The call that blocks until the migration has ended, on a thread and a connection of its own. */
struct call {
    const struct libvirt_move *move;
    virDomainPtr domain; /* Of the second connection. */
    virTypedParameterPtr parameters;
    int count;
    unsigned flags;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t ended_changed;
    bool ended; /* Guarded by 'mutex'; what follows is valid once it is set. */
    int status;
    struct err err;
    bool by_qemu; /* 'err' is of a QEMU, which may have told its log more. */
};

/* Who keeps an eye on the migration, and helps it to its end. */
struct watcher {
    const struct libvirt_move *move;
    virDomainPtr domain;
    bool began_paused; /* Its state does not show that the switchover has come. */
    bool measuring;    /* What the guest writes is asked for until it is known. */
    bool has_written;
    uint64_t written_bytes_s;
    bool postcopy;
    struct actuator_stats stats; /* So far. */
    struct ladder ladder;
};

static void *run_call(void *context)
{
    struct call *call = context;

    (void)pthread_setname_np(pthread_self(), "berth-migrate");
    call->status = virDomainMigrateToURI3(call->domain, call->move->target.peer_uri,
                                          call->parameters, (unsigned)call->count, call->flags);
    if (call->status < 0) {
        (void)libvirt_move_fail_libvirt(call->move, &call->err);
        call->by_qemu =
            libvirt_error_is(VIR_ERR_INTERNAL_ERROR) || libvirt_error_is(VIR_ERR_OPERATION_FAILED);
    }
    (void)pthread_mutex_lock(&call->mutex);
    call->ended = true;
    (void)pthread_cond_signal(&call->ended_changed);
    (void)pthread_mutex_unlock(&call->mutex);
    return NULL;
}

/* Waits a poll's pause at most; true if the call has returned. */
static bool wait_call(struct call *call)
{
    struct timespec until;
    bool ended;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += POLL_MS * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    (void)pthread_mutex_lock(&call->mutex);
    if (!call->ended) {
        /* Woken early or late, the caller looks once more and comes back. */
        (void)pthread_cond_clockwait(&call->ended_changed, &call->mutex, CLOCK_MONOTONIC, &until);
    }
    ended = call->ended;
    (void)pthread_mutex_unlock(&call->mutex);
    return ended;
}

static uint64_t figure(virTypedParameterPtr parameters, int count, const char *name)
{
    unsigned long long value = 0;

    (void)virTypedParamsGetULLong(parameters, count, name, &value);
    return value;
}

static int32_t small_figure(virTypedParameterPtr parameters, int count, const char *name)
{
    int value = -1;

    (void)virTypedParamsGetInt(parameters, count, name, &value);
    return value;
}

static uint32_t percent(virTypedParameterPtr parameters, int count, const char *name)
{
    int32_t value = small_figure(parameters, count, name);

    return value < 0 ? 0 : value > 100 ? 100 : (uint32_t)value;
}

/* Whether the guest stands still here, and if so, whether because it runs at the target by post-copy. */
static bool is_paused(virDomainPtr domain, bool *postcopy)
{
    int state = VIR_DOMAIN_NOSTATE;
    int reason = 0;

    if (virDomainGetState(domain, &state, &reason, 0) < 0 || state != VIR_DOMAIN_PAUSED) {
        return false;
    }
    *postcopy = reason == VIR_DOMAIN_PAUSED_POSTCOPY;
    return true;
}

/* Reads the migration's figures; false if none is under way. */
static bool read_progress(virDomainPtr domain, struct actuator_progress *progress)
{
    virTypedParameterPtr parameters = NULL;
    int type = VIR_DOMAIN_JOB_NONE;
    int count = 0;
    bool outgoing;

    if (virDomainGetJobStats(domain, &type, &parameters, &count, 0) < 0) {
        return false;
    }
    outgoing = (type == VIR_DOMAIN_JOB_BOUNDED || type == VIR_DOMAIN_JOB_UNBOUNDED) &&
               small_figure(parameters, count, VIR_DOMAIN_JOB_OPERATION) ==
                   VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT;
    if (outgoing) {
        *progress = (struct actuator_progress){
            .elapsed_ms = (int64_t)figure(parameters, count, VIR_DOMAIN_JOB_TIME_ELAPSED),
            .total_bytes = figure(parameters, count, VIR_DOMAIN_JOB_DATA_TOTAL),
            .remaining_bytes = figure(parameters, count, VIR_DOMAIN_JOB_DATA_REMAINING),
            .processed_bytes = figure(parameters, count, VIR_DOMAIN_JOB_DATA_PROCESSED),
            .rate_bytes_s = figure(parameters, count, VIR_DOMAIN_JOB_MEMORY_BPS),
            .dirty_bytes_s = figure(parameters, count, VIR_DOMAIN_JOB_MEMORY_DIRTY_RATE) *
                             figure(parameters, count, VIR_DOMAIN_JOB_MEMORY_PAGE_SIZE),
            .iteration = figure(parameters, count, VIR_DOMAIN_JOB_MEMORY_ITERATION),
            .throttle_percent = percent(parameters, count, VIR_DOMAIN_JOB_AUTO_CONVERGE_THROTTLE),
        };
    }
    virTypedParamsFree(parameters, count);
    return outgoing;
}

static enum actuator_phase phase_of(struct watcher *watcher,
                                    const struct actuator_progress *progress)
{
    bool paused = is_paused(watcher->domain, &watcher->postcopy);

    if (progress->total_bytes == 0) {
        return ACTUATOR_PHASE_SETUP;
    }
    if (watcher->postcopy) {
        return ACTUATOR_PHASE_POSTCOPY;
    }
    if (watcher->began_paused || !paused) {
        return ACTUATOR_PHASE_MEMORY;
    }
    return progress->remaining_bytes == 0 ? ACTUATOR_PHASE_CLEANUP : ACTUATOR_PHASE_SWITCHOVER;
}

/* Helps a guest that writes faster than it can be copied.  That a rung cannot be taken ends nothing: the
 * next one is tried at the next pass. */
static void climb(struct watcher *watcher, uint64_t pass)
{
    switch (ladder_climb(&watcher->ladder, &watcher->move->op->live, pass)) {
    case LADDER_DOWNTIME:
        (void)virDomainMigrateSetMaxDowntime(watcher->domain, watcher->ladder.downtime_ms, 0);
        break;
    case LADDER_POSTCOPY:
        (void)virDomainMigrateStartPostCopy(watcher->domain, 0);
        break;
    case LADDER_STAY:
        break;
    }
}

static struct watcher watcher_new(const struct libvirt_move *move, virDomainPtr domain)
{
    bool postcopy = false;
    bool paused = is_paused(domain, &postcopy);

    return (struct watcher){
        .move = move,
        .domain = domain,
        .began_paused = paused && !postcopy,
        .postcopy = postcopy,
        .ladder = ladder_begin(&move->op->live),
    };
}

/* A migration that ends without success has no final figures: what was seen last is told then. */
static void note_figures(struct watcher *watcher, const struct actuator_progress *progress)
{
    struct actuator_stats *stats = &watcher->stats;

    stats->total_ms = progress->elapsed_ms;
    stats->bytes = progress->processed_bytes;
    stats->iterations = progress->iteration;
    stats->postcopy = watcher->postcopy;
    if (progress->throttle_percent > stats->throttle_percent) {
        stats->throttle_percent = progress->throttle_percent;
    }
}

/* One look: tells how far it is, and takes the next rung unless it is to end anyway. */
static void watch(struct watcher *watcher, bool cancelled)
{
    struct actuator_progress progress;

    if (!read_progress(watcher->domain, &progress)) {
        return;
    }
    if (watcher->measuring) {
        watcher->has_written = libvirt_dirty_read(watcher->domain, &watcher->written_bytes_s);
        watcher->measuring = !watcher->has_written;
    }
    progress.has_written = watcher->has_written;
    progress.written_bytes_s = watcher->written_bytes_s;
    progress.phase = phase_of(watcher, &progress);
    note_figures(watcher, &progress);
    libvirt_pool_report(watcher->move->job, &progress);
    if (!cancelled && progress.phase == ACTUATOR_PHASE_MEMORY) {
        climb(watcher, progress.iteration);
    }
}

/* Reads the final figures, which libvirt gives away only once.  Where the guest was undefined only the
 * target still has them.  If nobody has, they are what was seen last. */
static struct actuator_stats read_stats(const struct watcher *watcher)
{
    const struct libvirt_move *move = watcher->move;
    struct actuator_stats stats = watcher->stats;
    AUTO(domain) virDomain *target = NULL;
    virTypedParameterPtr parameters = NULL;
    const unsigned flags = VIR_DOMAIN_JOB_STATS_COMPLETED;
    int type = VIR_DOMAIN_JOB_NONE;
    int count = 0;
    int status = virDomainGetJobStats(watcher->domain, &type, &parameters, &count, flags);

    if (status < 0 || type != VIR_DOMAIN_JOB_COMPLETED) {
        virTypedParamsFree(parameters, count);
        parameters = NULL;
        count = 0;
        target = virDomainLookupByUUIDString(move->target.connection, move->op->uuid);
        status =
            target == NULL ? -1 : virDomainGetJobStats(target, &type, &parameters, &count, flags);
    }
    if (status == 0 && type == VIR_DOMAIN_JOB_COMPLETED) {
        stats.total_ms = (int64_t)figure(parameters, count, VIR_DOMAIN_JOB_TIME_ELAPSED);
        stats.downtime_ms = (int64_t)figure(parameters, count, VIR_DOMAIN_JOB_DOWNTIME);
        stats.bytes = figure(parameters, count, VIR_DOMAIN_JOB_DATA_PROCESSED);
        stats.iterations = figure(parameters, count, VIR_DOMAIN_JOB_MEMORY_ITERATION);
    }
    virTypedParamsFree(parameters, count);
    return stats;
}

static int add_parameters(const struct op_live *live, struct call *call)
{
    int capacity = 0;
    int status = 0;

    if (live->migrate_uri != NULL) {
        status |= virTypedParamsAddString(&call->parameters, &call->count, &capacity,
                                          VIR_MIGRATE_PARAM_URI, live->migrate_uri);
    }
    if (live->bandwidth_mib_s > 0) {
        status |= virTypedParamsAddULLong(&call->parameters, &call->count, &capacity,
                                          VIR_MIGRATE_PARAM_BANDWIDTH, live->bandwidth_mib_s);
    }
    if (live->auto_converge) {
        status |=
            virTypedParamsAddInt(&call->parameters, &call->count, &capacity,
                                 VIR_MIGRATE_PARAM_AUTO_CONVERGE_INITIAL, LADDER_THROTTLE_FIRST);
        status |=
            virTypedParamsAddInt(&call->parameters, &call->count, &capacity,
                                 VIR_MIGRATE_PARAM_AUTO_CONVERGE_INCREMENT, LADDER_THROTTLE_STEP);
    }
    if (live->parallel > 1) {
        status |= virTypedParamsAddInt(&call->parameters, &call->count, &capacity,
                                       VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS, (int)live->parallel);
    }
    return status;
}

static unsigned flags_of(const struct op_live *live)
{
    unsigned flags = VIR_MIGRATE_PEER2PEER | VIR_MIGRATE_LIVE | VIR_MIGRATE_ABORT_ON_ERROR;

    flags |= live->persistent ? VIR_MIGRATE_PERSIST_DEST | VIR_MIGRATE_UNDEFINE_SOURCE : 0U;
    flags |= live->parallel > 1 ? (unsigned)VIR_MIGRATE_PARALLEL : 0U;
    flags |= live->tls ? (unsigned)VIR_MIGRATE_TLS : 0U;
    flags |= live->auto_converge ? (unsigned)VIR_MIGRATE_AUTO_CONVERGE : 0U;
    flags |= live->postcopy ? (unsigned)VIR_MIGRATE_POSTCOPY : 0U;
    return flags;
}

/* While the call still waits for its turn the job may be another actor's backup or save, which is not ours
 * to abort. */
static bool abort_migration(const struct libvirt_move *move, virDomainPtr domain)
{
    enum guest_job job;
    struct err ignored;

    return libvirt_observe_job(domain, move->op->host, &job, &ignored) == 0 &&
           (job == GUEST_JOB_OUTGOING || job == GUEST_JOB_NONE) && virDomainAbortJob(domain) == 0;
}

/* Reports, helps and, once cancelled, aborts, until the call has returned; also when nobody listens any
 * more, because the call uses what is ours. */
static bool watch_call(struct call *call, struct watcher *watcher)
{
    const struct libvirt_move *move = call->move;
    bool aborted = false;

    (void)virDomainMigrateSetMaxDowntime(watcher->domain, watcher->ladder.downtime_ms, 0);
    while (!wait_call(call)) {
        bool cancelled = libvirt_pool_ask(move->job) == LIBVIRT_JOB_CANCELLED;

        if (cancelled) {
            aborted |= abort_migration(move, watcher->domain);
        }
        watch(watcher, cancelled);
    }
    return aborted;
}

/* libvirt does not say at which end something was lost: adds where a person should look. */
static void advise(const struct call *call, struct err *err)
{
    const struct libvirt_move *move = call->move;
    const char *target = move->op->peer;
    char advice[ERR_TEXT_SIZE / 2];

    *err = call->err;
    if (err->code == ERR_UNREACHABLE && !libvirt_connection_is_alive(move->source.second)) {
        (void)snprintf(advice, sizeof(advice), "libvirt on '%s' was lost: see that it runs",
                       move->op->host);
    } else if (err->code == ERR_UNREACHABLE) {
        (void)snprintf(
            advice, sizeof(advice),
            "'%s' does not reach libvirt on '%s': see that it runs there, and to the network between them",
            move->op->host, target);
    } else if (err->code == ERR_FAILED && call->by_qemu) {
        (void)snprintf(advice, sizeof(advice), "see /var/log/libvirt/qemu/%.40s.log on '%.40s'",
                       move->op->guest, target);
    } else {
        return;
    }
    (void)err_set(err, err->code, "%.*s: %s", (int)(sizeof(err->text) - strlen(advice) - 3),
                  call->err.text, advice);
}

static int run_and_watch(struct libvirt_move *move, virDomainPtr domain, struct call *call,
                         struct err *err)
{
    struct watcher watcher = watcher_new(move, domain);
    bool aborted;
    int error;

    watcher.measuring = libvirt_dirty_begin(domain);
    error = libvirt_pool_thread(&call->thread, run_call, call);
    if (error != 0) {
        err_set_errno(err, ERR_FAILED, error, "cannot start a thread");
        return err_wrap(err, "cannot migrate guest '%s'", move->op->guest);
    }
    aborted = watch_call(call, &watcher);
    (void)pthread_join(call->thread, NULL);
    if (call->status == 0) {
        move->stats = read_stats(&watcher);
        return 0;
    }
    move->stats = watcher.stats;
    advise(call, err);
    if (aborted) {
        return libvirt_move_fail(move, err, ERR_CANCELLED, "cancelled; it stays where it was");
    }
    return -1;
}

static int migrate(struct libvirt_move *move, virDomainPtr domain, struct err *err)
{
    AUTO(domain) virDomain *twin = virDomainLookupByUUIDString(move->source.second, move->op->uuid);
    struct call call = {
        .move = move,
        .domain = twin,
        .flags = flags_of(&move->op->live),
        .mutex = PTHREAD_MUTEX_INITIALIZER,
        .ended_changed = PTHREAD_COND_INITIALIZER,
    };
    int status;

    status = twin == NULL || add_parameters(&move->op->live, &call) < 0
                 ? libvirt_move_fail_libvirt(move, err)
                 : run_and_watch(move, domain, &call, err);
    virTypedParamsFree(call.parameters, call.count);
    (void)pthread_cond_destroy(&call.ended_changed);
    (void)pthread_mutex_destroy(&call.mutex);
    return status;
}

/* The source does not have the guest: fine if the target runs it, because then it has moved. */
static int check_moved(const struct libvirt_move *move, struct err *err)
{
    AUTO(domain) virDomain *domain = NULL;

    if (libvirt_move_find(move, &move->target, &domain, err) < 0) {
        return -1;
    }
    if (domain != NULL && virDomainIsActive(domain) == 1) {
        return 0;
    }
    return libvirt_move_fail(move, err, ERR_NOT_FOUND, "'%s' does not know it", move->op->host);
}

static int check_source(const struct libvirt_move *move, virDomainPtr domain, struct err *err)
{
    int persistent = virDomainIsPersistent(domain);
    enum guest_state state;
    enum guest_reason reason;
    enum guest_job job;

    if (persistent < 0) {
        return libvirt_move_fail_libvirt(move, err);
    }
    if ((persistent == 1) != move->op->live.persistent) {
        return libvirt_move_fail(move, err, ERR_CONFLICT, "it is %s now",
                                 persistent == 1 ? "persistent" : "transient");
    }
    if (libvirt_observe_state(domain, move->op->host, &state, &reason, err) < 0) {
        return -1;
    }
    if (state != GUEST_RUNNING && (state != GUEST_PAUSED || reason != GUEST_REASON_USER)) {
        return libvirt_move_fail(move, err, ERR_CONFLICT, "it is %s (%s)",
                                 observed_state_name(state), observed_reason_name(reason));
    }
    if (libvirt_observe_job(domain, move->op->host, &job, err) < 0) {
        return -1;
    }
    return job == GUEST_JOB_NONE
               ? 0
               : libvirt_move_fail(move, err, ERR_BUSY, "another job runs on it (%s)",
                                   observed_job_name(job));
}

int libvirt_migrate_run(struct libvirt_move *move, struct err *err)
{
    AUTO(domain) virDomain *domain = NULL;

    if (libvirt_move_find(move, &move->source, &domain, err) < 0) {
        return -1;
    }
    if (domain == NULL) {
        return check_moved(move, err);
    }
    return check_source(move, domain, err) < 0 ? -1 : migrate(move, domain, err);
}

/* Not libvirt_pool_wait(): that returns at once for ever when the job is cancelled. */
static void pause_poll(void)
{
    const struct timespec pause = { .tv_nsec = POLL_MS * 1000000 };

    (void)nanosleep(&pause, NULL);
}

/* Follows the job until it is seen gone; a guest that is gone has none. */
static int follow(struct watcher *watcher, bool *aborted, struct err *err)
{
    const struct libvirt_move *move = watcher->move;

    for (;;) {
        enum libvirt_job_wait asked = libvirt_pool_ask(move->job);
        enum guest_job job;

        if (libvirt_observe_job(watcher->domain, move->op->host, &job, err) < 0) {
            return err->code == ERR_NOT_FOUND ? 0 : -1;
        }
        if (job != GUEST_JOB_OUTGOING) {
            return 0;
        }
        if (asked == LIBVIRT_JOB_ABANDONED) {
            return libvirt_move_fail(move, err, ERR_CANCELLED, "not followed any longer");
        }
        if (asked == LIBVIRT_JOB_CANCELLED) {
            *aborted |= virDomainAbortJob(watcher->domain) == 0;
        }
        watch(watcher, asked == LIBVIRT_JOB_CANCELLED);
        pause_poll();
    }
}

/* The rungs that the run before has taken: QEMU knows the limit of the pause. */
static void go_on_climbing(struct watcher *watcher)
{
    unsigned long long downtime_ms = 0;

    if (virDomainMigrateGetMaxDowntime(watcher->domain, &downtime_ms, 0) == 0 &&
        downtime_ms > watcher->ladder.downtime_ms) {
        watcher->ladder.downtime_ms = downtime_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)downtime_ms;
    }
}

int libvirt_migrate_adopt(struct libvirt_move *move, struct err *err)
{
    AUTO(domain) virDomain *domain = NULL;
    struct watcher watcher;
    bool aborted = false;

    if (libvirt_move_find(move, &move->source, &domain, err) < 0) {
        return -1;
    }
    if (domain == NULL) {
        return 0;
    }
    watcher = watcher_new(move, domain);
    go_on_climbing(&watcher);
    if (follow(&watcher, &aborted, err) < 0) {
        return -1;
    }
    if (aborted && virDomainIsActive(domain) == 1) {
        move->stats = watcher.stats;
        return libvirt_move_fail(move, err, ERR_CANCELLED, "cancelled; it stays where it was");
    }
    move->stats = read_stats(&watcher);
    return 0;
}
