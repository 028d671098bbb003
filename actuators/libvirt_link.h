/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libvirt_link: the connections to one host, as the loop thread keeps them.
 *
 * A connection is lent to one job at a time and given back.  Never shared: before libvirt 9.2 a call that
 * one thread makes while another waits for an answer on the same connection can be left unsent until
 * something else wakes that connection (keepalive, seconds later).  Connections are opened one at a time
 * a host, because an open cannot be interrupted.
 */

#include <libvirt/libvirt.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "model/observed.h"

struct err;
struct libvirt_pool;
struct libvirt_link;
struct open_job;

/* Connections that are kept while nobody needs them: for a look and for a migration, which takes two. */
#define LIBVIRT_LINK_IDLE_MAX 3

struct libvirt_link_idle {
    virConnectPtr connection;
    bool used; /* Something was asked over it before, so it may be stale. */
};

/* An open has ended: 'err' is NULL if there is one connection more to lend. */
typedef void libvirt_link_fn(void *context, struct libvirt_link *link, const struct err *err);

struct libvirt_link {
    const char *name;
    const char *uri;
    struct libvirt_pool *pool;
    libvirt_link_fn *opened;
    void *context;
    struct observed_host identity; /* What the host said at the last open; lives in 'arena'. */
    struct arena arena;
    struct libvirt_link_idle idle[LIBVIRT_LINK_IDLE_MAX];
    size_t idle_count;
    struct open_job *opening; /* At most one. */
};

/* True if 'count' connections can be lent now.  Otherwise one is being opened and 'opened' will be
 * called. */
bool libvirt_link_is_ready(struct libvirt_link *link, size_t count);

/* Lends a connection, which must be ready; '*used' (may be NULL) says whether it may be stale. */
virConnectPtr libvirt_link_lend(struct libvirt_link *link, bool *used);

/* Takes a connection back; one that is dead or too many is closed. */
void libvirt_link_give_back(struct libvirt_link *link, virConnectPtr connection);

/* Closes what is idle: the host has not answered over another connection. */
void libvirt_link_drop(struct libvirt_link *link);

/* Drops everything; an open under way is left to the pool, which must be closed next. */
void libvirt_link_deinit(struct libvirt_link *link);
