/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Dice for tests that draw their cases from a seed: the same everywhere.
 */

#include <stdbool.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

/* SplitMix64. */
static inline uint64_t dice_roll(struct dice *dice, uint64_t sides)
{
    uint64_t z = dice->state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (z ^ (z >> 31)) % sides;
}

static inline bool dice_one_in(struct dice *dice, uint64_t sides)
{
    return dice_roll(dice, sides) == 0;
}
