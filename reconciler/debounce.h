/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Debounce: many notices become one call, once they have ceased for a while, and in any case a bounded time
 * after the first.  Loop thread.
 */

#include <stdint.h>

#include "base/loop.h"

struct debounce {
    struct loop *loop;
    int64_t quiet_ms; /* Without a notice, before the call. */
    int64_t limit_ms; /* From the first notice to the call, at most. */
    loop_fn *fn;
    void *context;
    struct loop_timer timer;
    int64_t
        first_ms; /* Of the notices that no call has followed yet; valid while the timer is armed. */
};

/* Nothing is noticed yet; fn(context) is called from the loop. */
void debounce_init(struct debounce *debounce, struct loop *loop, int64_t quiet_ms, int64_t limit_ms,
                   loop_fn *fn, void *context);

/* Notices. */
void debounce_note(struct debounce *debounce);

/* Forgets what was noticed; a zero-initialised one is allowed. */
void debounce_stop(struct debounce *debounce);
