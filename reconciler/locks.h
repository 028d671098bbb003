/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Locks: on which hosts nothing but Berth keeps a guest from being started twice.  Checks before a move look at
 * the lock managers of its two hosts; this is told of all of them once, when a controller starts.  Pure.
 */

struct arena;
struct observed;

/* The warning, in 'arena'; NULL if every host that tells has a lock manager. */
const char *locks_warning(struct arena *arena, const struct observed *observed);
