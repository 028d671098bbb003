/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * News: the events that a berthd tells (reconciler/event_json.h), as events again, so that who follows one
 * shows what it would show of its own run.  Pure.
 */

#include <stdbool.h>

#include "actuators/actuator.h"
#include "base/err.h"
#include "model/observed.h"
#include "reconciler/event.h"
#include "reconciler/journal/journal.h"

struct arena;
struct document;

/* An event, and what it points to. */
struct news {
    struct event event;
    struct journal_move move;
    struct actuator_progress progress;
    struct observed observed;
    struct err err;
};

/* Reads the event 'name' with the contents 'data', whose strings live in 'arena', into 'news', which must
 * not be moved.  False: it is of no kind that moves are shown by, or not whole. */
bool news_read(struct arena *arena, const char *name, const struct document *data,
               struct news *news);

/* Whether the event 'name' is one that people want to read of, and not how far things are. */
bool news_is_worth_a_line(const char *name);

/* The event in one line for a person, in 'arena': when, what, of what, and why. */
const char *news_line(struct arena *arena, const char *name, const struct document *data);
