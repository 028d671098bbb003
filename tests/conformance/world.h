/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * World: what the conformance suite needs done to a fleet behind the actuator's back.
 *
 * Implemented by world_sim.c (the simulated fleet) and world_lab.c (real hosts made by tests/lab/lab);
 * a program is linked with one of them, so the suite cannot tell which it is.  A fleet has the hosts
 * "kvm1" and "kvm2".  What cannot be done fails the running test.
 */

#include <stdbool.h>

#include "model/supply.h"

struct actuator;
struct arena;
struct loop;
struct profile;
struct world;

enum world_kind {
    WORLD_IDLE, /* Runs, hears a shutdown request. */
    WORLD_DEAF, /* Runs, hears none. */
    WORLD_BUSY, /* Runs and rewrites its memory without end. */
    WORLD_OFF,
    WORLD_TRANSIENT,
    WORLD_PAUSED, /* By its user. */
    WORLD_SAVED,  /* Shut off, with a managed save image. */
};

/* What the fence device of kvm1 does that is told to take its power away. */
enum world_fence {
    WORLD_FENCE_WORKS,
    WORLD_FENCE_SLOW,  /* It takes some seconds. */
    WORLD_FENCE_FAILS, /* Nothing, and says so. */
    WORLD_FENCE_IDLE,  /* Nothing, says that it has, and that the host is on when it is asked. */
    WORLD_FENCE_LIES,  /* Nothing, and says once that the host is off. */
    WORLD_FENCE_LATE,  /* It works some seconds later than anybody waits for who is in a hurry. */
    WORLD_FENCE_MUTE,  /* Nobody reaches it. */
};

/* A fleet in which all hosts answer. */
struct world *world_open(void);
void world_close(struct world *world);

/* The loop of this world, and another actuator on its fleet; both live until their owners end them:
 * the loop with the world, the actuator by actuator_close(). */
struct loop *world_loop(struct world *world);
struct actuator *world_actuator(struct world *world);

/* A guest of about 96 MiB; with 'volume', a disk of that name that 'host' alone has.  Waits until the
 * guest is what it should be. */
void world_make_guest(struct world *world, const char *name, const char *host, enum world_kind kind,
                      const char *volume);

/* Removes the guest from wherever it is, its volume included. */
void world_remove_guest(struct world *world, const char *name);

/* Gives 'host' the volume under its path, or another volume under the same path. */
void world_attach(struct world *world, const char *host, const char *volume);
void world_attach_wrong(struct world *world, const char *host, const char *volume);

/* The profile of this fleet's platform: it provides bridges called "vmeth*", NAT bridges called "vmnat*", interfaces
 * called "vf*", of which each host has "vf0" to "vf9", and volumes, which two hosts may have at once, tells who has a
 * volume, and copies what guests keep of themselves.  Lives as long as the world. */
const struct profile *world_profile(struct world *world);

/* What the platform calls 'volume', which is a guest's; in 'arena'. */
const char *world_volume_name(struct world *world, struct arena *arena, const char *volume);

/* A storage pool of libvirt's on 'host' that is not active, and one more volume in it, of which it does not know yet
 * if it is active; and its end. */
void world_make_pool(struct world *world, const char *host, const char *pool);
void world_fill_pool(struct world *world, const char *host, const char *pool, const char *volume);
void world_remove_pool(struct world *world, const char *host, const char *pool);

/* A file on 'host' that a guest keeps of itself, no two alike; and the end of it and of all that were made of it. */
void world_make_state(struct world *world, const char *host, const char *path);
void world_remove_state(struct world *world, const char *host, const char *path);

/* A guest that is off and uses the bridge or interface 'what', which 'host' has from then on. */
void world_make_neighbour(struct world *world, const char *name, const char *host,
                          enum supply_kind kind, const char *what);

/* What somebody else's hands do: the guest starts at once, its plug is pulled, it begins to move live. */
void world_start(struct world *world, const char *name, const char *host);
void world_stop(struct world *world, const char *name, const char *host);
void world_migrate(struct world *world, const char *name, const char *from, const char *to);

/* Ends libvirtd on 'host', or what looks like it from outside, and starts it again; its guests run on. */
void world_restart(struct world *world, const char *host);

/* Stops and continues libvirtd on 'host'; cuts its power and boots it. */
void world_freeze(struct world *world, const char *host);
void world_thaw(struct world *world, const char *host);
void world_crash(struct world *world, const char *host);
void world_boot(struct world *world, const char *host);

/* From now on, until a world is opened anew. */
void world_set_fence(struct world *world, enum world_fence fence);

/* Makes migrations away from 'host' take some seconds, or no longer. */
void world_slow(struct world *world, const char *host, bool slow);

/* Lets 'host' send less than a busy guest writes, and what that writes in a second within some seconds; until
 * world_slow(false). */
void world_narrow(struct world *world, const char *host);
