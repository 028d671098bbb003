/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt.h"

#include <assert.h>
#include <libvirt/libvirt.h>
#include <stdlib.h>
#include <string.h>

#include "actuators/actuator.h"
#include "actuators/fence.h"
#include "actuators/libvirt_connection.h"
#include "actuators/libvirt_event.h"
#include "actuators/libvirt_guard.h"
#include "actuators/libvirt_link.h"
#include "actuators/libvirt_move.h"
#include "actuators/libvirt_observe.h"
#include "actuators/libvirt_pool.h"
#include "actuators/libvirt_question.h"
#include "actuators/ssh.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/clock.h"
#include "base/heap.h"
#include "base/loop.h"
#include "base/text.h"
#include "model/check.h"
#include "model/observed.h"
#include "model/op.h"

/* An operation waits so long for its hosts' connections. */
#define CONNECT_MS INT64_C(30000)

/* So long a guard's word stands that holds nothing back: looks around a move do without it. */
#define GUARD_KNOWN_MS INT64_C(30000)

/* Beyond what an operation may wait for its guest: after that the call is overdue. */
#define OVERDUE_MS INT64_C(120000)

struct libvirt_actuator;
struct host;
struct request;

struct observe_job {
    struct libvirt_job job;
    struct host *host;
    struct arena arena;
    struct observed_host observed;
    virConnectPtr connection;
    const char *guard_at; /* Where to ask for its guard, or NULL: 'observed' has its answer. */
    const char *locks_at; /* The same for its lock manager. */
    struct ssh *ssh;      /* Joined for either. */
    bool used;            /* The connection had been idle. */
    int status;
    struct err err;
};

struct operate_job {
    struct libvirt_job job;
    struct request *request;
    struct arena arena;
    struct libvirt_move move;
    int status;
    struct err err;
};

struct host {
    struct libvirt_actuator *actuator;
    const char *name;
    const char *peer_uri;
    const char *ssh;
    struct libvirt_link link;
    struct libvirt_event event;
    enum observed_guard guard; /* As its guard said a while ago; UNKNOWN: it is to be asked. */
    int64_t guard_asked_ms;    /* Monotonic. */
    const char *lock_manager;  /* Once it has told it, else NULL. */
    bool locks_asked;
    bool wanted;                   /* Among the hosts to watch. */
    struct observe_job *observing; /* At most one. */
};

enum request_state {
    REQUEST_CONNECTING, /* Waits for a connection, or for its turn. */
    REQUEST_RUNNING,
    REQUEST_FINISHED, /* The completion is on its way. */
};

/* One ticket. */
struct request {
    struct request *next;
    struct libvirt_actuator *actuator;
    uint64_t ticket;
    enum request_state state;
    struct host *host;
    struct host *peer; /* Of an operation with two ends. */
    int64_t deadline_ms;
    struct loop_timer timer; /* The deadline; then the delivery. */
    struct arena arena;      /* Of 'op', 'observed' and 'checks'. */
    const char *host_name;
    const struct op *op; /* NULL = an observation. */
    struct operate_job *operating;
    struct fence *fence; /* Of FENCE. */
    struct observed_host observed;
    struct actuator_stats stats;
    struct check_list checks; /* In 'arena'. */
    uint32_t present[2];
    uint32_t known[2];
    const char *note; /* In 'arena'. */
    int status;
    struct err err;
};

struct libvirt_actuator {
    struct actuator base; /* First: a struct actuator of ours is a struct libvirt_actuator. */
    struct loop *loop;
    struct libvirt_pool *pool;
    struct arena arena;
    struct host **hosts; /* Sorted by name; a host stays where it is. */
    size_t host_count;
    size_t host_capacity;
    libvirt_resolve_fn *resolve; /* Or NULL. */
    void *resolve_context;
    const char *ssh_key; /* For libvirt's own way over SSH. */
    bool asks_guards;
    bool asks_locks;
    struct ssh *ssh;
    struct loop_timer tidying; /* Ends logins that nobody uses. */
    struct request *requests;  /* In the order of the calls. */
    struct request **last_request;
};

static int compare_host(const void *name, const void *item)
{
    return strcmp(name, (*(struct host *const *)item)->name);
}

static struct host *find_known(const struct libvirt_actuator *actuator, const char *name)
{
    struct host **found = actuator->host_count == 0
                              ? NULL
                              : bsearch(name, actuator->hosts, actuator->host_count,
                                        sizeof(*actuator->hosts), compare_host);

    return found == NULL ? NULL : *found;
}

/* Completions: each is delivered by a timer of its own, so never from inside a call of the user, and what
 * the user does in it, closing the actuator included, meets no loop of ours half way. */

static void unlink_request(struct request *request)
{
    struct libvirt_actuator *actuator = request->actuator;
    struct request **link = &actuator->requests;

    while (*link != request) {
        link = &(*link)->next;
    }
    *link = request->next;
    if (actuator->last_request == &request->next) {
        actuator->last_request = link;
    }
}

static void free_request(struct request *request)
{
    arena_deinit(&request->arena);
    free(request);
}

static void on_deliver(void *context)
{
    struct request *request = context;
    struct actuator_sink sink = request->actuator->base.sink;
    struct actuator_completion completion = {
        .ticket = request->ticket,
        .status = request->status,
        .err = request->err,
        .observed = request->op == NULL ? &request->observed : NULL,
        .stats = request->stats,
        .checks = request->checks.count > 0 ? &request->checks : NULL,
        .present = { request->present[0], request->present[1] },
        .known = { request->known[0], request->known[1] },
        .note = request->note,
    };

    unlink_request(request);
    sink.done(sink.context, &completion);
    free_request(request);
}

static void finish(struct request *request, int status, const struct err *err)
{
    request->state = REQUEST_FINISHED;
    request->status = status;
    if (status < 0) {
        request->err = *err;
    }
    loop_timer_start(request->actuator->loop, &request->timer, 0, on_deliver, request);
}

/* Completes with 'err'; an observation says what it knows, that the host cannot be asked. */
static void fail(struct request *request, const struct err *err)
{
    if (request->op == NULL) {
        request->observed = (struct observed_host){
            .name = request->host_name,
            .error = arena_strdup(&request->arena, err->text),
        };
    }
    finish(request, -1, err);
}

/* Ends logins that nobody has used for long, and comes back for the others. */
static void tidy(void *context)
{
    struct libvirt_actuator *actuator = context;
    int64_t next_ms = ssh_tidy(actuator->ssh, SSH_KEPT_MS);

    if (next_ms >= 0) {
        loop_timer_start(actuator->loop, &actuator->tidying, next_ms, tidy, actuator);
    }
}

/* Observations. */

/* A host that does not say is not asked again: nothing waits for it. */
static const char *ask_locks(struct observe_job *observing)
{
    struct libvirt_question question = { .kind = LIBVIRT_QUESTION_SETTING, .name = "lock_manager" };
    const struct libvirt_question_host host = { observing->observed.name, observing->locks_at,
                                                observing->ssh, LIBVIRT_GUARD_ASK_MS };
    struct err ignored;

    if (libvirt_question_ask(&observing->arena, &host, &question, 1, &ignored) < 0 ||
        question.answer == LIBVIRT_QUESTION_MISSING) {
        return NULL;
    }
    return question.answer == LIBVIRT_QUESTION_KNOWN ? question.text : "nop";
}

static void run_observe(struct libvirt_job *job)
{
    struct observe_job *observing = CONTAINER_OF(job, struct observe_job, job);

    observing->status = libvirt_observe_host(&observing->arena, observing->connection,
                                             &observing->observed, &observing->err);
    if (observing->status == 0 && observing->guard_at != NULL) {
        struct libvirt_guard guard =
            libvirt_guard_ask(observing->ssh, &observing->arena, observing->guard_at);

        libvirt_guard_apply(&observing->arena, &guard, &observing->observed);
    }
    if (observing->status == 0 && observing->locks_at != NULL) {
        observing->observed.lock_manager = ask_locks(observing);
    }
}

/* A guard that holds nothing any more, and exempts nobody, says the same until the host boots, and then nobody
 * is connected; or somebody edits whom it exempts. */
static void remember_guard(struct host *host, const struct observed_host *observed)
{
    if (observed->guard == OBSERVED_GUARD_HOLDING) {
        return;
    }
    for (size_t i = 0; i < observed->guest_count; i++) {
        if (observed->guests[i].held || observed->guests[i].exempt) {
            return;
        }
    }
    if (host->guard == OBSERVED_GUARD_UNKNOWN) {
        host->guard = observed->guard;
        host->guard_asked_ms = loop_now_ms(host->actuator->loop);
    }
}

static void answer(struct request *request, const struct observe_job *observing)
{
    if (observing->status < 0) {
        fail(request, &observing->err);
        return;
    }
    request->observed = observed_copy_host(&request->arena, &observing->observed);
    finish(request, 0, NULL);
}

static bool is_observing(const struct request *request, const struct host *host)
{
    return request->op == NULL && request->host == host && request->state == REQUEST_RUNNING;
}

static void pump(struct libvirt_actuator *actuator);

/* A connection that has stood idle may turn out to be dead only now that it is used; that says nothing
 * about the host, so it is asked once more over a new one. */
static bool retry_observe(struct host *host, const struct observe_job *observing)
{
    struct request *request = host->actuator->requests;

    if (observing->status == 0 || !observing->used ||
        libvirt_connection_is_alive(observing->connection)) {
        return false;
    }
    libvirt_link_drop(&host->link); /* As old as the one that has failed. */
    for (; request != NULL; request = request->next) {
        if (is_observing(request, host)) {
            request->state = REQUEST_CONNECTING;
        }
    }
    return true;
}

static void answer_all(struct host *host, const struct observe_job *observing)
{
    struct request *request = host->actuator->requests;

    for (; request != NULL; request = request->next) {
        if (is_observing(request, host)) {
            answer(request, observing);
        }
    }
}

static void done_observe(struct libvirt_job *job)
{
    struct observe_job *observing = CONTAINER_OF(job, struct observe_job, job);
    struct host *host = observing->host;

    host->observing = NULL;
    observing->observed.reachable = true;
    observing->observed.as_of_ms = loop_wall_ms(host->actuator->loop);
    if (observing->status == 0) {
        remember_guard(host, &observing->observed);
        host->locks_asked |= observing->locks_at != NULL;
        if (host->lock_manager == NULL) {
            host->lock_manager =
                arena_strdup_maybe(&host->actuator->arena, observing->observed.lock_manager);
        }
    }
    if (!retry_observe(host, observing)) {
        answer_all(host, observing);
    }
    libvirt_link_give_back(&host->link, STEAL(observing->connection));
    if (observing->ssh != NULL) {
        tidy(host->actuator);
    }
    pump(host->actuator);
}

static void release_observe(struct libvirt_job *job)
{
    struct observe_job *observing = CONTAINER_OF(job, struct observe_job, job);

    if (observing->connection != NULL) {
        (void)virConnectClose(observing->connection);
    }
    if (observing->ssh != NULL) {
        ssh_leave(observing->ssh);
    }
    arena_deinit(&observing->arena);
    free(observing);
}

static const struct libvirt_job_ops observe_ops = {
    .run = run_observe,
    .done = done_observe,
    .release = release_observe,
};

/* One look answers every request that is waiting when it begins, and none that comes later: an
 * observation is never older than its request. */
static void start_observe(struct host *host)
{
    struct observe_job *observing = HEAP_NEW(struct observe_job);
    struct request *request = host->actuator->requests;

    observing->job.ops = &observe_ops;
    observing->host = host;
    observing->observed = observed_copy_host(&observing->arena, &host->link.identity);
    if (loop_now_ms(host->actuator->loop) - host->guard_asked_ms > GUARD_KNOWN_MS) {
        host->guard = OBSERVED_GUARD_UNKNOWN;
    }
    observing->observed.guard = host->guard;
    if (host->actuator->asks_guards && host->ssh != NULL && host->guard == OBSERVED_GUARD_UNKNOWN) {
        observing->guard_at = arena_strdup(&observing->arena, host->ssh);
    }
    observing->observed.lock_manager = arena_strdup_maybe(&observing->arena, host->lock_manager);
    if (host->actuator->asks_locks && host->ssh != NULL && !host->locks_asked) {
        observing->locks_at = arena_strdup(&observing->arena, host->ssh);
    }
    if (observing->guard_at != NULL || observing->locks_at != NULL) {
        observing->ssh = ssh_join(host->actuator->ssh);
    }
    observing->connection = libvirt_link_lend(&host->link, &observing->used);
    host->observing = observing;
    for (; request != NULL; request = request->next) {
        if (request->op == NULL && request->host == host && request->state == REQUEST_CONNECTING) {
            request->state = REQUEST_RUNNING;
        }
    }
    libvirt_pool_submit(host->actuator->pool, &observing->job);
}

/* Operations. */

static void run_operate(struct libvirt_job *job)
{
    struct operate_job *operating = CONTAINER_OF(job, struct operate_job, job);

    operating->status = libvirt_move_run(&operating->move, &operating->err);
}

static void progress_operate(struct libvirt_job *job, const struct actuator_progress *progress)
{
    const struct request *request = CONTAINER_OF(job, struct operate_job, job)->request;
    const struct actuator_sink *sink = &request->actuator->base.sink;
    struct actuator_progress report = *progress;

    report.ticket = request->ticket;
    if (sink->progress != NULL) {
        sink->progress(sink->context, &report);
    }
}

static void give_back(struct host *host, virConnectPtr connection)
{
    if (connection != NULL) {
        libvirt_link_give_back(&host->link, connection);
    }
}

static void done_operate(struct libvirt_job *job)
{
    struct operate_job *operating = CONTAINER_OF(job, struct operate_job, job);
    struct libvirt_move *move = &operating->move;
    struct request *request = operating->request;

    request->operating = NULL;
    request->stats = move->stats;
    request->checks = check_list(&request->arena);
    check_add(&request->checks, move->checks.items, move->checks.count);
    memcpy(request->present, move->present, sizeof(request->present));
    memcpy(request->known, move->known, sizeof(request->known));
    request->note = arena_strdup_maybe(&request->arena, move->note);
    finish(request, operating->status, &operating->err);
    give_back(request->host, STEAL(move->source.connection));
    give_back(request->host, STEAL(move->source.second));
    give_back(request->peer, STEAL(move->target.connection));
    tidy(request->actuator);
    pump(request->actuator);
}

static void close_if_any(virConnectPtr connection)
{
    if (connection != NULL) {
        (void)virConnectClose(connection);
    }
}

static void release_operate(struct libvirt_job *job)
{
    struct operate_job *operating = CONTAINER_OF(job, struct operate_job, job);

    close_if_any(operating->move.source.connection);
    close_if_any(operating->move.source.second);
    close_if_any(operating->move.target.connection);
    ssh_leave(operating->move.ssh);
    arena_deinit(&operating->arena);
    free(operating);
}

static const struct libvirt_job_ops operate_ops = {
    .run = run_operate,
    .progress = progress_operate,
    .done = done_operate,
    .release = release_operate,
};

static const struct op *copy_op(struct arena *arena, const struct op *op)
{
    struct op *copy = ARENA_NEW(arena, struct op);

    *copy = op_copy(arena, op);
    return copy;
}

/* A migration blocks one connection and is watched over another. */
static size_t connections_of(const struct request *request)
{
    return request->op != NULL && request->op->kind == OP_MIGRATE ? 2 : 1;
}

static struct libvirt_move_end end_of(struct arena *arena, struct host *host, size_t connections)
{
    return (struct libvirt_move_end){
        .host = observed_copy_host(arena, &host->link.identity),
        .connection = libvirt_link_lend(&host->link, NULL),
        .second = connections > 1 ? libvirt_link_lend(&host->link, NULL) : NULL,
        .peer_uri = arena_strdup_maybe(arena, host->peer_uri),
        .ssh = arena_strdup_maybe(arena, host->ssh),
    };
}

static void on_overdue(void *context);

/* Only MIGRATE and ADOPT may take as long as they do: whoever waits cancels them. */
static bool is_open_ended(const struct op *op)
{
    return op->kind == OP_MIGRATE || op->kind == OP_ADOPT;
}

static void start_operate(struct request *request)
{
    struct operate_job *operating = HEAP_NEW(struct operate_job);
    struct libvirt_actuator *actuator = request->actuator;
    struct arena *arena = &operating->arena;

    operating->job.ops = &operate_ops;
    operating->job.apart = true;
    operating->request = request;
    operating->move = (struct libvirt_move){
        .job = &operating->job,
        .arena = arena,
        .op = copy_op(arena, request->op),
        .checks = check_list(arena),
        .source = end_of(arena, request->host, connections_of(request)),
        .ssh = ssh_join(actuator->ssh),
    };
    if (request->peer != NULL) {
        operating->move.target = end_of(arena, request->peer, 1);
    }
    request->operating = operating;
    request->state = REQUEST_RUNNING;
    loop_timer_stop(actuator->loop, &request->timer);
    if (!is_open_ended(request->op)) {
        loop_timer_start(actuator->loop, &request->timer, request->op->timeout_ms + OVERDUE_MS,
                         on_overdue, request);
    }
    libvirt_pool_submit(actuator->pool, &operating->job);
}

/* Connections. */

/* True for an observation that begins when the one under way has ended. */
static bool awaits_turn(const struct request *request)
{
    return request->op == NULL && request->host->observing != NULL;
}

static void pump_request(struct request *request)
{
    bool ready = libvirt_link_is_ready(&request->host->link, connections_of(request));

    if (request->peer != NULL) {
        ready &= libvirt_link_is_ready(&request->peer->link, 1);
    }
    if (!ready) {
        return;
    }
    if (request->op != NULL) {
        start_operate(request);
    } else {
        start_observe(request->host);
    }
}

/* Lets every request go on that can. */
static void pump(struct libvirt_actuator *actuator)
{
    for (struct request *request = actuator->requests; request != NULL; request = request->next) {
        if (request->state == REQUEST_CONNECTING && !awaits_turn(request)) {
            pump_request(request);
        }
    }
}

/* Of struct libvirt_link: fails who has waited for a connection that cannot be had. */
static void on_opened(void *context, struct libvirt_link *link, const struct err *err)
{
    struct host *host = CONTAINER_OF(link, struct host, link);
    struct libvirt_actuator *actuator = context;
    struct request *request = actuator->requests;

    if (err == NULL) {
        host->guard = OBSERVED_GUARD_UNKNOWN;
    }
    for (; err != NULL && request != NULL; request = request->next) {
        if (request->state == REQUEST_CONNECTING && !awaits_turn(request) &&
            (request->host == host || request->peer == host)) {
            fail(request, err);
        }
    }
    pump(actuator);
    libvirt_event_pump(&host->event, err);
}

static void on_notice(void *context, const struct actuator_notice *notice)
{
    const struct actuator_sink sink = ((const struct libvirt_actuator *)context)->base.sink;

    if (sink.notice != NULL) {
        sink.notice(sink.context, notice);
    }
}

/* Deadlines. */

/* The host whose connection a request waits for, or NULL if it waits for something else. */
static const struct host *awaited(const struct request *request)
{
    if (request->state != REQUEST_CONNECTING || awaits_turn(request)) {
        return NULL;
    }
    return request->peer != NULL && request->host->link.opening == NULL ? request->peer
                                                                        : request->host;
}

static void fail_timeout(struct request *request, int64_t limit_ms)
{
    const struct host *connecting = awaited(request);
    char waited[CLOCK_TEXT_SIZE];
    struct err err;

    (void)clock_format_duration(limit_ms, waited);
    if (connecting != NULL) {
        (void)err_set(&err, ERR_UNREACHABLE, "no answer from '%s' within %s: connecting to '%s'",
                      connecting->name, waited, connecting->link.uri);
    } else if (request->op == NULL) {
        (void)err_set(&err, ERR_TIMEOUT,
                      "no answer from '%s' within %s: waiting for libvirt to describe it",
                      request->host->name, waited);
    } else {
        (void)err_set(&err, ERR_TIMEOUT,
                      "no answer from '%s' within %s: '%s' of %s'%s' may still happen",
                      request->host->name, waited, op_kind_name(request->op->kind),
                      request->op->guest == NULL ? "" : "guest ",
                      request->op->guest == NULL ? request->host->name : request->op->guest);
    }
    fail(request, &err);
}

/* Gives up the look at 'host' unless somebody still waits for it. */
static void write_off_observe(struct host *host)
{
    const struct request *request = host->actuator->requests;

    for (; request != NULL; request = request->next) {
        if (is_observing(request, host)) {
            return;
        }
    }
    if (host->observing != NULL) {
        libvirt_pool_write_off(&host->observing->job);
        host->observing = NULL;
        libvirt_link_drop(&host->link);
    }
}

static void on_observe_deadline(void *context)
{
    struct request *request = context;
    struct host *host = request->host;
    bool running = request->state == REQUEST_RUNNING;

    fail_timeout(request, request->deadline_ms);
    if (running) {
        write_off_observe(host);
        pump(host->actuator);
    }
}

static void on_connect_deadline(void *context)
{
    fail_timeout(context, CONNECT_MS);
}

static void on_overdue(void *context)
{
    struct request *request = context;

    libvirt_pool_write_off(&request->operating->job);
    request->operating = NULL;
    libvirt_link_drop(&request->host->link);
    fail_timeout(request, request->op->timeout_ms + OVERDUE_MS);
}

/* The seam. */

static struct libvirt_actuator *actuator_of(struct actuator *self)
{
    return (struct libvirt_actuator *)self;
}

/* Room for one host more; doubling, so that what earlier arrays leave in the arena stays small. */
static void reserve_host(struct libvirt_actuator *actuator)
{
    size_t capacity = actuator->host_capacity == 0 ? 16 : 2 * actuator->host_capacity;
    struct host **hosts;

    if (actuator->host_count < actuator->host_capacity) {
        return;
    }
    hosts = ARENA_ARRAY(&actuator->arena, struct host *, capacity);
    for (size_t i = 0; i < actuator->host_count; i++) {
        hosts[i] = actuator->hosts[i];
    }
    actuator->hosts = hosts;
    actuator->host_capacity = capacity;
}

/* Keeps the array sorted. */
static void insert_host(struct libvirt_actuator *actuator, struct host *host)
{
    size_t at;

    reserve_host(actuator);
    for (at = actuator->host_count++;
         at > 0 && strcmp(actuator->hosts[at - 1]->name, host->name) > 0; at--) {
        actuator->hosts[at] = actuator->hosts[at - 1];
    }
    actuator->hosts[at] = host;
}

static struct host *add_host(struct libvirt_actuator *actuator, const struct libvirt_host *settings)
{
    struct arena *arena = &actuator->arena;
    struct host *host = ARENA_NEW(arena, struct host);
    const char *peer_uri = settings->peer_uri == NULL ? settings->uri : settings->peer_uri;

    *host = (struct host){
        .actuator = actuator,
        .name = arena_strdup(arena, settings->name),
        .peer_uri = arena_strdup_maybe(arena, peer_uri),
        .ssh = arena_strdup_maybe(arena, settings->ssh),
        .link = {
            .name = arena_strdup(arena, settings->name),
            .uri = libvirt_connection_uri(arena, settings->uri, actuator->ssh_key),
            .pool = actuator->pool,
            .opened = on_opened,
            .context = actuator,
        },
        .event = {
            .loop = actuator->loop,
            .link = &host->link,
            .notice = on_notice,
            .context = actuator,
        },
    };
    insert_host(actuator, host);
    return host;
}

/* The host called 'name'; one that is not known yet is described by whoever uses the actuator. */
static struct host *find_host(struct libvirt_actuator *actuator, const char *name)
{
    struct host *known = name == NULL ? NULL : find_known(actuator, name);
    struct libvirt_host settings = { .name = name };
    struct err err;

    if (known != NULL || name == NULL || actuator->resolve == NULL ||
        actuator->resolve(actuator->resolve_context, name, &settings, &err) != 0) {
        return known;
    }
    return add_host(actuator, &settings);
}

static struct request *new_request(struct libvirt_actuator *actuator, uint64_t ticket,
                                   const char *host)
{
    struct request *request = HEAP_NEW(struct request);

    request->actuator = actuator;
    request->ticket = ticket;
    request->host_name = arena_strdup(&request->arena, host);
    request->host = find_host(actuator, host);
    *actuator->last_request = request;
    actuator->last_request = &request->next;
    return request;
}

static void fail_unknown(struct request *request, const char *host)
{
    struct err err;

    (void)err_set(&err, ERR_NOT_FOUND, "no host '%s' is configured", host);
    fail(request, &err);
}

static void libvirt_observe(struct actuator *self, const char *host, int64_t deadline_ms,
                            uint64_t ticket)
{
    struct libvirt_actuator *actuator = actuator_of(self);
    struct request *request = new_request(actuator, ticket, host);

    request->deadline_ms = deadline_ms;
    if (request->host == NULL) {
        fail_unknown(request, host);
        return;
    }
    loop_timer_start(actuator->loop, &request->timer, deadline_ms, on_observe_deadline, request);
    if (!awaits_turn(request)) {
        pump_request(request);
    }
}

/* No connection has a part in it: the host is taken for dead. */

static void on_fenced(void *context, const struct err *err)
{
    struct request *request = context;

    request->fence = NULL;
    finish(request, err == NULL ? 0 : -1, err);
}

/* What takes the power of 'name' away as berth.conf says now; a host that it does not name has nothing. */
static struct fence_device fence_of(struct libvirt_actuator *actuator, const char *name)
{
    struct libvirt_host settings = { .name = name };
    struct err err;

    return actuator->resolve != NULL &&
                   actuator->resolve(actuator->resolve_context, name, &settings, &err) == 0
               ? settings.fence
               : (struct fence_device){ .agent = NULL };
}

static void start_fence(struct libvirt_actuator *actuator, struct request *request)
{
    const struct fence_device device = fence_of(actuator, request->host_name);

    request->state = REQUEST_RUNNING;
    request->fence = fence_begin(actuator->loop, &device, request->host_name,
                                 request->op->timeout_ms, on_fenced, request);
}

static void libvirt_start(struct actuator *self, const struct op *op, uint64_t ticket)
{
    struct libvirt_actuator *actuator = actuator_of(self);
    struct request *request = new_request(actuator, ticket, op->host);

    request->op = copy_op(&request->arena, op);
    if (op->kind == OP_FENCE) {
        start_fence(actuator, request);
        return;
    }
    request->peer = find_host(actuator, op->peer);
    if (request->host == NULL || (op->peer != NULL && request->peer == NULL)) {
        fail_unknown(request, request->host == NULL ? op->host : op->peer);
        return;
    }
    loop_timer_start(actuator->loop, &request->timer, CONNECT_MS, on_connect_deadline, request);
    pump_request(request);
}

static void libvirt_cancel(struct actuator *self, uint64_t ticket)
{
    struct request *request = actuator_of(self)->requests;
    struct err err;

    while (request != NULL && (request->ticket != ticket || request->op == NULL)) {
        request = request->next;
    }
    if (request == NULL || request->state == REQUEST_FINISHED ||
        (!is_open_ended(request->op) && request->op->kind != OP_STOP)) {
        return;
    }
    if (request->state == REQUEST_RUNNING) {
        libvirt_pool_cancel(&request->operating->job);
        return;
    }
    (void)err_set(&err, ERR_CANCELLED, "cancelled before '%s' of guest '%s' had begun",
                  op_kind_name(request->op->kind), request->op->guest);
    fail(request, &err);
}

static void libvirt_watch(struct actuator *self, const char *const *hosts, size_t count)
{
    struct libvirt_actuator *actuator = actuator_of(self);

    for (size_t i = 0; i < actuator->host_count; i++) {
        actuator->hosts[i]->wanted = false;
    }
    for (size_t i = 0; i < count; i++) {
        struct host *host = find_host(actuator, hosts[i]);

        if (host != NULL) {
            host->wanted = true;
        }
    }
    for (size_t i = 0; i < actuator->host_count; i++) {
        struct host *host = actuator->hosts[i];

        if (host->wanted) {
            libvirt_event_watch(&host->event);
        } else {
            libvirt_event_unwatch(&host->event);
        }
    }
}

static void libvirt_close(struct actuator *self)
{
    struct libvirt_actuator *actuator = actuator_of(self);
    struct request *request = actuator->requests;

    for (struct request *next; request != NULL; request = next) {
        next = request->next;
        loop_timer_stop(actuator->loop, &request->timer);
        fence_abandon(request->fence);
        free_request(request);
    }
    for (size_t i = 0; i < actuator->host_count; i++) {
        libvirt_event_unwatch(&actuator->hosts[i]->event);
        libvirt_link_deinit(&actuator->hosts[i]->link);
    }
    libvirt_pool_close(actuator->pool);
    loop_timer_stop(actuator->loop, &actuator->tidying);
    ssh_close(actuator->ssh);
    arena_deinit(&actuator->arena);
    free(actuator);
}

static const struct actuator_ops libvirt_ops = {
    .name = "libvirt",
    .observe = libvirt_observe,
    .start = libvirt_start,
    .cancel = libvirt_cancel,
    .watch = libvirt_watch,
    .close = libvirt_close,
};

EXPORT struct actuator *libvirt_open(struct loop *loop, const struct libvirt_settings *settings,
                                     struct err *err)
{
    const struct ssh_settings ssh = { settings->ssh_key, settings->ssh_known_hosts };
    struct libvirt_actuator *actuator;

    if (libvirt_connection_prepare(err) < 0) {
        return NULL;
    }
    actuator = HEAP_NEW(struct libvirt_actuator);
    actuator->base.ops = &libvirt_ops;
    actuator->loop = loop;
    actuator->pool = libvirt_pool_new(loop);
    actuator->last_request = &actuator->requests;
    actuator->ssh_key = arena_strdup_maybe(&actuator->arena, settings->ssh_key);
    actuator->ssh = ssh_open(&ssh);
    actuator->asks_guards = settings->guard;
    actuator->asks_locks = settings->locks;
    actuator->resolve = settings->resolve;
    actuator->resolve_context = settings->context;
    for (size_t i = 0; i < settings->host_count; i++) {
        (void)add_host(actuator, &settings->hosts[i]);
    }
    return &actuator->base;
}
