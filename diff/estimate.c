/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/estimate.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Without a limit: a 10 Gbit/s network. */
#define USUAL_MIB_S 1000

/* How long a shutdown and a start are taken to last. */
#define RESTART_MS INT64_C(60000)

/* How many of the newest moves count: what a guest does changes, what the network does hardly. */
#define OWN_MAX   5
#define FLEET_MAX 50

/* How far off a forecast may be for which there is one move to go by, or none. */
#define ONE_FACTOR   2
#define GUESS_FACTOR 4

/* The newest figures of a kind, sorted. */
struct figures {
    uint64_t values[FLEET_MAX];
    size_t count;
};

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

static int compare_values(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;

    return left < right ? -1 : left > right;
}

static uint64_t rate_of(const struct estimate_past *move)
{
    uint64_t rate = (uint64_t)((double)move->bytes * 1000 / (double)move->total_ms);

    return rate == 0 ? 1 : rate;
}

/* How long the last moves of 'guest' took in ms, or at NULL at what rates anybody's copied, in bytes a second. */
static struct figures gather(const struct estimate_past *past, size_t count, const char *guest)
{
    struct figures figures = { .count = 0 };
    size_t most = guest == NULL ? FLEET_MAX : OWN_MAX;

    for (size_t i = count; i > 0 && figures.count < most; i--) {
        const struct estimate_past *move = &past[i - 1];

        if (move->overran || move->total_ms == 0 ||
            (guest == NULL ? move->bytes == 0 : strcmp(move->guest, guest) != 0)) {
            continue;
        }
        figures.values[figures.count++] = guest == NULL ? rate_of(move) : move->total_ms;
    }
    qsort(figures.values, figures.count, sizeof(figures.values[0]), compare_values);
    return figures;
}

static const struct estimate_past *newest_of(const struct estimate_past *past, size_t count,
                                             const char *guest)
{
    while (count > 0) {
        if (strcmp(past[--count].guest, guest) == 0) {
            return &past[count];
        }
    }
    return NULL;
}

/* The times of 'bytes' at the rates in 'figures', none of them above 'limit' (bytes a second, 0 = none). */
static struct figures at_rates(const struct figures *figures, uint64_t bytes, uint64_t limit)
{
    struct figures times = { .count = figures->count };

    for (size_t i = 0; i < figures->count; i++) {
        uint64_t rate = figures->values[figures->count - 1 - i];

        rate = limit > 0 && rate > limit ? limit : rate;
        times.values[i] = (uint64_t)((double)bytes * 1000 / (double)rate);
    }
    return times;
}

static struct estimate_forecast forecast_of(enum estimate_source source,
                                            const struct figures *times)
{
    struct estimate_forecast forecast = {
        .source = source,
        .moves = times->count,
        .likely_ms = times->values[times->count / 2],
        .least_ms = times->values[0],
        .most_ms = times->values[times->count - 1],
    };

    if (times->count == 1) {
        forecast.least_ms /= ONE_FACTOR;
        forecast.most_ms *= ONE_FACTOR;
    }
    return forecast;
}

static struct estimate_forecast guess(uint64_t memory_kib, uint64_t bandwidth_mib_s)
{
    uint64_t likely_ms = (uint64_t)estimate_move_ms(MOVE_LIVE, memory_kib, bandwidth_mib_s);

    return (struct estimate_forecast){
        .source = ESTIMATE_SIZE,
        .likely_ms = likely_ms,
        .least_ms = likely_ms / GUESS_FACTOR,
        .most_ms = likely_ms * GUESS_FACTOR,
    };
}

/* What was copied the last time takes at least this long where policy allows no more. */
static void keep_limit(struct estimate_forecast *forecast, const struct estimate_past *newest,
                       uint64_t limit)
{
    uint64_t least_ms = limit == 0 ? 0 : (uint64_t)((double)newest->bytes * 1000 / (double)limit);

    forecast->likely_ms = forecast->likely_ms < least_ms ? least_ms : forecast->likely_ms;
    forecast->least_ms = forecast->least_ms < least_ms ? least_ms : forecast->least_ms;
    forecast->most_ms = forecast->most_ms < least_ms ? least_ms : forecast->most_ms;
}

struct estimate_forecast estimate_live(const struct estimate_past *past, size_t count,
                                       const char *guest, uint64_t memory_kib,
                                       uint64_t bandwidth_mib_s)
{
    const struct estimate_past *newest = newest_of(past, count, guest);
    const uint64_t limit = bandwidth_mib_s * 1024 * 1024;
    struct figures figures = gather(past, count, guest);
    struct estimate_forecast forecast;

    if (figures.count > 0) {
        forecast = forecast_of(ESTIMATE_GUEST, &figures);
        keep_limit(&forecast, newest, newest->overran ? 0 : limit);
    } else {
        figures = gather(past, count, NULL);
        figures = at_rates(&figures, memory_kib * 1024, limit);
        forecast = figures.count > 0 ? forecast_of(ESTIMATE_FLEET, &figures)
                                     : guess(memory_kib, bandwidth_mib_s);
    }
    forecast.overran = newest != NULL && newest->overran;
    forecast.written_bytes_s = forecast.overran ? newest->written_bytes_s : 0;
    return forecast;
}

const char *estimate_source_name(enum estimate_source source)
{
    static const char *const names[ESTIMATE_SOURCE_COUNT] = {
        [ESTIMATE_NONE] = "none",
        [ESTIMATE_SIZE] = "size",
        [ESTIMATE_FLEET] = "fleet",
        [ESTIMATE_GUEST] = "guest",
    };

    assert(source < ESTIMATE_SOURCE_COUNT);
    return names[source];
}
