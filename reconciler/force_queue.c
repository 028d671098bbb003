/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/force_queue.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/heap.h"
#include "base/loop.h"

struct force_wait {
    struct force_wait *next;
    struct force_queue *queue;
    struct arena arena;
    struct force_request request;
    errand_answer_fn *answer;
    void *context;
    struct loop_timer timer; /* Its patience. */
    bool begun;
};

static void on_patience_over(void *context)
{
    struct force_wait *wait = context;
    struct err err;

    (void)err_set(&err, ERR_BUSY,
                  "cannot move '%s' by force yet: something else is being done; ask again later",
                  wait->request.guest);
    force_queue_answer(wait, &err, NULL);
}

void force_queue_add(struct force_queue *queue, const struct force_request *request,
                     errand_answer_fn *answer, void *context)
{
    struct force_wait *wait = HEAP_NEW(struct force_wait);
    struct force_wait **link = &queue->first;

    *wait = (struct force_wait){ .queue = queue, .answer = answer, .context = context };
    wait->request = (struct force_request){
        .guest = arena_strdup(&wait->arena, request->guest),
        .to = arena_strdup(&wait->arena, request->to),
        .dead = arena_strdup_maybe(&wait->arena, request->dead),
        .user = arena_strdup(&wait->arena, request->user),
        .patience_ms = request->patience_ms,
    };
    while (*link != NULL) {
        link = &(*link)->next;
    }
    *link = wait;
    if (request->patience_ms > 0) {
        loop_timer_start(queue->loop, &wait->timer, request->patience_ms, on_patience_over, wait);
    }
}

struct force_wait *force_queue_next(const struct force_queue *queue)
{
    struct force_wait *wait = queue->first;

    while (wait != NULL && wait->begun) {
        wait = wait->next;
    }
    return wait;
}

const struct force_request *force_queue_request(const struct force_wait *wait)
{
    return &wait->request;
}

void force_queue_begin(struct force_wait *wait)
{
    wait->begun = true;
    loop_timer_stop(wait->queue->loop, &wait->timer);
}

void force_queue_answer(struct force_wait *wait, const struct err *err, const char *text)
{
    struct force_wait **link = &wait->queue->first;

    while (*link != wait) {
        link = &(*link)->next;
    }
    *link = wait->next;
    loop_timer_stop(wait->queue->loop, &wait->timer);
    wait->answer(wait->context, err, text);
    arena_deinit(&wait->arena);
    free(wait);
}

void force_queue_forget_all(struct force_queue *queue)
{
    struct err err;

    err_set(&err, ERR_UNREACHABLE, "the controller ends: ask again when it runs");
    while (queue->first != NULL) {
        force_queue_answer(queue->first, &err, NULL);
    }
}
