/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Exact_space: the placements of a few guests on a few hosts, and the moves between them, for the search
 * in exact.c.
 *
 * Guests and hosts have small numbers of their own here, and every rule that does not depend on the
 * placement is worked out once.  Guests that no rule and no wish tells apart are interchangeable:
 * placements that differ only in them are one.  Pure.
 */

#include <stdbool.h>
#include <stdint.h>

#include "diff/exact.h"

#define EXACT_SPACE_POOLS 3 /* Kinds of memory. */

#define EXACT_SPACE_ABSENT  0x7FU /* The guest is not in this world. */
#define EXACT_SPACE_STOPPED 0x80U /* Added to the host of a stopped guest. */
#define EXACT_SPACE_STOP    0xFFU /* In place of a move's host: the guest is stopped. */

struct exact_placement {
    uint8_t at[EXACT_GUESTS]; /* Unused ones are absent. */
};

struct exact_guest {
    uint64_t kib;
    uint32_t vcpus;
    uint8_t pool; /* The kind of memory that 'kib' is of. */
    uint8_t origin;
    uint8_t goal;
    uint8_t enter[EXACT_HOSTS]; /* By host it is on: a bit for each it may go to from there. */
    uint8_t stop;               /* A bit for each host it may be stopped on. */
    uint16_t rivals;            /* A bit for each guest it must be apart from. */
    bool first_offline;         /* Its hop from 'origin' interrupts it ... */
    bool later_offline;         /* ... and any other. */
    bool no_return;             /* It never goes back to 'origin': its hops would change. */
    uint8_t twin; /* The last guest before it that is interchangeable with it, or itself. */
};

struct exact_host {
    uint64_t limit_kib[EXACT_SPACE_POOLS];
    uint64_t fixed_kib[EXACT_SPACE_POOLS]; /* Of those who cannot move. */
    uint64_t vcpu_limit;
    uint64_t vcpu_cap; /* For guests that belong here. */
    uint64_t fixed_vcpus;
};

struct exact_space {
    struct exact_host hosts[EXACT_HOSTS];
    unsigned host_count;
    unsigned pool_count;
    struct exact_guest guests[EXACT_GUESTS];
    unsigned guest_count;
    uint16_t present; /* Guests in this world. */
    uint16_t frozen;  /* Of them, those that do not move in the search at hand. */
    struct exact_placement start;
};

/* What a placement takes on each host. */
struct exact_load {
    uint64_t kib[EXACT_SPACE_POOLS][EXACT_HOSTS];
    uint64_t vcpus[EXACT_HOSTS];
    uint16_t guests[EXACT_HOSTS]; /* A bit each. */
};

/* The space of 'problem', nobody frozen. */
void exact_space_build(struct exact_space *space, const struct exact_problem *problem);

/* False if the guests that are not frozen cannot all be home, whatever the order. */
bool exact_space_can_end(const struct exact_space *space);

/* What the guests take where 'placement' has them. */
struct exact_load exact_space_load(const struct exact_space *space,
                                   const struct exact_placement *placement);

/* True if the guest may go to 'host' from 'placement', whose load is 'load'. */
bool exact_space_may_enter(const struct exact_space *space, const struct exact_placement *placement,
                           const struct exact_load *load, unsigned guest, unsigned host);

/* True if the guest may be stopped where 'placement' has it. */
bool exact_space_may_stop(const struct exact_space *space, const struct exact_placement *placement,
                          unsigned guest);

/* True if the guest moves in this search and is not home. */
bool exact_space_is_away(const struct exact_space *space, const struct exact_placement *placement,
                         unsigned guest);

/* True if the guest's next hop interrupts it. */
bool exact_space_interrupts(const struct exact_space *space,
                            const struct exact_placement *placement, unsigned guest);

/* Orders interchangeable guests, so that equal placements have equal bytes. */
void exact_space_normalize(const struct exact_space *space, struct exact_placement *placement);
