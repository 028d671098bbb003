/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt.h"

#include <stdlib.h>
#include <string.h>

#include "actuators/actuator.h"
#include "actuators/fence.h"
#include "actuators/libvirt_connection.h"
#include "actuators/libvirt_contact.h"
#include "actuators/libvirt_look.h"
#include "actuators/libvirt_operation.h"
#include "actuators/libvirt_pool.h"
#include "actuators/libvirt_request.h"
#include "actuators/ssh.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/heap.h"
#include "base/loop.h"
#include "model/check.h"
#include "model/observed.h"
#include "model/op.h"

/* An operation waits so long for its hosts' connections. */
#define CONNECT_MS INT64_C(30000)

/* Beyond what an operation may wait for its guest: after that the call is overdue. */
#define OVERDUE_MS INT64_C(120000)

struct libvirt_actuator {
    struct actuator base; /* First: a struct actuator of ours is a struct libvirt_actuator. */
    struct loop *loop;
    struct libvirt_pool *pool;
    struct arena arena;
    struct libvirt_contacts contacts;
    libvirt_resolve_fn *resolve; /* Or NULL. */
    void *resolve_context;
    const char *ssh_key; /* For libvirt's own way over SSH. */
    struct ssh *ssh;
    struct loop_timer tidying; /* Ends logins that nobody uses. */
    struct libvirt_look_means look_means;
    struct libvirt_requests requests;
};

static struct libvirt_actuator *actuator_of(struct actuator *self)
{
    return (struct libvirt_actuator *)self;
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

static void answer(struct libvirt_request *request, const struct libvirt_look *look)
{
    if (look->status < 0) {
        libvirt_request_fail(request, &look->err);
        return;
    }
    request->observed = observed_copy_host(&request->arena, &look->observed);
    libvirt_request_finish(request, 0, NULL);
}

static bool is_looking(const struct libvirt_request *request, const struct libvirt_contact *host)
{
    return request->op == NULL && request->host == host &&
           request->state == LIBVIRT_REQUEST_RUNNING;
}

static void pump(struct libvirt_actuator *actuator);

/* A connection that has stood idle may turn out to be dead only now that it is used; that says nothing
 * about the host, so it is asked once more over a new one. */
static bool retry_look(struct libvirt_request *first, const struct libvirt_look *look)
{
    if (look->status == 0 || !look->used || libvirt_connection_is_alive(look->connection)) {
        return false;
    }
    libvirt_link_drop(&look->contact->link); /* As old as the one that has failed. */
    for (struct libvirt_request *request = first; request != NULL; request = request->next) {
        if (is_looking(request, look->contact)) {
            request->state = LIBVIRT_REQUEST_CONNECTING;
        }
    }
    return true;
}

static void answer_all(struct libvirt_request *first, const struct libvirt_look *look)
{
    for (struct libvirt_request *request = first; request != NULL; request = request->next) {
        if (is_looking(request, look->contact)) {
            answer(request, look);
        }
    }
}

static void on_looked(void *context, struct libvirt_look *look)
{
    struct libvirt_actuator *actuator = context;

    if (!retry_look(actuator->requests.first, look)) {
        answer_all(actuator->requests.first, look);
    }
    libvirt_link_give_back(&look->contact->link, STEAL(look->connection));
    if (look->ssh != NULL) {
        tidy(actuator);
    }
    pump(actuator);
}

/* One look answers every request that is waiting when it begins, and none that comes later: an
 * observation is never older than its request. */
static void start_look(struct libvirt_actuator *actuator, struct libvirt_contact *host)
{
    struct libvirt_request *request = actuator->requests.first;

    for (; request != NULL; request = request->next) {
        if (request->op == NULL && request->host == host &&
            request->state == LIBVIRT_REQUEST_CONNECTING) {
            request->state = LIBVIRT_REQUEST_RUNNING;
        }
    }
    libvirt_look_begin(&actuator->look_means, host);
}

/* Operations. */

static void on_progress(void *context, const struct actuator_progress *progress)
{
    const struct libvirt_request *request = context;
    const struct actuator_sink *sink = &request->requests->actuator->sink;
    struct actuator_progress report = *progress;

    report.ticket = request->ticket;
    if (sink->progress != NULL) {
        sink->progress(sink->context, &report);
    }
}

static void on_operated(void *context, struct libvirt_operation *operation)
{
    struct libvirt_request *request = context;
    const struct libvirt_move *move = &operation->move;
    struct libvirt_actuator *actuator = actuator_of(request->requests->actuator);

    request->operation = NULL;
    request->stats = move->stats;
    request->checks = check_list(&request->arena);
    check_add(&request->checks, move->checks.items, move->checks.count);
    memcpy(request->present, move->present, sizeof(request->present));
    memcpy(request->known, move->known, sizeof(request->known));
    request->supplies = supply_list_copy(&request->arena, &move->supplies);
    request->note = arena_strdup_maybe(&request->arena, move->note);
    libvirt_request_finish(request, operation->status, &operation->err);
    tidy(actuator);
    pump(actuator);
}

static void on_overdue(void *context)
{
    struct libvirt_request *request = context;

    libvirt_operation_drop(STEAL(request->operation));
    libvirt_link_drop(&request->host->link);
    libvirt_request_fail_timeout(request, request->op->timeout_ms + OVERDUE_MS);
}

static void start_operation(struct libvirt_actuator *actuator, struct libvirt_request *request)
{
    const struct libvirt_operation_order order = {
        .op = request->op,
        .source = request->host,
        .target = request->peer,
        .pool = actuator->pool,
        .ssh = actuator->ssh,
        .progress = on_progress,
        .done = on_operated,
        .context = request,
    };

    request->state = LIBVIRT_REQUEST_RUNNING;
    loop_timer_stop(actuator->loop, &request->timer);
    if (!libvirt_operation_is_open_ended(request->op)) {
        loop_timer_start(actuator->loop, &request->timer, request->op->timeout_ms + OVERDUE_MS,
                         on_overdue, request);
    }
    request->operation = libvirt_operation_begin(&order);
}

/* Connections. */

static void pump_request(struct libvirt_request *request)
{
    struct libvirt_actuator *actuator = actuator_of(request->requests->actuator);
    size_t connections = request->op == NULL ? 1 : libvirt_operation_connections(request->op);
    bool ready = libvirt_link_is_ready(&request->host->link, connections);

    if (request->peer != NULL) {
        ready &= libvirt_link_is_ready(&request->peer->link, 1);
    }
    if (!ready) {
        return;
    }
    if (request->op != NULL) {
        start_operation(actuator, request);
    } else {
        start_look(actuator, request->host);
    }
}

/* Lets every request go on that can. */
static void pump(struct libvirt_actuator *actuator)
{
    struct libvirt_request *request = actuator->requests.first;

    for (; request != NULL; request = request->next) {
        if (request->state == LIBVIRT_REQUEST_CONNECTING && !libvirt_request_awaits_turn(request)) {
            pump_request(request);
        }
    }
}

/* Of struct libvirt_link: fails who has waited for a connection that cannot be had. */
static void on_opened(void *context, struct libvirt_link *link, const struct err *err)
{
    struct libvirt_contact *host = CONTAINER_OF(link, struct libvirt_contact, link);
    struct libvirt_actuator *actuator = context;
    struct libvirt_request *request = actuator->requests.first;

    if (err == NULL) {
        host->guard = OBSERVED_GUARD_UNKNOWN;
    }
    for (; err != NULL && request != NULL; request = request->next) {
        if (request->state == LIBVIRT_REQUEST_CONNECTING && !libvirt_request_awaits_turn(request) &&
            (request->host == host || request->peer == host)) {
            libvirt_request_fail(request, err);
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

/* Gives up the look at 'host' unless somebody still waits for it. */
static void write_off_look(struct libvirt_actuator *actuator, struct libvirt_contact *host)
{
    const struct libvirt_request *request = actuator->requests.first;

    for (; request != NULL; request = request->next) {
        if (is_looking(request, host)) {
            return;
        }
    }
    libvirt_look_drop(host);
}

static void on_observe_deadline(void *context)
{
    struct libvirt_request *request = context;
    struct libvirt_actuator *actuator = actuator_of(request->requests->actuator);
    bool running = request->state == LIBVIRT_REQUEST_RUNNING;

    libvirt_request_fail_timeout(request, request->deadline_ms);
    if (running) {
        write_off_look(actuator, request->host);
        pump(actuator);
    }
}

static void on_connect_deadline(void *context)
{
    libvirt_request_fail_timeout(context, CONNECT_MS);
}

/* The seam. */

static struct libvirt_contact *add_host(struct libvirt_actuator *actuator,
                                        const struct libvirt_host *settings)
{
    struct arena *arena = &actuator->arena;
    struct libvirt_contact *host = libvirt_contact_add(&actuator->contacts, arena, settings->name);
    const char *peer_uri = settings->peer_uri == NULL ? settings->uri : settings->peer_uri;

    host->peer_uri = arena_strdup_maybe(arena, peer_uri);
    host->ssh = arena_strdup_maybe(arena, settings->ssh);
    host->link = (struct libvirt_link){
        .name = host->name,
        .uri = libvirt_connection_uri(arena, settings->uri, actuator->ssh_key),
        .pool = actuator->pool,
        .opened = on_opened,
        .context = actuator,
    };
    host->event = (struct libvirt_event){
        .loop = actuator->loop,
        .link = &host->link,
        .notice = on_notice,
        .context = actuator,
    };
    return host;
}

/* The host called 'name'; one that is not known yet is described by whoever uses the actuator. */
static struct libvirt_contact *find_host(struct libvirt_actuator *actuator, const char *name)
{
    struct libvirt_contact *known =
        name == NULL ? NULL : libvirt_contact_find(&actuator->contacts, name);
    struct libvirt_host settings = { .name = name };
    struct err err;

    if (known != NULL || name == NULL || actuator->resolve == NULL ||
        actuator->resolve(actuator->resolve_context, name, &settings, &err) != 0) {
        return known;
    }
    return add_host(actuator, &settings);
}

static struct libvirt_request *new_request(struct libvirt_actuator *actuator, uint64_t ticket,
                                           const char *host)
{
    struct libvirt_request *request = libvirt_request_new(&actuator->requests, ticket, host);

    request->host = find_host(actuator, host);
    return request;
}

static void fail_unknown(struct libvirt_request *request, const char *host)
{
    struct err err;

    (void)err_set(&err, ERR_NOT_FOUND, "no host '%s' is configured", host);
    libvirt_request_fail(request, &err);
}

static void libvirt_observe(struct actuator *self, const char *host, int64_t deadline_ms,
                            uint64_t ticket)
{
    struct libvirt_actuator *actuator = actuator_of(self);
    struct libvirt_request *request = new_request(actuator, ticket, host);

    request->deadline_ms = deadline_ms;
    if (request->host == NULL) {
        fail_unknown(request, host);
        return;
    }
    loop_timer_start(actuator->loop, &request->timer, deadline_ms, on_observe_deadline, request);
    if (!libvirt_request_awaits_turn(request)) {
        pump_request(request);
    }
}

/* No connection has a part in it: the host is taken for dead. */

static void on_fenced(void *context, const struct err *err)
{
    struct libvirt_request *request = context;

    request->fence = NULL;
    libvirt_request_finish(request, err == NULL ? 0 : -1, err);
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

static void start_fence(struct libvirt_actuator *actuator, struct libvirt_request *request)
{
    const struct fence_device device = fence_of(actuator, request->host_name);

    request->state = LIBVIRT_REQUEST_RUNNING;
    request->fence = fence_begin(actuator->loop, &device, request->host_name,
                                 request->op->timeout_ms, on_fenced, request);
}

static const struct op *copy_op(struct arena *arena, const struct op *op)
{
    struct op *copy = ARENA_NEW(arena, struct op);

    *copy = op_copy(arena, op);
    return copy;
}

static void libvirt_start(struct actuator *self, const struct op *op, uint64_t ticket)
{
    struct libvirt_actuator *actuator = actuator_of(self);
    struct libvirt_request *request = new_request(actuator, ticket, op->host);

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
    struct libvirt_request *request = actuator_of(self)->requests.first;
    struct err err;

    while (request != NULL && (request->ticket != ticket || request->op == NULL)) {
        request = request->next;
    }
    if (request == NULL || request->state == LIBVIRT_REQUEST_FINISHED ||
        (!libvirt_operation_is_open_ended(request->op) && request->op->kind != OP_STOP)) {
        return;
    }
    if (request->state == LIBVIRT_REQUEST_RUNNING) {
        libvirt_operation_cancel(request->operation);
        return;
    }
    (void)err_set(&err, ERR_CANCELLED, "cancelled before '%s' of guest '%s' had begun",
                  op_kind_name(request->op->kind), request->op->guest);
    libvirt_request_fail(request, &err);
}

static void libvirt_watch(struct actuator *self, const char *const *hosts, size_t count)
{
    struct libvirt_actuator *actuator = actuator_of(self);

    for (size_t i = 0; i < actuator->contacts.count; i++) {
        actuator->contacts.items[i]->wanted = false;
    }
    for (size_t i = 0; i < count; i++) {
        struct libvirt_contact *host = find_host(actuator, hosts[i]);

        if (host != NULL) {
            host->wanted = true;
        }
    }
    for (size_t i = 0; i < actuator->contacts.count; i++) {
        struct libvirt_contact *host = actuator->contacts.items[i];

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

    libvirt_request_deinit(&actuator->requests);
    for (size_t i = 0; i < actuator->contacts.count; i++) {
        libvirt_event_unwatch(&actuator->contacts.items[i]->event);
        libvirt_link_deinit(&actuator->contacts.items[i]->link);
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
    libvirt_request_init(&actuator->requests, loop, &actuator->base);
    actuator->ssh_key = arena_strdup_maybe(&actuator->arena, settings->ssh_key);
    actuator->ssh = ssh_open(&ssh);
    actuator->look_means = (struct libvirt_look_means){
        .loop = loop,
        .pool = actuator->pool,
        .arena = &actuator->arena,
        .ssh = actuator->ssh,
        .guards = settings->guard,
        .locks = settings->locks,
        .done = on_looked,
        .context = actuator,
    };
    actuator->resolve = settings->resolve;
    actuator->resolve_context = settings->context;
    for (size_t i = 0; i < settings->host_count; i++) {
        (void)add_host(actuator, &settings->hosts[i]);
    }
    return &actuator->base;
}
