/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/errand.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/heap.h"
#include "base/loop.h"
#include "reconciler/ledger.h"

struct errand {
    struct errand *next;
    struct errands *errands;
    struct arena arena;
    struct order order;
    errand_answer_fn *answer;
    void *context;
    struct loop_timer timer; /* Answers what needs no commit. */
    struct err err;          /* Of a refusal. */
};

static struct errand *errand_new(struct errands *errands, errand_answer_fn *answer, void *context)
{
    struct errand *errand = HEAP_NEW(struct errand);

    errand->errands = errands;
    errand->answer = answer;
    errand->context = context;
    errand->next = errands->first;
    errands->first = errand;
    return errand;
}

static void errand_free(struct errand *errand)
{
    loop_timer_stop(errand->errands->loop, &errand->timer);
    arena_deinit(&errand->arena);
    free(errand);
}

static void end(struct errand *errand, const struct err *err)
{
    struct errand **link = &errand->errands->first;

    while (*link != errand) {
        link = &(*link)->next;
    }
    *link = errand->next;
    errand->answer(errand->context, err,
                   err == NULL ? order_text(&errand->arena, &errand->order) : NULL);
    errand_free(errand);
}

static void on_committed(void *context, enum journal_result result, const struct err *err)
{
    struct errand *errand = context;
    struct errands *errands = errand->errands;

    if (result == JOURNAL_COMMITTED) {
        errands->committed(errands->context, &errand->order);
        end(errand, NULL);
        return;
    }
    end(errand, err);
    errands->lost(errands->context, err);
}

static void on_nothing_to_write(void *context)
{
    on_committed(context, JOURNAL_COMMITTED, NULL);
}

static void on_refused(void *context)
{
    struct errand *errand = context;

    end(errand, &errand->err);
}

static void copy_order(struct errand *errand, const struct order *order)
{
    struct arena *arena = &errand->arena;

    errand->order = *order;
    errand->order.name = arena_strdup(arena, order->name);
    errand->order.user = arena_strdup(arena, order->user);
    errand->order.reason = arena_strdup_maybe(arena, order->reason);
}

void errand_run(struct errands *errands, const struct order *order, int64_t now_ms,
                errand_answer_fn *answer, void *context)
{
    struct journal_record records[ORDER_RECORDS_MAX];
    struct errand *errand;
    size_t count;
    struct err err;

    if (order_records(order, errands->ledger, now_ms, records, &count, &err) != 0) {
        errand_refuse(errands, &err, answer, context);
        return;
    }
    errand = errand_new(errands, answer, context);
    copy_order(errand, order);
    if (count == 0) {
        loop_timer_start(errands->loop, &errand->timer, 0, on_nothing_to_write, errand);
        return;
    }
    ledger_submit(errands->ledger, records, count, on_committed, errand);
}

void errand_refuse(struct errands *errands, const struct err *err, errand_answer_fn *answer,
                   void *context)
{
    struct errand *errand = errand_new(errands, answer, context);

    errand->err = *err;
    loop_timer_start(errands->loop, &errand->timer, 0, on_refused, errand);
}

void errand_forget_all(struct errands *errands)
{
    struct err err;

    err_set(&err, ERR_UNREACHABLE, "the controller ends: ask again when it runs");
    while (errands->first != NULL) {
        end(errands->first, &err);
    }
}
