/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Oracle: what the best plan of a small fleet costs, found by looking at every placement, with the rules
 * read once more from the inputs.  Shares nothing with planner and verifier; slow, simple, and meant to
 * be believed.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diff/plan.h"

#define ORACLE_HOSTS  8
#define ORACLE_GUESTS 16

struct oracle_cost {
    size_t left; /* Guests that could be moved if there was a way, and stay. */
    size_t interruptions;
    size_t moves;
    uint64_t kib;
};

enum oracle_word {
    ORACLE_KNOWS,
    ORACLE_TOO_LARGE, /* More guests, hosts or placements than it looks at. */
};

/* The least cost of a plan for 'input', in the order of planner.md's objective. */
enum oracle_word oracle_ask(const struct plan_input *input, size_t budget,
                            struct oracle_cost *cost);

/* What 'plan' costs, in the same terms. */
struct oracle_cost oracle_price(const struct plan_input *input, const struct plan *plan);

/* Whether some plan for 'input' brings 'guest' home, whoever else it leaves. */
enum oracle_word oracle_brings_home(const struct plan_input *input, size_t budget,
                                    const char *guest, bool *yes);
