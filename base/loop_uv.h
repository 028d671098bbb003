/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Loop on libuv: the production implementation of base/loop.h, with signals. */

#include "base/loop.h"

/* A loop for the calling thread.  Never NULL: failing to set one up aborts. */
struct loop *loop_uv_new(void);

/* Calls fn(context) on the loop thread each time signal 'signum' arrives, in place of its default
 * effect.  At most LOOP_UV_SIGNALS_MAX per loop. */
#define LOOP_UV_SIGNALS_MAX 4
void loop_uv_on_signal(struct loop *loop, int signum, loop_fn *fn, void *context);

/* Ends the loop; armed timers and posted calls are dropped. */
void loop_uv_free(struct loop *loop);
