/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_link.h"

#include <assert.h>
#include <stdlib.h>

#include "actuators/libvirt_connection.h"
#include "actuators/libvirt_pool.h"
#include "base/base.h"
#include "base/err.h"
#include "base/heap.h"

struct open_job {
    struct libvirt_job job;
    struct libvirt_link *link; /* The loop thread's. */
    struct arena arena;
    const char *uri;
    struct observed_host identity;
    virConnectPtr connection;
    int status;
    struct err err;
};

/* A connection that the loop thread has done with: closing it says good-bye to the host and waits for
 * the answer. */
struct close_job {
    struct libvirt_job job;
    virConnectPtr connection;
};

static void run_close(struct libvirt_job *job)
{
    struct close_job *closing = CONTAINER_OF(job, struct close_job, job);

    (void)virConnectClose(STEAL(closing->connection));
}

static void done_close(struct libvirt_job *job)
{
    (void)job;
}

static void release_close(struct libvirt_job *job)
{
    struct close_job *closing = CONTAINER_OF(job, struct close_job, job);

    if (closing->connection != NULL) {
        (void)virConnectClose(closing->connection);
    }
    free(closing);
}

static const struct libvirt_job_ops close_ops = {
    .run = run_close,
    .done = done_close,
    .release = release_close,
};

static void close_connection(struct libvirt_pool *pool, virConnectPtr connection)
{
    struct close_job *closing = HEAP_NEW(struct close_job);

    closing->job.ops = &close_ops;
    closing->job.apart = true;
    closing->connection = connection;
    libvirt_pool_submit(pool, &closing->job);
}

static void add_idle(struct libvirt_link *link, virConnectPtr connection, bool used)
{
    if (link->idle_count == LIBVIRT_LINK_IDLE_MAX || !libvirt_connection_is_alive(connection)) {
        close_connection(link->pool, connection);
        return;
    }
    link->idle[link->idle_count++] = (struct libvirt_link_idle){ connection, used };
}

static void run_open(struct libvirt_job *job)
{
    struct open_job *opening = CONTAINER_OF(job, struct open_job, job);

    opening->status = libvirt_connection_open(&opening->arena, opening->uri, &opening->identity,
                                              &opening->connection, &opening->err);
}

static void done_open(struct libvirt_job *job)
{
    struct open_job *opening = CONTAINER_OF(job, struct open_job, job);
    struct libvirt_link *link = opening->link;

    link->opening = NULL;
    if (opening->status == 0) {
        add_idle(link, STEAL(opening->connection), false);
        arena_deinit(&link->arena);
        link->arena = opening->arena;
        opening->arena = ARENA_INIT;
        link->identity = opening->identity;
    }
    link->opened(link->context, link, opening->status == 0 ? NULL : &opening->err);
}

static void release_open(struct libvirt_job *job)
{
    struct open_job *opening = CONTAINER_OF(job, struct open_job, job);

    if (opening->connection != NULL) {
        (void)virConnectClose(opening->connection);
    }
    arena_deinit(&opening->arena);
    free(opening);
}

static const struct libvirt_job_ops open_ops = {
    .run = run_open,
    .done = done_open,
    .release = release_open,
};

static void start_open(struct libvirt_link *link)
{
    struct open_job *opening = HEAP_NEW(struct open_job);

    opening->job.ops = &open_ops;
    opening->job.apart = true;
    opening->link = link;
    opening->uri = arena_strdup(&opening->arena, link->uri);
    opening->identity.name = arena_strdup(&opening->arena, link->name);
    link->opening = opening;
    libvirt_pool_submit(link->pool, &opening->job);
}

static void drop_dead(struct libvirt_link *link)
{
    size_t kept = 0;

    for (size_t i = 0; i < link->idle_count; i++) {
        if (libvirt_connection_is_alive(link->idle[i].connection)) {
            link->idle[kept++] = link->idle[i];
        } else {
            close_connection(link->pool, link->idle[i].connection);
        }
    }
    link->idle_count = kept;
}

bool libvirt_link_is_ready(struct libvirt_link *link, size_t count)
{
    assert(count <= LIBVIRT_LINK_IDLE_MAX);
    drop_dead(link);
    if (link->idle_count >= count) {
        return true;
    }
    if (link->opening == NULL) {
        start_open(link);
    }
    return false;
}

virConnectPtr libvirt_link_lend(struct libvirt_link *link, bool *used)
{
    const struct libvirt_link_idle *idle;

    assert(link->idle_count > 0);
    idle = &link->idle[--link->idle_count];
    if (used != NULL) {
        *used = idle->used;
    }
    return idle->connection;
}

void libvirt_link_give_back(struct libvirt_link *link, virConnectPtr connection)
{
    add_idle(link, connection, true);
}

void libvirt_link_drop(struct libvirt_link *link)
{
    while (link->idle_count > 0) {
        close_connection(link->pool, libvirt_link_lend(link, NULL));
    }
}

void libvirt_link_deinit(struct libvirt_link *link)
{
    libvirt_link_drop(link);
    arena_deinit(&link->arena);
}
