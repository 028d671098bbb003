/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Force_queue: requests to move guests by force that wait for their turn, and whoever asked for an answer.
 * Loop thread.
 */

#include "reconciler/errand.h"
#include "reconciler/force.h"

struct force_wait;
struct loop;

struct force_queue {
    struct loop *loop;
    struct force_wait *first;
};

/* Adds a copy of 'request'; answer(context) is called once, never from inside this call. */
void force_queue_add(struct force_queue *queue, const struct force_request *request,
                     errand_answer_fn *answer, void *context);

/* The first that has not begun, or NULL, and what it asks for. */
struct force_wait *force_queue_next(const struct force_queue *queue);
const struct force_request *force_queue_request(const struct force_wait *wait);

/* It begins: from now on it does not time out. */
void force_queue_begin(struct force_wait *wait);

/* Answers it, as errand_answer_fn says, and forgets it. */
void force_queue_answer(struct force_wait *wait, const struct err *err, const char *text);

/* Answers all that the controller ends. */
void force_queue_forget_all(struct force_queue *queue);
