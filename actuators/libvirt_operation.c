/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_operation.h"

#include <stdlib.h>

#include "actuators/libvirt_contact.h"
#include "actuators/ssh.h"
#include "base/base.h"
#include "base/heap.h"
#include "model/op.h"

static void run(struct libvirt_job *job)
{
    struct libvirt_operation *operation = CONTAINER_OF(job, struct libvirt_operation, job);

    operation->status = libvirt_move_run(&operation->move, &operation->err);
}

static void progress(struct libvirt_job *job, const struct actuator_progress *progress)
{
    const struct libvirt_operation *operation = CONTAINER_OF(job, struct libvirt_operation, job);

    operation->order.progress(operation->order.context, progress);
}

static void give_back(struct libvirt_contact *contact, virConnectPtr connection)
{
    if (connection != NULL) {
        libvirt_link_give_back(&contact->link, connection);
    }
}

static void done(struct libvirt_job *job)
{
    struct libvirt_operation *operation = CONTAINER_OF(job, struct libvirt_operation, job);
    const struct libvirt_operation_order *order = &operation->order;
    struct libvirt_move *move = &operation->move;

    give_back(order->source, STEAL(move->source.connection));
    give_back(order->source, STEAL(move->source.second));
    give_back(order->target, STEAL(move->target.connection));
    order->done(order->context, operation);
}

static void close_if_any(virConnectPtr connection)
{
    if (connection != NULL) {
        (void)virConnectClose(connection);
    }
}

static void release(struct libvirt_job *job)
{
    struct libvirt_operation *operation = CONTAINER_OF(job, struct libvirt_operation, job);

    close_if_any(operation->move.source.connection);
    close_if_any(operation->move.source.second);
    close_if_any(operation->move.target.connection);
    ssh_leave(operation->move.ssh);
    arena_deinit(&operation->arena);
    free(operation);
}

static const struct libvirt_job_ops operation_ops = {
    .run = run,
    .progress = progress,
    .done = done,
    .release = release,
};

bool libvirt_operation_is_open_ended(const struct op *op)
{
    return op->kind == OP_MIGRATE || op->kind == OP_ADOPT;
}

/* A migration blocks one connection and is watched over another. */
size_t libvirt_operation_connections(const struct op *op)
{
    return op->kind == OP_MIGRATE ? 2 : 1;
}

static struct libvirt_move_end end_of(struct arena *arena, struct libvirt_contact *contact,
                                      size_t connections)
{
    return (struct libvirt_move_end){
        .host = observed_copy_host(arena, &contact->link.identity),
        .connection = libvirt_link_lend(&contact->link, NULL),
        .second = connections > 1 ? libvirt_link_lend(&contact->link, NULL) : NULL,
        .peer_uri = arena_strdup_maybe(arena, contact->peer_uri),
        .ssh = arena_strdup_maybe(arena, contact->ssh),
    };
}

struct libvirt_operation *libvirt_operation_begin(const struct libvirt_operation_order *order)
{
    struct libvirt_operation *operation = HEAP_NEW(struct libvirt_operation);
    struct arena *arena = &operation->arena;
    struct op *op = ARENA_NEW(arena, struct op);

    *op = op_copy(arena, order->op);
    operation->job.ops = &operation_ops;
    operation->job.apart = true;
    operation->order = *order;
    operation->order.op = op;
    operation->move = (struct libvirt_move){
        .job = &operation->job,
        .arena = arena,
        .op = op,
        .checks = check_list(arena),
        .source = end_of(arena, order->source, libvirt_operation_connections(op)),
        .ssh = ssh_join(order->ssh),
    };
    if (order->target != NULL) {
        operation->move.target = end_of(arena, order->target, 1);
    }
    libvirt_pool_submit(order->pool, &operation->job);
    return operation;
}

void libvirt_operation_cancel(struct libvirt_operation *operation)
{
    libvirt_pool_cancel(&operation->job);
}

void libvirt_operation_drop(struct libvirt_operation *operation)
{
    libvirt_pool_write_off(&operation->job);
}
