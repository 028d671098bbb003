/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libvirt_request: one ticket of the seam, from its call to its completion.
 *
 * A completion is delivered by a timer of its own, so never from inside a call of the user, and what the user does
 * in it, closing the actuator included, meets no loop of ours half way.  Loop thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actuators/actuator.h"
#include "base/arena.h"
#include "base/loop.h"
#include "model/check.h"
#include "model/observed.h"

struct fence;
struct libvirt_contact;
struct libvirt_operation;
struct libvirt_request;

/* The tickets under way, in the order of the calls. */
struct libvirt_requests {
    struct loop *loop;
    struct actuator *actuator; /* Whose sink hears of them; that of any one may close it. */
    struct libvirt_request *first;
    struct libvirt_request **last;
};

enum libvirt_request_state {
    LIBVIRT_REQUEST_CONNECTING, /* Waits for a connection, or for its turn. */
    LIBVIRT_REQUEST_RUNNING,
    LIBVIRT_REQUEST_FINISHED, /* The completion is on its way. */
};

struct libvirt_request {
    struct libvirt_request *next;
    struct libvirt_requests *requests;
    uint64_t ticket;
    enum libvirt_request_state state;
    struct libvirt_contact *host; /* NULL = it is not known, or has no part in it. */
    struct libvirt_contact *peer; /* Of an operation with two ends. */
    int64_t deadline_ms;
    struct loop_timer timer; /* The deadline; then the delivery. */
    struct arena arena;      /* Of 'op', 'observed', 'checks' and strings. */
    const char *host_name;
    const struct op *op; /* NULL = an observation. */
    struct libvirt_operation *operation;
    struct fence *fence; /* Of FENCE. */
    struct observed_host observed;
    struct actuator_stats stats;
    struct check_list checks;
    uint32_t present[2];
    uint32_t known[2];
    struct supply_list supplies;
    const char *note;
    int status;
    struct err err;
};

/* No tickets yet. */
void libvirt_request_init(struct libvirt_requests *requests, struct loop *loop,
                          struct actuator *actuator);

/* A new one, CONNECTING. */
struct libvirt_request *libvirt_request_new(struct libvirt_requests *requests, uint64_t ticket,
                                            const char *host_name);

/* True for an observation that begins when the one under way has ended. */
bool libvirt_request_awaits_turn(const struct libvirt_request *request);

/* Completes it: 'err' if 'status' is -1.  The caller has ended what it had under way. */
void libvirt_request_finish(struct libvirt_request *request, int status, const struct err *err);

/* Completes it with 'err'; an observation says what it knows, that the host cannot be asked. */
void libvirt_request_fail(struct libvirt_request *request, const struct err *err);

/* Completes it with what it has waited for 'limit_ms' in vain. */
void libvirt_request_fail_timeout(struct libvirt_request *request, int64_t limit_ms);

/* Gives all of them up, and fences under way; nothing is reported any more. */
void libvirt_request_deinit(struct libvirt_requests *requests);
