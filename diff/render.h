/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Render: plans and diffs as text for people.  Pure; colour is the caller's wish.
 */

#include <stdbool.h>

struct arena;
struct diff;
struct plan;
struct text;

/* A table as a person would write it: what, from, to, how, why, room left after; then blocked guests
 * with reason and what would unblock them; then warnings; then one summary line. */
void render_plan(struct arena *arena, struct text *text, const struct plan *plan, bool colour);

/* What was looked at before each move of 'plan': a blank line and a heading a move, then a line a check that did not pass
 * (with 'all': every check), with what to change.  Nothing for a plan whose moves nobody has checked. */
void render_checks(struct arena *arena, struct text *text, const struct plan *plan, bool all,
                   bool colour);

/* Graphviz: hosts as boxes, moves as numbered arrows. */
void render_dot(struct text *text, const struct plan *plan);

/* One line a guest that is not where the file wants it, with its class; nothing for a satisfied fleet. */
void render_diff(struct arena *arena, struct text *text, const struct diff *diff, bool colour);
