/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * sim_json: a simulated fleet as JSON, format "berth.sim/1" (docs/simulation.md), and back.  A codec in
 * the sense of R1.
 */

#include <stddef.h>

#define SIM_JSON_MAX_BYTES ((size_t)256 * 1024 * 1024)

struct arena;
struct err;
struct sim_fleet;
struct text;

/* Reads 'length' bytes into a fleet that lives in 'arena'.  Whatever is missing, unknown, out of range or
 * contradictory is ERR_INVALID with the path to it ("hosts[2].guests[0].uuid"). */
int sim_json_read(struct arena *arena, const char *bytes, size_t length, struct sim_fleet *fleet,
                  struct err *err);

/* Appends the JSON, one line a guest, members at their defaults left out: byte-stable for equal
 * fleets. */
void sim_json_write(struct text *text, const struct sim_fleet *fleet);
