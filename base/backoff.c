/* SPDX-License-Identifier: Apache-2.0 */
#include "base/backoff.h"

#include <assert.h>

/* SplitMix64's finalizer: spreads a counter-like seed over all bits. */
static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

int64_t backoff_delay_ms(uint32_t attempts, uint64_t seed)
{
    int64_t whole = BACKOFF_BASE_MS;

    assert(attempts >= 1);
    for (uint32_t i = 1; i < attempts && whole < BACKOFF_CAP_MS; i++) {
        whole *= 2;
    }
    whole = whole < BACKOFF_CAP_MS ? whole : BACKOFF_CAP_MS;
    return BACKOFF_FLOOR_MS + (int64_t)(mix(seed) % (uint64_t)(whole - BACKOFF_FLOOR_MS + 1));
}
