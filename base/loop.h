/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Loop: time, timers, descriptors and the way back from worker threads.  One of the four seams (R3):
 * production runs on libuv (loop_uv.h), deterministic tests on a loop whose clock they move
 * (loop_manual.h).
 *
 * The thread that runs the loop owns every mutable object of the program.  Only loop_post() may be
 * called from other threads.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct loop_timer;
struct loop_watch;

typedef void loop_fn(void *context);

struct loop_ops {
    const char *name;
    int64_t (*now_ms)(struct loop *self);  /* Monotonic. */
    int64_t (*wall_ms)(struct loop *self); /* Since 1970 (base/clock.h); may jump. */
    void (*timer_start)(struct loop *self, struct loop_timer *timer);
    void (*timer_stop)(struct loop *self, struct loop_timer *timer);
    void (*watch_start)(struct loop *self, struct loop_watch *watch);
    void (*watch_stop)(struct loop *self, struct loop_watch *watch);
    void (*post)(struct loop *self, loop_fn *fn, loop_fn *drop, void *context);
    void (*run)(struct loop *self);
    void (*stop)(struct loop *self);
};

struct loop {
    const struct loop_ops *ops;
};

/* A one-shot timer embedded in its user; zero-initialised means stopped. */
struct loop_timer {
    loop_fn *fn;
    void *context;
    int64_t due_ms; /* Monotonic instant; valid while armed. */
    bool armed;
    void *impl; /* The loop's own. */
};

/* A descriptor that is waited for, embedded in its user; zero-initialised means stopped. */
struct loop_watch {
    loop_fn *fn;
    void *context;
    int fd;
    bool armed;
    void *impl; /* The loop's own. */
};

/* Monotonic milliseconds: for durations and timers. */
static inline int64_t loop_now_ms(struct loop *loop)
{
    return loop->ops->now_ms(loop);
}

/* Wall-clock milliseconds: for what people and the journal read. */
static inline int64_t loop_wall_ms(struct loop *loop)
{
    return loop->ops->wall_ms(loop);
}

/* Arms 'timer' to call fn(context) on the loop thread in 'delay_ms' (>= 0), never from inside this
 * call.  Arming an armed timer moves it. */
static inline void loop_timer_start(struct loop *loop, struct loop_timer *timer, int64_t delay_ms,
                                    loop_fn *fn, void *context)
{
    timer->fn = fn;
    timer->context = context;
    timer->due_ms = loop_now_ms(loop) + delay_ms;
    loop->ops->timer_start(loop, timer);
}

/* Disarms 'timer'; nothing happens if it is not armed. */
static inline void loop_timer_stop(struct loop *loop, struct loop_timer *timer)
{
    loop->ops->timer_stop(loop, timer);
}

/* Calls fn(context) on the loop thread whenever 'fd' can be read without waiting, or has failed, again and
 * again until stopped: level-triggered.  'fd' is a socket, pipe or the like, never a plain file; the caller
 * keeps it, and stops before closing it.  The loop makes it non-blocking.  One watch a descriptor; starting
 * an armed watch is a bug. */
static inline void loop_watch_start(struct loop *loop, struct loop_watch *watch, int fd,
                                    loop_fn *fn, void *context)
{
    watch->fn = fn;
    watch->context = context;
    watch->fd = fd;
    loop->ops->watch_start(loop, watch);
}

/* Ends it, also from its own callback: 'fn' is not called again, the descriptor may be closed and 'watch'
 * released at once.  Nothing happens if it is not armed. */
static inline void loop_watch_stop(struct loop *loop, struct loop_watch *watch)
{
    loop->ops->watch_stop(loop, watch);
}

/* Runs fn(context) on the loop thread soon, in the order of posting.  Any thread. */
static inline void loop_post(struct loop *loop, loop_fn *fn, void *context)
{
    loop->ops->post(loop, fn, NULL, context);
}

/* The same for a context that the call owns: a loop that ends before it has run calls drop(context). */
static inline void loop_post_owned(struct loop *loop, loop_fn *fn, loop_fn *drop, void *context)
{
    loop->ops->post(loop, fn, drop, context);
}

/* Runs until loop_stop().  The manual loop returns too when nothing is left to run. */
static inline void loop_run(struct loop *loop)
{
    loop->ops->run(loop);
}

/* Makes loop_run() return after the current callback.  Loop thread. */
static inline void loop_stop(struct loop *loop)
{
    loop->ops->stop(loop);
}
