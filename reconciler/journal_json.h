/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* journal_json: the journal's records as JSON objects, for 'berth history', 'berth status' and the API. */

#include <stddef.h>
#include <stdint.h>

struct journal_event;
struct journal_hold;
struct journal_move;
struct journal_owed;
struct journal_retry;
struct journal_step;
struct text;

/* Each appends one object. */
void journal_json_move(struct text *json, const struct journal_move *move);
void journal_json_step(struct text *json, const struct journal_step *step);
void journal_json_retry(struct text *json, const struct journal_retry *retry);
void journal_json_owed(struct text *json, const struct journal_owed *owed);
void journal_json_hold(struct text *json, const struct journal_hold *hold);
void journal_json_event(struct text *json, const struct journal_event *event);

/* Appends the member "events" of an object: those of the 'count' at 'events' that came at 'since_ms' or later. */
void journal_json_events(struct text *json, const struct journal_event *events, size_t count,
                         int64_t since_ms);
