/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Cast: a random fleet for a play (play.h): its hosts and guests, what berth.conf says of them, and what
 * es.xml wants, which changes while the play goes on.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actuators/sim_fleet.h"
#include "tests/unit/dice.h"
#include "world.h"

#define CAST_HOSTS  6
#define CAST_GUESTS 14
#define CAST_NOBODY UINT32_MAX

struct cast_guest {
    const char *name;
    const char *uuid;
    uint64_t memory_kib;
    uint32_t host;    /* At first, as an index. */
    uint32_t goal;    /* Where the file wants it. */
    uint32_t cluster; /* 0 = none. */
    const char *state;
    bool listed;   /* In the file. */
    bool stranger; /* Never in it. */
    bool autostart;
    bool deaf;
};

struct cast {
    struct arena *arena;
    const char *hosts[CAST_HOSTS];
    unsigned memory_mib[CAST_HOSTS];
    size_t host_count;
    struct cast_guest guests[CAST_GUESTS];
    size_t guest_count;
    struct policy_host own_hosts[CAST_HOSTS]; /* Of berth.conf. */
    struct policy_guest own_guests[CAST_GUESTS];
    struct sim_durations durations; /* How long things take on the hosts. */
};

/* Draws a fleet whose strings live in 'arena'. */
void cast_draw(struct cast *cast, struct arena *arena, struct dice *dice);

/* Makes it the fleet, the file and the configuration of 'world', which it initialises. */
void cast_enter(struct cast *cast, struct world *world, struct dice *dice);

/* What the file says when it wants every listed guest on its goal, with 'note' as a comment; in the arena of
 * the cast. */
const char *cast_es_xml(const struct cast *cast, uint64_t note);

/* Takes listing and goals from 'es_xml', which is in order; false if it is not. */
bool cast_read(struct cast *cast, const char *es_xml);

/* Index of the guest or host called 'name' (of a UUID: the guest's), or CAST_NOBODY. */
uint32_t cast_guest(const struct cast *cast, const char *name);
uint32_t cast_guest_of(const struct cast *cast, const char *uuid);
uint32_t cast_host(const struct cast *cast, const char *name);

/* True if the file has put the two guests into one cluster and on different hosts. */
bool cast_are_apart(const struct cast *cast, uint32_t a, uint32_t b);
