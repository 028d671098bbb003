/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Adopt: the file follows the fleet: guests that somebody moved get their new host written into es.xml, where
 * berth.conf says so ([drift] operator_move = adopt). */

#include <stddef.h>

struct arena;
struct drift;
struct err;
struct policy;
struct revision;
struct source;

/* Writes where the guests of 'drift' that are to be adopted are into 'source', which must still hold
 * 'revision': all of them or, where the file would be faulty then, the first one with which it is not.
 * '*count' is how many that were.  Nothing is written that 'policy' finds fault with. */
int adopt_drift(struct arena *arena, struct source *source, const struct revision *revision,
                const struct policy *policy, const struct drift *drift, size_t *count,
                struct err *err);
