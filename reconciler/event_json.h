/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* event_json: events as JSON objects, for those who follow a controller and for hooks.  Pure. */

#include <stdint.h>

struct event;
struct gauge;
struct text;

/* Stable name of what 'event' tells, as in a log line: "move-begin". */
const char *event_json_name(const struct event *event);

/* Appends 'event' as one object in one line, its name and 'at_ms' as an instant included.  'gauge' tells how
 * far the running move is; NULL if that is not known. */
void event_json_write(struct text *json, const struct event *event, const struct gauge *gauge,
                      int64_t at_ms);
