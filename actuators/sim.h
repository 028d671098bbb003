/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Simulated fleet: the actuator seam on a file (uri = sim:FILE), for demonstrations without root, for
 * speed, and for every fault we can imagine.  Kept equal to real libvirt by tests/conformance.
 *
 * The file is JSON, "berth.sim/1" (docs/simulation.md): hosts and guests as in an observation, plus
 * running migrations, how long things take, and scripted faults.  It is locked, read, advanced to the
 * present and replaced atomically by each access, so several processes may use one fleet and a
 * migration goes on when the process that began it dies, as peer-to-peer ones do.
 */

#include <stddef.h>

struct actuator;
struct arena;
struct err;
struct loop;

/* Opens the fleet in 'path'.  Times come from 'loop': with a manual loop all is deterministic. */
struct actuator *sim_open(struct loop *loop, const char *path, struct err *err);

/* The names of the fleet's hosts, sorted, in 'arena'. */
int sim_host_names(struct arena *arena, const char *path, const char *const **names, size_t *count,
                   struct err *err);
