/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/journal_json.h"

#include "base/text.h"
#include "reconciler/journal/journal.h"
#include "reconciler/json_member.h"

void journal_json_move(struct text *json, const struct journal_move *move)
{
    text_append(json, "{");
    json_member_number(json, "epoch", move->key.epoch);
    json_member_number(json, "seq", move->key.seq);
    json_member_string(json, "guest", move->guest);
    json_member_string(json, "uuid", move->uuid);
    json_member_string(json, "from", move->from);
    json_member_string(json, "to", move->to);
    json_member_string(json, "mode", op_mode_name(move->mode));
    json_member_string(json, "hop", move->detour ? "detour" : "final");
    json_member_string(json, "state", journal_move_state_name(move->state));
    json_member_flag(json, "unclear", move->unclear);
    json_member_flag(json, "back", move->back);
    json_member_instant(json, "begun", move->begun_ms);
    json_member_instant(json, "ended", move->ended_ms);
    json_member_string(json, "es_xml_sha256", move->es_digest);
    json_member_string(json, "error", move->error == ERR_NONE ? NULL : err_code_name(move->error));
    json_member_string(json, "text", move->error_text);
    json_member_signed(json, "total_ms", move->total_ms);
    json_member_signed(json, "downtime_ms", move->downtime_ms);
    json_member_number(json, "bytes", move->bytes);
    json_member_number(json, "iterations", move->iterations);
    json_member_signed(json, "predicted_ms",
                       move->predicted_ms == INT64_MAX ? -1 : move->predicted_ms);
    json_member_number(json, "written_bytes_s", move->written_bytes_s);
    json_member_number(json, "throttle_percent", move->throttle_percent);
    json_member_flag(json, "postcopy", move->postcopy);
    json_member_flag(json, "overran", move->overran);
    json_member_flag(json, "fallback", move->fallback);
    text_append(json, "}");
}

void journal_json_step(struct text *json, const struct journal_step *step)
{
    text_append(json, "{");
    json_member_number(json, "number", step->number);
    json_member_string(json, "op", op_kind_name(step->kind));
    if (step->supply != SUPPLY_NONE) {
        json_member_string(json, "supply", supply_kind_name(step->supply));
    }
    if (step->note != NULL) {
        json_member_string(json, "note", step->note);
    }
    json_member_string(json, "host", step->host);
    json_member_string(json, "state", journal_step_state_name(step->state));
    json_member_string(json, "text", step->error_text);
    json_member_instant(json, "begun", step->begun_ms);
    json_member_instant(json, "ended", step->ended_ms);
    text_append(json, "}");
}

void journal_json_retry(struct text *json, const struct journal_retry *retry)
{
    bool parked = retry->next_ms == INT64_MAX;

    text_append(json, "{");
    json_member_string(json, "guest", retry->guest);
    json_member_flag(json, "parked", parked);
    json_member_number(json, "attempts", retry->attempts);
    json_member_number(json, "outages", retry->outages);
    json_member_string(json, "error", err_code_name(retry->code));
    json_member_instant(json, "next", parked ? 0 : retry->next_ms);
    json_member_string(json, "reason", retry->reason);
    json_member_string(json, "es_xml_sha256", retry->es_digest);
    text_append(json, "}");
}

void journal_json_owed(struct text *json, const struct journal_owed *owed)
{
    text_append(json, "{");
    json_member_string(json, "guest", owed->guest);
    json_member_string(json, "host", owed->host);
    json_member_instant(json, "since", owed->since_ms);
    text_append(json, "}");
}

void journal_json_hold(struct text *json, const struct journal_hold *hold)
{
    text_append(json, "{");
    json_member_string(json, "scope", journal_scope_name(hold->scope));
    json_member_string(json, "name", *hold->name == '\0' ? NULL : hold->name);
    json_member_string(json, "user", hold->user);
    json_member_instant(json, "since", hold->since_ms);
    json_member_string(json, "reason", hold->reason);
    text_append(json, "}");
}

void journal_json_event(struct text *json, const struct journal_event *event)
{
    text_append(json, "{");
    json_member_number(json, "epoch", event->key.epoch);
    json_member_number(json, "seq", event->key.seq);
    json_member_instant(json, "at", event->at_ms);
    json_member_string(json, "kind", event->kind);
    json_member_string(json, "guest", event->guest);
    json_member_string(json, "host", event->host);
    json_member_string(json, "text", event->text);
    text_append(json, "}");
}

void journal_json_events(struct text *json, const struct journal_event *events, size_t count,
                         int64_t since_ms)
{
    json_member_name(json, "events");
    text_append(json, "[");
    for (size_t i = 0; i < count; i++) {
        if (events[i].at_ms >= since_ms) {
            json_member_next(json);
            text_append(json, "\n ");
            journal_json_event(json, &events[i]);
        }
    }
    text_append(json, "]");
}
