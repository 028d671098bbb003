/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libvirt_observe: everything one host says of itself and of its guests, in one look.
 *
 * No call that it makes waits for a guest's QEMU, so that one guest that hangs cannot hide its host.
 * Blocking; any thread.
 */

#include <libvirt/libvirt.h>
#include <stdbool.h>

#include "model/observed.h"

struct arena;
struct err;

/* Fills the changing members of 'host', whose others libvirt_connection_open() filled.  A guest that goes
 * away meanwhile is left out. */
int libvirt_observe_host(struct arena *arena, virConnectPtr connection, struct observed_host *host,
                         struct err *err);

/* Memory that a new guest could get on this host, now: free, or held by nothing but the page cache.  0 if
 * the host does not say. */
uint64_t libvirt_observe_free_kib(virConnectPtr connection);

/* Huge pages of this size that are free now, on all NUMA nodes together; 0 if the host has none. */
uint64_t libvirt_observe_free_pages(virConnectPtr connection, uint64_t page_kib);

/* State of one guest, now.  ERR_NOT_FOUND if it has gone; 'host' is for the error's text. */
int libvirt_observe_state(virDomainPtr domain, const char *host, enum guest_state *state,
                          enum guest_reason *reason, struct err *err);

/* The job that runs on 'domain', now.  OTHER too while something else keeps the guest locked. */
int libvirt_observe_job(virDomainPtr domain, const char *host, enum guest_job *job,
                        struct err *err);

/* Our words for a virDomainState with its reason.  Pure. */
enum guest_state libvirt_observe_state_of(int state);
enum guest_reason libvirt_observe_reason_of(int state, int reason);
