/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * config_lines: an INI file taken apart, line by line with inih: for berth.conf and for profiles.  What the
 * sections and keys are is their readers' to know.
 */

#include <stddef.h>
#include <stdint.h>

struct arena;
struct faults;

/* Who is told of each line; names and values live in 'arena' or as long as the call. */
struct config_lines {
    struct arena *arena;
    struct faults *faults; /* Of lines that are no INI. */
    void *context;

    /* "[KIND]", where 'name' is "", or "[KIND NAME]".  'kind' is NULL for a header that is malformed, which
     * is a fault already: its keys are nobody's. */
    void (*section)(void *context, uint32_t line, const char *kind, const char *name);

    /* "NAME = VALUE" in the section that was begun last. */
    void (*key)(void *context, uint32_t line, const char *name, const char *value);
};

/* Reads the 'length' bytes at 'bytes', of which it makes lines. */
void config_lines_read(const struct config_lines *lines, char *bytes, size_t length);

/* 's' fit to be shown: a terminal must not get to see an escape sequence of a file.  Cut where it is long. */
const char *config_lines_echo(struct arena *arena, const char *s);
