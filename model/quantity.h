/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Quantities as people write them: memory sizes and durations (contract.md §2 and §3).  Pure.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

/* Reads a memory size into KiB: '[0-9]+([.][0-9]+)? ?([KMGT](i?B)?)?', case-insensitive, every unit
 * binary, a bare number in MiB.  False if it does not parse, is not a whole number of KiB, or exceeds
 * 2^53 KiB (so that every size survives JSON). */
bool quantity_parse_size(const char *s, uint64_t *kib);

/* Reads a duration, '[0-9]+(ms|s|m|h)', into milliseconds; at most 366 days. */
bool quantity_parse_duration(const char *s, int64_t *ms);

/* Appends 'kib' as people read it: "512 KiB", "96 MiB", "1.5 GiB"; exact or with one decimal. */
void quantity_print_size(struct text *text, uint64_t kib);

/* The same as a text of its own. */
const char *quantity_size_text(struct arena *arena, uint64_t kib);

/* What of a host's memory a size is of, to follow it: " in 2 MiB pages", or "" for ordinary memory, 0. */
const char *quantity_pages_text(struct arena *arena, uint64_t page_kib);
