/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/eventlog.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "diff/plan.h"
#include "model/fault.h"
#include "model/observed.h"
#include "reconciler/drift.h"
#include "reconciler/event.h"
#include "reconciler/event_json.h"
#include "reconciler/journal/journal.h"
#include "reconciler/order.h"

/* A value in quotes, with what would end it early or steer a terminal replaced. */
static void quoted(const char *key, const char *value)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    (void)fprintf(stderr, " %s=\"", key);
    for (const char *c = text_visible(&arena, value); *c != '\0'; c++) {
        (void)fputc(*c == '"' ? '\'' : *c, stderr);
    }
    (void)fputc('"', stderr);
}

static void log_faults(const char *file, const struct event *event)
{
    for (size_t i = 0; i < event->faults->count; i++) {
        (void)fprintf(stderr, "event=invalid-file file=%s line=%u", file,
                      event->faults->items[i].line);
        quoted("text", event->faults->items[i].text);
        (void)fputc('\n', stderr);
    }
    if (event->faults->count == 0) {
        (void)fprintf(stderr, "event=unreadable-file file=%s", file);
        quoted("text", event->err->text);
        (void)fputc('\n', stderr);
    }
}

static void log_unreachable(const struct observed *observed)
{
    for (size_t i = 0; i < observed->host_count; i++) {
        if (!observed->hosts[i].reachable) {
            (void)fprintf(stderr, "event=host-unreachable host=%s", observed->hosts[i].name);
            quoted("text", observed->hosts[i].error);
            (void)fputc('\n', stderr);
        }
    }
}

static void log_plan(const struct plan *plan)
{
    (void)fprintf(stderr, "event=plan moves=%zu blocked=%zu complete=%s\n", plan->move_count,
                  plan->block_count, plan->complete ? "yes" : "no");
    for (size_t i = 0; i < plan->block_count; i++) {
        (void)fprintf(stderr, "event=blocked guest=%s code=%s", plan->blocked[i].guest,
                      plan_code_name(plan->blocked[i].code));
        quoted("text", plan->blocked[i].reason);
        (void)fputc('\n', stderr);
    }
}

static void log_move(const struct event *event)
{
    const struct journal_move *move = event->move;

    (void)fprintf(stderr, "event=%s guest=%s from=%s to=%s mode=%s", event_json_name(event),
                  move->guest, move->from, move->to, op_mode_name(move->mode));
    if (event->kind == EVENT_MOVE_END) {
        (void)fprintf(stderr, " result=%s elapsed_ms=%" PRId64 " downtime_ms=%" PRId64,
                      journal_move_state_name(move->state), event->elapsed_ms, move->downtime_ms);
        if (move->error_text != NULL) {
            quoted("text", move->error_text);
        }
    }
    if (event->text != NULL) {
        quoted("text", event->text);
    }
    (void)fputc('\n', stderr);
}

static void log_step(const struct event *event)
{
    (void)fprintf(stderr, "event=step guest=%s op=%s host=%s result=%s elapsed_ms=%" PRId64,
                  event->guest, op_kind_name(event->op), event->host,
                  event->err == NULL ? "done" : err_code_name(event->err->code), event->elapsed_ms);
    if (event->err != NULL) {
        quoted("text", event->err->text);
    }
    (void)fputc('\n', stderr);
}

static void log_text(const struct event *event, const char *text)
{
    (void)fprintf(stderr, "event=%s", event_json_name(event));
    if (event->guest != NULL) {
        (void)fprintf(stderr, " guest=%s", event->guest);
    }
    if (event->kind == EVENT_RETRY) {
        (void)fprintf(stderr, " wait_ms=%" PRId64, event->wait_ms);
    }
    quoted("text", text);
    (void)fputc('\n', stderr);
}

static void log_drift(const struct event *event)
{
    (void)fprintf(stderr, "event=%s guest=%s class=%s answer=%s", event_json_name(event),
                  event->guest, config_drift_class_name(event->drift->class),
                  config_drift_answer_name(event->drift->answer));
    quoted("text", event->text);
    (void)fputc('\n', stderr);
}

static void log_order(const struct order *order)
{
    (void)fprintf(stderr, "event=order verb=%s scope=%s name=%s", order_verb_name(order->verb),
                  journal_scope_name(order->scope), order->name);
    quoted("user", order->user);
    if (order->reason != NULL) {
        quoted("reason", order->reason);
    }
    (void)fputc('\n', stderr);
}

void eventlog_write(const char *file, const struct event *event)
{
    switch (event->kind) {
    case EVENT_FAULTS:
        log_faults(file, event);
        break;
    case EVENT_FILE_VALID:
        (void)fprintf(stderr, "event=valid-file file=%s\n", file);
        break;
    case EVENT_FILE_POLLED:
        log_text(event, event->err->text);
        break;
    case EVENT_OBSERVED:
        log_unreachable(event->observed);
        break;
    case EVENT_PLAN:
        log_plan(event->plan);
        break;
    case EVENT_MOVE_BEGIN:
    case EVENT_MOVE_RESUME:
    case EVENT_MOVE_END:
    case EVENT_MOVE_STUCK:
        log_move(event);
        break;
    case EVENT_STEP_END:
        log_step(event);
        break;
    case EVENT_RETRY:
    case EVENT_ALARM:
        log_text(event, event->text);
        break;
    case EVENT_DRIFT:
    case EVENT_DRIFT_OVER:
        log_drift(event);
        break;
    case EVENT_ORDER:
        log_order(event->order);
        break;
    case EVENT_JOURNAL_LOST:
        log_text(event, event->err->text);
        break;
    case EVENT_PASS:
    case EVENT_STEP_BEGIN:
    case EVENT_PROGRESS:
        break;
    }
}
