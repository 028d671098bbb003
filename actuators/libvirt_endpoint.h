/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libvirt_endpoint: where a URI of libvirt or of QEMU's migrations is reached over the network.  Pure.
 */

struct arena;

/* The address and port at which 'uri' is reached over the network, as "ADDRESS:PORT" in 'arena', with
 * 'default_port' (0: the one of the libvirt transport that it names) where it has none; NULL if it is not
 * reached by TCP, or its address is no plain one. */
const char *libvirt_endpoint_of(struct arena *arena, const char *uri, unsigned default_port);
