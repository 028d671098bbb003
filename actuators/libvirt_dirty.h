/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libvirt_dirty: how fast a guest writes to its memory, as QEMU estimates it from samples of its pages
 * within a second.  A host that cannot tell is no failure: nothing is known then.
 *
 * libvirt begins a measurement only while no migration runs, and lets it be read at any time: begun right
 * before a migration, it costs the move nothing.
 */

#include <libvirt/libvirt.h>
#include <stdbool.h>
#include <stdint.h>

/* Begins to measure; false if the host cannot. */
bool libvirt_dirty_begin(virDomainPtr domain);

/* The result in bytes a second; false while there is none. */
bool libvirt_dirty_read(virDomainPtr domain, uint64_t *bytes_s);
