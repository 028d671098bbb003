/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/eventlog.h"

#include <inttypes.h>
#include <syslog.h>

#include "base/err.h"
#include "cli/logline.h"
#include "diff/plan.h"
#include "model/fault.h"
#include "model/observed.h"
#include "reconciler/drift.h"
#include "reconciler/event.h"
#include "reconciler/event_json.h"
#include "reconciler/journal/journal.h"
#include "reconciler/order.h"

static void log_faults(const char *file, const struct event *event)
{
    struct logline line;

    for (size_t i = 0; i < event->faults->count; i++) {
        logline_begin(&line, event_json_name(event));
        logline_add(&line, "file", "%s", file);
        logline_add(&line, "line", "%" PRIu32, event->faults->items[i].line);
        logline_quote(&line, "text", event->faults->items[i].text);
        logline_end(&line);
    }
    if (event->faults->count == 0) {
        logline_begin(&line, event_json_name(event));
        logline_add(&line, "file", "%s", file);
        logline_quote(&line, "text", event->err->text);
        logline_end(&line);
    }
}

static void log_file(const char *file, const struct event *event)
{
    struct logline line;

    logline_begin(&line, event_json_name(event));
    logline_add(&line, "file", "%s", file);
    logline_end(&line);
}

static void log_unreachable(const struct observed *observed)
{
    for (size_t i = 0; i < observed->host_count; i++) {
        if (!observed->hosts[i].reachable) {
            struct logline line;

            logline_begin(&line, "host-unreachable");
            logline_add(&line, "host", "%s", observed->hosts[i].name);
            logline_quote(&line, "text", observed->hosts[i].error);
            logline_end(&line);
        }
    }
}

static void log_plan(const struct plan *plan)
{
    struct logline line;

    logline_begin(&line, "plan");
    logline_add(&line, "moves", "%zu", plan->move_count);
    logline_add(&line, "blocked", "%zu", plan->block_count);
    logline_add(&line, "complete", "%s", plan->complete ? "yes" : "no");
    logline_end(&line);
    for (size_t i = 0; i < plan->block_count; i++) {
        logline_begin(&line, "blocked");
        logline_add(&line, "guest", "%s", plan->blocked[i].guest);
        logline_add(&line, "code", "%s", plan_code_name(plan->blocked[i].code));
        logline_quote(&line, "text", plan->blocked[i].reason);
        logline_end(&line);
    }
}

static void add_outcome(struct logline *line, const struct event *event)
{
    const struct journal_move *move = event->move;

    logline_add(line, "result", "%s", journal_move_state_name(move->state));
    logline_add(line, "elapsed_ms", "%" PRId64, event->elapsed_ms);
    logline_add(line, "downtime_ms", "%" PRId64, move->downtime_ms);
    if (move->error_text != NULL) {
        logline_quote(line, "text", move->error_text);
    }
    if (move->state != JOURNAL_MOVE_DONE) {
        line->priority = LOG_WARNING;
    }
}

static void log_move(const struct event *event)
{
    const struct journal_move *move = event->move;
    struct logline line;

    logline_begin(&line, event_json_name(event));
    logline_add(&line, "guest", "%s", move->guest);
    logline_add(&line, "from", "%s", move->from);
    logline_add(&line, "to", "%s", move->to);
    logline_add(&line, "mode", "%s", op_mode_name(move->mode));
    if (event->kind == EVENT_MOVE_END) {
        add_outcome(&line, event);
    }
    if (event->text != NULL) {
        logline_quote(&line, "text", event->text);
    }
    logline_end(&line);
}

static void log_step(const struct event *event)
{
    struct logline line;

    logline_begin(&line, event_json_name(event));
    logline_add(&line, "guest", "%s", event->guest);
    logline_add(&line, "op", "%s", op_kind_name(event->op));
    if (event->step != NULL) {
        logline_add(&line, "step", "%s", event->step);
    }
    if (event->supply != SUPPLY_NONE) {
        logline_add(&line, "supply", "%s", supply_kind_name(event->supply));
    }
    logline_add(&line, "host", "%s", event->host);
    if (event->kind == EVENT_STEP_END) {
        logline_add(&line, "result", "%s",
                    event->err == NULL ? "done" : err_code_name(event->err->code));
        logline_add(&line, "elapsed_ms", "%" PRId64, event->elapsed_ms);
    }
    if (event->note != NULL) {
        logline_quote(&line, "note", event->note);
    }
    if (event->err != NULL) {
        logline_quote(&line, "text", event->err->text);
        line.priority = LOG_WARNING;
    }
    logline_end(&line);
}

static void log_skipped(const struct event *event)
{
    struct logline line;

    logline_begin(&line, event_json_name(event));
    logline_add(&line, "guest", "%s", event->guest);
    logline_add(&line, "step", "%s", event->step);
    logline_quote(&line, "text", event->text);
    logline_end(&line);
}

static void log_text(const struct event *event, const char *text)
{
    struct logline line;

    logline_begin(&line, event_json_name(event));
    if (event->guest != NULL) {
        logline_add(&line, "guest", "%s", event->guest);
    }
    if (event->kind == EVENT_RETRY) {
        logline_add(&line, "wait_ms", "%" PRId64, event->wait_ms);
    }
    logline_quote(&line, "text", text);
    logline_end(&line);
}

static void log_drift(const struct event *event)
{
    struct logline line;

    logline_begin(&line, event_json_name(event));
    logline_add(&line, "guest", "%s", event->guest);
    logline_add(&line, "class", "%s", config_drift_class_name(event->drift->class));
    logline_add(&line, "answer", "%s", config_drift_answer_name(event->drift->answer));
    logline_quote(&line, "text", event->text);
    logline_end(&line);
}

static void log_order(const struct order *order)
{
    struct logline line;

    logline_begin(&line, "order");
    logline_add(&line, "verb", "%s", order_verb_name(order->verb));
    logline_add(&line, "scope", "%s", journal_scope_name(order->scope));
    logline_add(&line, "name", "%s", order->name);
    logline_quote(&line, "user", order->user);
    if (order->reason != NULL) {
        logline_quote(&line, "reason", order->reason);
    }
    logline_end(&line);
}

/* Of a host, and of one guest there or all: 'text' may be NULL. */
static void log_host(const struct event *event, const char *text)
{
    struct logline line;

    logline_begin(&line, event_json_name(event));
    logline_add(&line, "host", "%s", event->host);
    if (event->guest != NULL) {
        logline_add(&line, "guest", "%s", event->guest);
    }
    if (text != NULL) {
        logline_quote(&line, "text", text);
    }
    logline_end(&line);
}

static void log_following(void)
{
    struct logline line;

    logline_begin(&line, "following");
    logline_end(&line);
}

void eventlog_write(const struct eventlog *log, const struct event *event)
{
    switch (event->kind) {
    case EVENT_FAULTS:
        log_faults(log->es_xml, event);
        break;
    case EVENT_FILE_VALID:
        log_file(log->es_xml, event);
        break;
    case EVENT_CONFIG_FAULTS:
        log_faults(log->config, event);
        break;
    case EVENT_CONFIG_TAKEN:
        log_file(log->config, event);
        break;
    case EVENT_FOLLOWING:
        log_following();
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
    case EVENT_FORECAST:
    case EVENT_MOVE_END:
    case EVENT_MOVE_STUCK:
        log_move(event);
        break;
    case EVENT_STEP_BEGIN:
        if (event->step != NULL) { /* Of the others their end tells it all. */
            log_step(event);
        }
        break;
    case EVENT_STEP_END:
        log_step(event);
        break;
    case EVENT_STEP_SKIPPED:
    case EVENT_STEP_REFUSED:
        log_skipped(event);
        break;
    case EVENT_RETRY:
    case EVENT_CONFIG_RESTART:
    case EVENT_NO_LOCKS:
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
    case EVENT_RELEASE:
        log_host(event, event->err == NULL ? NULL : event->err->text);
        break;
    case EVENT_SWEPT:
        log_host(event, event->text);
        break;
    case EVENT_JOURNAL_LOST:
        log_text(event, event->err->text);
        break;
    case EVENT_PASS:
    case EVENT_PROGRESS:
        break;
    }
}
