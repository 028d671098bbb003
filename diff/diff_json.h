/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* diff_json: a diff as JSON, format "berth.diff/1": every guest not placed, and the counts.  A codec. */

struct diff;
struct text;

/* Appends the JSON, one line a guest, ending in a newline; byte-stable. */
void diff_json_write(struct text *text, const struct diff *diff);
