/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * observed_json: the observation as JSON, format "berth.observed/1" (contract.md §4), and back.
 * A codec in the sense of R1.
 */

#include <stddef.h>

#define OBSERVED_JSON_MAX_BYTES ((size_t)256 * 1024 * 1024)

struct arena;
struct err;
struct observed;
struct text;

/* Reads 'length' bytes.  What is required and missing, of the wrong type, out of range, or named twice
 * is ERR_INVALID with the path to it ("hosts[2].guests[0].uuid").  Unknown members are passed over. */
int observed_json_read(struct arena *arena, const char *bytes, size_t length,
                       struct observed *observed, struct err *err);

/* Appends the JSON, one line a guest, ending in a newline: byte-stable for equal values.  Unknown
 * members are left out. */
void observed_json_write(struct text *text, const struct observed *observed);
