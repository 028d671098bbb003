/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/sim_copy.h"

#include <math.h>

#include "model/ladder.h"

#define PASSES_MAX 1000 /* A copy that is not over by then never is. */

/* QEMU's own pace, as measured: the first time in the fourth pass, further in every other one. */
#define THROTTLE_PASS 4
#define THROTTLE_MAX  99U

static uint32_t throttle_in(const struct sim_copy *copy, uint64_t pass)
{
    uint64_t percent = LADDER_THROTTLE_FIRST;

    if (!copy->live.auto_converge || pass < THROTTLE_PASS) {
        return 0;
    }
    percent += (pass - THROTTLE_PASS) / 2 * LADDER_THROTTLE_STEP;
    return percent > THROTTLE_MAX ? THROTTLE_MAX : (uint32_t)percent;
}

/* One pass over what the guest has written in the one before. */
struct pass {
    struct ladder ladder;
    uint64_t number;
    double begun_ms;
    double took_ms;
    double sent; /* Bytes, before it. */
    double bytes;
    double dirty_s;
    uint32_t throttle_percent;
    bool postcopy;
    bool last; /* The guest stands still in it, or runs at the target already. */
};

static struct pass first_pass(const struct sim_copy *copy)
{
    return (struct pass){
        .ladder = ladder_begin(&copy->live),
        .number = 1,
        .took_ms = (double)copy->first_ms,
        .bytes = (double)copy->bytes,
    };
}

static void next_pass(const struct sim_copy *copy, struct pass *pass)
{
    const double rate_ms = (double)copy->bytes / (double)copy->first_ms;
    double written;

    pass->dirty_s = (double)copy->written_s * (100 - pass->throttle_percent) / 100;
    written = pass->dirty_s * pass->took_ms / 1000;
    pass->number++;
    pass->begun_ms += pass->took_ms;
    pass->sent += pass->bytes;
    pass->bytes = written > (double)copy->bytes ? (double)copy->bytes : written;
    pass->took_ms = pass->bytes / rate_ms;
    pass->postcopy = ladder_climb(&pass->ladder, &copy->live, pass->number) == LADDER_POSTCOPY;
    pass->throttle_percent = throttle_in(copy, pass->number);
    pass->last = pass->postcopy || pass->took_ms <= pass->ladder.downtime_ms;
}

/* Goes on from 'pass' to the one that is on at 'until_ms', the last one if all are over by then. */
static struct pass walk(const struct sim_copy *copy, struct pass pass, double until_ms)
{
    while (!pass.last && pass.number < PASSES_MAX && until_ms >= pass.begun_ms + pass.took_ms) {
        next_pass(copy, &pass);
    }
    return pass;
}

struct sim_copy_state sim_copy_at(const struct sim_copy *copy, int64_t elapsed_ms)
{
    const struct pass now = walk(copy, first_pass(copy), (double)elapsed_ms);
    const struct pass end = walk(copy, now, HUGE_VAL);
    double share = now.took_ms > 0 ? ((double)elapsed_ms - now.begun_ms) / now.took_ms : 1;

    share = share < 0 ? 0 : share > 1 ? 1 : share;
    return (struct sim_copy_state){
        .over = end.last && elapsed_ms >= (int64_t)(end.begun_ms + end.took_ms),
        .endless = !end.last,
        .postcopy = now.postcopy,
        .over_ms = (int64_t)(end.begun_ms + end.took_ms),
        .pass = now.number,
        .sent = (uint64_t)(now.sent + now.bytes * share),
        .left = (uint64_t)(now.bytes * (1 - share)),
        .dirty_s = (uint64_t)now.dirty_s,
        .throttle_percent = now.throttle_percent,
    };
}
