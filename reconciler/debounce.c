/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/debounce.h"

void debounce_init(struct debounce *debounce, struct loop *loop, int64_t quiet_ms, int64_t limit_ms,
                   loop_fn *fn, void *context)
{
    *debounce = (struct debounce){
        .loop = loop,
        .quiet_ms = quiet_ms,
        .limit_ms = limit_ms,
        .fn = fn,
        .context = context,
    };
}

void debounce_note(struct debounce *debounce)
{
    int64_t now_ms = loop_now_ms(debounce->loop);
    int64_t left_ms;

    if (!debounce->timer.armed) {
        debounce->first_ms = now_ms;
    }
    left_ms = debounce->first_ms + debounce->limit_ms - now_ms;
    if (left_ms > debounce->quiet_ms) {
        left_ms = debounce->quiet_ms;
    }
    loop_timer_start(debounce->loop, &debounce->timer, left_ms < 0 ? 0 : left_ms, debounce->fn,
                     debounce->context);
}

void debounce_stop(struct debounce *debounce)
{
    if (debounce->timer.armed) {
        loop_timer_stop(debounce->loop, &debounce->timer);
    }
}
