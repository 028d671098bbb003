/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Hold: a person's wish that the fleet, a host or a guest be left alone, until it is released. */

struct arena;
struct journal_hold;

/* What 'hold' is, who wants it, since when and why, and how to end it; one sentence in 'arena'. */
const char *hold_text(struct arena *arena, const struct journal_hold *hold);
