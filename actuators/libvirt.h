/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The actuator seam on real hosts, through libvirt.
 *
 * Threads (architecture.md): the caller's loop thread owns the tables; one libvirt event thread a
 * process runs for ever, so open one actuator a process (another works, and leaves one idle thread
 * behind).  A connection's open has a thread of its own, at most one outstanding a host; observations run
 * on a bounded pool, at most one a host; an operation has a thread of its own, a migration a second one
 * for the call that blocks.  A connection is used by one thread at a time; a host that is watched has one
 * more that is used for nothing else, over which libvirt's event thread hears it.
 *
 * libvirt calls have no timeout: a call that is overdue is written off, its late answer is dropped and
 * its connection replaced.  An operation that is written off fails with ERR_TIMEOUT and may still happen;
 * MIGRATE and ADOPT never are, because whoever waits for them can cancel them.
 */

#include <stdbool.h>
#include <stddef.h>

#include "actuators/fence.h"

struct actuator;
struct err;
struct loop;

struct libvirt_host {
    const char *name;     /* What the caller calls it. */
    const char *uri;      /* Of its libvirt, as we reach it. */
    const char *peer_uri; /* Of its libvirt, as other hosts reach it. */
    const char *ssh; /* "user@host[:port]" for disk identity, or NULL: no commands on this host. */
    struct fence_device fence; /* Takes its power away; asked for anew each time. */
};

/* Describes the host called 'name', whose strings are copied at once.  -1 and '*err': no such host. */
typedef int libvirt_resolve_fn(void *context, const char *name, struct libvirt_host *host,
                               struct err *err);

struct libvirt_settings {
    const struct libvirt_host *hosts;
    size_t host_count;
    libvirt_resolve_fn
        *resolve; /* Asked, on the loop thread, for hosts that are not among these; or
                                    NULL: there are no others. */
    void *context;
    const char *ssh_key;         /* Private key file, or NULL: agent and defaults. */
    const char *ssh_known_hosts; /* File, or NULL: the user's. */
    bool guard;                  /* Hosts are asked for berth-guard, over 'ssh'. */
    bool locks;                  /* And for their lock manager, once each. */
};

/* Starts the actuator; connects to nobody yet.  Copies 'settings',
 * 'context' stays the caller's. */
struct actuator *libvirt_open(struct loop *loop, const struct libvirt_settings *settings,
                              struct err *err);
