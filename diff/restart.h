/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Restart: whether a guest that was stopped early may run again where it is, or its room has been given away
 * meanwhile; and whether one whose host is dead may run on another.  By the planner's charging: who
 * arrives there, and who is off but may start, counts.  Pure.
 */

#include <stddef.h>
#include <stdint.h>

#include "diff/capacity.h"

struct observed_guest;
struct plan_input;

struct restart_room {
    enum capacity_fit fit; /* The CPU counts only if policy is strict about it. */
    uint64_t needs_kib;    /* What the guest takes, ... */
    uint64_t free_kib;     /* ... and what is left for it on its host. */
};

/* Room on 'host' for 'guest', which is off there, owed a start and in no move.  Others that were stopped
 * early and are off take none until they are started: the 'other_count' of 'others', by name.  'host' is one
 * of the observation. */
struct restart_room restart_room(const struct plan_input *input, const struct observed_guest *guest,
                                 const char *host, const char *const *others, size_t other_count);

/* Likewise for 'guest' as it was last known: it is to be started on 'host' (or defined, if it is off and owed no
 * start), wherever else it is or was on its way to. */
struct restart_room restart_room_elsewhere(const struct plan_input *input,
                                           const struct observed_guest *guest, const char *host);
