/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * progress: what a person sees on stderr while moves run: a line when one begins, a bar that never runs
 * backwards, a line when it ends.  Without a terminal: plain lines, no bar.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "reconciler/gauge.h"

struct event;

struct progress {
    bool terminal; /* stderr is one: bars and colour. */
    bool colour;
    bool bar_shown;
    struct gauge gauge; /* Of the running move. */
    int64_t last_line_ms;
    bool hosts_told; /* Unreachable hosts were named. */
    char told
        [ERR_TEXT_SIZE]; /* The last error of a step: a move that ends by it need not say it again. */
};

/* For stderr as it is. */
struct progress progress_new(void);

/* Shows 'event'. */
void progress_show(struct progress *progress, const struct event *event);

/* Takes the bar away: other lines follow. */
void progress_end(struct progress *progress);
