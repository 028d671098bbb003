/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Supplied: a world whose platform provides one of every kind: vm1 on kvm1 has bridges, an interface, a volume and
 * a configuration volume there, and keeps its NVRAM in a file unless it moves live; vm2, which stays, joins one of
 * the bridges.
 */

#include <stdbool.h>

#include "model/profile.h"
#include "world.h"

#define SUPPLIED_VOLUME     "vm1_sys"
#define SUPPLIED_DEVICE     "/dev/exc/vm1_sys"
#define SUPPLIED_NVRAM      "/var/lib/libvirt/qemu/nvram/vm1_VARS.fd"
#define SUPPLIED_TIMEOUT_MS INT64_C(30000) /* Of a command about volumes. */
#define SUPPLIED_GUESTS     2

extern const struct profile supplied_platform;
extern const struct world_guest supplied_guests[SUPPLIED_GUESTS]; /* Without its NVRAM. */

/* What a world differs in. */
struct supplied_world {
    bool shared; /* vm1's volume may be attached to several hosts. */
    bool nvram;  /* vm1 has one. */
};

/* A world of three hosts in which vm1 is 'state' and belongs on kvm2. */
void supplied_begin(struct world *world, const char *state, struct supplied_world what);

/* True if everything of vm1's own is on 'host' alone, and the bridge that vm2 joins is also with vm2.  Its NVRAM
 * is the newest that there is anywhere, and no empty one was made for it. */
bool supplied_is_whole(struct world *world, const char *host);
