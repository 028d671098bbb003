/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * es_layout: where in the bytes of an es.xml its machines and the references inside them stand, recorded
 * while the file is read, for es_edit.  Offsets count bytes from the beginning of the file.
 */

#include <stddef.h>
#include <stdint.h>

/* The bytes from 'begin' up to, but without, 'end'. */
struct es_extent {
    size_t begin;
    size_t end;
};

/* A definition, of whatever kind of machine. */
struct es_layout_machine {
    const char *id;
    struct es_extent start; /* '<machine ...>' */
    struct es_extent stop;  /* '</machine>', or empty at the end of '<machine .../>'. */
};

/* A reference to a machine inside a machine, children and all. */
struct es_layout_place {
    const char *id;
    uint32_t machine; /* Index of the definition it stands in. */
    struct es_extent extent;
};

struct es_layout {
    const struct es_layout_machine *machines; /* In the file's order, as the next. */
    size_t machine_count;
    const struct es_layout_place *places;
    size_t place_count;
};
