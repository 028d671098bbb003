/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * sim_rules: what the operations of model/op.h do on a simulated fleet, and what they refuse.
 *
 * The rules are libvirt's, as measured on real hosts (docs/simulation.md lists them), and the codes
 * those of the libvirt actuator.  No clock: the present is a parameter, and sim.c decides when to ask.
 */

#include <stdbool.h>
#include <stdint.h>

#include "actuators/actuator.h"

struct check_list;
struct err;
struct op;
struct sim_fault;
struct sim_findings;
struct sim_fleet;

/* What an operation came to. */
enum sim_answer {
    SIM_ANSWER_DONE,
    SIM_ANSWER_FAILED,   /* 'err' is filled. */
    SIM_ANSWER_UNDERWAY, /* Begun: ask sim_rules_follow(). */
    SIM_ANSWER_SILENT,   /* A host that is needed is frozen: nothing was done, ask again. */
};

/* How far a followed operation has come. */
struct sim_course {
    int64_t left_ms; /* Until it changes by itself; INT64_MAX = never. */
    struct actuator_progress progress;
    struct actuator_stats stats; /* So far; of a copy in one pass, when it is done. */
};

/* Does 'op', or begins it if it takes time (MIGRATE, ADOPT, STOP).  'fault' is the one taken for it, or
 * NULL: a hanging migration makes no progress, a hanging shutdown is not heard, 'delay_ms' makes both
 * longer.  PREFLIGHT adds what it has looked at to 'checks', and what else was
 * found to 'findings'.  Codes as the libvirt actuator gives them. */
enum sim_answer sim_rules_apply(struct sim_fleet *fleet, const struct op *op, int64_t wall_ms,
                                const struct sim_fault *fault, struct check_list *checks,
                                struct sim_findings *findings, struct err *err);

/* How 'op', begun by sim_rules_apply(), is doing at 'wall_ms'. */
enum sim_answer sim_rules_follow(const struct sim_fleet *fleet, const struct op *op,
                                 int64_t wall_ms, struct sim_course *course, struct err *err);

/* How long the reply to 'op' takes when nothing is followed. */
int64_t sim_rules_reply_ms(const struct sim_fleet *fleet, const struct op *op);
