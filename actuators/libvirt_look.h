/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libvirt_look: one observation of a host: what libvirt tells of it (libvirt_observe.h), and what only the host
 * itself can be asked over SSH, its guard and its lock manager, unless it has said so lately.
 *
 * Begun and ended on the loop thread, carried out on the pool.
 */

#include <libvirt/libvirt.h>
#include <stdbool.h>

#include "actuators/libvirt_pool.h"
#include "base/arena.h"
#include "base/err.h"
#include "model/observed.h"

struct libvirt_contact;
struct libvirt_look;
struct loop;
struct ssh;

/* How an actuator looks; must stay. */
struct libvirt_look_means {
    struct loop *loop;
    struct libvirt_pool *pool;
    struct arena *arena; /* For what is remembered of hosts. */
    struct ssh *ssh;
    bool guards; /* Hosts are asked for their guards, ... */
    bool locks;  /* ... and for their lock managers, once each. */
    void (*done)(void *context, struct libvirt_look *look);
    void *context;
};

struct libvirt_look {
    struct libvirt_job job;
    const struct libvirt_look_means *means;
    struct libvirt_contact *contact;
    struct arena arena;
    struct observed_host observed; /* Reachable, in 'arena'; if 'status' is 0. */
    virConnectPtr connection;      /* Lent; done() may give it back, else it is closed. */
    bool used;                     /* It had been idle. */
    const char *guard_at; /* Where to ask for its guard, or NULL: 'observed' has its answer. */
    const char *locks_at; /* The same for its lock manager. */
    struct ssh *ssh;      /* Joined for either, or NULL. */
    int status;
    struct err err;
};

/* Looks at 'contact', which has a connection to lend and no look under way.  means->done() is called once, from the
 * loop, unless the look is dropped; it is released after that. */
void libvirt_look_begin(const struct libvirt_look_means *means, struct libvirt_contact *contact);

/* Gives the look at 'contact' up, if there is one: it has not answered in time. */
void libvirt_look_drop(struct libvirt_contact *contact);
