/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Estimate: how long moves are taken to last, for people and for windows that close.  Pure.
 */

#include <stdint.h>

#include "model/op.h"

/* What a live move is taken to copy in a second, where policy sets 'bandwidth_mib_s' (0 = no limit). */
uint64_t estimate_rate_mib_s(uint64_t bandwidth_mib_s);

/* A move by itself, in milliseconds: its memory copied once, or a shutdown and a start; a definition alone
 * takes no time. */
int64_t estimate_move_ms(enum move_mode mode, uint64_t memory_kib, uint64_t bandwidth_mib_s);
