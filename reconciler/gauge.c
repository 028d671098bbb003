/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/gauge.h"

#include "reconciler/json_member.h"
#include "reconciler/pace.h"

/* Where the phases lie: copying memory is nearly all of a move. */
#define FRACTION_MEMORY     0.02
#define FRACTION_SWITCHOVER 0.96
#define FRACTION_CLEANUP    0.98

#define NEWEST_WEIGHT 0.3 /* Of the rate's newest figure. */
#define LEFT_MAX_S    (100.0 * 24 * 3600)

static double raw_fraction(const struct actuator_progress *raw)
{
    double copied;

    switch (raw->phase) {
    case ACTUATOR_PHASE_SWITCHOVER:
        return FRACTION_SWITCHOVER;
    case ACTUATOR_PHASE_CLEANUP:
        return FRACTION_CLEANUP;
    case ACTUATOR_PHASE_SETUP:
    case ACTUATOR_PHASE_WAIT:
        return 0;
    case ACTUATOR_PHASE_MEMORY:
    case ACTUATOR_PHASE_POSTCOPY:
        break;
    }
    if (raw->total_bytes == 0 || raw->remaining_bytes > raw->total_bytes) {
        return FRACTION_MEMORY;
    }
    copied = 1.0 - (double)raw->remaining_bytes / (double)raw->total_bytes;
    return FRACTION_MEMORY + copied * (FRACTION_SWITCHOVER - FRACTION_MEMORY);
}

void gauge_reset(struct gauge *gauge)
{
    *gauge = (struct gauge){ .fraction = 0 };
}

void gauge_feed(struct gauge *gauge, const struct actuator_progress *raw)
{
    double now = raw_fraction(raw);
    double rate = (double)raw->rate_bytes_s;

    gauge->raw = *raw;
    if (raw->phase == ACTUATOR_PHASE_WAIT) {
        return;
    }
    gauge->fraction = now > gauge->fraction ? now : gauge->fraction;
    gauge->rate = gauge->rate > 0 ? gauge->rate * (1 - NEWEST_WEIGHT) + rate * NEWEST_WEIGHT : rate;
}

int64_t gauge_left_ms(const struct gauge *gauge)
{
    double left_s;

    if (!(gauge->rate > 0) || gauge->raw.phase != ACTUATOR_PHASE_MEMORY) {
        return -1;
    }
    left_s = (double)gauge->raw.remaining_bytes / gauge->rate;
    return left_s > LEFT_MAX_S ? -1 : (int64_t)(left_s * 1000);
}

int64_t gauge_left_most_ms(const struct gauge *gauge)
{
    const struct actuator_progress *raw = &gauge->raw;
    uint64_t written = raw->dirty_bytes_s > 0 ? raw->dirty_bytes_s : raw->written_bytes_s;
    int64_t left_ms;

    if (gauge_left_ms(gauge) < 0) {
        return -1;
    }
    left_ms = pace_time_ms(raw->remaining_bytes, gauge->rate, (double)written, 0);
    return left_ms == PACE_NEVER ? GAUGE_NEVER : left_ms;
}

void gauge_json(struct text *json, const struct gauge *gauge)
{
    int64_t most = gauge_left_most_ms(gauge);

    json_member_number(json, "percent", (uint64_t)(gauge->fraction * 100));
    json_member_number(json, "rate_bytes_s", (uint64_t)gauge->rate);
    json_member_signed(json, "left_ms", gauge_left_ms(gauge));
    json_member_signed(json, "left_most_ms", most == GAUGE_NEVER ? -1 : most);
    json_member_flag(json, "converges", most != GAUGE_NEVER);
}

const char *gauge_phase_name(enum actuator_phase phase)
{
    switch (phase) {
    case ACTUATOR_PHASE_SETUP:
        return "setup";
    case ACTUATOR_PHASE_MEMORY:
        return "memory";
    case ACTUATOR_PHASE_POSTCOPY:
        return "post-copy";
    case ACTUATOR_PHASE_SWITCHOVER:
        return "switchover";
    case ACTUATOR_PHASE_CLEANUP:
        return "cleanup";
    case ACTUATOR_PHASE_WAIT:
        return "shutting down";
    }
    return "";
}
