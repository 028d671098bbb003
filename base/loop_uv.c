/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop_uv.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <uv.h>

#include "base/heap.h"

struct post {
    struct post *next;
    loop_fn *fn;
    loop_fn *drop; /* Or NULL. */
    void *context;
};

struct posts {
    struct post *first;
    struct post **last; /* The link that the next post goes into. */
};

struct signal_watch {
    uv_signal_t handle;
    loop_fn *fn;
    void *context;
};

struct loop_uv {
    struct loop base; /* First: a struct loop of ours is a struct loop_uv. */
    uv_loop_t uv;
    uv_async_t wake;
    bool stopping;
    struct signal_watch signals[LOOP_UV_SIGNALS_MAX];
    size_t signal_count;
    uv_mutex_t mutex;
    struct posts posted; /* From any thread; guarded by 'mutex'. */
    struct posts ready;  /* Of the loop thread: taken from 'posted', still to run. */
};

/* libuv's side of an armed timer or watch.  It is ours and not part of struct loop_timer because libuv
 * needs it until the handle has closed, a turn of the loop after the user may have released the timer. */
struct timer_handle {
    uv_timer_t uv;
    struct loop_timer *timer;
};

struct watch_handle {
    uv_poll_t uv;
    struct loop_watch *watch;
};

static struct loop_uv *uv_of(struct loop *loop)
{
    return (struct loop_uv *)loop;
}

static void posts_init(struct posts *posts)
{
    posts->first = NULL;
    posts->last = &posts->first;
}

static void posts_add(struct posts *posts, struct post *post)
{
    *posts->last = post;
    posts->last = &post->next;
}

static void posts_move(struct posts *to, struct posts *from)
{
    if (from->first != NULL) {
        *to->last = from->first;
        to->last = from->last;
        posts_init(from);
    }
}

static struct post *posts_take(struct posts *posts)
{
    struct post *post = posts->first;

    if (post != NULL) {
        posts->first = post->next;
        if (posts->first == NULL) {
            posts->last = &posts->first;
        }
    }
    return post;
}

static void posts_deinit(struct posts *posts)
{
    for (struct post *post = posts_take(posts); post != NULL; post = posts_take(posts)) {
        if (post->drop != NULL) {
            post->drop(post->context);
        }
        free(post);
    }
}

/* Not uv_now(): that is the time at which this turn of the loop began. */
static int64_t uv_now_ms(struct loop *self)
{
    (void)self;
    return (int64_t)(uv_hrtime() / 1000000);
}

static int64_t uv_wall_ms(struct loop *self)
{
    struct timespec now;

    (void)self;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void must(int status, const char *what)
{
    if (status != 0) {
        (void)fprintf(stderr, "cannot set up %s: %s\n", what, uv_strerror(status));
        abort();
    }
}

static void on_handle_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void release_handle(struct timer_handle *handle)
{
    uv_timer_t *uv = &handle->uv;

    handle->timer->impl = NULL;
    handle->timer->armed = false;
    handle->timer = NULL;
    uv_close((uv_handle_t *)uv, on_handle_closed);
}

static void on_timer(uv_timer_t *uv)
{
    struct timer_handle *handle = uv->data;
    struct loop_uv *loop = uv->loop->data;
    struct loop_timer *timer = handle->timer;

    if (loop->stopping) { /* Due in the same turn as the callback that stopped the loop. */
        (void)uv_timer_start(uv, on_timer, 1, 0);
        return;
    }
    release_handle(handle);
    timer->fn(timer->context);
}

static struct timer_handle *new_handle(struct loop_uv *loop, struct loop_timer *timer)
{
    struct timer_handle *handle = HEAP_NEW(struct timer_handle);

    (void)uv_timer_init(&loop->uv, &handle->uv);
    handle->uv.data = handle;
    handle->timer = timer;
    return handle;
}

/* libuv counts from the time at which this turn began, so that is what the delay is taken from.
 * That time stands still within the turn while 'due_ms' does not: a timer that its own callback arms
 * again for now, again and again, soon waits for the next turn and starves nobody. */
static void uv_timer_arm(struct loop *self, struct loop_timer *timer)
{
    struct loop_uv *loop = uv_of(self);
    int64_t delay_ms = timer->due_ms - (int64_t)uv_now(&loop->uv);
    struct timer_handle *handle;

    if (!timer->armed) {
        timer->impl = new_handle(loop, timer);
        timer->armed = true;
    }
    handle = timer->impl;
    (void)uv_timer_start(&handle->uv, on_timer, delay_ms < 0 ? 0 : (uint64_t)delay_ms, 0);
}

static void uv_timer_disarm(struct loop *self, struct loop_timer *timer)
{
    (void)self;
    if (timer->armed) {
        release_handle(timer->impl);
    }
}

/* libuv ends a poll that reports an error; its user is told as of data, and sees the error when reading. */
static void on_poll(uv_poll_t *uv, int status, int events)
{
    struct watch_handle *handle = uv->data;
    const struct loop_uv *loop = uv->loop->data;

    (void)events;
    if (status != 0) {
        must(uv_poll_start(uv, UV_READABLE, on_poll), "a watch");
    }
    if (!loop->stopping) { /* Otherwise it is told by the next run: it can still be read. */
        handle->watch->fn(handle->watch->context);
    }
}

static void uv_watch_arm(struct loop *self, struct loop_watch *watch)
{
    struct loop_uv *loop = uv_of(self);
    struct watch_handle *handle;

    assert(!watch->armed);
    handle = HEAP_NEW(struct watch_handle);
    must(uv_poll_init(&loop->uv, &handle->uv, watch->fd), "a watch");
    handle->uv.data = handle;
    handle->watch = watch;
    watch->impl = handle;
    watch->armed = true;
    must(uv_poll_start(&handle->uv, UV_READABLE, on_poll), "a watch");
}

static void uv_watch_disarm(struct loop *self, struct loop_watch *watch)
{
    struct watch_handle *handle = watch->impl;

    (void)self;
    if (watch->armed) {
        uv_poll_t *uv = &handle->uv;

        watch->impl = NULL;
        watch->armed = false;
        uv_close((uv_handle_t *)uv, on_handle_closed);
    }
}

static void uv_post(struct loop *self, loop_fn *fn, loop_fn *drop, void *context)
{
    struct loop_uv *loop = uv_of(self);
    struct post *post = HEAP_NEW(struct post);

    post->fn = fn;
    post->drop = drop;
    post->context = context;
    uv_mutex_lock(&loop->mutex);
    posts_add(&loop->posted, post);
    /* Under the mutex: whoever sees the post may end the loop, and with it the handle. */
    (void)uv_async_send(&loop->wake);
    uv_mutex_unlock(&loop->mutex);
}

/* What is posted meanwhile waits for the next turn, so that posting cannot starve timers. */
static void on_wake(uv_async_t *wake)
{
    struct loop_uv *loop = wake->loop->data;

    uv_mutex_lock(&loop->mutex);
    posts_move(&loop->ready, &loop->posted);
    uv_mutex_unlock(&loop->mutex);
    while (!loop->stopping && loop->ready.first != NULL) {
        struct post *post = posts_take(&loop->ready);
        struct post call = *post;

        free(post);
        call.fn(call.context);
    }
}

static void uv_run_loop(struct loop *self)
{
    struct loop_uv *loop = uv_of(self);

    (void)uv_async_send(&loop->wake); /* For calls that an earlier stop left in 'ready'. */
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    loop->stopping = false;
}

static void uv_stop_loop(struct loop *self)
{
    struct loop_uv *loop = uv_of(self);

    loop->stopping = true;
    uv_stop(&loop->uv);
}

static const struct loop_ops uv_ops = {
    .name = "libuv",
    .now_ms = uv_now_ms,
    .wall_ms = uv_wall_ms,
    .timer_start = uv_timer_arm,
    .timer_stop = uv_timer_disarm,
    .watch_start = uv_watch_arm,
    .watch_stop = uv_watch_disarm,
    .post = uv_post,
    .run = uv_run_loop,
    .stop = uv_stop_loop,
};

struct loop *loop_uv_new(void)
{
    struct loop_uv *loop = HEAP_NEW(struct loop_uv);

    loop->base.ops = &uv_ops;
    posts_init(&loop->posted);
    posts_init(&loop->ready);
    must(uv_mutex_init(&loop->mutex), "the event loop's mutex");
    must(uv_loop_init(&loop->uv), "the event loop");
    must(uv_async_init(&loop->uv, &loop->wake, on_wake), "the event loop's wake-up");
    loop->uv.data = loop;
    return &loop->base;
}

/* Posted rather than called, so that loop_stop() holds it back like everything else. */
static void on_signal(uv_signal_t *handle, int signum)
{
    struct signal_watch *watch = handle->data;
    struct loop_uv *loop = handle->loop->data;

    (void)signum;
    loop_post(&loop->base, watch->fn, watch->context);
}

void loop_uv_on_signal(struct loop *loop, int signum, loop_fn *fn, void *context)
{
    struct loop_uv *uv = uv_of(loop);
    struct signal_watch *watch = &uv->signals[uv->signal_count];

    assert(uv->signal_count < LOOP_UV_SIGNALS_MAX);
    uv->signal_count++;
    watch->fn = fn;
    watch->context = context;
    must(uv_signal_init(&uv->uv, &watch->handle), "a signal watch");
    watch->handle.data = watch;
    must(uv_signal_start(&watch->handle, on_signal, signum), "a signal watch");
}

static void close_handle(uv_handle_t *handle, void *context)
{
    bool owned = handle->type == UV_TIMER || handle->type == UV_POLL;

    (void)context;
    if (!uv_is_closing(handle)) {
        uv_close(handle, owned ? on_handle_closed : NULL);
    }
}

/* Timers and watches still armed are not touched: their users may have gone. */
void loop_uv_free(struct loop *loop)
{
    struct loop_uv *uv = uv_of(loop);

    uv_walk(&uv->uv, close_handle, NULL);
    while (uv_loop_close(&uv->uv) == UV_EBUSY) {
        (void)uv_run(&uv->uv, UV_RUN_DEFAULT);
    }
    uv_mutex_destroy(&uv->mutex);
    posts_deinit(&uv->posted);
    posts_deinit(&uv->ready);
    free(uv);
}
