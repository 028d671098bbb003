/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * sim_xml: the domain XML of a simulated guest, and back.
 *
 * The text carries exactly what a definition takes along when it moves; equal definitions give equal
 * bytes.  The reader takes nothing but what the writer produces.  Any thread.
 */

struct arena;
struct err;
struct sim_guest;

/* The definition of 'guest' in 'arena'. */
char *sim_xml_write(struct arena *arena, const struct sim_guest *guest);

/* Reads a definition into a shut-off, persistent guest in 'arena'.  ERR_INVALID if sim_xml_write() would
 * not have written it so. */
int sim_xml_read(struct arena *arena, const char *xml, struct sim_guest *guest, struct err *err);
