/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Terminal: the one that stdin and stdout are, drawn on and read from by ncurses, and given back as it was.
 *
 * It is in a module of its own (base/module.h).  One terminal a process.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/base.h"

struct err;
struct canvas;

enum terminal_key {
    TERMINAL_NONE, /* No key was pressed. */
    TERMINAL_OTHER,
    TERMINAL_QUIT,
    TERMINAL_HELP,
    TERMINAL_UP,
    TERMINAL_DOWN,
    TERMINAL_PAGE_UP,
    TERMINAL_PAGE_DOWN,
    TERMINAL_HOME,
    TERMINAL_END,
};

struct terminal;

struct terminal_ops {
    void (*size)(struct terminal *terminal, size_t *rows, size_t *columns);
    void (*draw)(struct terminal *terminal, const struct canvas *canvas);
    /* The next key that was pressed; does not wait. */
    enum terminal_key (*key)(struct terminal *terminal);
    /* The window has another size now, or was written over: the next draw() draws everything. */
    void (*resize)(struct terminal *terminal);
    /* Gives the terminal back until the next draw(). */
    void (*suspend)(struct terminal *terminal);
    void (*close)(struct terminal *terminal);
};

struct terminal {
    const struct terminal_ops *ops;
};

/* Takes the terminal; 'colour': as far as it has any.  NULL and ERR_INVALID: TERM names none that can be drawn
 * on. */
EXPORT struct terminal *terminal_open(bool colour, struct err *err);
