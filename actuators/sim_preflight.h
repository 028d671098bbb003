/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * sim_preflight: the checks before a move on a simulated fleet: those of the libvirt actuator, with its
 * codes, on what simulated hosts and guests have of it (docs/simulation.md).
 */

struct check_list;
struct op;
struct sim_fleet;
struct sim_host;

/* Makes every check of PREFLIGHT 'op' and adds it to 'list'; both hosts answer.  Changes nothing. */
void sim_preflight_run(const struct sim_fleet *fleet, const struct op *op,
                       const struct sim_host *source, const struct sim_host *target,
                       struct check_list *list);
