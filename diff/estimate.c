/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/estimate.h"

/* Without a limit: a 10 Gbit/s network. */
#define USUAL_MIB_S 1000

/* How long a shutdown and a start are taken to last. */
#define RESTART_MS INT64_C(60000)

uint64_t estimate_rate_mib_s(uint64_t bandwidth_mib_s)
{
    return bandwidth_mib_s == 0 ? USUAL_MIB_S : bandwidth_mib_s;
}

int64_t estimate_move_ms(enum move_mode mode, uint64_t memory_kib, uint64_t bandwidth_mib_s)
{
    switch (mode) {
    case MOVE_LIVE:
        return (int64_t)(memory_kib / 1024 * 1000 / estimate_rate_mib_s(bandwidth_mib_s));
    case MOVE_OFFLINE:
    case MOVE_FORCED:
        return RESTART_MS;
    case MOVE_COLD:
    case MOVE_STOP:
    case MOVE_MODE_COUNT:
        break;
    }
    return 0;
}
