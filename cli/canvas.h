/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Canvas: what 'berth watch' shows, as lines that fit a terminal of any size: who acts on what and what is
 * wrong on top, the running move with its bar, hosts, guests that are not in their place, what waits and why
 * in the middle, which scrolls, the newest events below.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct json_t;

enum canvas_style {
    CANVAS_PLAIN,
    CANVAS_TITLE, /* Of the whole and of its parts. */
    CANVAS_GOOD,
    CANVAS_BAD,
    CANVAS_BUSY, /* Something moves. */
    CANVAS_FAINT,
    CANVAS_STYLES,
};

struct canvas_line {
    enum canvas_style style;
    const char *text; /* At most as many characters as there are columns. */
};

struct canvas {
    struct canvas_line
        *lines; /* From the top; exactly as many as there are rows, if there are any. */
    size_t count;
    size_t scroll; /* As it was asked for, but no further than there is something to see. */
};

/* What is known.  Documents are NULL while they are not. */
struct canvas_view {
    const struct json_t *status; /* berth.status/1 */
    const struct json_t *hosts;  /* berth.hosts/1 */
    const struct json_t *guests; /* berth.guests/1 */
    const char *const *events;   /* A line each, the newest last. */
    size_t event_count;
    const char *trouble; /* Why what is shown may be old, or NULL. */
    size_t rows;
    size_t columns;
    size_t scroll; /* Lines of the middle that have gone off at its top. */
    bool help;     /* What the keys do in place of the middle. */
};

/* The canvas for 'view', in 'arena'. */
struct canvas canvas_draw(struct arena *arena, const struct canvas_view *view);
