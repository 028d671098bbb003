/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/records.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/text.h"
#include "model/json_token.h"
#include "reconciler/journal/journal.h"

void records_print_move(struct text *text, const struct journal_move *move, int64_t now_ms)
{
    char at[CLOCK_TEXT_SIZE];
    char took[CLOCK_TEXT_SIZE];
    int64_t end_ms = move->ended_ms != 0 ? move->ended_ms : now_ms;

    text_printf(text, "%s  %-20s %s -> %s  %-7s  %s%s  %s", clock_format(move->begun_ms, at),
                move->guest, move->from, move->to, op_mode_name(move->mode),
                journal_move_state_name(move->state), move->unclear ? " (unclear)" : "",
                clock_format_duration(end_ms - move->begun_ms, took));
    if (move->downtime_ms > 0) {
        text_printf(text, ", pause %" PRId64 " ms", move->downtime_ms);
    }
    if (move->error_text != NULL) {
        text_printf(text, ": %s", text_visible(text->arena, move->error_text));
    }
    text_append(text, "\n");
}

void records_print_step(struct text *text, const struct journal_step *step)
{
    char at[CLOCK_TEXT_SIZE];

    text_printf(text, "    %s  %2" PRIu32 " %-10s on %s: %s%s%s\n",
                clock_format(step->begun_ms, at), step->number, op_kind_name(step->kind),
                step->host, journal_step_state_name(step->state),
                step->error_text == NULL ? "" : ": ",
                step->error_text == NULL ? "" : text_visible(text->arena, step->error_text));
}

void records_json_instant(struct text *text, const char *name, int64_t wall_ms)
{
    char at[CLOCK_TEXT_SIZE];

    if (wall_ms == 0) {
        text_printf(text, "\"%s\":null", name);
    } else {
        text_printf(text, "\"%s\":\"%s\"", name, clock_format(wall_ms, at));
    }
}

static void json_string(struct text *text, const char *name, const char *value)
{
    text_printf(text, ",\"%s\":", name);
    json_token_write_string(text, value);
}

void records_json_move(struct text *text, const struct journal_move *move)
{
    text_printf(text, "{\"epoch\":%" PRIu64 ",\"seq\":%" PRIu64, move->key.epoch, move->key.seq);
    json_string(text, "guest", move->guest);
    json_string(text, "uuid", move->uuid);
    json_string(text, "from", move->from);
    json_string(text, "to", move->to);
    json_string(text, "mode", op_mode_name(move->mode));
    json_string(text, "hop", move->detour ? "detour" : "final");
    json_string(text, "state", journal_move_state_name(move->state));
    text_printf(text, ",\"unclear\":%s,\"back\":%s,", move->unclear ? "true" : "false",
                move->back ? "true" : "false");
    records_json_instant(text, "begun", move->begun_ms);
    text_append(text, ",");
    records_json_instant(text, "ended", move->ended_ms);
    json_string(text, "es_xml_sha256", move->es_digest);
    json_string(text, "error", move->error == ERR_NONE ? NULL : err_code_name(move->error));
    json_string(text, "text", move->error_text);
    text_printf(text,
                ",\"total_ms\":%" PRId64 ",\"downtime_ms\":%" PRId64 ",\"bytes\":%" PRIu64
                ",\"iterations\":%" PRIu64 "}",
                move->total_ms, move->downtime_ms, move->bytes, move->iterations);
}

void records_json_step(struct text *text, const struct journal_step *step)
{
    text_printf(text, "{\"number\":%" PRIu32, step->number);
    json_string(text, "op", op_kind_name(step->kind));
    json_string(text, "host", step->host);
    json_string(text, "state", journal_step_state_name(step->state));
    json_string(text, "text", step->error_text);
    text_append(text, ",");
    records_json_instant(text, "begun", step->begun_ms);
    text_append(text, ",");
    records_json_instant(text, "ended", step->ended_ms);
    text_append(text, "}");
}
