/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Loop with a clock that only tests move: the deterministic implementation of base/loop.h.
 *
 * loop_run() runs posted calls in order and, when none is left, jumps to the next timer; it returns
 * when neither is left, after loop_stop(), or after 'limit' callbacks.  It polls no descriptor: the test
 * says when one can be read.
 */

#include <stddef.h>

#include "base/loop.h"

/* Monotonic time starts at 0, wall time at 'wall_ms'. */
struct loop *loop_manual_new(int64_t wall_ms);

/* Moves both clocks forward by 'ms', running what falls due on the way. */
void loop_manual_advance(struct loop *loop, int64_t ms);

/* Moves the wall clock alone, as a clock jump does. */
void loop_manual_jump(struct loop *loop, int64_t ms);

/* Runs the callback of the watch on 'fd' in this call, as if it could be read; false if nobody watches it. */
bool loop_manual_ready(struct loop *loop, int fd);

/* Callbacks run by loop_run() before it gives up (a livelock shows as reaching it); 0 = no limit. */
void loop_manual_limit(struct loop *loop, size_t limit);

/* True if loop_run() ended because the limit was reached. */
bool loop_manual_is_exhausted(struct loop *loop);

/* Ends the loop; armed timers and posted calls are dropped. */
void loop_manual_free(struct loop *loop);
