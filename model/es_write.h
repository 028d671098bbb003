/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * es_write: a desired state as the text of a new es.xml, in the shape OEDA writes.  For 'berth
 * discover'; editing a file that exists is another thing (byte for byte, architecture.md).  Pure.
 */

struct desired;
struct text;

/* Appends the whole document.  Reading it back with es_xml_read() gives the same desired state but
 * for lines. */
void es_write_document(struct text *text, const struct desired *desired);
