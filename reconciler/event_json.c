/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/event_json.h"

#include "base/err.h"
#include "base/text.h"
#include "diff/plan.h"
#include "model/fault.h"
#include "model/observed.h"
#include "reconciler/drift.h"
#include "reconciler/event.h"
#include "reconciler/gauge.h"
#include "reconciler/journal_json.h"
#include "reconciler/json_member.h"
#include "reconciler/order.h"

const char *event_json_name(const struct event *event)
{
    switch (event->kind) {
    case EVENT_FAULTS:
        return event->faults->count > 0 ? "invalid-file" : "unreadable-file";
    case EVENT_FILE_VALID:
        return "valid-file";
    case EVENT_FILE_POLLED:
        return "polled-file";
    case EVENT_FOLLOWING:
        return "following";
    case EVENT_CONFIG_FAULTS:
        return event->faults->count > 0 ? "invalid-config" : "unreadable-config";
    case EVENT_CONFIG_RESTART:
        return "restart-needed";
    case EVENT_CONFIG_TAKEN:
        return "reloaded";
    case EVENT_OBSERVED:
        return "observed";
    case EVENT_NO_LOCKS:
        return "no-lock-manager";
    case EVENT_PASS:
        return "pass";
    case EVENT_PLAN:
        return "plan";
    case EVENT_MOVE_BEGIN:
        return "move-begin";
    case EVENT_MOVE_RESUME:
        return "move-resume";
    case EVENT_STEP_BEGIN:
        return "step-begin";
    case EVENT_STEP_END:
        return "step";
    case EVENT_STEP_SKIPPED:
        return "step-skipped";
    case EVENT_STEP_REFUSED:
        return "step-refused";
    case EVENT_PROGRESS:
        return "progress";
    case EVENT_FORECAST:
        return "forecast";
    case EVENT_MOVE_END:
        return "move-end";
    case EVENT_MOVE_STUCK:
        return "move-unclear";
    case EVENT_RETRY:
        return event->wait_ms < 0 ? "parked" : "backoff";
    case EVENT_ALARM:
        return "alarm";
    case EVENT_DRIFT:
        return "drift";
    case EVENT_DRIFT_OVER:
        return "drift-over";
    case EVENT_ORDER:
        return "order";
    case EVENT_RELEASE:
        return event->err == NULL ? "released" : "release-failed";
    case EVENT_SWEPT:
        return "swept";
    case EVENT_JOURNAL_LOST:
        return "journal-lost";
    }
    return "";
}

static void add_faults(struct text *json, const struct event *event)
{
    json_member_name(json, "faults");
    text_append(json, "[");
    for (size_t i = 0; i < event->faults->count; i++) {
        json_member_next(json);
        text_append(json, "{");
        json_member_number(json, "line", event->faults->items[i].line);
        json_member_string(json, "text", event->faults->items[i].text);
        text_append(json, "}");
    }
    text_append(json, "]");
}

static void add_hosts(struct text *json, const struct observed *observed)
{
    json_member_name(json, "unreachable");
    text_append(json, "[");
    for (size_t i = 0; i < observed->host_count; i++) {
        if (!observed->hosts[i].reachable) {
            json_member_next(json);
            text_append(json, "{");
            json_member_string(json, "host", observed->hosts[i].name);
            json_member_string(json, "text", observed->hosts[i].error);
            text_append(json, "}");
        }
    }
    text_append(json, "]");
}

static void add_plan(struct text *json, const struct plan *plan)
{
    json_member_number(json, "moves", plan->move_count);
    json_member_number(json, "blocked", plan->block_count);
    json_member_flag(json, "complete", plan->complete);
}

/* Members of steps that only some have. */
static void add_step_name(struct text *json, const struct event *event)
{
    if (event->step != NULL) {
        json_member_string(json, "step", event->step);
    }
    if (event->supply != SUPPLY_NONE) {
        json_member_string(json, "supply", supply_kind_name(event->supply));
    }
    if (event->note != NULL) {
        json_member_string(json, "note", event->note);
    }
}

static void add_step(struct text *json, const struct event *event)
{
    json_member_string(json, "op", op_kind_name(event->op));
    json_member_string(json, "host", event->host);
    add_step_name(json, event);
    if (event->kind == EVENT_STEP_END) {
        json_member_string(json, "result",
                           event->err == NULL ? "done" : err_code_name(event->err->code));
        json_member_signed(json, "elapsed_ms", event->elapsed_ms);
    }
}

static void add_progress(struct text *json, const struct event *event, const struct gauge *gauge)
{
    const struct actuator_progress *progress = event->progress;

    json_member_string(json, "phase", gauge_phase_name(progress->phase));
    json_member_signed(json, "elapsed_ms", progress->elapsed_ms);
    json_member_number(json, "iteration", progress->iteration);
    json_member_number(json, "total_bytes", progress->total_bytes);
    json_member_number(json, "remaining_bytes", progress->remaining_bytes);
    json_member_number(json, "dirty_bytes_s", progress->dirty_bytes_s);
    json_member_number(json, "written_bytes_s", progress->written_bytes_s);
    json_member_number(json, "throttle_percent", progress->throttle_percent);
    if (gauge != NULL) {
        gauge_json(json, gauge);
    }
}

static void add_order(struct text *json, const struct order *order)
{
    json_member_string(json, "verb", order_verb_name(order->verb));
    json_member_string(json, "scope", journal_scope_name(order->scope));
    json_member_string(json, "name", *order->name == '\0' ? NULL : order->name);
    json_member_string(json, "user", order->user);
    json_member_string(json, "reason", order->reason);
}

static void add_move(struct text *json, const struct event *event)
{
    if (event->kind == EVENT_MOVE_BEGIN) {
        json_member_number(json, "number", event->number);
        json_member_number(json, "total", event->total);
    } else if (event->kind == EVENT_MOVE_END) {
        json_member_signed(json, "elapsed_ms", event->elapsed_ms);
    }
    json_member_name(json, "move");
    journal_json_move(json, event->move);
}

/* What is of one kind alone. */
static void add_details(struct text *json, const struct event *event, const struct gauge *gauge)
{
    switch (event->kind) {
    case EVENT_FAULTS:
    case EVENT_CONFIG_FAULTS:
        add_faults(json, event);
        break;
    case EVENT_OBSERVED:
        add_hosts(json, event->observed);
        break;
    case EVENT_PLAN:
        add_plan(json, event->plan);
        break;
    case EVENT_MOVE_BEGIN:
    case EVENT_MOVE_RESUME:
    case EVENT_FORECAST:
    case EVENT_MOVE_END:
    case EVENT_MOVE_STUCK:
        add_move(json, event);
        break;
    case EVENT_STEP_BEGIN:
    case EVENT_STEP_END:
        add_step(json, event);
        break;
    case EVENT_STEP_SKIPPED:
    case EVENT_STEP_REFUSED:
        add_step_name(json, event);
        break;
    case EVENT_PROGRESS:
        add_progress(json, event, gauge);
        break;
    case EVENT_RETRY:
        json_member_signed(json, "wait_ms", event->wait_ms);
        break;
    case EVENT_DRIFT:
    case EVENT_DRIFT_OVER:
        drift_json(json, event->drift);
        break;
    case EVENT_ORDER:
        add_order(json, event->order);
        break;
    case EVENT_RELEASE:
    case EVENT_SWEPT:
        json_member_string(json, "host", event->host);
        break;
    case EVENT_PASS:
        json_member_signed(json, "elapsed_ms", event->elapsed_ms);
        break;
    case EVENT_FILE_VALID:
    case EVENT_FILE_POLLED:
    case EVENT_FOLLOWING:
    case EVENT_CONFIG_RESTART:
    case EVENT_CONFIG_TAKEN:
    case EVENT_NO_LOCKS:
    case EVENT_ALARM:
    case EVENT_JOURNAL_LOST:
        break;
    }
}

void event_json_write(struct text *json, const struct event *event, const struct gauge *gauge,
                      int64_t at_ms)
{
    const char *why = event->text != NULL  ? event->text
                      : event->err != NULL ? event->err->text
                                           : NULL;

    text_append(json, "{");
    json_member_string(json, "event", event_json_name(event));
    json_member_instant(json, "at", at_ms);
    if (event->guest != NULL) {
        json_member_string(json, "guest", event->guest);
    }
    if (why != NULL && *why != '\0') {
        json_member_string(json, "text", why);
    }
    add_details(json, event, gauge);
    text_append(json, "}");
}
