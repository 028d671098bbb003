/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Errands: orders on their way into the journal.  Whoever asked is answered when the order is committed, and
 * so survives a crash, or cannot be.  Loop thread.
 */

#include <stdint.h>

#include "reconciler/order.h"

struct err;
struct errand;
struct ledger;
struct loop;

/* 'err' NULL: 'text' says what was done; valid during the call. */
typedef void errand_answer_fn(void *context, const struct err *err, const char *text);

struct errands {
    struct loop *loop;
    struct ledger *ledger;
    void *context;
    void (*committed)(void *context, const struct order *order); /* Before the answer. */
    void (*lost)(void *context, const struct err *err); /* The journal cannot be written. */
    struct errand *first;
};

/* Carries out 'order', whose scope and name are filled; answer(context) is called once, never from inside
 * this call. */
void errand_run(struct errands *errands, const struct order *order, int64_t now_ms,
                errand_answer_fn *answer, void *context);

/* Answers that it cannot be done, in the same way. */
void errand_refuse(struct errands *errands, const struct err *err, errand_answer_fn *answer,
                   void *context);

/* Answers what is under way that the controller ends; what comes of it is in the journal, or not.  The
 * journal must have been closed before. */
void errand_forget_all(struct errands *errands);
