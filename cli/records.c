/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/records.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/text.h"
#include "reconciler/journal/journal.h"
#include "reconciler/order.h"

/* How a copy went beside what was foretold, and what it took to end it. */
static void print_copy(struct text *text, const struct journal_move *move)
{
    char took[CLOCK_TEXT_SIZE];
    char predicted[CLOCK_TEXT_SIZE];

    if (move->predicted_ms == INT64_MAX) {
        text_append(text, ", predicted not to converge");
    } else if (move->predicted_ms > 0) {
        text_printf(text, ", copied in %s (predicted %s)",
                    clock_format_duration(move->total_ms, took),
                    clock_format_duration(move->predicted_ms, predicted));
    }
    if (move->throttle_percent > 0) {
        text_printf(text, ", slowed down by %" PRIu32 " %%", move->throttle_percent);
    }
    if (move->postcopy) {
        text_append(text, ", by post-copy");
    }
    if (move->fallback) {
        text_append(text, ", because a live move was not done in time");
    }
}

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
    print_copy(text, move);
    if (move->error_text != NULL) {
        text_printf(text, ": %s", text_visible(text->arena, move->error_text));
    }
    text_append(text, "\n");
}

void records_print_step(struct text *text, const struct journal_step *step)
{
    const char *why = step->error_text != NULL ? step->error_text : step->note;
    char at[CLOCK_TEXT_SIZE];

    text_printf(text, "    %s  %2" PRIu32 " %-10s%s%s on %s: %s%s%s\n",
                clock_format(step->begun_ms, at), step->number, op_kind_name(step->kind),
                step->supply == SUPPLY_NONE ? "" : " ", supply_kind_name(step->supply), step->host,
                journal_step_state_name(step->state), why == NULL ? "" : ": ",
                why == NULL ? "" : text_visible(text->arena, why));
}

void records_print_event(struct text *text, const struct journal_event *event)
{
    char at[CLOCK_TEXT_SIZE];
    bool is_order =
        order_verb_from_name(event->kind) < ORDER_VERB_COUNT; /* Its text is who gave it. */
    const char *subject = event->guest != NULL ? event->guest : event->host;

    text_printf(text, "%s  %-20s %s", clock_format(event->at_ms, at),
                subject == NULL ? "(the fleet)" : text_visible(text->arena, subject),
                text_visible(text->arena, event->kind));
    if (event->text != NULL && *event->text != '\0') {
        text_printf(text, "%s%s", is_order ? " by " : ": ", text_visible(text->arena, event->text));
    }
    text_append(text, "\n");
}
