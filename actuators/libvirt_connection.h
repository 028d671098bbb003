/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libvirt_connection: a connection to one host, and what the host is, as far as that does not change
 * while the connection lasts.
 */

#include <libvirt/libvirt.h>
#include <stdbool.h>

#include "base/base.h"

struct arena;
struct err;
struct observed_host;

AUTO_POINTER(connection, virConnect, virConnectClose);
AUTO_POINTER(domain, virDomain, virDomainFree);

/* Prepares the process: quiet errors, libvirt's event loop registered and run for ever by a thread of
 * its own (keepalive needs it).  Before the first connection.  One call a process is enough; another adds
 * a thread that waits for its turn and never gets one. */
int libvirt_connection_prepare(struct err *err);

/* 'uri' as it is opened: one that goes through the ssh program gets no_tty=1, so that nothing ever
 * prompts, and keyfile='ssh_key' (may be NULL), unless it says otherwise itself.  Pure. */
const char *libvirt_connection_uri(struct arena *arena, const char *uri, const char *ssh_key);

/* Opens 'uri' and asks 'host' what it is: versions, CPU, machine types, huge pages, own name; its other
 * members are left alone.  Cannot be interrupted and may hang for minutes (migration.md), so it runs on a
 * thread of its own.  On success the caller owns '*connection'. */
int libvirt_connection_open(struct arena *arena, const char *uri, struct observed_host *host,
                            virConnectPtr *connection, struct err *err);

/* True if the connection still stands.  Asks nobody; never blocks. */
bool libvirt_connection_is_alive(virConnectPtr connection);
