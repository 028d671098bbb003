/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Estimate: how long moves are taken to last, for people and for windows that close.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/op.h"

/* What a live move is taken to copy in a second, where policy sets 'bandwidth_mib_s' (0 = no limit). */
uint64_t estimate_rate_mib_s(uint64_t bandwidth_mib_s);

/* A move by itself, in milliseconds: its memory copied once, or a shutdown and a start; a definition alone
 * takes no time. */
int64_t estimate_move_ms(enum move_mode mode, uint64_t memory_kib, uint64_t bandwidth_mib_s);

/* A live move that has ended, as it is remembered; a figure that is not known is 0. */
struct estimate_past {
    const char *guest;
    bool overran; /* It was not done in time, and the guest stayed; else it arrived. */
    uint64_t total_ms;
    uint64_t bytes; /* Copied. */
    uint64_t written_bytes_s;
};

/* What a forecast goes by, the better the later. */
enum estimate_source {
    ESTIMATE_NONE,
    ESTIMATE_SIZE,  /* The guest's memory, at policy's rate or a usual one: a guess. */
    ESTIMATE_FLEET, /* The guest's memory, at the rates of other guests' moves. */
    ESTIMATE_GUEST, /* The guest's own moves. */
    ESTIMATE_SOURCE_COUNT,
};

/* How long a live move will probably take. */
struct estimate_forecast {
    enum estimate_source source;
    uint64_t moves; /* That it is taken from. */
    uint64_t likely_ms;
    uint64_t least_ms;
    uint64_t most_ms;
    bool overran;             /* The guest's last move was not done in time, ... */
    uint64_t written_bytes_s; /* ... as it wrote this much; 0 = not known. */
};

/* Of 'guest', from the 'count' moves at 'past', the newest last. */
struct estimate_forecast estimate_live(const struct estimate_past *past, size_t count,
                                       const char *guest, uint64_t memory_kib,
                                       uint64_t bandwidth_mib_s);

/* Stable lower-case name: "size", "fleet", "guest". */
const char *estimate_source_name(enum estimate_source source);
