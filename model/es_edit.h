/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * es_edit: guests move to other hosts in the bytes of an es.xml, and nothing else of them changes.
 *
 * A reference goes with its line: indentation, children and a comment behind it.  In the target it comes
 * after the references that are there, in their form (a line of its own, or in the same line), else last,
 * indented as its neighbours.  Line ends are those around it; all other bytes stay.  The result is read
 * again and must be the old desired state but for the placements asked for.  Pure.
 */

#include <stddef.h>

struct arena;
struct err;

/* 'guest' belongs on 'host'; both are hostNames. */
struct es_edit {
    const char *guest;
    const char *host;
};

/* Edits the 'length' bytes at 'bytes'; '*edited' lives in 'arena' and equals 'bytes' if every guest is
 * where it is to be.  ERR_INVALID: the bytes are no es.xml without fault, or a guest is named twice.
 * ERR_NOT_FOUND: no such guest or host.  ERR_REFUSED: it cannot be done by moving bytes alone. */
int es_edit_apply(struct arena *arena, const char *bytes, size_t length,
                  const struct es_edit *edits, size_t count, const char **edited,
                  size_t *edited_length, struct err *err);
