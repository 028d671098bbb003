/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libvirt_operation: an operation of model/op.h (but FENCE) as a job: libvirt_move.h's run on a thread of its own,
 * with the connections that it is lent.
 *
 * Begun and ended on the loop thread.
 */

#include <stdbool.h>
#include <stddef.h>

#include "actuators/libvirt_move.h"
#include "actuators/libvirt_pool.h"
#include "base/arena.h"
#include "base/err.h"

struct libvirt_contact;
struct libvirt_operation;
struct op;
struct ssh;

struct libvirt_operation_order {
    const struct op *op; /* Copied. */
    struct libvirt_contact *source;
    struct libvirt_contact *target; /* Of an operation with two ends, else NULL. */
    struct libvirt_pool *pool;
    struct ssh *ssh;
    void (*progress)(void *context, const struct actuator_progress *progress);
    void (*done)(void *context, struct libvirt_operation *operation);
    void *context;
};

struct libvirt_operation {
    struct libvirt_job job;
    struct libvirt_operation_order order;
    struct arena arena;
    struct libvirt_move move; /* With what came of it. */
    int status;
    struct err err;
};

/* True for MIGRATE and ADOPT, which take as long as they do: whoever waits for them cancels them. */
bool libvirt_operation_is_open_ended(const struct op *op);

/* Connections to the source that 'op' takes; one to the target, if it has one. */
size_t libvirt_operation_connections(const struct op *op);

/* Begins it; its hosts have the connections to lend.  order->done() is called once, from the loop, unless the
 * operation is dropped: the connections are with their hosts again, and it is released after that. */
struct libvirt_operation *libvirt_operation_begin(const struct libvirt_operation_order *order);

/* Asks it to end early. */
void libvirt_operation_cancel(struct libvirt_operation *operation);

/* Gives it up: it is overdue, and may still happen. */
void libvirt_operation_drop(struct libvirt_operation *operation);
