/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_request.h"

#include <stdlib.h>

#include "actuators/fence.h"
#include "actuators/libvirt_contact.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/heap.h"
#include "model/op.h"

void libvirt_request_init(struct libvirt_requests *requests, struct loop *loop,
                          struct actuator *actuator)
{
    *requests = (struct libvirt_requests){ .loop = loop, .actuator = actuator };
    requests->last = &requests->first;
}

struct libvirt_request *libvirt_request_new(struct libvirt_requests *requests, uint64_t ticket,
                                            const char *host_name)
{
    struct libvirt_request *request = HEAP_NEW(struct libvirt_request);

    request->requests = requests;
    request->ticket = ticket;
    request->host_name = arena_strdup(&request->arena, host_name);
    *requests->last = request;
    requests->last = &request->next;
    return request;
}

static void unlink_request(struct libvirt_request *request)
{
    struct libvirt_requests *requests = request->requests;
    struct libvirt_request **link = &requests->first;

    while (*link != request) {
        link = &(*link)->next;
    }
    *link = request->next;
    if (requests->last == &request->next) {
        requests->last = link;
    }
}

static void free_request(struct libvirt_request *request)
{
    arena_deinit(&request->arena);
    free(request);
}

bool libvirt_request_awaits_turn(const struct libvirt_request *request)
{
    return request->op == NULL && request->host->looking != NULL;
}

static void on_deliver(void *context)
{
    struct libvirt_request *request = context;
    struct actuator_sink sink = request->requests->actuator->sink;
    struct actuator_completion completion = {
        .ticket = request->ticket,
        .status = request->status,
        .err = request->err,
        .observed = request->op == NULL ? &request->observed : NULL,
        .stats = request->stats,
        .checks = request->checks.count > 0 ? &request->checks : NULL,
        .present = { request->present[0], request->present[1] },
        .known = { request->known[0], request->known[1] },
        .supplies = request->status == 0 ? request->supplies : (struct supply_list){ 0 },
        .note = request->note,
    };

    unlink_request(request);
    sink.done(sink.context, &completion);
    free_request(request);
}

void libvirt_request_finish(struct libvirt_request *request, int status, const struct err *err)
{
    request->state = LIBVIRT_REQUEST_FINISHED;
    request->status = status;
    if (status < 0) {
        request->err = *err;
    }
    loop_timer_start(request->requests->loop, &request->timer, 0, on_deliver, request);
}

void libvirt_request_fail(struct libvirt_request *request, const struct err *err)
{
    if (request->op == NULL) {
        request->observed = (struct observed_host){
            .name = request->host_name,
            .error = arena_strdup(&request->arena, err->text),
        };
    }
    libvirt_request_finish(request, -1, err);
}

/* The host whose connection a request waits for, or NULL if it waits for something else. */
static const struct libvirt_contact *awaited(const struct libvirt_request *request)
{
    if (request->state != LIBVIRT_REQUEST_CONNECTING || libvirt_request_awaits_turn(request)) {
        return NULL;
    }
    return request->peer != NULL && request->host->link.opening == NULL ? request->peer
                                                                        : request->host;
}

void libvirt_request_fail_timeout(struct libvirt_request *request, int64_t limit_ms)
{
    const struct libvirt_contact *connecting = awaited(request);
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
    libvirt_request_fail(request, &err);
}

void libvirt_request_deinit(struct libvirt_requests *requests)
{
    struct libvirt_request *request = requests->first;

    for (struct libvirt_request *next; request != NULL; request = next) {
        next = request->next;
        loop_timer_stop(requests->loop, &request->timer);
        fence_abandon(request->fence);
        free_request(request);
    }
}
