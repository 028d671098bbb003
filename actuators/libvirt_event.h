/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libvirt_event: an ear on one host, as the loop thread keeps it.
 *
 * It takes a connection from the host's link and keeps it: registered for what the host tells by itself,
 * used for nothing else (libvirt_link.h says why a connection is never shared), and watched by keepalive,
 * so that a host that falls silent is found out.  Calls that may block run as jobs of the link's pool:
 * one that registers, one that lets go.  A lost connection is replaced after a pause that grows from try
 * to try, and as soon as anybody else reaches the host.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"

struct actuator_notice;
struct err;
struct libvirt_link;
struct register_job;
struct registration;

/* May unwatch, and close the whole actuator. */
typedef void libvirt_event_fn(void *context, const struct actuator_notice *notice);

struct libvirt_event {
    struct loop *loop;
    struct libvirt_link *link;
    libvirt_event_fn *notice;
    void *context;
    bool watching;
    struct register_job *registering;  /* At most one. */
    struct registration *registration; /* NULL = the host is not heard. */
    uint32_t attempts;                 /* That have failed in a row. */
    struct loop_timer retry;
};

/* Listens to the host until libvirt_event_unwatch(); nothing happens if it does so already. */
void libvirt_event_watch(struct libvirt_event *event);

/* Lets the host go; nothing is reported any more.  Before the link is deinitialised. */
void libvirt_event_unwatch(struct libvirt_event *event);

/* An open of the link has ended, as libvirt_link_fn says, and whoever needs a connection more urgently
 * has taken it. */
void libvirt_event_pump(struct libvirt_event *event, const struct err *err);
