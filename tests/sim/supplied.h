/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Supplied: a world whose platform provides one of every kind: vm1 on kvm1 has bridges, an interface, a volume and
 * a configuration volume there, and vm2, which stays, joins one of the bridges.
 */

#include <stdbool.h>

#include "model/profile.h"
#include "world.h"

#define SUPPLIED_VOLUME     "vm1_sys"
#define SUPPLIED_DEVICE     "/dev/exc/vm1_sys"
#define SUPPLIED_TIMEOUT_MS INT64_C(30000) /* Of a command about volumes. */
#define SUPPLIED_GUESTS     2

extern const struct profile supplied_platform;
extern const struct world_guest supplied_guests[SUPPLIED_GUESTS];

/* A world of three hosts in which vm1 is 'state' and belongs on kvm2.  Its volume may be attached to several hosts
 * if it is 'shared'. */
void supplied_begin(struct world *world, const char *state, bool shared);

/* True if everything of vm1's own is on 'host' alone, and the bridge that vm2 joins is also with vm2. */
bool supplied_is_whole(struct world *world, const char *host);
