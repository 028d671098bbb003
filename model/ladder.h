/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Ladder: what helps a live migration to its end when the guest writes faster than it can be copied, one
 * rung for each pass over its memory.  Pure; whoever watches the migration carries the rungs out.
 *
 * The first passes are left alone: most guests converge by themselves.  Then the pause that QEMU may aim
 * at grows to the policy's limit.  Meanwhile QEMU itself slows the guest down if policy lets it
 * (auto-converge): it can only be allowed before the migration begins, and starts with the pass after
 * two in which the guest wrote more than half of what was sent.  Post-copy, where policy allows it, is
 * last.  The deadline is the executor's.
 */

#include <stdbool.h>
#include <stdint.h>

struct op_live;

/* By how much QEMU slows a guest's CPUs down first, and further each time, in percent. */
#define LADDER_THROTTLE_FIRST 20
#define LADDER_THROTTLE_STEP  20

enum ladder_rung {
    LADDER_STAY,
    LADDER_DOWNTIME, /* Let QEMU aim at a pause of 'downtime_ms'. */
    LADDER_POSTCOPY, /* Let the guest go on at the target, and the rest of its memory follow. */
};

struct ladder {
    uint32_t downtime_ms; /* The limit in force. */
    uint64_t pass;        /* The last one that was judged. */
};

/* The foot of the ladder for 'live'; 'downtime_ms' is the limit to begin with. */
struct ladder ladder_begin(const struct op_live *live);

/* The rung to take in 'pass' (from 1), which may have been asked for before.  A rung that could not be
 * taken ends nothing: the next pass brings one again. */
enum ladder_rung ladder_climb(struct ladder *ladder, const struct op_live *live, uint64_t pass);
