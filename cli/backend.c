/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/backend.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/heap.h"
#include "base/text.h"
#include "diff/plan.h"
#include "diff/plan_json.h"
#include "reconciler/force.h"
#include "reconciler/journal/journal.h"
#include "reconciler/journal_json.h"
#include "reconciler/json_member.h"
#include "reconciler/metrics.h"
#include "reconciler/reconciler.h"

/* What waits longer is not begun after its caller has been told that nobody answers. */
#define FORCE_PATIENCE_MS (API_ACT_MS - 5000)

static int write_plan(const struct backend *backend, struct text *text, struct err *err)
{
    const struct plan *plan = reconciler_plan(backend->reconciler);

    if (plan == NULL) {
        return err_set(err, ERR_NOT_FOUND, "cannot show the plan: none is followed yet");
    }
    plan_json_write(text, plan);
    return 0;
}

static int write_guests(const struct backend *backend, const struct api_query *query,
                        struct text *text, struct err *err)
{
    struct status status = reconciler_status(backend->reconciler);

    if (status_guests_json(text, &status, query->guest) == 0 && query->guest != NULL) {
        return err_set(err, ERR_NOT_FOUND, "cannot show '%s': no such guest is known",
                       query->guest);
    }
    return 0;
}

static int write_hosts(const struct backend *backend, const struct api_query *query,
                       struct text *text, struct err *err)
{
    struct status status = reconciler_status(backend->reconciler);

    if (status_hosts_json(text, &status, query->host) == 0 && query->host != NULL) {
        return err_set(err, ERR_NOT_FOUND, "cannot show '%s': no such host is known", query->host);
    }
    return 0;
}

static void write_moves(struct text *text, const struct journal_move *moves, size_t count,
                        int64_t since_ms)
{
    json_member_name(text, "moves");
    text_append(text, "[");
    for (size_t i = 0; i < count; i++) {
        if (moves[i].begun_ms >= since_ms) {
            json_member_next(text);
            text_append(text, "\n ");
            journal_json_move(text, &moves[i]);
        }
    }
    text_append(text, "]");
}

static int write_history(const struct backend *backend, const struct api_query *query,
                         struct text *text, struct err *err)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct journal *journal = backend->journal;
    struct journal_move *moves;
    struct journal_event *events;
    size_t move_count;
    size_t event_count;

    if (journal->ops->moves(journal, &arena, false, query->guest, query->limit, &moves, &move_count,
                            err) != 0 ||
        journal->ops->events(journal, &arena, query->guest, query->limit, &events, &event_count,
                             err) != 0) {
        return -1;
    }
    text_append(text, "{");
    json_member_string(text, "format", "berth.history/1");
    write_moves(text, moves, move_count, query->since_ms);
    journal_json_events(text, events, event_count, query->since_ms);
    text_append(text, "}\n");
    return 0;
}

static int document(void *context, enum api_document which, const struct api_query *query,
                    struct text *text, struct err *err)
{
    struct backend *backend = context;
    struct status status;

    switch (which) {
    case API_STATUS:
        status = reconciler_status(backend->reconciler);
        status_json(text, &status);
        return 0;
    case API_PLAN:
        return write_plan(backend, text, err);
    case API_GUESTS:
        return write_guests(backend, query, text, err);
    case API_HOSTS:
        return write_hosts(backend, query, text, err);
    case API_HISTORY:
        return write_history(backend, query, text, err);
    case API_METRICS:
        status = reconciler_status(backend->reconciler);
        metrics_write(text, backend->metrics, &status);
        return 0;
    case API_DOCUMENT_COUNT:
        break;
    }
    return err_set(err, ERR_NOT_FOUND, "cannot show '%s'", api_document_name(which));
}

/* An act that waits for its answer. */
struct act {
    struct backend *backend;
    unsigned opening;
    uint64_t ticket;
};

static void on_answer(void *context, const struct err *err, const char *text)
{
    struct act *act = context;

    if (act->opening == act->backend->openings) {
        api_reply(act->backend->api, act->ticket, err, text);
    }
    free(act);
}

static enum order_verb verb_of(enum api_verb verb)
{
    switch (verb) {
    case API_CANCEL:
        return ORDER_CANCEL;
    case API_HOLD:
        return ORDER_HOLD;
    case API_RELEASE:
        return ORDER_RELEASE;
    case API_RETRY:
        return ORDER_RETRY;
    case API_CHECK:
    case API_FORCE:
    case API_VERB_COUNT:
        break;
    }
    return ORDER_CHECK;
}

static void do_force(struct backend *backend, const struct api_act *act, struct act *waiting)
{
    const struct force_request request = {
        .guest = act->guest,
        .to = act->to,
        .dead = act->dead,
        .user = act->user,
        .patience_ms = FORCE_PATIENCE_MS,
    };

    reconciler_force(backend->reconciler, &request, on_answer, waiting);
}

static void do_act(void *context, const struct api_act *act, uint64_t ticket)
{
    struct backend *backend = context;
    struct act *waiting = HEAP_NEW(struct act);
    const struct order order = {
        .verb = verb_of(act->verb),
        .scope = act->guest != NULL  ? JOURNAL_SCOPE_GUEST
                 : act->host != NULL ? JOURNAL_SCOPE_HOST
                                     : JOURNAL_SCOPE_COUNT,
        .user = act->user,
        .reason = act->reason,
    };

    *waiting = (struct act){ backend, backend->openings, ticket };
    if (act->verb == API_FORCE) {
        do_force(backend, act, waiting);
        return;
    }
    reconciler_order(backend->reconciler, &order, act->guest != NULL ? act->guest : act->host,
                     on_answer, waiting);
}

struct api_backend backend_seam(struct backend *backend)
{
    return (struct api_backend){ .context = backend, .document = document, .act = do_act };
}
