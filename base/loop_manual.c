/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop_manual.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"

struct post {
    struct post *next;
    loop_fn *fn;
    loop_fn *drop; /* Or NULL. */
    void *context;
};

struct loop_manual {
    struct loop base; /* First: a struct loop of ours is a struct loop_manual. */
    int64_t now_ms;
    int64_t wall_ms;
    struct loop_timer **timers; /* Armed, by due instant, then in the order of arming. */
    size_t timer_count;
    size_t timer_capacity;
    struct loop_watch *watches; /* Armed; linked through 'impl'. */
    size_t limit;
    bool exhausted;
    bool stopping;
    pthread_mutex_t mutex; /* Guards the posted calls, which any thread may add to. */
    struct post *first;
    struct post **last; /* The link that the next post goes into. */
};

static struct loop_manual *manual_of(struct loop *loop)
{
    return (struct loop_manual *)loop;
}

static int64_t manual_now_ms(struct loop *self)
{
    return manual_of(self)->now_ms;
}

static int64_t manual_wall_ms(struct loop *self)
{
    return manual_of(self)->wall_ms;
}

static void manual_timer_stop(struct loop *self, struct loop_timer *timer)
{
    struct loop_manual *loop = manual_of(self);
    size_t i = 0;

    if (!timer->armed) {
        return;
    }
    while (loop->timers[i] != timer) {
        i++;
        assert(i < loop->timer_count);
    }
    loop->timer_count--;
    memmove(&loop->timers[i], &loop->timers[i + 1],
            (loop->timer_count - i) * sizeof(*loop->timers));
    timer->armed = false;
}

static void grow_timers(struct loop_manual *loop)
{
    loop->timer_capacity = loop->timer_capacity == 0 ? 16 : loop->timer_capacity * 2;
    loop->timers = reallocarray(loop->timers, loop->timer_capacity, sizeof(*loop->timers));
    if (loop->timers == NULL) {
        abort();
    }
}

static void manual_timer_start(struct loop *self, struct loop_timer *timer)
{
    struct loop_manual *loop = manual_of(self);
    size_t i;

    manual_timer_stop(self, timer);
    if (loop->timer_count == loop->timer_capacity) {
        grow_timers(loop);
    }
    for (i = loop->timer_count; i > 0 && loop->timers[i - 1]->due_ms > timer->due_ms; i--) {
        loop->timers[i] = loop->timers[i - 1];
    }
    loop->timers[i] = timer;
    loop->timer_count++;
    timer->armed = true;
}

static void manual_watch_start(struct loop *self, struct loop_watch *watch)
{
    struct loop_manual *loop = manual_of(self);

    assert(!watch->armed);
    watch->armed = true;
    watch->impl = loop->watches;
    loop->watches = watch;
}

static void manual_watch_stop(struct loop *self, struct loop_watch *watch)
{
    struct loop_manual *loop = manual_of(self);
    struct loop_watch *before = loop->watches;

    if (!watch->armed) {
        return;
    }
    if (before == watch) {
        loop->watches = watch->impl;
    } else {
        while (before->impl != watch) {
            before = before->impl;
        }
        before->impl = watch->impl;
    }
    watch->armed = false;
}

static void manual_post(struct loop *self, loop_fn *fn, loop_fn *drop, void *context)
{
    struct loop_manual *loop = manual_of(self);
    struct post *post = malloc(sizeof(*post));

    if (post == NULL) {
        abort();
    }
    *post = (struct post){ .fn = fn, .drop = drop, .context = context };
    pthread_mutex_lock(&loop->mutex);
    *loop->last = post;
    loop->last = &post->next;
    pthread_mutex_unlock(&loop->mutex);
}

static struct post *take_post(struct loop_manual *loop)
{
    struct post *post;

    pthread_mutex_lock(&loop->mutex);
    post = loop->first;
    if (post != NULL) {
        loop->first = post->next;
        if (loop->first == NULL) {
            loop->last = &loop->first;
        }
    }
    pthread_mutex_unlock(&loop->mutex);
    return post;
}

static bool has_post(struct loop_manual *loop)
{
    bool has;

    pthread_mutex_lock(&loop->mutex);
    has = loop->first != NULL;
    pthread_mutex_unlock(&loop->mutex);
    return has;
}

/* Never backwards: a callback may have moved the clock past the instant its caller aims at. */
static void move_clock_to(struct loop_manual *loop, int64_t now_ms)
{
    if (now_ms > loop->now_ms) {
        loop->wall_ms += now_ms - loop->now_ms;
        loop->now_ms = now_ms;
    }
}

/* The user may release a timer from its own callback, so it is not touched once that runs. */
static void fire_first_timer(struct loop_manual *loop)
{
    struct loop_timer *timer = loop->timers[0];

    manual_timer_stop(&loop->base, timer);
    move_clock_to(loop, timer->due_ms);
    timer->fn(timer->context);
}

/* Runs the next callback that is due by 'horizon_ms'; false if there is none. */
static bool run_next(struct loop_manual *loop, int64_t horizon_ms)
{
    struct post *post = take_post(loop);

    if (post != NULL) {
        struct post call = *post;

        free(post);
        call.fn(call.context);
        return true;
    }
    if (loop->timer_count > 0 && loop->timers[0]->due_ms <= horizon_ms) {
        fire_first_timer(loop);
        return true;
    }
    return false;
}

static void manual_run(struct loop *self)
{
    struct loop_manual *loop = manual_of(self);
    size_t count = 0;

    loop->exhausted = false;
    while (!loop->stopping) {
        if (loop->limit != 0 && count == loop->limit) {
            loop->exhausted = has_post(loop) || loop->timer_count > 0;
            break;
        }
        if (!run_next(loop, INT64_MAX)) {
            break;
        }
        count++;
    }
    loop->stopping = false;
}

static void manual_stop(struct loop *self)
{
    manual_of(self)->stopping = true;
}

static const struct loop_ops manual_ops = {
    .name = "manual",
    .now_ms = manual_now_ms,
    .wall_ms = manual_wall_ms,
    .timer_start = manual_timer_start,
    .timer_stop = manual_timer_stop,
    .watch_start = manual_watch_start,
    .watch_stop = manual_watch_stop,
    .post = manual_post,
    .run = manual_run,
    .stop = manual_stop,
};

struct loop *loop_manual_new(int64_t wall_ms)
{
    struct loop_manual *loop = HEAP_NEW(struct loop_manual);

    if (pthread_mutex_init(&loop->mutex, NULL) != 0) {
        abort();
    }
    loop->base.ops = &manual_ops;
    loop->wall_ms = wall_ms;
    loop->last = &loop->first;
    return &loop->base;
}

void loop_manual_advance(struct loop *loop, int64_t ms)
{
    struct loop_manual *manual = manual_of(loop);
    int64_t until_ms = manual->now_ms + ms;

    while (run_next(manual, until_ms)) {
    }
    move_clock_to(manual, until_ms);
}

void loop_manual_jump(struct loop *loop, int64_t ms)
{
    manual_of(loop)->wall_ms += ms;
}

bool loop_manual_ready(struct loop *loop, int fd)
{
    struct loop_watch *watch = manual_of(loop)->watches;

    while (watch != NULL && watch->fd != fd) {
        watch = watch->impl;
    }
    if (watch == NULL) {
        return false;
    }
    watch->fn(watch->context);
    return true;
}

void loop_manual_limit(struct loop *loop, size_t limit)
{
    manual_of(loop)->limit = limit;
}

bool loop_manual_is_exhausted(struct loop *loop)
{
    return manual_of(loop)->exhausted;
}

void loop_manual_free(struct loop *loop)
{
    struct loop_manual *manual = manual_of(loop);

    for (struct post *post = take_post(manual); post != NULL; post = take_post(manual)) {
        if (post->drop != NULL) {
            post->drop(post->context);
        }
        free(post);
    }
    pthread_mutex_destroy(&manual->mutex);
    free(manual->timers);
    free(manual);
}
