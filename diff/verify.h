/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Verify: a second, independent reading of planner.md's rules.  Replays moves one by one on the
 * observation and objects to the first that breaks a rule at any instant.
 *
 * Shares no logic with the planner (only the values of model/ and the plan itself), so that one mistake
 * does not hide the other.  Runs before the first move and again before each.  Pure.
 */

#include <stddef.h>

struct err;
struct plan;
struct plan_input;

/* Replays plan->moves[first..] from the world of 'input'.  0, or -1 with '*err' (ERR_REFUSED) naming the
 * move and the rule: "move 3 (vm1 to kvm2): memory: 96 GiB + 64 GiB exceeds 128 GiB on kvm2". */
int verify_plan(const struct plan_input *input, const struct plan *plan, size_t first,
                struct err *err);
