/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * sim_supply: what a simulated platform provides on its hosts, as real state: bridges that exist, volumes that
 * are attached, configuration volumes that are mounted, interfaces that were set aside.
 *
 * A volume is attached to one host at a time unless it is shared, a configuration volume is mounted on one, and
 * nothing is taken from under a guest's process.  The rules of sim_rules.h are in the same spirit.
 */

#include <stdbool.h>
#include <stdint.h>

#include "model/supply.h"

struct check_list;
struct err;
struct op;
struct sim_fleet;
struct sim_guest;
struct sim_host;
struct arena;

/* What an operation found beside its outcome, as in struct actuator_completion. */
struct sim_findings {
    uint32_t present[2];
    uint32_t known[2];
    struct supply_list supplies; /* In the fleet's arena, as 'note'. */
    const char *note;
};

/* PROVIDE and WITHDRAW on 'host'; what had less to do than asked says so in 'note', which lives in the fleet's
 * arena.  -1 with '*err' filled: what was done before stays done, as on real hosts. */
int sim_supply_provide(struct sim_fleet *fleet, const struct op *op, struct sim_host *host,
                       struct sim_findings *findings, struct err *err);
int sim_supply_withdraw(struct sim_fleet *fleet, const struct op *op, struct sim_host *host,
                        const char **note, struct err *err);

/* The kinds of op->supplies that are all there on 'host'. */
uint32_t sim_supply_present(const struct sim_fleet *fleet, const struct op *op,
                            const struct sim_host *host);

/* Fails with ERR_UNSAFE if the platform tells who has volumes attached and another host than 'host' has one of
 * op->supplies. */
int sim_supply_check_owners(struct sim_fleet *fleet, const struct op *op, struct sim_host *host,
                            struct err *err);

/* Fails if an interface of op->supplies is none that 'target' has, or a guest there runs with it. */
int sim_supply_check_interfaces(const struct op *op, const struct sim_host *target,
                                struct err *err);

/* The first of the interfaces that 'guest' has for itself and that 'host' has not set aside, or NULL. */
const char *sim_supply_missing_interface(const struct sim_host *host,
                                         const struct sim_guest *guest);

/* op->supplies with what is behind its volumes on 'host', in the fleet's arena. */
struct supply_list sim_supply_identify(const struct sim_fleet *fleet, const struct op *op,
                                       const struct sim_host *host);

/* Adds a check for each of op->supplies of op->supply that has an identity: is it the same on 'host'? */
void sim_supply_prove(const struct op *op, const struct sim_host *host, struct check_list *checks);

/* The first of the interfaces and configuration volumes that 'guest' needs to start and that 'host' has not, or
 * NULL; '*what' says which of the two it is. */
const char *sim_supply_missing(const struct sim_host *host, const struct sim_guest *guest,
                               const char **what);

/* What the definition of 'guest' uses that a platform may have to provide, in 'arena'. */
struct supply_list sim_supply_of(struct arena *arena, const struct sim_fleet *fleet,
                                 const struct sim_guest *guest);
