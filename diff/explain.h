/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Explain: in a few sentences, where a guest is, where it should be, and what stands in the way.  Pure.
 */

#include <stdbool.h>

struct arena;
struct plan;
struct plan_input;
struct text;

/* Appends the explanation of 'guest'.  False (and nothing appended) if neither the file nor any host
 * knows it. */
bool explain_guest(struct arena *arena, struct text *text, const struct plan_input *input,
                   const struct plan *plan, const char *guest);
