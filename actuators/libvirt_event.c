/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_event.h"

#include <libvirt/libvirt.h>
#include <stdlib.h>

#include "actuators/actuator.h"
#include "actuators/libvirt_inbox.h"
#include "actuators/libvirt_link.h"
#include "actuators/libvirt_pool.h"
#include "base/backoff.h"
#include "base/base.h"
#include "base/heap.h"

/* From here on pauses grow no longer: at most 40 s, about as long as whoever polls takes to look. */
#define ATTEMPTS_MAX 4

enum {
    EVENT_LIFECYCLE, /* The one that must be: the others only make what is known finer. */
    EVENT_JOB_COMPLETED,
    EVENT_ITERATION,
    EVENT_COUNT,
};

/* A connection and what libvirt calls on it.  Passed from hand to hand: it belongs to the job that
 * registers, then to the loop thread, then to the job that lets go.  libvirt's callbacks know the inbox
 * alone. */
struct registration {
    virConnectPtr connection;
    struct libvirt_inbox *inbox;
    int events[EVENT_COUNT]; /* libvirt's ids; -1 = none. */
    bool closing;            /* libvirt would tell of the connection's end. */
};

struct register_job {
    struct libvirt_job job;
    struct libvirt_event *event; /* The loop thread's; NULL once nobody wants it. */
    struct registration *registration;
    int status;
    bool lost; /* The connection's end was told first. */
};

struct unregister_job {
    struct libvirt_job job;
    struct registration *registration;
};

/* On libvirt's event thread: no call here may wait, or every host goes unheard. */

static void put(void *inbox, enum actuator_notice_kind kind, virDomainPtr domain)
{
    libvirt_inbox_put(inbox, kind, virDomainGetName(domain));
}

static int on_lifecycle(virConnectPtr connection, virDomainPtr domain, int event, int detail,
                        void *inbox)
{
    (void)connection;
    (void)event;
    (void)detail;
    put(inbox, ACTUATOR_NOTICE_LIFECYCLE, domain);
    return 0;
}

static void on_job_completed(virConnectPtr connection, virDomainPtr domain,
                             virTypedParameterPtr parameters, int count, void *inbox)
{
    (void)connection;
    (void)parameters;
    (void)count;
    put(inbox, ACTUATOR_NOTICE_JOB_ENDED, domain);
}

static void on_iteration(virConnectPtr connection, virDomainPtr domain, int iteration, void *inbox)
{
    (void)connection;
    (void)iteration;
    put(inbox, ACTUATOR_NOTICE_ITERATION, domain);
}

static void on_close(virConnectPtr connection, int reason, void *inbox)
{
    (void)connection;
    (void)reason;
    libvirt_inbox_put(inbox, ACTUATOR_NOTICE_LINK_DOWN, NULL);
}

static void on_freed(void *inbox)
{
    libvirt_inbox_release(inbox);
}

/* Registering: on a job's thread.  Why it fails nobody asks: a host that cannot be reached is told of by
 * whoever looks at it, and this one tries again. */

static int register_event(struct registration *registration, int which, int libvirt_event,
                          virConnectDomainEventGenericCallback callback)
{
    libvirt_inbox_hold(registration->inbox);
    registration->events[which] = virConnectDomainEventRegisterAny(
        registration->connection, NULL, libvirt_event, callback, registration->inbox, on_freed);
    if (registration->events[which] < 0) {
        libvirt_inbox_release(registration->inbox); /* libvirt has not taken it. */
        return -1;
    }
    return 0;
}

/* The connection's end first: whatever breaks it from here on is told, or fails what follows. */
static int register_all(struct registration *registration)
{
    libvirt_inbox_hold(registration->inbox);
    if (virConnectRegisterCloseCallback(registration->connection, on_close, registration->inbox,
                                        on_freed) < 0) {
        libvirt_inbox_release(registration->inbox);
        return -1;
    }
    registration->closing = true;
    if (register_event(registration, EVENT_LIFECYCLE, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                       VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle)) < 0) {
        return -1;
    }
    (void)register_event(registration, EVENT_JOB_COMPLETED, VIR_DOMAIN_EVENT_ID_JOB_COMPLETED,
                         VIR_DOMAIN_EVENT_CALLBACK(on_job_completed));
    (void)register_event(registration, EVENT_ITERATION, VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION,
                         VIR_DOMAIN_EVENT_CALLBACK(on_iteration));
    return 0;
}

/* Lets go of everything; each call may wait for the host.  A registration keeps its connection in being,
 * so that closing alone would leak both. */
static void unregister(struct registration *registration)
{
    for (size_t i = 0; i < EVENT_COUNT; i++) {
        if (registration->events[i] >= 0) {
            (void)virConnectDomainEventDeregisterAny(registration->connection,
                                                     registration->events[i]);
        }
    }
    if (registration->closing) {
        (void)virConnectUnregisterCloseCallback(registration->connection, on_close);
    }
    (void)virConnectClose(registration->connection);
    libvirt_inbox_release(registration->inbox);
    free(registration);
}

static void run_register(struct libvirt_job *job)
{
    struct register_job *registering = CONTAINER_OF(job, struct register_job, job);

    registering->status = register_all(registering->registration);
}

/* Letting go. */

static void run_unregister(struct libvirt_job *job)
{
    unregister(STEAL(CONTAINER_OF(job, struct unregister_job, job)->registration));
}

static void done_unregister(struct libvirt_job *job)
{
    (void)job;
}

static void release_unregister(struct libvirt_job *job)
{
    struct unregister_job *unregistering = CONTAINER_OF(job, struct unregister_job, job);

    if (unregistering->registration != NULL) {
        unregister(unregistering->registration);
    }
    free(unregistering);
}

static const struct libvirt_job_ops unregister_ops = {
    .run = run_unregister,
    .done = done_unregister,
    .release = release_unregister,
};

static void let_go(struct libvirt_pool *pool, struct registration *registration)
{
    struct unregister_job *unregistering = HEAP_NEW(struct unregister_job);

    unregistering->job.ops = &unregister_ops;
    unregistering->job.apart = true;
    unregistering->registration = registration;
    libvirt_pool_submit(pool, &unregistering->job);
}

/* On the loop thread. */

static void listen(struct libvirt_event *event);

static void on_retry(void *context)
{
    listen(context);
}

/* Different hosts, and different tries, wait differently long. */
static void retry_later(struct libvirt_event *event)
{
    uint64_t seed = (uint64_t)loop_wall_ms(event->loop) ^ (uint64_t)(uintptr_t)event;

    event->attempts += event->attempts < ATTEMPTS_MAX ? 1 : 0;
    loop_timer_start(event->loop, &event->retry, backoff_delay_ms(event->attempts, seed), on_retry,
                     event);
}

static void on_inbox(void *context, const struct actuator_notice *notice)
{
    struct libvirt_event *event = context;

    if (event->registering != NULL) {
        event->registering->lost |= notice->kind == ACTUATOR_NOTICE_LINK_DOWN;
        return; /* Once it is heard everything has to be looked at anyway. */
    }
    if (notice->kind == ACTUATOR_NOTICE_LINK_DOWN) {
        libvirt_inbox_close(event->registration->inbox);
        let_go(event->link->pool, STEAL(event->registration));
        retry_later(event);
    }
    event->notice(event->context, notice);
}

static void heard(struct libvirt_event *event, struct registration *registration)
{
    const struct actuator_notice notice = { .kind = ACTUATOR_NOTICE_LINK_UP,
                                            .host = event->link->name };

    event->registration = registration;
    event->attempts = 0;
    event->notice(event->context, &notice);
}

static void done_register(struct libvirt_job *job)
{
    struct register_job *registering = CONTAINER_OF(job, struct register_job, job);
    struct libvirt_event *event = registering->event;
    struct registration *registration = STEAL(registering->registration);

    if (event != NULL) {
        event->registering = NULL;
    }
    if (event != NULL && registering->status == 0 && !registering->lost) {
        heard(event, registration);
        return;
    }
    if (event != NULL) {
        libvirt_inbox_close(registration->inbox);
        retry_later(event);
    }
    let_go(job->pool, registration);
}

static void release_register(struct libvirt_job *job)
{
    struct register_job *registering = CONTAINER_OF(job, struct register_job, job);

    if (registering->registration != NULL) {
        unregister(registering->registration);
    }
    free(registering);
}

static const struct libvirt_job_ops register_ops = {
    .run = run_register,
    .done = done_register,
    .release = release_register,
};

static struct registration *new_registration(struct libvirt_event *event)
{
    struct registration *registration = HEAP_NEW(struct registration);

    registration->connection = libvirt_link_lend(event->link, NULL);
    registration->inbox = libvirt_inbox_new(event->loop, event->link->name, on_inbox, event);
    libvirt_inbox_hold(registration->inbox);
    for (size_t i = 0; i < EVENT_COUNT; i++) {
        registration->events[i] = -1;
    }
    return registration;
}

/* Takes a connection if there is one; otherwise one is being opened, and the pump goes on. */
static void listen(struct libvirt_event *event)
{
    struct register_job *registering;

    if (!event->watching || event->registering != NULL || event->registration != NULL ||
        !libvirt_link_is_ready(event->link, 1)) {
        return;
    }
    loop_timer_stop(event->loop, &event->retry);
    registering = HEAP_NEW(struct register_job);
    registering->job.ops = &register_ops;
    registering->job.apart = true;
    registering->event = event;
    registering->registration = new_registration(event);
    event->registering = registering;
    libvirt_pool_submit(event->link->pool, &registering->job);
}

void libvirt_event_watch(struct libvirt_event *event)
{
    if (!event->watching) {
        event->watching = true;
        listen(event);
    }
}

void libvirt_event_unwatch(struct libvirt_event *event)
{
    event->watching = false;
    event->attempts = 0;
    loop_timer_stop(event->loop, &event->retry);
    if (event->registering != NULL) {
        libvirt_inbox_close(event->registering->registration->inbox);
        event->registering->event = NULL;
        event->registering = NULL;
    }
    if (event->registration != NULL) {
        libvirt_inbox_close(event->registration->inbox);
        let_go(event->link->pool, STEAL(event->registration));
    }
}

void libvirt_event_pump(struct libvirt_event *event, const struct err *err)
{
    bool unheard = event->watching && event->registering == NULL && event->registration == NULL;

    if (err == NULL) {
        listen(event);
    } else if (unheard && !event->retry.armed) {
        retry_later(event);
    }
}
