/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * virsh: libvirt on this host, asked by way of its own program, so that berth-guard needs no library of it
 * and works without.  No shell, bounded in time and in what it may say.  Blocking.
 */

struct arena;
struct err;

/* Runs 'program' with 'command' (of virsh) on 'guest' and, with 'said' not NULL, gives what it printed, in
 * 'arena'.  ERR_FAILED: it failed, with what it said; ERR_TIMEOUT: it was ended; ERR_NOT_FOUND: there is no
 * such program. */
int virsh_run(struct arena *arena, const char *program, const char *command, const char *guest,
              const char **said, struct err *err);
