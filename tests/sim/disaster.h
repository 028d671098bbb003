/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Disaster: a host of a play (play.h) dies or falls silent, people have its guests started elsewhere, maybe more
 * than once, and operations go wrong that are seldom needed otherwise.  Afterwards the host comes back.
 */

#include <stddef.h>
#include <stdint.h>

#include "tests/unit/dice.h"

struct cast;
struct mishap;

/* 'mishaps' with up to three disasters within 'length_ms' among them, in the cast's arena; '*count' grows. */
struct mishap *disaster_add(const struct cast *cast, struct dice *dice, int64_t length_ms,
                            const struct mishap *mishaps, size_t *count);
