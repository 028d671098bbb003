/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Backoff: how long to wait before try number N.  Exponential with full jitter ("Exponential
 * Backoff And Jitter", AWS Architecture Blog, 2015), a pure function of its arguments so that the
 * journal can keep it across restarts.
 */

#include <stdint.h>

#define BACKOFF_FLOOR_MS INT64_C(500)
#define BACKOFF_BASE_MS  INT64_C(5000)
#define BACKOFF_CAP_MS   (INT64_C(30) * 60 * 1000)

/* Delay in ms after 'attempts' failures (>= 1): evenly spread over [BACKOFF_FLOOR_MS, whole] where
 * whole = min(BACKOFF_CAP_MS, BACKOFF_BASE_MS << (attempts - 1)).  'seed' picks the point. */
int64_t backoff_delay_ms(uint32_t attempts, uint64_t seed);
