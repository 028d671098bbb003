/* SPDX-License-Identifier: Apache-2.0 */
#include "model/ladder.h"

#include "model/op.h"

#define DOWNTIME_FIRST_MS UINT32_C(300)
#define DOWNTIME_RUNGS    UINT32_C(3)

/* Passes are numbered from 1; what is written during the first is sent in the second. */
#define DOWNTIME_PASS       UINT64_C(3)
#define POSTCOPY_PASS       UINT64_C(8)
#define POSTCOPY_FIRST_PASS UINT64_C(2)

struct ladder ladder_begin(const struct op_live *live)
{
    return (struct ladder){
        .downtime_ms =
            live->max_downtime_ms < DOWNTIME_FIRST_MS ? live->max_downtime_ms : DOWNTIME_FIRST_MS,
    };
}

/* Raises the limit by a share of the whole way; false if it is at its end. */
static bool raise_downtime(struct ladder *ladder, const struct op_live *live)
{
    uint32_t step_ms;

    if (ladder->downtime_ms >= live->max_downtime_ms) {
        return false;
    }
    step_ms = (live->max_downtime_ms - DOWNTIME_FIRST_MS + DOWNTIME_RUNGS - 1) / DOWNTIME_RUNGS;
    ladder->downtime_ms = live->max_downtime_ms - ladder->downtime_ms < step_ms
                              ? live->max_downtime_ms
                              : ladder->downtime_ms + step_ms;
    return true;
}

enum ladder_rung ladder_climb(struct ladder *ladder, const struct op_live *live, uint64_t pass)
{
    uint64_t postcopy_pass = live->postcopy_first ? POSTCOPY_FIRST_PASS : POSTCOPY_PASS;

    if (pass <= ladder->pass) {
        return LADDER_STAY;
    }
    ladder->pass = pass;
    if (live->postcopy && pass >= postcopy_pass) {
        return LADDER_POSTCOPY;
    }
    return pass >= DOWNTIME_PASS && raise_downtime(ladder, live) ? LADDER_DOWNTIME : LADDER_STAY;
}
