/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/pace.h"

#include <inttypes.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/text.h"

#define BYTES_PER_MIB (UINT64_C(1024) * 1024)
#define GOING_MS      INT64_C(10000) /* Without a byte for so long the copy stands still. */
#define KNOWN_MS      INT64_C(500)   /* A rate over less than that says nothing. */
#define LONGEST_MS    (1e3 * 366 * 24 * 3600) /* What takes longer never ends. */

void pace_feed(struct pace *pace, const struct actuator_progress *raw, int64_t now_ms)
{
    pace->newest = *raw;
    pace->postcopy |= raw->phase == ACTUATOR_PHASE_POSTCOPY;
    if (raw->processed_bytes > pace->copied) {
        pace->copied = raw->processed_bytes;
        pace->grown_ms = now_ms;
    }
}

bool pace_goes_on(const struct pace *pace, int64_t now_ms)
{
    return pace->copied > 0 && now_ms - pace->grown_ms < GOING_MS;
}

int64_t pace_time_ms(uint64_t bytes, double rate, double written, int64_t downtime_ms)
{
    double last = rate * (double)downtime_ms / 1000; /* Sent in the pause. */
    double time_ms;

    if (!(rate > 0)) {
        return PACE_NEVER;
    }
    if ((double)bytes <= last) {
        return (int64_t)((double)bytes * 1000 / rate);
    }
    if (written >= rate) {
        return PACE_NEVER;
    }
    time_ms = ((double)bytes - last) * 1000 / (rate - written) + (double)downtime_ms;
    return time_ms > LONGEST_MS ? PACE_NEVER : (int64_t)time_ms;
}

/* What the first pass has left behind it already: it is sent in the next. */
static uint64_t written_again(const struct actuator_progress *raw)
{
    double written = (double)raw->written_bytes_s * (double)raw->elapsed_ms / 1000;

    if (raw->iteration > 1) {
        return 0;
    }
    return written > (double)raw->total_bytes ? raw->total_bytes : (uint64_t)written;
}

int64_t pace_foretell_ms(const struct actuator_progress *raw, int64_t downtime_ms)
{
    double rate;
    int64_t left_ms;

    if (!raw->has_written || raw->phase != ACTUATOR_PHASE_MEMORY || raw->elapsed_ms < KNOWN_MS ||
        raw->processed_bytes == 0) {
        return 0;
    }
    rate = (double)raw->processed_bytes * 1000 / (double)raw->elapsed_ms;
    left_ms = pace_time_ms(raw->remaining_bytes + written_again(raw), rate,
                           (double)raw->written_bytes_s, downtime_ms);
    return left_ms == PACE_NEVER ? PACE_NEVER : raw->elapsed_ms + left_ms;
}

const char *pace_forecast_text(struct arena *arena, int64_t foretold_ms, uint64_t written_bytes_s)
{
    uint64_t written = written_bytes_s / BYTES_PER_MIB;
    char duration[CLOCK_TEXT_SIZE];

    if (foretold_ms == PACE_NEVER) {
        return text_format(arena,
                           "does not converge by itself: it writes %" PRIu64
                           " MiB/s, more than can be copied",
                           written);
    }
    return text_format(arena, "will take about %s: it writes %" PRIu64 " MiB/s",
                       clock_format_duration(foretold_ms, duration), written);
}

const char *pace_why(const struct pace *pace, struct arena *arena)
{
    const struct actuator_progress *last = &pace->newest;
    uint64_t copied = last->rate_bytes_s / BYTES_PER_MIB;
    const char *slowed = "";

    if (last->iteration < 2) {
        return text_format(arena, "its memory had not been copied once, at %" PRIu64 " MiB/s",
                           copied);
    }
    if (last->throttle_percent > 0) {
        slowed =
            text_format(arena, ", although slowed down by %" PRIu32 " %%", last->throttle_percent);
    }
    return text_format(arena,
                       "after %" PRIu64 " passes it still wrote %" PRIu64 " MiB/s%s, %" PRIu64
                       " MiB/s were copied",
                       last->iteration, last->dirty_bytes_s / BYTES_PER_MIB, slowed, copied);
}
