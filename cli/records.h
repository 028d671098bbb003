/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * records: what the journal holds, as lines of 'berth history'.
 */

#include <stdint.h>

struct journal_event;
struct journal_move;
struct journal_step;
struct text;

/* Appends one line: when, guest, from → to, how, how it ended, how long it took. */
void records_print_move(struct text *text, const struct journal_move *move, int64_t now_ms);

/* Appends one indented line for a step. */
void records_print_step(struct text *text, const struct journal_step *step);

/* Appends one line for an event: when, of what, what, and why or by whom. */
void records_print_event(struct text *text, const struct journal_event *event);
