/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * sim_refusal: for what a simulated host refuses an operation on a guest, whichever operation it is.
 *
 * Each returns 0, or -1 with '*err' filled as the libvirt actuator would: "cannot start 'vm1' on 'kvm1': why".
 */

#include "base/err.h"

struct op;
struct sim_fleet;
struct sim_guest;
struct sim_host;

/* 'why' in a sentence of 'op'.  Always -1. */
int sim_refusal_tell(struct err *err, enum err_code code, const struct op *op, const char *why);

/* 'host' has nothing of the kind 'what' called 'name'.  Always -1. */
int sim_refusal_no_such(struct err *err, const struct op *op, const struct sim_host *host,
                        const char *what, const char *name);

/* The guest of 'op' on 'host' by UUID, NULL in '*guest' if there is none; its name must agree. */
int sim_refusal_seek(const struct sim_host *host, const struct op *op, struct sim_guest **guest,
                     struct err *err);

/* The same, but a guest that is not there is refused. */
int sim_refusal_need(const struct sim_host *host, const struct op *op, struct sim_guest **guest,
                     struct err *err);

/* 'host' has no room for the guest's memory, or not the NUMA nodes that it is bound to. */
int sim_refusal_of_room(const struct sim_host *host, const struct sim_guest *guest,
                        const struct op *op, struct err *err);

/* QEMU does not find by its path what the guest has: disks, files, bridges. */
int sim_refusal_of_paths(const struct sim_host *host, const struct sim_guest *guest,
                         const struct op *op, struct err *err);

/* Another job runs on the guest. */
int sim_refusal_of_job(const struct sim_fleet *fleet, const struct sim_guest *guest,
                       const struct op *op, struct err *err);
