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
struct sim_fleet;
struct text;

enum sim_power {
    SIM_POWER_ON,
    SIM_POWER_OFF,    /* Dark: its guests' processes are gone, nothing answers. */
    SIM_POWER_FROZEN, /* libvirtd stands still: guests run on, nothing answers. */
    SIM_POWER_COUNT,
};

/* Opens the fleet in 'path'.  Times come from 'loop': with a manual loop all is deterministic. */
struct actuator *sim_open(struct loop *loop, const char *path, struct err *err);

/* The names of the fleet's hosts, sorted, in 'arena'.  Takes no lock. */
int sim_host_names(struct arena *arena, const char *path, const char *const **names, size_t *count,
                   struct err *err);

/* Opens a fleet that lives in memory and begins with the 'length' bytes of JSON at 'bytes'. */
struct actuator *sim_open_memory(struct loop *loop, const char *bytes, size_t length,
                                 struct err *err);

/* Appends the fleet as it is now, as JSON. */
int sim_dump(struct actuator *actuator, struct text *text, struct err *err);

/* Replaces the whole fleet by 'length' bytes of JSON; operations under way go on in the new one. */
int sim_load(struct actuator *actuator, const char *bytes, size_t length, struct err *err);

typedef void sim_edit_fn(void *context, struct sim_fleet *fleet);

/* Lets edit(context) look at the fleet as it is now, and do to it what people at its hosts may do
 * (actuators/sim_fleet.h); it sets 'changed' for what those functions do not. */
int sim_edit(struct actuator *actuator, sim_edit_fn *edit, void *context, struct err *err);

/* Switches 'host': OFF is a power cut, ON after that boots it and starts its autostart guests. */
int sim_set_power(struct actuator *actuator, const char *host, enum sim_power power,
                  struct err *err);
