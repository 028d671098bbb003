/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * es_xml: the bytes of an es.xml become the desired state, or a list of faults (contract.md §2).
 *
 * One pass of libxml2's SAX2 reader over one buffer, hardened: no network, no DTD, no entities, at
 * most ES_XML_MAX_BYTES.  Namespaces are ignored and elements that are not listed in contract.md are
 * passed over.  Pure in the sense of R1: a codec.
 */

#include <stddef.h>

#define ES_XML_MAX_BYTES ((size_t)64 * 1024 * 1024)

struct arena;
struct desired;
struct es_layout;
struct faults;

/* Reads 'length' bytes at 'bytes'.  Returns 0 and fills '*desired' (which lives in 'arena'), or -1
 * with every fault added to 'faults', sorted by line. */
int es_xml_read(struct arena *arena, const char *bytes, size_t length, struct desired *desired,
                struct faults *faults);

/* Likewise, and records in '*layout' (in 'arena' too) where machines and references stand. */
int es_xml_locate(struct arena *arena, const char *bytes, size_t length, struct desired *desired,
                  struct es_layout *layout, struct faults *faults);
