/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * sim_migrate: live migrations on a simulated fleet: what libvirt itself checks before one, how it copies
 * (sim_copy.h), and what ends it.  For sim_rules.c, and for whoever asks how far one is.
 */

#include <stdbool.h>
#include <stdint.h>

#include "actuators/sim_rules.h"

struct err;
struct op;
struct sim_fault;
struct sim_fleet;
struct sim_guest;
struct sim_host;

/* Begins MIGRATE, at 'wall_ms', as sim_rules_apply() does.  libvirt's checks and no more: that disks are the same it
 * does not look at. */
enum sim_answer sim_migrate_begin(struct sim_fleet *fleet, const struct op *op,
                                  struct sim_host *source, struct sim_host *target, int64_t wall_ms,
                                  const struct sim_fault *fault, struct err *err);

/* How the migration that MIGRATE or ADOPT follows is doing, as sim_rules_follow(). */
enum sim_answer sim_migrate_follow(const struct sim_fleet *fleet, const struct op *op,
                                   const struct sim_host *source, int64_t wall_ms,
                                   struct sim_course *course, struct err *err);

/* Ends the migration that MIGRATE or ADOPT follows, at 'wall_ms': the guest stays at its source.  False if
 * it is not over at once: a side is frozen (it ends at the thaw), the guest runs at the target by post-copy
 * and nothing ends it, or there is none. */
bool sim_migrate_cancel(struct sim_fleet *fleet, const struct op *op, int64_t wall_ms);

/* The pass over its memory, from 1, that 'guest' is in on its way from 'host' at 'wall_ms'; 0 if it is on none, or
 * is copied in one go because it writes nothing. */
uint64_t sim_migrate_pass(const struct sim_fleet *fleet, const struct sim_host *host,
                          const struct sim_guest *guest, int64_t wall_ms);
