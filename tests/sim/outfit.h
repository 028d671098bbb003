/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Outfit: what the hosts of a play (play.h) have beside libvirt: bridges, volumes and configuration volumes of a
 * platform, berth-guard, and fence devices that work, fail, lie or are late.
 *
 * It is drawn from a stream of its own, and about half of the plays have none.  What a guest needs is never
 * taken from under it, and nothing of it is left where it is not any more: outfit_check() and outfit_judge()
 * say so by the fleet as it is, and share no rule with the product.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actuators/sim_fleet.h"
#include "cast.h"
#include "model/profile.h"
#include "tests/unit/dice.h"

struct witness;
struct world;

/* What a guest needs where it runs; NULL: nothing of that kind. */
struct outfit_guest {
    const char *bridge; /* Others may join it, too. */
    const char *volume;
    const char *device;
    const char *config;
};

struct outfit {
    bool given;              /* There is any. */
    bool lone;               /* A volume is attached to one host at a time: nobody moves live. */
    struct profile profile;  /* Of the platform. */
    bool supplied;           /* It provides anything. */
    bool guarded;            /* Hosts are asked for a guard, ... */
    bool guards[CAST_HOSTS]; /* ... and these have one. */
    enum sim_fence fences[CAST_HOSTS]; /* Of those that berth.conf has a fence for. */
    struct outfit_guest guests[CAST_GUESTS];
};

/* Draws the outfit of 'cast', of which it changes what berth.conf says. */
void outfit_draw(struct outfit *outfit, struct cast *cast, struct dice *dice);

/* Gives it to 'world', which has the cast already. */
void outfit_enter(const struct outfit *outfit, const struct cast *cast, struct world *world);

/* Brings what 'guest' needs to 'host', as somebody does who moves it by hand; what one host alone can have is
 * taken from the others. */
void outfit_bring(const struct outfit *outfit, struct sim_fleet *fleet, uint32_t guest,
                  struct sim_host *host);

/* Blames what is missing under a guest that runs, and a volume that is attached twice. */
void outfit_check(const struct outfit *outfit, struct witness *witness,
                  const struct sim_fleet *fleet);

/* Blames what is left, at rest, where its guest is not, and hosts that are held back for no reason. */
void outfit_judge(const struct outfit *outfit, struct witness *witness,
                  const struct sim_fleet *fleet);
