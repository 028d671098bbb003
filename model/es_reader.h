/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * es_reader: the elements of an es.xml, one after the other, become the document that es_resolve
 * makes the desired state of.  It knows which elements mean something, what their texts may be and
 * how long; it does not know XML.  Only model/es_xml.c uses this.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/es_layout.h"

struct arena;
struct desired;
struct es_reader;
struct faults;

/* Bytes that belong to somebody else and end without a NUL. */
struct es_span {
    const char *text;
    size_t length;
};

struct es_tag {
    const char *name;  /* Without prefix. */
    struct es_span id; /* Length 0 = none. */
    bool deployed;     /* It has deployed="true". */
    uint32_t line;
    struct es_extent extent; /* Of the tag; only for a reader that records the layout. */
};

/* A reader whose result lives in 'arena' and everything else, itself too, in 'scratch'. */
struct es_reader *es_reader_new(struct arena *arena, struct arena *scratch, struct faults *faults);

/* From the beginning, also records where machines and references stand. */
void es_reader_record_layout(struct es_reader *reader);

/* An element begins.  False, with a fault, if there is no sense in reading on: it is no es.xml, or
 * nested without bounds. */
bool es_reader_begin(struct es_reader *reader, const struct es_tag *tag);

/* Text of the element that is open, or a piece of it. */
void es_reader_text(struct es_reader *reader, const char *text, size_t length);

/* The element that is open ends, with the tag at 'extent' (recorded as that of a start is), which is the
 * start tag itself where that ends with '/>'. */
void es_reader_end(struct es_reader *reader, struct es_extent extent);

/* The document is complete: resolves it as es_resolve_desired() does. */
void es_reader_finish(struct es_reader *reader, struct desired *desired);

/* What was recorded, in the reader's 'arena'. */
struct es_layout es_reader_layout(const struct es_reader *reader);
