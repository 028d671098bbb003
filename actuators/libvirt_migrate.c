/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_migrate.h"

#include <libvirt/virterror.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "actuators/libvirt_connection.h"
#include "actuators/libvirt_error.h"
#include "actuators/libvirt_move.h"
#include "actuators/libvirt_observe.h"
#include "actuators/libvirt_pool.h"

#define POLL_MS INT64_C(200)

/* The convergence ladder (migration.md): passes over memory at the first downtime limit, how far each
 * further one raises it, and the pass after which only post-copy can help. */
#define FIRST_DOWNTIME_MS  UINT32_C(300)
#define DOWNTIME_STEP_MS   UINT32_C(200)
#define PATIENT_ITERATIONS UINT64_C(4)
#define POSTCOPY_ITERATION UINT64_C(12)

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
};

/* What the watcher has done to help the migration to its end. */
struct ladder {
    uint32_t downtime_ms;
    uint64_t iteration;
    bool postcopy;
};

static void *run_call(void *context)
{
    struct call *call = context;

    (void)pthread_setname_np(pthread_self(), "berth-migrate");
    call->status = virDomainMigrateToURI3(call->domain, call->move->target.peer_uri,
                                          call->parameters, (unsigned)call->count, call->flags);
    if (call->status < 0) {
        (void)libvirt_move_fail_libvirt(call->move, &call->err);
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

static bool is_paused(virDomainPtr domain)
{
    int state = VIR_DOMAIN_NOSTATE;

    return virDomainGetState(domain, &state, NULL, 0) == 0 && state == VIR_DOMAIN_PAUSED;
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
        };
    }
    virTypedParamsFree(parameters, count);
    return outgoing;
}

/* 'began_paused' guests do not show by their state that the switchover has come. */
static void set_phase(virDomainPtr domain, bool began_paused, struct actuator_progress *progress)
{
    if (progress->total_bytes == 0) {
        progress->phase = ACTUATOR_PHASE_SETUP;
    } else if (!began_paused && is_paused(domain)) {
        progress->phase =
            progress->remaining_bytes == 0 ? ACTUATOR_PHASE_CLEANUP : ACTUATOR_PHASE_SWITCHOVER;
    } else {
        progress->phase = ACTUATOR_PHASE_MEMORY;
    }
}

/* Helps a guest that writes faster than it can be copied, one rung for each pass over its memory.  That
 * a rung cannot be taken ends nothing: the next one is tried at the next pass. */
static void climb(const struct op_live *live, virDomainPtr domain, uint64_t iteration,
                  struct ladder *ladder)
{
    if (iteration <= ladder->iteration || iteration < PATIENT_ITERATIONS) {
        return;
    }
    ladder->iteration = iteration;
    if (ladder->downtime_ms < live->max_downtime_ms) {
        uint32_t room_ms = live->max_downtime_ms - ladder->downtime_ms;

        ladder->downtime_ms += room_ms < DOWNTIME_STEP_MS ? room_ms : DOWNTIME_STEP_MS;
        (void)virDomainMigrateSetMaxDowntime(domain, ladder->downtime_ms, 0);
    } else if (live->postcopy && !ladder->postcopy && iteration >= POSTCOPY_ITERATION) {
        ladder->postcopy = virDomainMigrateStartPostCopy(domain, 0) == 0;
    }
}

/* Reads the final figures, which libvirt gives away only once.  Where the guest was undefined only the
 * target still has them. */
static void read_stats(const struct libvirt_move *move, virDomainPtr source,
                       struct actuator_stats *stats)
{
    AUTO(domain) virDomain *target = NULL;
    virTypedParameterPtr parameters = NULL;
    const unsigned flags = VIR_DOMAIN_JOB_STATS_COMPLETED;
    int type = VIR_DOMAIN_JOB_NONE;
    int count = 0;
    int status = virDomainGetJobStats(source, &type, &parameters, &count, flags);

    if (status < 0 || type != VIR_DOMAIN_JOB_COMPLETED) {
        virTypedParamsFree(parameters, count);
        parameters = NULL;
        count = 0;
        target = virDomainLookupByUUIDString(move->target.connection, move->op->uuid);
        status =
            target == NULL ? -1 : virDomainGetJobStats(target, &type, &parameters, &count, flags);
    }
    if (status == 0 && type == VIR_DOMAIN_JOB_COMPLETED) {
        *stats = (struct actuator_stats){
            .total_ms = (int64_t)figure(parameters, count, VIR_DOMAIN_JOB_TIME_ELAPSED),
            .downtime_ms = (int64_t)figure(parameters, count, VIR_DOMAIN_JOB_DOWNTIME),
            .bytes = figure(parameters, count, VIR_DOMAIN_JOB_DATA_PROCESSED),
            .iterations = figure(parameters, count, VIR_DOMAIN_JOB_MEMORY_ITERATION),
        };
    }
    virTypedParamsFree(parameters, count);
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
static bool watch_call(struct call *call, virDomainPtr domain, bool began_paused)
{
    const struct libvirt_move *move = call->move;
    struct ladder ladder = { .downtime_ms = FIRST_DOWNTIME_MS };
    bool aborted = false;

    if (ladder.downtime_ms > move->op->live.max_downtime_ms) {
        ladder.downtime_ms = move->op->live.max_downtime_ms;
    }
    (void)virDomainMigrateSetMaxDowntime(domain, ladder.downtime_ms, 0);
    while (!wait_call(call)) {
        struct actuator_progress progress;
        bool cancelled = libvirt_pool_ask(move->job) == LIBVIRT_JOB_CANCELLED;

        if (cancelled) {
            aborted |= abort_migration(move, domain);
        }
        if (!read_progress(domain, &progress)) {
            continue;
        }
        set_phase(domain, began_paused, &progress);
        libvirt_pool_report(move->job, &progress);
        if (!cancelled) {
            climb(&move->op->live, domain, progress.iteration, &ladder);
        }
    }
    return aborted;
}

static int run_and_watch(struct libvirt_move *move, virDomainPtr domain, struct call *call,
                         struct err *err)
{
    bool began_paused = is_paused(domain);
    int error = libvirt_pool_thread(&call->thread, run_call, call);
    bool aborted;

    if (error != 0) {
        err_set_errno(err, ERR_FAILED, error, "cannot start a thread");
        return err_wrap(err, "cannot migrate guest '%s'", move->op->guest);
    }
    aborted = watch_call(call, domain, began_paused);
    (void)pthread_join(call->thread, NULL);
    if (call->status == 0) {
        read_stats(move, domain, &move->stats);
        return 0;
    }
    *err = call->err;
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
static int follow(struct libvirt_move *move, virDomainPtr domain, bool *aborted, struct err *err)
{
    bool began_paused = is_paused(domain);

    for (;;) {
        enum libvirt_job_wait asked = libvirt_pool_ask(move->job);
        struct actuator_progress progress;
        enum guest_job job;

        if (libvirt_observe_job(domain, move->op->host, &job, err) < 0) {
            return err->code == ERR_NOT_FOUND ? 0 : -1;
        }
        if (job != GUEST_JOB_OUTGOING) {
            return 0;
        }
        if (asked == LIBVIRT_JOB_ABANDONED) {
            return libvirt_move_fail(move, err, ERR_CANCELLED, "not followed any longer");
        }
        if (asked == LIBVIRT_JOB_CANCELLED) {
            *aborted |= virDomainAbortJob(domain) == 0;
        }
        if (read_progress(domain, &progress)) {
            set_phase(domain, began_paused, &progress);
            libvirt_pool_report(move->job, &progress);
        }
        pause_poll();
    }
}

int libvirt_migrate_adopt(struct libvirt_move *move, struct err *err)
{
    AUTO(domain) virDomain *domain = NULL;
    bool aborted = false;

    if (libvirt_move_find(move, &move->source, &domain, err) < 0) {
        return -1;
    }
    if (domain == NULL) {
        return 0;
    }
    if (follow(move, domain, &aborted, err) < 0) {
        return -1;
    }
    if (aborted && virDomainIsActive(domain) == 1) {
        return libvirt_move_fail(move, err, ERR_CANCELLED, "cancelled; it stays where it was");
    }
    read_stats(move, domain, &move->stats);
    return 0;
}
