/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * sim_copy: how a simulated migration copies the memory of a guest that goes on writing, pass after pass,
 * with the help of the same ladder as on real hosts (model/ladder.h).  A function of the time that has
 * gone by; no state.
 */

#include <stdbool.h>
#include <stdint.h>

#include "model/op.h"

struct sim_copy {
    uint64_t bytes;     /* The guest's memory. */
    int64_t first_ms;   /* What one pass over all of it takes; > 0. */
    uint64_t written_s; /* What the guest writes a second. */
    struct op_live live;
};

/* Where a copy is. */
struct sim_copy_state {
    bool over;
    bool endless;     /* It will never be over. */
    bool postcopy;    /* The guest runs at the target. */
    int64_t over_ms;  /* When it is over, from its beginning; valid unless endless. */
    uint64_t pass;    /* From 1. */
    uint64_t sent;    /* Bytes, in all passes. */
    uint64_t left;    /* Bytes, in this pass. */
    uint64_t dirty_s; /* What the guest wrote a second in the pass before. */
    uint32_t throttle_percent;
};

/* The state 'elapsed_ms' after the beginning. */
struct sim_copy_state sim_copy_at(const struct sim_copy *copy, int64_t elapsed_ms);
