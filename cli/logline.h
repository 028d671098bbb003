/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Logline: one line of berthd's log, 'event=NAME key=value ...', and where it goes: to stderr or, when that
 * is the system's journal, there as an entry with fields: MESSAGE, PRIORITY, MESSAGE_ID of its kind,
 * BERTH_EVENT and a BERTH_KEY for each key.
 */

#include <stddef.h>

#include "base/arena.h"
#include "base/text.h"

#define LOGLINE_FIELDS_MAX 24u

struct logline {
    struct arena arena;
    struct text text;
    const char *fields[LOGLINE_FIELDS_MAX];
    size_t count;
    int priority; /* Of syslog(3); as its kind has it unless set. */
};

/* Begins a line of the kind 'name', which logline.c knows. */
void logline_begin(struct logline *line, const char *name);

/* Adds " key=value"; the value has neither blanks nor quotes. */
void logline_add(struct logline *line, const char *key, const char *fmt, ...) PRINTF(3, 4);

/* Adds ' key="value"' for a value of any text: what would end it early or steer a terminal is replaced. */
void logline_quote(struct logline *line, const char *key, const char *value);

/* Writes the line and releases it. */
void logline_end(struct logline *line);
